//! Which rows of an input a tool takes.
//!
//! ```text
//!   text ── parse: once, with a caret at a fault ──> RowFilter ── test: one per worker ──> RowTest
//! ```
//!
//! Promises: a row passes where the expression is true; false and NULL do not let it pass. A field
//! that is not of its column's type is refused with its line.
//! Never: a field parsed that the expression does not read.

use super::fields::{TypedFields, on_line, schema};
use crate::error::Result;
use crate::expr::{self, Expr};
use crate::limits::{COLUMNS_MAX, FILTER_BYTES_MAX};
use crate::scan::{RawRecord, Segments};

/// What a worker holds for a filter beside the texts of a record's fields.
const TEST_BYTES: usize = 16 * FILTER_BYTES_MAX + COLUMNS_MAX * size_of::<Vec<u8>>();

/// The filter of a tool that may have none.
#[derive(Debug, Default)]
pub(super) struct RowFilter(Option<Expr>);

impl RowFilter {
    /// Reads an expression over the columns of the input.
    pub(super) fn parse(text: Option<&str>, segments: &Segments) -> Result<Self> {
        Ok(Self(match text {
            Some(text) => Some(expr::parse(text, &schema(segments))?),
            None => None,
        }))
    }

    /// What a worker reserves for a test of records up to so many bytes, where there may be one.
    pub(super) const fn test_bytes(record_bytes_max: usize) -> usize {
        TEST_BYTES + 2 * record_bytes_max
    }

    /// As [`Self::test_bytes`] for this one: nothing where every row passes.
    pub(super) fn bytes(&self, record_bytes_max: usize) -> usize {
        if self.0.is_some() { Self::test_bytes(record_bytes_max) } else { 0 }
    }

    /// The columns it reads, ascending.
    pub(super) fn columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = self.0.iter().flat_map(Expr::columns).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The same columns and others, as [`crate::scan::Records::new`] is told.
    pub(super) fn columns_and(&self, others: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let mut columns = self.columns();
        columns.extend(others);
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// A worker's test of records.
    pub(super) fn test<'a>(&'a self, segments: &'a Segments) -> RowTest<'a> {
        let fields = TypedFields::new(segments, &self.columns());
        RowTest(self.0.as_ref().map(|filter| (filter, fields)))
    }
}

/// Asks record after record.
pub(super) struct RowTest<'a>(Option<(&'a Expr, TypedFields<'a>)>);

impl RowTest<'_> {
    /// Whether the tool takes it.
    #[inline]
    pub(super) fn passes(&mut self, record: &RawRecord<'_>) -> Result<bool> {
        let Some((filter, fields)) = &mut self.0 else { return Ok(true) };
        fields.load(record);
        expr::matches(filter, fields).map_err(|e| on_line(record.line(), &e))
    }
}
