//! How many rows an input has, or how many a filter holds for.
//!
//! Promises: every record is checked as any other tool would; the answer is exact.
//! Never: a field parsed that the filter does not read.

use super::fields::{TypedFields, on_line, schema};
use super::reading::{Reading, Scanned};
use super::tool::{Summary, Tool};
use super::watch::Phase;
use super::workers;
use crate::error::Result;
use crate::expr::{self, Expr};
use crate::limits::{COLUMNS_MAX, FILTER_BYTES_MAX};
use crate::scan::Records;

/// What a worker holds beside its segment: a record's fields and a filter.
const WORKER_BYTES: usize = 16 * FILTER_BYTES_MAX + COLUMNS_MAX * size_of::<Vec<u8>>();

/// What to count.
#[derive(Clone, Debug)]
pub struct CountFile {
    /// From where.
    pub reading: Reading,
    /// Only rows for which this is true, e.g. `price >= 10`.
    pub filter: Option<String>,
}

/// A count that was planned and not begun.
pub struct PlannedCount<'a> {
    job: &'a CountFile,
    tool: Tool<'a>,
    scanned: Scanned,
    filter: Option<Expr>,
    workers: usize,
}

impl CountFile {
    /// Opens the input, reads its beginning and the filter.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a filter that is none; those of opening and scanning the
    /// input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedCount<'a>> {
        let scanned = self.reading.open(&tool)?;
        let filter = match &self.filter {
            Some(text) => Some(expr::parse(text, &schema(&scanned.segments))?),
            None => None,
        };
        let left = tool.workspace_bytes.saturating_sub(scanned.cost_bytes());
        let most = left / self.worker_bytes(&tool) as u64;
        let workers = scanned.workers.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
        Ok(PlannedCount { job: self, tool, scanned, filter, workers })
    }

    fn worker_bytes(&self, tool: &Tool<'_>) -> usize {
        self.reading.segment_bytes(tool) + WORKER_BYTES + 2 * self.reading.record_bytes_max
    }
}

impl PlannedCount<'_> {
    /// Threads that read.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Counts. [`Summary::rows_out`] is the answer.
    ///
    /// # Errors
    /// Those of the input; [`crate::ErrorKind::Invalid`] with the line for a field that is not of
    /// the type its column has.
    pub fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.scanned.bytes_len);
        let counted = workers::run(self.workers, self.tool.watch, |_| self.count())?;
        let mut summary = Summary::default();
        for (read, held, bytes) in counted {
            summary.rows_in += read;
            summary.rows_out += held;
            summary.bytes_in += bytes;
        }
        Ok(summary)
    }

    /// Rows, rows that the filter holds for, and bytes.
    fn count(&self) -> Result<(u64, u64, u64)> {
        let segments = &self.scanned.segments;
        let _held = self.tool.consumer.try_reserve(self.job.worker_bytes(&self.tool) as u64)?;
        let mut memory = vec![0; self.job.reading.segment_bytes(&self.tool)];
        let mut needed: Vec<usize> = self.filter.iter().flat_map(Expr::columns).collect();
        needed.sort_unstable();
        needed.dedup();
        let mut records = Records::new(segments, &needed);
        let mut fields = TypedFields::new(segments, &needed);
        let (mut read, mut held, mut bytes) = (0, 0, 0);
        while let Some(segment) = segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                read += 1;
                held += match &self.filter {
                    None => 1,
                    Some(filter) => {
                        fields.load(&record);
                        let held = expr::matches(filter, &fields);
                        u64::from(held.map_err(|e| on_line(record.line(), &e))?)
                    }
                };
            }
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        Ok((read, held, bytes))
    }
}
