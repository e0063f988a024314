//! A setting's text as the value it stands for.
//!
//! Promises: what is refused is refused here, with what is allowed; a value that was read is
//! within its bounds.
//! Never: a look at the disk or the network.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use plimsoll::units::ByteSize;

use super::database_url::{Database, database, replicas};
use super::key::Kind;

/// What a text stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nobody said anything, and there is no default.
    Unset,
    /// A word.
    Text(String),
    /// A file or directory, as written.
    Path(PathBuf),
    /// A database.
    Database(Database),
    /// URLs of PostgreSQL databases.
    Replicas(Vec<String>),
    /// A size.
    Bytes(u64),
    /// A whole number.
    Integer(u64),
    /// A length of time.
    DurationMs(u64),
    /// On or off.
    Switch(bool),
}

/// Longest name of a host (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Units of time with their milliseconds. `ms` comes before `s`, which it ends in.
const TIME_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

impl Kind {
    /// What may be written.
    pub(super) fn allowed(self) -> String {
        match self {
            Self::Bytes { min } => {
                format!("a size from {} up, such as 256M or 0.5G", ByteSize::new(min))
            }
            Self::Directory => "the path of a directory".into(),
            Self::File => "the path of a file".into(),
            Self::Database => {
                "a path, or a URL such as sqlite:///./app.db or postgres://user@host/app".into()
            }
            Self::Replicas => {
                "URLs such as postgres://user@host2/app, parted by commas; eight at most".into()
            }
            Self::Host => "an address such as 127.0.0.1 or ::1, or a name of this host".into(),
            Self::Url => {
                "a URL such as https://data.example.org, without query and fragment".into()
            }
            Self::Names => {
                "names such as high,default,low: letters, digits, '.', '_', '-', ':'".into()
            }
            Self::Hosts => "hosts and networks such as hooks.internal,10.1.2.0/24".into(),
            Self::Integer { min, max } => format!("an integer from {min} to {max}"),
            Self::Duration { min_ms, max_ms } => format!(
                "a time from {} to {}, such as 500ms, 30s or 2m",
                time(min_ms),
                time(max_ms)
            ),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Switch => "true or false".into(),
        }
    }

    /// The value that `text` stands for, or why it stands for none (empty where
    /// [`Kind::allowed`] says it all).
    pub(super) fn read(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let refused = || String::new();
        match self {
            Self::Bytes { min } => {
                let size: ByteSize = text.parse().map_err(|_| refused())?;
                if size.bytes() < min {
                    return Err(refused());
                }
                Ok(Value::Bytes(size.bytes()))
            }
            Self::Directory => path(text, "a directory").map(Value::Path),
            Self::File => path(text, "a file").map(Value::Path),
            Self::Database => database(text).map(Value::Database),
            Self::Replicas => replicas(text).map(Value::Replicas),
            Self::Host => is_host(text).then(|| Value::Text(text.to_owned())).ok_or_else(refused),
            Self::Url => is_url(text).then(|| Value::Text(text.to_owned())).ok_or_else(refused),
            Self::Names => text
                .split(',')
                .all(|name| plimsoll_jobs::check_name("queue", name.trim()).is_ok())
                .then(|| Value::Text(text.to_owned()))
                .ok_or_else(refused),
            // Each is read by whoever calls them.
            Self::Hosts => (!text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()))
                .then(|| Value::Text(text.to_owned()))
                .ok_or_else(refused),
            Self::Integer { min, max } => whole(text)
                .filter(|n| (min..=max).contains(n))
                .map(Value::Integer)
                .ok_or_else(refused),
            Self::Duration { min_ms, max_ms } => milliseconds(text)
                .filter(|n| (min_ms..=max_ms).contains(n))
                .map(Value::DurationMs)
                .ok_or_else(refused),
            Self::Choice(words) => {
                words.contains(&text).then(|| Value::Text(text.to_owned())).ok_or_else(refused)
            }
            Self::Switch => switch(text).map(Value::Switch).ok_or_else(refused),
        }
    }
}

fn path(text: &str, what: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') {
        return Err(format!("it does not name {what}"));
    }
    if text == "~" || text.starts_with("~/") {
        return Err("'~' is not expanded here, write the path out".into());
    }
    Ok(Path::new(text).to_owned())
}

fn is_host(text: &str) -> bool {
    // What looks like an address and is none must not be asked of a name server.
    let name = !text.is_empty()
        && text.len() <= HOST_BYTES_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
        && text.contains(|c: char| c.is_ascii_alphabetic());
    name || text.parse::<IpAddr>().is_ok()
}

