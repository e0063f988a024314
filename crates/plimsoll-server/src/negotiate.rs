//! Which format a client gets: `?format=`, else `Accept`.
//!
//! Promises: `*/*` and no header mean NDJSON; weights and `q=0` count; an Accept that names
//! nothing we serve is refused with the list.
//! Never: a guess from User-Agent.

use axum::http::{HeaderMap, header};
use plimsoll::format::Format;

use crate::params::invalid;
use crate::problem::{Kind, Problem, Result};

/// The media types, for the refusal.
const SERVED: [&str; 4] =
    ["application/x-ndjson", "application/jsonl", "application/json", "text/csv"];

/// The format of a `format` parameter.
pub(crate) fn named(value: &str) -> Result<Format> {
    Format::from_name(value).ok_or_else(|| invalid("format", value, "one of ndjson, json, csv"))
}

/// The format the client likes best; the earlier of two it likes alike.
pub(crate) fn accepted(headers: &HeaderMap) -> Result<Format> {
    let mut best: Option<(f32, Format)> = None;
    let mut asked = false;
    for header in headers.get_all(header::ACCEPT) {
        for range in header.to_str().unwrap_or_default().split(',').take(32) {
            let range = range.trim();
            if range.is_empty() {
                continue;
            }
            asked = true;
            let Some(format) = served_by(range) else {
                continue;
            };
            let weight = weight(range);
            if weight > 0.0 && best.is_none_or(|(most, _)| weight > most) {
                best = Some((weight, format));
            }
        }
    }
    match best {
        Some((_, format)) => Ok(format),
        None if !asked => Ok(Format::Ndjson),
        None => Err(Problem::new(
            Kind::UnsupportedFormat,
            format!("none of what Accept names is served here; served: {}", SERVED.join(", ")),
        )
        .with("allowed", SERVED.to_vec())),
    }
}

fn served_by(range: &str) -> Option<Format> {
    let essence = range.split(';').next().unwrap_or_default().trim();
    match essence {
        "*/*" | "application/*" => Some(Format::Ndjson),
        "text/*" => Some(Format::Csv),
        _ => Format::from_media_type(essence),
    }
}

fn weight(range: &str) -> f32 {
    range
        .split(';')
        .skip(1)
        .find_map(|parameter| parameter.trim().strip_prefix("q=")?.trim().parse().ok())
        .unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &'static str) -> Option<Format> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        accepted(&headers).ok()
    }

    #[test]
    fn weights_decide_and_wildcards_mean_ndjson() {
        assert_eq!(accepted(&HeaderMap::new()).ok(), Some(Format::Ndjson));
        assert_eq!(of("*/*"), Some(Format::Ndjson));
        assert_eq!(of("application/json"), Some(Format::Json));
        assert_eq!(of("text/csv;q=0.5, application/json;q=0.9"), Some(Format::Json));
        assert_eq!(of("text/html, */*;q=0.1"), Some(Format::Ndjson));
        assert_eq!(of("text/html"), None);
        assert_eq!(of("text/csv;q=0"), None);
    }
}
