//! The two text formats of one registry.
//!
//! ```text
//!   OpenMetrics                          text 0.0.4
//!   # HELP requests Requests.            # HELP requests_total Requests.
//!   # TYPE requests counter              # TYPE requests_total counter
//!   requests_total 3                     requests_total 3
//!   # EOF
//! ```
//!
//! Promises: the older format names a counter as its samples are named.
//! Never: a number that differs between the two.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposition {
    OpenMetrics,
    Text,
}

impl Exposition {
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub(crate) fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut page = String::with_capacity(16 << 10);
        encode(&mut page, registry)?;
        Ok(match self {
            Self::OpenMetrics => page,
            Self::Text => as_text(&page),
        })
    }
}

fn as_text(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + 256);
    let mut help = None;
    for line in page.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let counter = typed.strip_suffix(" counter");
            let suffix = if counter.is_some() { "_total" } else { "" };
            let name = typed.split(' ').next().unwrap_or_default();
            let said =
                help.take().and_then(|line| line.strip_prefix("# HELP ")?.strip_prefix(name));
            if let Some(said) = said {
                text.extend(["# HELP ", name, suffix, said, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, &typed[name.len()..], "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;

    #[test]
    fn the_older_format_names_a_counter_as_its_samples() {
        let mut registry = Registry::default();
        let requests: Counter = Counter::default();
        requests.inc();
        let depth: Gauge = Gauge::default();
        registry.register("requests", "Requests", requests);
        registry.register("depth", "Depth", depth);
        let text = Exposition::Text.encode(&registry).expect("encodes");
        assert_eq!(
            text,
            "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total 1\n\
             # HELP depth Depth.\n# TYPE depth gauge\ndepth 0\n"
        );
        assert!(Exposition::OpenMetrics.encode(&registry).expect("encodes").ends_with("# EOF\n"));
    }
}
