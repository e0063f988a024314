//! Which column of the table a column of the file is.
//!
//! ```text
//!   file column      rename given?  exact name?  same letters and digits?   else
//!   "Unit Price" ──> "price"                                                unknown: refused,
//!   "id"         ─────────────────> "id"                                    or ignored as asked
//!   "InvoiceNo"  ──────────────────────────────> "invoice_no"
//! ```
//!
//! Promises: every column of the file is used, ignored on purpose, or refused with the list of
//! what is allowed.
//! Never: a guess between two columns of the table that differ in case or underscores only.

use super::MappingOptions;
use crate::error::{Error, Result, excerpt};
use crate::record::{Column, Schema};

/// Where a column of the file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Column(usize),
    Ignored,
    Unknown,
}

/// The table's columns and the names a file may use for them.
pub(super) struct Names {
    pub(super) columns: Vec<Column>,
    options: MappingOptions,
}

impl Names {
    pub(super) fn new(schema: &Schema, options: MappingOptions) -> Result<Self> {
        for (from, to) in &options.renames {
            if schema.position(to).is_none() {
                return Err(Error::invalid(format!(
                    "the rename {}={} names no column of the table; it has {}",
                    excerpt(from),
                    excerpt(to),
                    list(schema.columns.iter().map(|column| &*column.name))
                )));
            }
        }
        Ok(Self { columns: schema.columns.clone(), options })
    }

    /// Where the file's column called `name` goes.
    pub(super) fn find(&self, name: &str) -> Target {
        match self.position(name) {
            Some(position) => Target::Column(position),
            None if self.options.ignore_unknown => Target::Ignored,
            None => Target::Unknown,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        let exact = |name: &str| self.columns.iter().position(|column| *column.name == *name);
        let renamed = self.options.renames.iter().find(|(from, _)| **from == *name);
        if let Some((_, to)) = renamed {
            return exact(to);
        }
        exact(name).or_else(|| {
            let letters = letters(name);
            let same = |column: &Column| self::letters(&column.name) == letters;
            let position = self.columns.iter().position(&same)?;
            // Two columns of the table with the same letters: only an exact name tells them apart.
            let unique = !self.columns[position + 1..].iter().any(same);
            unique.then_some(position)
        })
    }

    /// Refuses a header in which a name is unknown, or a column has two names or wrongly none.
    pub(super) fn check(&self, header: &[Box<str>], targets: &[Target]) -> Result<()> {
        for (from, _) in &self.options.renames {
            if !header.contains(from) {
                return Err(Error::invalid(format!(
                    "the rename of '{}' names no column of the file; it has {}",
                    excerpt(from),
                    list(header.iter().map(|name| &**name))
                )));
            }
        }
        let unknown: Vec<&str> = targets
            .iter()
            .zip(header)
            .filter(|(target, _)| **target == Target::Unknown)
            .map(|(_, name)| &**name)
            .collect();
        if !unknown.is_empty() {
            return Err(Error::invalid(format!(
                "the file's columns {}: {}",
                list(unknown.into_iter()),
                self.unknown()
            )));
        }
        for (position, column) in self.columns.iter().enumerate() {
            let mut sources = targets
                .iter()
                .zip(header)
                .filter(|(target, _)| **target == Target::Column(position))
                .map(|(_, name)| &**name);
            let first = sources.next();
            if let (Some(first), Some(second)) = (first, sources.next()) {
                return Err(Error::invalid(format!(
                    "the file's columns {} both are column '{}': rename or ignore one",
                    list([first, second].into_iter()),
                    column.name
                )));
            }
            if first.is_none() && !column.nullable {
                return Err(Error::invalid(format!(
                    "column '{}' must have a value and no column of the file is it; the file has \
                     {}: name one with from=to",
                    column.name,
                    list(header.iter().map(|name| &**name))
                )));
            }
        }
        Ok(())
    }

    /// What is said about a name that is unknown.
    pub(super) fn unknown(&self) -> String {
        format!(
            "no such column; allowed are {}: name one with from=to, or ask to ignore what is \
             unknown",
            list(self.columns.iter().map(|column| &*column.name))
        )
    }
}

/// A name without what people vary: case, spaces, underscores, hyphens.
fn letters(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// Names for a sentence, and no more of them than one can read.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 40;
    let mut out = String::new();
    for (count, name) in names.enumerate() {
        if count == NAMES_MAX {
            out.push_str(", …");
            break;
        }
        if count > 0 {
            out.push_str(", ");
        }
        out.push('\'');
        out.push_str(&excerpt(name));
        out.push('\'');
    }
    out
}
