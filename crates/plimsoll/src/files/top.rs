//! The first rows of a sort, without the sort.
//!
//! ```text
//!   Segments ─┬─> worker 0: first word > cutoff? skipped : key, Rows of k ─┐
//!             └─> worker 1: ...                                            ├─> merge ─> output
//!   cutoff: the least of the workers' k-th keys, its first 8 bytes  <──────┘
//! ```
//!
//! Promises: byte for byte the first k rows of `sort` by the same columns, ties in input order.
//! Never: a row copied that is known not to be among them; a byte on disk.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::output::Output;
use super::reading::{Reading, Scanned};
use super::row_filter::RowFilter;
use super::row_key::{Key, RowKey};
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use super::workers;
use crate::error::{Error, Result};
use crate::record::key::{ByTerm, KeyKind, KeyTerm, Packed, encode_field, pack_number, resolve};
use crate::scan::{RawField, RawRecord, Records};
use crate::topk::{Rows, SmallestRows};
use crate::units::ByteSize;

/// Blocks of the output: it is k rows.
const OUT_BLOCK_BYTES: usize = 64 << 10;
/// Least memory for the rows of one worker.
const ROWS_BYTES_MIN: u64 = 64 << 10;
/// What a row takes beside itself, at most: its key with segment and place, and two entries.
const ROW_OVERHEAD_BYTES: u64 = 96;

/// Which rows to keep and how.
#[derive(Clone, Debug)]
pub struct TopFile {
    /// From where.
    pub reading: Reading,
    /// To where.
    pub output: Output,
    /// By which columns.
    pub by: Vec<ByTerm>,
    /// Only rows for which this is true, e.g. `qty > 0`.
    pub filter: Option<String>,
    /// How many rows.
    pub rows: usize,
}

/// What it will do. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopPlan {
    /// What the tool may hold.
    pub workspace_bytes: u64,
    /// Threads that read.
    pub workers: usize,
    /// Memory of each for a segment of the input.
    pub segment_bytes: usize,
    /// Memory of each for rows and keys.
    pub rows_bytes: u64,
}

/// A selection that was planned and not begun.
pub struct PlannedTop<'a> {
    job: &'a TopFile,
    tool: Tool<'a>,
    scanned: Scanned,
    terms: Vec<KeyTerm>,
    filter: RowFilter,
    plan: TopPlan,
}

impl TopFile {
    /// Opens the input, reads its beginning and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, a filter that is none, an output that is
    /// the input, or too little memory; those of opening and scanning the input.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedTop<'a>> {
        self.output.check_against(&[&self.reading.input])?;
        let scanned = self.reading.open(&tool)?;
        let terms = resolve(&self.by, scanned.segments.columns(), scanned.segments.kinds())?;
        let filter = RowFilter::parse(self.filter.as_deref(), &scanned.segments)?;
        let segment_bytes = self.reading.segment_bytes(&tool);
        let worker_bytes = (segment_bytes + filter.bytes(self.reading.record_bytes_max)) as u64;
        let fixed = scanned.cost_bytes() + Sink::cost_bytes(&self.output, OUT_BLOCK_BYTES);
        let left = tool.workspace_bytes.saturating_sub(fixed);
        let rows_bytes = |workers: usize| (left / workers as u64).saturating_sub(worker_bytes);
        let row_bytes = scanned.segments.row_bytes() + ROW_OVERHEAD_BYTES;
        // A quarter more, because rows are only thinned out when a quarter of them goes.
        let wished = (self.rows as u64).saturating_mul(row_bytes).saturating_mul(4) / 3;
        let mut workers = scanned.workers;
        while workers > 1 && rows_bytes(workers) < wished.max(ROWS_BYTES_MIN) {
            workers -= 1;
        }
        let rows_bytes = rows_bytes(workers);
        if rows_bytes < ROWS_BYTES_MIN {
            let least = fixed + worker_bytes + ROWS_BYTES_MIN;
            return Err(Error::invalid(format!(
                "keeping the first rows needs a workspace of {} at least, and it is {}; raise the \
                 memory limit or lower the longest record",
                ByteSize::new(least),
                ByteSize::new(tool.workspace_bytes)
            )));
        }
        let plan =
            TopPlan { workspace_bytes: tool.workspace_bytes, workers, segment_bytes, rows_bytes };
        Ok(PlannedTop { job: self, tool, scanned, terms, filter, plan })
    }
}

/// What a worker hands over.
struct Kept {
    rows: SmallestRows,
    read: u64,
    bytes: u64,
}

