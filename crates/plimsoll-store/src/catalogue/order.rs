//! A total order of a resource's rows.
//!
//! Promises: every order ends in the resource's key, so that no two rows share a position.
//! Never: an order the caller can make partial.

use super::Resource;
use crate::error::{Error, Result};

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortTerm {
    /// Position in the resource's schema.
    pub column: usize,
    /// Largest first; NULL, the smallest value, then comes last.
    pub descending: bool,
}

/// A total order. NULLs come first ascending and last descending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    terms: Vec<SortTerm>,
}

impl Order {
    /// Completes `terms` with the resource's key. The key follows the direction of the last term,
    /// so that one index on the terms serves the whole order in either direction.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when a column is named twice or there are too many.
    pub fn new(resource: &Resource, terms: &[SortTerm]) -> Result<Self> {
        if terms.len() > plimsoll::limits::SORT_TERMS_MAX {
            return Err(Error::invalid(format!(
                "a sort has at most {} columns, this one has {}",
                plimsoll::limits::SORT_TERMS_MAX,
                terms.len()
            )));
        }
        let mut complete: Vec<SortTerm> = Vec::with_capacity(terms.len() + resource.key.len());
        for term in terms {
            if complete.iter().any(|t| t.column == term.column) {
                let name = &resource.schema.columns[term.column].name;
                return Err(Error::invalid(format!("the sort names '{name}' twice")));
            }
            complete.push(*term);
        }
        let descending = terms.last().is_some_and(|t| t.descending);
        for &column in &resource.key {
            if !complete.iter().any(|t| t.column == column) {
                complete.push(SortTerm { column, descending });
            }
        }
        Ok(Self { terms: complete })
    }

    /// Reads `-price,name` against the resource's columns.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the columns there are.
    pub fn parse(resource: &Resource, text: &str) -> Result<Self> {
        let mut terms = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()).take(64) {
            let (descending, name) = match part.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, part.strip_prefix('+').unwrap_or(part)),
            };
            terms.push(SortTerm { column: resource.column(name)?, descending });
        }
        Self::new(resource, &terms)
    }

    /// `columns`, then those of the order that are not among them: what has to be read to know
    /// where a row stands.
    #[must_use]
    pub fn columns_behind(&self, columns: &[usize]) -> Vec<usize> {
        let mut all = columns.to_vec();
        all.extend(self.terms.iter().map(|t| t.column).filter(|c| !columns.contains(c)));
        all
    }

    /// The columns, the key last.
    #[must_use]
    pub fn terms(&self) -> &[SortTerm] {
        &self.terms
    }
}