/// What a path can be put behind: scheme, host, perhaps a port and a path, all of it visible.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let odd =
        |c: char| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '<' | '>' | '\\' | '@');
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[') && !rest.contains(odd)
    })
}

/// Digits alone: `parse` would also take a plus sign.
fn whole(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A time of a flag that is no setting.
///
/// # Errors
/// What may be written instead.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let ms = milliseconds(text.trim()).filter(|ms| *ms > 0);
    ms.map(std::time::Duration::from_millis)
        .ok_or_else(|| "a time is such as 500ms, 90s, 30m or 1h".to_owned())
}

/// A whole number and a unit of time.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    TIME_UNITS
        .iter()
        .find_map(|(unit, factor)| whole(text.strip_suffix(unit)?.trim_end())?.checked_mul(*factor))
}

/// In the largest unit that leaves no rest.
fn time(ms: u64) -> String {
    let (unit, factor) = TIME_UNITS
        .iter()
        .rev()
        .find(|(_, f)| ms >= *f && ms.is_multiple_of(*f))
        .unwrap_or(&TIME_UNITS[0]);
    format!("{}{unit}", ms / factor)
}

/// The words of shells and container files.
fn switch(text: &str) -> Option<bool> {
    match &*text.to_ascii_lowercase() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Value, time};

    #[test]
    fn each_kind_reads_what_it_says_it_allows() {
        let seconds = Kind::Duration { min_ms: 0, max_ms: 7_200_000 };
        let port = Kind::Integer { min: 0, max: 65_535 };
        for (kind, text, value) in [
            (Kind::Bytes { min: 1 }, "0.5G", Value::Bytes(512 << 20)),
            (Kind::Bytes { min: 1 }, " 512MB ", Value::Bytes(512 << 20)),
            (port, "0", Value::Integer(0)),
            (port, "65535", Value::Integer(65_535)),
            (seconds, "30s", Value::DurationMs(30_000)),
            (seconds, "500ms", Value::DurationMs(500)),
            (seconds, "2 m", Value::DurationMs(120_000)),
            (seconds, "2h", Value::DurationMs(7_200_000)),
            (seconds, "0s", Value::DurationMs(0)),
            (Kind::Host, "::1", Value::Text("::1".into())),
            (Kind::Host, "localhost", Value::Text("localhost".into())),
            (Kind::Url, "https://a.example/b", Value::Text("https://a.example/b".into())),
            (Kind::Url, "http://[::1]:80", Value::Text("http://[::1]:80".into())),
            (Kind::Switch, "Off", Value::Switch(false)),
            (Kind::Switch, "1", Value::Switch(true)),
            (Kind::Choice(&["a", "b"]), "b", Value::Text("b".into())),
            (Kind::Directory, "../spill", Value::Path("../spill".into())),
        ] {
            assert_eq!(kind.read(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_out_of_bounds_or_no_such_value_is_refused() {
        let seconds = Kind::Duration { min_ms: 1_000, max_ms: 60_000 };
        let port = Kind::Integer { min: 1, max: 65_535 };
        for (kind, texts) in [
            (Kind::Bytes { min: 16 << 20 }, &["", "0", "1M", "-1", "16777215", "lots"][..]),
            (port, &["", "0", "65536", "+80", "-1", "8e3", "80 80", "99999999999999999999"]),
            (seconds, &["", "30", "s", "1.5s", "999ms", "61s", "2h", "-5s", "30 sec"]),
            (Kind::Host, &["", "1.2.3", "256.0.0.1", "a b", "host:80", "[::1]", "h\u{f6}st"]),
            (
                Kind::Url,
                &["", "a.example", "ftp://a", "https://", "https:///x", "http://a?b", "http://u@a"],
            ),
            (Kind::Switch, &["", "2", "maybe"]),
            (Kind::Choice(&["json"]), &["", "JSON", "yaml"]),
            (Kind::Directory, &["", " ", "~", "~/spill", "a\0b"]),
        ] {
            for text in texts {
                assert!(kind.read(text).is_err(), "{kind:?} took '{text}'");
            }
        }
    }

    #[test]
    fn a_time_is_printed_as_it_could_be_written() {
        for (ms, text) in [(0, "0ms"), (100, "100ms"), (1_500, "1500ms"), (60_000, "1m")] {
            assert_eq!(time(ms), text);
        }
        assert_eq!(time(3_600_000), "1h");
    }
}
