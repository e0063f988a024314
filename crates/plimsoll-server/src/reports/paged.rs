//! A report in the order of an index: page by page, with checkpoints.
//!
//! ```text
//!   page ─> append ─> due? sync, then save {file, bytes, rows, cursor} ─> next page
//!   resume: the file's first bytes, the rows behind the cursor
//! ```
//!
//! Promises: a row that stands before the checkpoint's cursor stands in its bytes, and no other
//! does; two pages in memory, and what a large row adds to the job's reservation.
//! Never: a sort.

use plimsoll::format::RowEncoder;
use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::Row;
use plimsoll_jobs::{JobError, Progress, Run};
use plimsoll_store::{Horizon, Page, PageEnd, PageRequest, Position, ReadLane, Scope};
use serde::{Deserialize, Serialize};

use super::file::ReportFile;
use super::generate::{Written, failed, lost};
use crate::cursor::Direction;
use crate::problem::{Kind, Problem};
use crate::routes::exports::Reading;
use crate::routes::stream::{StreamParams, Titled};
use crate::session;
use crate::stream::FRAME_CAPACITY;

/// How far it is.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Checkpoint {
    pub(super) file: Box<str>,
    pub(super) bytes: u64,
    rows: u64,
    /// Behind the last row that counts.
    cursor: Box<str>,
}

/// Where the writing is.
pub(super) struct Paging<'a> {
    pub(super) reading: &'a Reading,
    pub(super) params: &'a StreamParams,
    pub(super) titled: &'a Titled,
    encoder: Box<dyn RowEncoder>,
    from: Option<Position>,
    horizon: Option<Horizon>,
    rows: u64,
}

/// How a page went.
enum Went {
    On,
    /// Everything is written.
    Over,
}

impl<'a> Paging<'a> {
    /// From the beginning, or behind the checkpoint; `None` where no row can be told by that.
    pub(super) fn new(
        reading: &'a Reading,
        params: &'a StreamParams,
        titled: &'a Titled,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Option<Self>, Problem> {
        let started = checkpoint.is_some_and(|checkpoint| checkpoint.rows > 0);
        let (from, rows) = match checkpoint {
            None => (params.after.clone(), 0),
            Some(Checkpoint { cursor, rows, .. }) => {
                let cursors = &reading.context.cursors;
                match cursors.open(cursor, &params.selection, &reading.served) {
                    Ok(opened) => (Some(opened.position), *rows),
                    // The server's key is another by now.
                    Err(_) => return Ok(None),
                }
            }
        };
        let (inner, separator) = titled.apart();
        let encoder: Box<dyn RowEncoder> = match separator {
            b"" => inner,
            _ => Box::new(Parted { inner, separator, started }),
        };
        let horizon = session::horizon(&reading.request.headers)?;
        Ok(Some(Self { reading, params, titled, encoder, from, horizon, rows }))
    }

    /// Writes it; `None` where the job is to stop, and has saved how far it is.
    pub(super) fn write(
        mut self,
        run: &mut Run<'_>,
        file: &mut ReportFile,
    ) -> Result<Written, JobError> {
        let mut out = Vec::with_capacity(FRAME_CAPACITY);
        if file.bytes() == 0 {
            self.encoder.begin(&mut out);
        }
        loop {
            match self.page(run, file, &mut out) {
                Ok(Went::On) => {}
                Ok(Went::Over) => return Ok(Written::Whole(self.rows)),
                // Told by the first page, or not at all.
                Err(problem) if problem.kind() == Kind::SortUnindexed && file.bytes() == 0 => {
                    return Ok(Written::Unindexed);
                }
                Err(problem) => return Err(failed(&problem)),
            }
            if run.is_checkpoint_due(1) && self.save(run, file)? {
                return Ok(Written::Stopped);
            }
        }
    }

    /// Reads one page and appends it.
    fn page(
        &mut self,
        run: &mut Run<'_>,
        file: &mut ReportFile,
        out: &mut Vec<u8>,
    ) -> Result<Went, Problem> {
        let spare: Box<dyn RowEncoder> = Box::new(plimsoll::format::Ndjson::new([""; 0]));
        let selection = &self.params.selection;
        let request = PageRequest {
            resource: self.reading.served.resource.clone(),
            scope: Scope::Range {
                filter: selection.filter.clone(),
                search: selection.search.clone(),
                order: selection.order.clone(),
                from: self.from.clone(),
                backwards: false,
            },
            columns: self.titled.columns.clone(),
            rows_max: u64::MAX,
            bytes_max: FRAME_BYTES,
            encoder: std::mem::replace(&mut self.encoder, spare),
            out: std::mem::take(out),
            extra: run.split(0),
            row_ends: None,
            lane: ReadLane::Bulk,
            horizon: self.horizon,
        };
        let Page { out: page, extra, encoder, rows, end, rest, horizon, .. } =
            self.reading.context.store.page(request).wait()?;
        (*out, self.encoder, self.horizon) = (page, encoder, horizon);
        self.rows += rows;
        if end == PageEnd::Exhausted {
            self.encoder.end(out);
        }
        file.append(out).map_err(|e| lost(&e))?;
        out.clear();
        if out.capacity() > FRAME_CAPACITY {
            *out = Vec::with_capacity(FRAME_CAPACITY);
        }
        drop(extra);
        let PageEnd::More(position) = end else { return Ok(Went::Over) };
        self.from = Some(position);
        // Nobody wakes it: it makes way for others on the database.
        std::thread::park_timeout(rest);
        Ok(Went::On)
    }

    /// Saves how far it is, behind the bytes; whether to stop.
    pub(super) fn save(&self, run: &mut Run<'_>, file: &ReportFile) -> Result<bool, JobError> {
        let Some(position) = &self.from else { return Ok(run.stop().is_some()) };
        let scope = self.params.selection.scope;
        let sealed = self.reading.context.cursors.seal(scope, Direction::Forwards, position);
        let checkpoint = Checkpoint {
            file: file.name().into(),
            bytes: file.bytes(),
            rows: self.rows,
            cursor: sealed.map_err(|problem| failed(&problem))?.into(),
        };
        file.sync().map_err(|e| failed(&lost(&e)))?;
        let text = serde_json::to_string(&checkpoint)
            .map_err(|e| JobError::hopeless(format!("a checkpoint as JSON: {e}")))?;
        let progress = Progress { done: self.rows, total: None, unit: Some("rows".into()) };
        Ok(run.save(Vec::new(), &text, &progress)?.is_some())
    }
}

/// Parts rows that do not know which came before them: an array that goes on in another claim.
struct Parted {
    inner: Box<dyn RowEncoder>,
    separator: &'static [u8],
    started: bool,
}

impl RowEncoder for Parted {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.started = false;
        out.push(b'[');
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        let start = out.len();
        if self.started {
            out.extend_from_slice(self.separator);
        }
        self.inner.row(row, out).inspect_err(|_| out.truncate(start))?;
        self.started = true;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        out.push(b']');
    }

    fn row_bytes_max(&self, row: &dyn Row) -> plimsoll::Result<usize> {
        Ok(self.inner.row_bytes_max(row)?.saturating_add(self.separator.len()))
    }
}
