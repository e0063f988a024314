//! The distinct rows of a file, or how many there are.
//!
//! Promises: exact; bounded memory whatever the number of distinct rows.
//! Never: an order of the output that anybody may count on.

use super::grouping::{GroupPlan, Job, Planned};
use super::input::Input;
use super::output::Output;
use super::tool::{Summary, Tool};
use crate::error::Result;
use crate::format::{Delimiter, Format};
use crate::record::ColumnType;

/// What is to be distinct. Values are compared as by [`super::GroupFile`].
#[derive(Clone, Debug)]
pub struct DistinctFile {
    /// From where.
    pub input: Input,
    /// To where; `None` only counts.
    pub output: Option<Output>,
    /// CSV or NDJSON.
    pub format: Format,
    /// CSV or NDJSON.
    pub output_format: Format,
    /// Between fields of CSV, in and out.
    pub delimiter: Delimiter,
    /// Names of the columns that are looked at and written; none are all.
    pub columns: Vec<Box<str>>,
    /// As [`crate::expr::parse`] reads it: rows for which it is true.
    pub filter: Option<String>,
    /// Types of columns that are not to be found in the input's first megabyte.
    pub kinds: Vec<(Box<str>, ColumnType)>,
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
}

/// A job that was planned and not begun.
pub struct PlannedDistinct<'a>(Planned<'a>);

impl DistinctFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// As [`super::GroupFile::plan`].
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedDistinct<'a>> {
        let job = Job {
            input: &self.input,
            format: self.format,
            delimiter: self.delimiter,
            record_bytes_max: self.record_bytes_max,
            kinds: &self.kinds,
            keys: &self.columns,
            measures: None,
            filter: self.filter.as_deref(),
            output: self.output.as_ref().map(|output| (output, self.output_format)),
        };
        Planned::new(&job, tool).map(PlannedDistinct)
    }
}

impl PlannedDistinct<'_> {
    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &GroupPlan {
        self.0.plan()
    }

    /// Names and types of the columns.
    pub fn keys(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        self.0.keys()
    }

    /// Finds the distinct rows: [`Summary::rows_out`] of them. Where one column is only counted,
    /// NULL is not.
    ///
    /// # Errors
    /// As [`super::PlannedGroup::run`].
    pub fn run(self) -> Result<Summary> {
        self.0.run()
    }
}