impl PlannedTop<'_> {
    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &TopPlan {
        &self.plan
    }

    /// Reads all and writes the first rows.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] with advice where so many rows do not fit into memory; those
    /// of the input and the output; then no output exists.
    pub fn run(self) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, self.scanned.bytes_len);
        let cutoff = AtomicU64::new(u64::MAX);
        let kept = workers::run(self.plan.workers, self.tool.watch, |_| self.keep(&cutoff))?;
        self.tool.watch.begin(Phase::Write, None);
        let mut sink = Sink::create(&self.job.output, &self.tool, OUT_BLOCK_BYTES)?;
        sink.push(self.scanned.segments.header())?;
        let rows_out = merge(&kept, self.job.rows, &mut sink)?;
        Ok(Summary {
            rows_in: kept.iter().map(|k| k.read).sum(),
            rows_out,
            bytes_in: kept.iter().map(|k| k.bytes).sum(),
            bytes_out: sink.finish()?,
            ..Summary::default()
        })
    }

    /// One worker's first rows.
    fn keep(&self, shared: &AtomicU64) -> Result<Kept> {
        let TopPlan { segment_bytes, rows_bytes, .. } = self.plan;
        let tested = self.filter.bytes(self.job.reading.record_bytes_max);
        let _held = self.tool.consumer.try_reserve((segment_bytes + tested) as u64)?;
        let mut memory = vec![0; segment_bytes];
        let room = usize::try_from(rows_bytes).unwrap_or(usize::MAX);
        let mut rows = Rows::new(self.job.rows, room, self.tool.consumer)?;
        let needed = self.filter.columns_and(self.terms.iter().map(|t| t.column));
        let mut test = self.filter.test(&self.scanned.segments);
        let mut records = Records::new(&self.scanned.segments, &needed);
        let mut keys = TopKey::new(&self.terms);
        let (mut read, mut bytes) = (0, 0);
        while let Some(segment) = self.scanned.segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            let data = &memory[..segment.bytes];
            records.begin(segment.first_line);
            let mut place = 0_u32;
            while let Some(record) = records.next(data)? {
                place += 1;
                if keys.first_word(&record) > shared.load(Relaxed) || !test.passes(&record)? {
                    continue;
                }
                keys.make(&record, segment.number, place);
                if rows.push(&keys.key, record.bytes())?
                    && let Some(key) = rows.cutoff()
                {
                    shared.fetch_min(first_word(key), Relaxed);
                }
            }
            read += u64::from(place);
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        Ok(Kept { rows: rows.finish(), read, bytes })
    }
}

/// The first eight bytes of a key, filled up with zeros. A row whose word is larger than that of
/// another one's key comes behind it.
fn first_word(key: &[u8]) -> u64 {
    let mut word = [0; 8];
    let bytes = key.len().min(8);
    word[..bytes].copy_from_slice(&key[..bytes]);
    u64::from_be_bytes(word)
}

/// Keys that end in the row's place in the input, which makes them all different.
struct TopKey {
    first: KeyTerm,
    maker: RowKey,
    terms: usize,
    key: Vec<u8>,
    part: Vec<u8>,
    scratch: Vec<u8>,
}

impl TopKey {
    fn new(terms: &[KeyTerm]) -> Self {
        let maker = RowKey::new(terms);
        let (key, part, scratch) = Default::default();
        Self { first: terms[0], maker, terms: terms.len(), key, part, scratch }
    }

    /// The first word of the key, by the first column alone.
    #[inline]
    fn first_word(&mut self, record: &RawRecord<'_>) -> u64 {
        let field = record.field(self.first.column);
        if self.first.kind == KeyKind::Number {
            match field {
                RawField::Null => return Packed::null(self.first.nulls).word,
                RawField::Plain(text) => {
                    let packed = pack_number(text);
                    return if self.first.descending { packed.descending() } else { packed }.word;
                }
                RawField::Quoted(_) => {}
            }
        }
        self.part.clear();
        encode_field(self.first, field.decode(&mut self.scratch), &mut self.part);
        first_word(&self.part)
    }

    fn make(&mut self, record: &RawRecord<'_>, segment: u64, place: u32) {
        self.key.clear();
        match self.maker.make(record) {
            Key::Short(prefix) => {
                self.key.extend_from_slice(&prefix.to_be_bytes()[..8 * self.terms]);
            }
            Key::Bytes(key) => self.key.extend_from_slice(key),
        }
        self.key.extend_from_slice(&segment.to_be_bytes());
        self.key.extend_from_slice(&place.to_be_bytes());
    }
}

/// Writes the first `k` of all workers' rows.
fn merge(kept: &[Kept], k: usize, sink: &mut Sink) -> Result<u64> {
    let mut heads: Vec<_> = kept.iter().map(|k| k.rows.iter().peekable()).collect();
    let mut written = 0;
    while written < k {
        let mut least: Option<(usize, &[u8])> = None;
        for (worker, head) in heads.iter_mut().enumerate() {
            if let Some((key, _)) = head.peek()
                && least.is_none_or(|(_, other)| (*key).cmp(other) == Ordering::Less)
            {
                least = Some((worker, key));
            }
        }
        let Some((worker, _)) = least else { break };
        let (_, row) = heads[worker].next().expect("it was peeked at");
        sink.push(row)?;
        if !row.ends_with(b"\n") {
            sink.push(b"\n")?;
        }
        written += 1;
    }
    Ok(written as u64)
}
