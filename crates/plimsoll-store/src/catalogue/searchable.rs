//! Which columns of a resource are searched, and the index that does it.
//!
//! ```text
//!   a database's survey ──> Searching: its indexes of words, its statement for a new one
//!                               │  columns that a pack or a resources file names, or all that
//!                               v  are shown
//!                           Searchable { columns, index, or the remedy }
//! ```
//!
//! Promises: an index is taken only for exactly the columns that are to be searched, so that
//! nobody learns from a search what a column holds that is not.
//! Never: a database's words, except in a remedy.

use std::fmt;

use plimsoll::limits::{SEARCH_COLUMNS_MAX, SEARCH_PART_CHARACTERS_MAX};

use super::{Handle, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::search::{Search, TermKind};

/// Letters and digits in a row that an index of parts needs to find anything.
const PART_CHARACTERS_MIN: usize = 3;

/// What of a resource is searched.
#[derive(Clone, Debug)]
pub struct Searchable {
    /// Names of the columns that are searched together.
    pub columns: Vec<Box<str>>,
    /// What finds the rows.
    pub index: Option<SearchIndex>,
    /// Where there is no index: what makes one.
    pub remedy: Option<Box<str>>,
}

/// What finds the rows with some words.
#[derive(Clone, Debug)]
pub struct SearchIndex {
    /// Its name, for messages.
    pub name: Box<str>,
    /// What it can find.
    pub finds: Finds,
    /// What the database that looked at it keeps about it.
    pub(crate) handle: Handle,
}

/// What an index can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finds {
    /// Whole words.
    Words,
    /// Whole words, and what words begin with.
    Beginnings,
    /// Any part of a text, of three characters or more.
    Parts,
}

/// What a table's survey found.
pub(crate) struct Searching {
    pub(crate) indexes: Vec<FoundSearch>,
    /// Names of the columns that a new index could be made over.
    pub(crate) texts: Vec<Box<str>>,
    /// The statements that make one over some of them.
    pub(crate) remedy: Box<Remedy>,
}

pub(crate) type Remedy = dyn Fn(&[Box<str>]) -> Option<Box<str>> + Send + Sync;

/// An index as it was found.
pub(crate) struct FoundSearch {
    pub(crate) index: SearchIndex,
    /// Names of what it is over.
    pub(crate) columns: Vec<Box<str>>,
    /// Whether it can also search only some of its columns.
    pub(crate) is_divisible: bool,
}

impl FoundSearch {
    fn serves(&self, columns: &[Box<str>]) -> bool {
        let within = |some: &[Box<str>], all: &[Box<str>]| some.iter().all(|c| all.contains(c));
        within(columns, &self.columns) && (self.is_divisible || within(&self.columns, columns))
    }
}

impl Searching {
    /// Nothing to search, and nothing that would make it so.
    pub(crate) fn none() -> Self {
        Self { indexes: Vec::new(), texts: Vec::new(), remedy: Box::new(|_| None) }
    }

    /// How columns that somebody named are searched.
    pub(crate) fn of(&self, columns: Vec<Box<str>>) -> Searchable {
        let found = self.indexes.iter().find(|found| found.serves(&columns));
        let index = found.map(|found| found.index.clone());
        let remedy = if index.is_none() { (self.remedy)(&columns) } else { None };
        Searchable { columns, index, remedy }
    }

    /// How a table is searched of which nobody named columns: by the first index over nothing but
    /// what is shown.
    pub(crate) fn of_shown(&self, is_shown: impl Fn(&str) -> bool) -> Option<Searchable> {
        for found in &self.indexes {
            let shown: Vec<Box<str>> =
                found.columns.iter().filter(|name| is_shown(name)).cloned().collect();
            let is_whole = shown.len() == found.columns.len();
            if !shown.is_empty() && (is_whole || found.is_divisible) {
                return Some(self.of(shown));
            }
        }
        self.unindexed(is_shown)
    }

    /// What an index would be made over, where none is taken.
    pub(crate) fn unindexed(&self, is_shown: impl Fn(&str) -> bool) -> Option<Searchable> {
        let texts = self.texts.iter().filter(|name| is_shown(name)).take(SEARCH_COLUMNS_MAX);
        let columns: Vec<Box<str>> = texts.cloned().collect();
        let remedy = (self.remedy)(&columns);
        (!columns.is_empty()).then_some(Searchable { columns, index: None, remedy })
    }
}

impl fmt::Debug for Searching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indexes = self.indexes.iter().map(|found| (&found.index, &found.columns));
        f.debug_list().entries(indexes).finish()
    }
}

impl Resource {
    /// The index that finds what is searched for, and the columns it does that in.
    ///
    /// # Errors
    /// [`ErrorKind::Unsearchable`] where no index does, with what makes one;
    /// [`ErrorKind::Invalid`] for a word that the index cannot look for.
    pub fn searched(&self, search: &Search) -> Result<(&SearchIndex, &[Box<str>])> {
        let name = &self.name;
        let Some(searchable) = &self.search else {
            return Err(Error::new(
                ErrorKind::Unsearchable,
                format!("no columns of {name} are searched"),
            ));
        };
        let columns = searchable.columns.join(", ");
        let Some(index) = &searchable.index else {
            let help = match searchable.remedy {
                Some(_) => {
                    "create the index, name what it searches as search = [..] in the resources \
                     file if there is one, and reload the catalogue"
                }
                None => "no index could be made that finds its rows",
            };
            let refused = Error::new(
                ErrorKind::Unsearchable,
                format!("no index finds words in {columns} of {name}: {help}"),
            );
            return Err(match &searchable.remedy {
                Some(remedy) => refused.with_remedy(remedy.clone()),
                None => refused,
            });
        };
        index.check(search)?;
        Ok((index, &searchable.columns))
    }
}

impl SearchIndex {
    fn check(&self, search: &Search) -> Result<()> {
        let characters: usize = search.terms().iter().map(|term| term.text.chars().count()).sum();
        if self.finds == Finds::Parts && characters > SEARCH_PART_CHARACTERS_MAX {
            return Err(Error::invalid(format!(
                "the index {} finds parts of words, and looks for at most \
                 {SEARCH_PART_CHARACTERS_MAX} characters; the search has {characters}",
                self.name
            )));
        }
        for term in search.terms() {
            match (self.finds, term.kind) {
                (Finds::Words, TermKind::Beginning) => {
                    return Err(Error::invalid(format!(
                        "'{}*' cannot be searched for: the index {} finds whole words only",
                        term.text, self.name
                    )));
                }
                (Finds::Parts, _) if !has_part(&term.text) => {
                    return Err(Error::invalid(format!(
                        "'{}' cannot be searched for: the index {} finds parts of at least \
                         {PART_CHARACTERS_MIN} letters and digits in a row",
                        term.text, self.name
                    )));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn has_part(text: &str) -> bool {
    let parts = text.split(|c: char| !c.is_alphanumeric());
    parts.into_iter().any(|part| part.chars().count() >= PART_CHARACTERS_MIN)
}
