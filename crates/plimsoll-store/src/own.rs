//! Statements about tables that Plimsoll keeps for itself, e.g. its queue of jobs.
//!
//! Written once for both databases, by the crate whose tables they are:
//!
//! ```text
//!   written                                SQLite                     PostgreSQL
//!   select .. from ~jobs                   plimsoll_jobs              plimsoll.jobs
//!   where id = $1:int                      ?1                         $1::bigint
//!   limit $2:int {for update skip locked??} (nothing)                 for update skip locked
//!   unnest($1:list::bigint[])                                         unnest($1::text[]::bigint[])
//! ```
//!
//! Promises: values go as parameters only; each text is put into its database's words once.
//! Never: a table of the app's.

use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};

/// A statement about own tables.
#[derive(Debug)]
pub struct Own {
    text: &'static str,
    gathered_text: Option<&'static str>,
    sqlite: OnceLock<Box<str>>,
    postgres: OnceLock<Box<str>>,
    gathered: OnceLock<Box<str>>,
}

impl Own {
    /// Of a text as the module describes it. Types of parameters are `int`, `real`, `text`,
    /// `bytes` and, in a text for many at once, `list`.
    ///
    /// ```
    /// use plimsoll_store::Own;
    ///
    /// static FIND: Own = Own::new("select kind from ~jobs where id = $1:int {for update??}");
    /// assert_eq!(FIND.for_sqlite(), "select kind from plimsoll_jobs where id = ?1 ");
    /// assert_eq!(
    ///     FIND.for_postgres(),
    ///     "select kind from plimsoll.jobs where id = $1::bigint for update"
    /// );
    /// ```
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self::of(text, None)
    }

    /// With a second text, for PostgreSQL alone, that does the same for many at once: each
    /// parameter is a `list` with one value for each of them. It is to meet one row for each, in
    /// their order; where it does not, each of them is run by itself. Units of which such a
    /// statement is the last, with a count of rows to meet, or the only one go together, in no
    /// certain order among them.
    #[must_use]
    pub const fn with_gathered(text: &'static str, gathered: &'static str) -> Self {
        Self::of(text, Some(gathered))
    }

    const fn of(text: &'static str, gathered_text: Option<&'static str>) -> Self {
        Self {
            text,
            gathered_text,
            sqlite: OnceLock::new(),
            postgres: OnceLock::new(),
            gathered: OnceLock::new(),
        }
    }

    /// In SQLite's words.
    pub fn for_sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| translate(self.text, &SQLITE).into())
    }

    /// Whether its answer is rows rather than a count.
    pub(crate) fn gives_rows(&self) -> bool {
        self.text.trim_start().starts_with("select") || self.text.contains("returning")
    }

    /// In PostgreSQL's words.
    pub fn for_postgres(&self) -> &str {
        self.postgres.get_or_init(|| translate(self.text, &POSTGRES).into())
    }

    /// The text for many at once, if it has one.
    pub(crate) fn gathered_for_postgres(&self) -> Option<&str> {
        let text = self.gathered_text?;
        Some(self.gathered.get_or_init(|| translate(text, &POSTGRES).into()))
    }
}

/// The rows, if they are as many as expected.
pub(crate) fn fenced(rows: u64, expected: Option<u64>) -> Result<u64> {
    match expected {
        Some(expected) if expected != rows => Err(Error::new(
            ErrorKind::Fenced,
            format!("a write that was to meet {expected} rows met {rows}: its lease is another's"),
        )),
        _ => Ok(rows),
    }
}

struct Words {
    in_front_of_tables: &'static str,
    parameter: char,
    /// Which side of `{PostgreSQL??SQLite}`.
    right: bool,
    types: [(&'static str, &'static str); 5],
}

const SQLITE: Words = Words {
    in_front_of_tables: "plimsoll_",
    parameter: '?',
    right: true,
    types: [("int", ""), ("real", ""), ("text", ""), ("bytes", ""), ("list", "")],
};

const POSTGRES: Words = Words {
    in_front_of_tables: "plimsoll.",
    parameter: '$',
    right: false,
    types: [
        ("int", "::bigint"),
        ("real", "::double precision"),
        ("text", "::text"),
        ("bytes", "::bytea"),
        ("list", "::text[]"),
    ],
};

/// # Panics
/// For a text that is not as the module describes it: it stands in this program.
fn translate(text: &str, words: &Words) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find(['~', '$', '{']) {
        out.push_str(&rest[..at]);
        let mark = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match mark {
            b'~' => out.push_str(words.in_front_of_tables),
            b'{' => {
                let end = rest.find('}').unwrap_or_else(|| panic!("no end of a choice: {text}"));
                let sides = rest[..end].split_once("??");
                let (left, right) = sides.unwrap_or_else(|| panic!("no choice: {text}"));
                out.push_str(&translate(if words.right { right } else { left }, words));
                rest = &rest[end + 1..];
            }
            _ => {
                let digits = rest.find(':').unwrap_or_else(|| panic!("no type: {text}"));
                out.push(words.parameter);
                out.push_str(&rest[..digits]);
                rest = &rest[digits + 1..];
                let known = words.types.iter().find(|(name, _)| rest.starts_with(name));
                let (name, cast) = known.unwrap_or_else(|| panic!("no such type: {text}"));
                out.push_str(cast);
                rest = &rest[name.len()..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::Own;

    #[test]
    fn a_text_is_put_into_both_databases_words() {
        let own =
            Own::new("update ~jobs as j set a = $1:text, b = {now()??$2:int} where c < $3:real");
        assert_eq!(own.for_sqlite(), "update plimsoll_jobs as j set a = ?1, b = ?2 where c < ?3");
        assert_eq!(
            own.for_postgres(),
            "update plimsoll.jobs as j set a = $1::text, b = now() where c < $3::double precision"
        );
    }

    #[test]
    #[should_panic(expected = "no such type")]
    fn a_type_that_there_is_not_is_a_bug() {
        let _text = Own::new("select $1:bigint").for_sqlite().len();
    }
}
