//! Groups a file by some of its columns: `sum(qty*price) as revenue` of each.
//!
//! Promises: exact sums, counts and means; bounded memory whatever the number of groups; the
//! output appears whole or not at all.
//! Never: an order of the output that anybody may count on.

use super::grouping::{Job, PlannedGrouping};
use super::output::Output;
use super::reading::Reading;
use super::tool::Tool;
use crate::error::{Error, Result};
use crate::format::Format;
use crate::record::ColumnType;

/// What to group and how. The output holds the key's columns, then the measures.
///
/// Two rows are of one group where each key column has the same value: 2.50 is 2.5 where the
/// column holds numbers, NULL is a group of its own and not the empty text. Groups that do not
/// fit into memory are spilled by the hash of their keys.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::files::{GroupFile, Input, Output, Reading, Tool, Watch};
/// use plimsoll::format::Format;
/// use plimsoll::spill::SpillOptions;
/// use plimsoll::storage::{Disk, Storage};
/// let folder = tempfile::tempdir()?;
/// let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
/// std::fs::write(&input, "city,qty,price\nBern,2,1.50\nBern,3,2\n")?;
/// let job = GroupFile {
///     reading: Reading { record_bytes_max: 64 << 10, ..Reading::new(Input::File(input)) },
///     output: Output::File { path: output.clone(), fsync: false },
///     output_format: Format::Csv,
///     key: vec!["city".into()],
///     measures: "count(*) as n, sum(qty*price) as revenue".into(),
///     filter: None,
///     kinds: Vec::new(),
/// };
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let (storage, watch) = (Arc::new(Disk) as Arc<dyn Storage>, Watch::default());
/// let summary = job
///     .plan(Tool {
///         storage: &storage,
///         spill_root: folder.path(),
///         spill: SpillOptions::default(),
///         consumer: &budget.consumer("group")?,
///         workspace_bytes: 16 << 20,
///         threads: 2,
///         watch: &watch,
///     })?
///     .run()?;
/// assert_eq!(std::fs::read_to_string(&output)?, "city,n,revenue\nBern,2,9\n");
/// assert_eq!((summary.rows_in, summary.rows_out), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GroupFile {
    /// From where; the delimiter is the output's too.
    pub reading: Reading,
    /// To where.
    pub output: Output,
    /// CSV or NDJSON.
    pub output_format: Format,
    /// Names of the columns that make a group; one at least.
    pub key: Vec<Box<str>>,
    /// As [`crate::aggregate::parse`] reads them. Those that need every value of a group, as
    /// `median(x)`, have the values sorted.
    pub measures: String,
    /// As [`crate::expr::parse`] reads it: rows for which it is true.
    pub filter: Option<String>,
    /// Types of columns that are not to be found in the input's first megabyte.
    pub kinds: Vec<(Box<str>, ColumnType)>,
}

impl GroupFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, measures or filters that do not fit
    /// the columns' types, an output that is the input, or too little memory, with the least that
    /// is needed; those of opening and scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedGrouping<'a>> {
        if self.key.is_empty() {
            return Err(Error::invalid("a grouping needs a column for its key: give --key COLUMN"));
        }
        let job = Job {
            reading: &self.reading,
            kinds: &self.kinds,
            keys: &self.key,
            measures: Some(&self.measures),
            filter: self.filter.as_deref(),
            output: Some((&self.output, self.output_format)),
        };
        PlannedGrouping::new(&job, tool)
    }
}
