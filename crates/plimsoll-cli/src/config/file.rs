//! The configuration file: TOML whose sections and keys are those of the table.
//!
//! Promises: an unknown key, a wrong type and a slip of grammar are named with file and line.
//! Never: a value taken for another type.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Given;
use super::error::ConfigError;
use super::key::{self, KEYS, Key, Kind};
use super::origin::Origin;
use super::suggest::closest;

/// What the file sets.
pub(super) fn read(file: &Path, text: &str, problems: &mut ConfigError) -> Vec<Given> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader { file, text, problems, given: Vec::new() };
    match DeTable::parse(text) {
        Ok(table) => reader.table(table.get_ref(), ""),
        Err(error) => {
            let line = line_of(text, error.span().map_or(0, |s| s.start));
            reader.problem(line, error.message().trim());
        }
    }
    reader.given
}

struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    problems: &'a mut ConfigError,
    given: Vec<Given>,
}

impl Reader<'_> {
    fn problem(&mut self, line: usize, what: &str) {
        self.problems.add(format!("{}:{line}: {what}", self.file.display()));
    }

    /// Goes only into sections that the table of keys has, so its depth is bounded.
    fn table(&mut self, table: &DeTable<'_>, section: &str) {
        for (name, value) in table {
            let line = line_of(self.text, name.span().start);
            let full = match section {
                "" => name.get_ref().to_string(),
                _ => format!("{section}.{}", name.get_ref()),
            };
            if let Some(key) = key::find(&full) {
                self.value(key, value, line);
            } else if !key::is_section(&full) {
                let unknown = unknown(&full);
                self.problem(line, &unknown);
            } else if let DeValue::Table(inner) = value.get_ref() {
                self.table(inner, &full);
            } else {
                self.problem(line, &format!("{full} is a section; write [{full}]"));
            }
        }
    }

    fn value(&mut self, key: &'static Key, value: &Spanned<DeValue<'_>>, line: usize) {
        match text_of(key.kind, value.get_ref()) {
            Some(text) => {
                let origin = Origin::File { file: self.file.to_owned(), line };
                self.given.push(Given { key, text, origin });
            }
            None => {
                let (name, found) = (key.name, value.get_ref().type_str());
                let wanted = type_of(key.kind);
                let allowed = key.kind.allowed();
                self.problem(line, &format!("{name} has type {found}; write {wanted}: {allowed}"));
            }
        }
    }
}

/// `value` as a flag would spell it, or `None` where it has a type the key does not take.
fn text_of(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match (kind, value) {
        (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
        (Kind::Integer { .. } | Kind::Bytes { .. }, DeValue::Integer(number)) => {
            // What is no u64 is handed on as it stands, to be refused with the bounds.
            let digits = number.as_str();
            Some(match u64::from_str_radix(digits, number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => digits.to_owned(),
            })
        }
        (Kind::Switch | Kind::Integer { .. }, _) => None,
        (Kind::Replicas, DeValue::Array(urls)) => {
            let texts = urls.iter().map(|url| match url.get_ref() {
                DeValue::String(text) => Some(text.as_ref()),
                _ => None,
            });
            Some(texts.collect::<Option<Vec<&str>>>()?.join(","))
        }
        (_, DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Switch => "a boolean",
        Kind::Integer { .. } => "an integer",
        Kind::Bytes { .. } => "a string or a number of bytes",
        Kind::Replicas => "a string or an array of strings",
        _ => "a string",
    }
}

fn unknown(full: &str) -> String {
    let name = plimsoll::error::excerpt(full);
    if let Some(close) = closest(full, KEYS.iter().map(|k| k.name)) {
        return format!("unknown key {name}; did you mean {close}?");
    }
    let sections = KEYS.iter().filter_map(|k| k.name.split_once('.')).map(|(section, _)| section);
    if let Some(close) = closest(full, sections) {
        return format!("unknown section {name}; did you mean {close}?");
    }
    let beside: Vec<&str> = match full.rsplit_once('.') {
        Some((section, _)) => {
            KEYS.iter().map(|k| k.name).filter(|n| n.starts_with(section)).collect()
        }
        None => Vec::new(),
    };
    if beside.is_empty() {
        return format!("unknown key {name}; the keys are {}", key::names());
    }
    format!("unknown key {name}; there are {}", beside.join(", "))
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1
}
