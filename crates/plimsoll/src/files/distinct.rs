//! The distinct rows of a file, or how many there are.
//!
//! Promises: exact; bounded memory whatever the number of distinct rows.
//! Never: an order of the output that anybody may count on.

use super::grouping::{Job, PlannedGrouping};
use super::output::Output;
use super::reading::Reading;
use super::tool::Tool;
use crate::error::Result;
use crate::format::Format;
use crate::record::ColumnType;

/// What is to be distinct. Values are compared as by [`super::GroupFile`].
#[derive(Clone, Debug)]
pub struct DistinctFile {
    /// From where; the delimiter is the output's too.
    pub reading: Reading,
    /// To where; `None` only counts. [`super::Summary::rows_out`] is their number; where one column
    /// is only counted, NULL is not.
    pub output: Option<Output>,
    /// CSV or NDJSON.
    pub output_format: Format,
    /// Names of the columns that are looked at and written; none are all.
    pub columns: Vec<Box<str>>,
    /// As [`crate::expr::parse`] reads it: rows for which it is true.
    pub filter: Option<String>,
    /// Types of columns that are not to be found in the input's first megabyte.
    pub kinds: Vec<(Box<str>, ColumnType)>,
}

impl DistinctFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// As [`super::GroupFile::plan`].
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedGrouping<'a>> {
        let job = Job {
            reading: &self.reading,
            kinds: &self.kinds,
            keys: &self.columns,
            measures: None,
            filter: self.filter.as_deref(),
            output: self.output.as_ref().map(|output| (output, self.output_format)),
        };
        PlannedGrouping::new(&job, tool)
    }
}
