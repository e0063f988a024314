//! How many rows an input has, or how many a filter holds for.
//!
//! Promises: every record is checked as any other tool would; the answer is exact.
//! Never: a field parsed that the filter does not read.

use super::reading::{Reading, Scanned};
use super::row_filter::RowFilter;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use super::workers;
use crate::error::Result;
use crate::scan::Records;

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
    filter: RowFilter,
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
        let filter = RowFilter::parse(self.filter.as_deref(), &scanned.segments)?;
        let left = tool.workspace_bytes.saturating_sub(scanned.cost_bytes());
        let most = left / self.worker_bytes(&tool, &filter) as u64;
        let workers = scanned.workers.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
        Ok(PlannedCount { job: self, tool, scanned, filter, workers })
    }

    fn worker_bytes(&self, tool: &Tool<'_>, filter: &RowFilter) -> usize {
        self.reading.segment_bytes(tool) + filter.bytes(self.reading.record_bytes_max)
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
        let worker_bytes = self.job.worker_bytes(&self.tool, &self.filter);
        let _held = self.tool.consumer.try_reserve(worker_bytes as u64)?;
        let mut memory = vec![0; self.job.reading.segment_bytes(&self.tool)];
        let mut records = Records::new(segments, &self.filter.columns());
        let mut test = self.filter.test(segments);
        let (mut read, mut held, mut bytes) = (0, 0, 0);
        while let Some(segment) = segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                read += 1;
                held += u64::from(test.passes(&record)?);
            }
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        Ok((read, held, bytes))
    }
}
