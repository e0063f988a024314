//! Variables as settings, from the environment and from `.env`.
//!
//! ```text
//!   PLIMSOLL_HTTP_PORT   PLIMSOLL__HTTP__PORT   SPACETIME__HTTP__PORT   DATABASE_URL
//!          every name that starts with PLIMSOLL_ or SPACETIME_ is ours: known, or an error
//!          every other name is ours only where a key lists it
//! ```
//!
//! Promises: an empty variable is one that is not set, as container files write it.
//! Never: a word about variables of other programs.

use super::error::ConfigError;
use super::key::{self, API_KEY_VARIABLE, FILE_VARIABLE, KEYS, Key, LATER_VARIABLES};
use super::origin::Origin;
use super::suggest::closest;
use super::{Given, dotenv};

/// What the environment sets, the stronger name of a key first.
pub(super) fn environment(
    variables: &[(String, String)],
    problems: &mut ConfigError,
) -> Vec<Given> {
    let mut ranked = Vec::new();
    for (name, value) in variables {
        let origin = Origin::Variable(name.clone());
        match lookup(name) {
            Name::Known(known) => ranked.push(known.given(value, origin)),
            Name::Fine => {}
            Name::Wrong(problem) => problems.add(problem),
        }
    }
    strongest_first(ranked)
}

/// What a `.env` file sets. Of two lines for one name the later counts.
pub(super) fn dotenv(file: &std::path::Path, text: &str, problems: &mut ConfigError) -> Vec<Given> {
    let mut ranked = Vec::new();
    for assignment in dotenv::parse(text).into_iter().rev() {
        let (line, name) = (assignment.line, assignment.name);
        let known = match lookup(name) {
            Name::Known(known) => known,
            Name::Fine => {
                let reason = match (name, assignment.value) {
                    (FILE_VARIABLE, Err(reason)) => reason.to_string(),
                    (API_KEY_VARIABLE, _) => "is read from the environment alone".to_owned(),
                    _ => continue,
                };
                problems.add(format!("{}:{line}: {name} {reason}", file.display()));
                continue;
            }
            Name::Wrong(problem) => {
                problems.add(format!("{}:{line}: {problem}", file.display()));
                continue;
            }
        };
        let origin = Origin::DotEnv { file: file.to_owned(), line, name: name.to_owned() };
        match assignment.value {
            Ok(value) => ranked.push(known.given(&value, origin)),
            Err(reason) => problems.add(format!("{}:{line}: {name} {reason}", file.display())),
        }
    }
    strongest_first(ranked)
}

/// The file that [`FILE_VARIABLE`] in a `.env` file names.
pub(super) fn file_named_in(text: &str) -> Option<String> {
    let last = dotenv::parse(text).into_iter().rfind(|a| a.name == FILE_VARIABLE)?;
    last.value.ok().filter(|v| !v.is_empty())
}

/// Whether a variable that cannot be read as text has to be reported.
pub(super) fn is_ours(name: &str) -> bool {
    !matches!(lookup(name), Name::Fine) || name == FILE_VARIABLE
}

enum Name {
    Known(Known),
    /// Not ours, or ours and no key.
    Fine,
    Wrong(String),
}

struct Known {
    key: &'static Key,
    rank: usize,
}

impl Known {
    fn given(&self, text: &str, origin: Origin) -> (usize, Given) {
        (self.rank, Given { key: self.key, text: text.to_owned(), origin })
    }
}

fn strongest_first(mut ranked: Vec<(usize, Given)>) -> Vec<Given> {
    ranked.retain(|(_, given)| !given.text.trim().is_empty());
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, given)| given).collect()
}

fn lookup(name: &str) -> Name {
    for key in &KEYS {
        if let Some(rank) = key.variables().iter().position(|v| v == name) {
            return Name::Known(Known { key, rank });
        }
    }
    let ours = name.starts_with("PLIMSOLL_") || name.starts_with("SPACETIME_");
    let no_key = [FILE_VARIABLE, API_KEY_VARIABLE];
    if !ours || no_key.contains(&name) || LATER_VARIABLES.contains(&name) {
        return Name::Fine;
    }
    let all: Vec<String> = KEYS.iter().flat_map(|k| k.variables()).collect();
    let names = all.iter().map(String::as_str).chain(no_key);
    let name = plimsoll::error::excerpt(name);
    Name::Wrong(match closest(&name, names) {
        Some(close) => format!("unknown variable {name}; did you mean {close}?"),
        None => format!(
            "unknown variable {name}; a key a.b is the variable PLIMSOLL_A_B, and the keys are {}",
            key::names()
        ),
    })
}
