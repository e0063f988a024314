//! `plimsoll config show`: every setting and, if asked, where it came from.
//!
//! Promises: all keys, in a stable order, passwords masked.
//! Never: a value that the other commands would not use.

use std::io::{self, Write};

use serde_json::json;

use crate::config::{Config, Setting, Value};

/// Prints the settings.
///
/// # Errors
/// When `out` fails.
pub(crate) fn show(
    config: &Config,
    origin: bool,
    as_json: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    if as_json {
        let settings: Vec<_> = config.settings().map(|s| document(s, origin)).collect();
        serde_json::to_writer_pretty(&mut *out, &json!({ "settings": settings }))?;
        return writeln!(out);
    }
    let width = |of: fn(&Setting) -> usize| config.settings().map(of).max().unwrap_or(0);
    let name_width = width(|s| s.key.name.len());
    let value_width = width(|s| s.shown().chars().count());
    for setting in config.settings() {
        let (name, value) = (setting.key.name, setting.shown());
        if origin {
            let from = &setting.origin;
            writeln!(out, "{name:name_width$} = {value:value_width$}  # {from}")?;
        } else {
            writeln!(out, "{name:name_width$} = {value}")?;
        }
    }
    Ok(())
}

/// Numbers and switches as such, sizes in bytes and times in milliseconds beside their text.
fn document(setting: &Setting, origin: bool) -> serde_json::Value {
    let value = match setting.value {
        Value::Unset => json!(null),
        Value::Integer(number) => json!(number),
        Value::Switch(on) => json!(on),
        _ => json!(setting.shown()),
    };
    let mut document = json!({ "key": setting.key.name, "value": value });
    match setting.value {
        Value::Bytes(bytes) => document["bytes"] = json!(bytes),
        Value::DurationMs(ms) => document["milliseconds"] = json!(ms),
        _ => {}
    }
    if origin {
        document["origin"] = json!(setting.origin.to_string());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::show;
    use crate::config::KEYS;
    use crate::config::tests::with_flags;

    fn shown(flags: &[(&'static str, &str)], origin: bool, as_json: bool) -> String {
        let mut out = Vec::new();
        show(&with_flags(flags), origin, as_json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_key_stands_on_its_line_in_the_order_of_the_table() {
        let text = shown(&[("memory.limit", "64M")], true, false);
        let names: Vec<&str> = text.lines().map(|l| l.split(' ').next().unwrap()).collect();
        assert_eq!(names, KEYS.each_ref().map(|k| k.name));
        let first = text.lines().next().unwrap();
        assert!(first.starts_with("memory.limit         = 64M "), "{first}");
        assert!(first.ends_with("  # --memory"), "{first}");
        assert!(text.contains("# default"), "{text}");
    }

    #[test]
    fn without_origin_there_is_none() {
        let text = shown(&[], false, false);
        assert!(text.contains("http.port            = 8000\n"), "{text}");
        assert!(!text.contains('#'), "{text}");
    }

    #[test]
    fn json_has_numbers_as_numbers() {
        let text = shown(&[("memory.limit", "0.5G")], true, true);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let of = |key: &str| {
            let all = json["settings"].as_array().unwrap();
            all.iter().find(|s| s["key"] == key).unwrap().clone()
        };
        assert_eq!(of("memory.limit")["value"], "0.5G");
        assert_eq!(of("memory.limit")["bytes"], 512 << 20);
        assert_eq!(of("memory.limit")["origin"], "--memory");
        assert_eq!(of("http.port")["value"], 8000);
        assert_eq!(of("http.drain_timeout")["milliseconds"], 10_000);
        assert_eq!(of("log.access")["value"], true);
        assert!(of("database.url")["value"].is_null());
    }
}
