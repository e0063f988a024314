//! Quantiles of a column of numbers, exact or sketched.
//!
//! ```text
//!   exact:        pass 1 ─> pass 2 ─> .. at most 4 or so, each over the whole file
//!                 more of them where numbers beside the place differ behind their 16th digit only
//!   approximate:  one pass; a sketch a worker, merged
//!   pass:         Segments ─┬─> worker: keys of a segment ─┐
//!                           └─> worker: ...                ├─ locked ─> counts
//! ```
//!
//! Promises: exact ones are those of the sorted column, interpolated between two rows as
//! `quantile_cont` is in SQL, in decimals: with every digit; approximate ones come with their
//! error.
//! Never: a sort, or a byte on disk.

mod level;

use std::sync::{Mutex, PoisonError};

use self::level::{Level, level_bytes};
use super::convert::position;
use super::fields::{TypedFields, on_line};
use super::input::Input;
use super::output::Output;
use super::reading::{Reading, Scanned};
use super::row_filter::RowFilter;
use super::sink::Sink;
use super::tool::{Summary, Tool};
use super::watch::Phase;
use super::workers;
use crate::error::{Error, Result, excerpt};
use crate::limits::QUANTILE_WORKSPACE_BYTES_MIN;
use crate::quantile::{ExactQuantiles, Fraction, OrderKey};
use crate::record::{ColumnType, Money, Row as _, ValueRef};
use crate::scan::{RawRecord, Records, Segments};
use crate::sketch::Kll;

/// Keys a worker gathers before it hands them over.
const KEYS_MAX: usize = 16 << 10;
/// k of the sketch: a rank error of 0.17 % in 52 KiB.
const KLL_K: u16 = 2_000;
/// More than this spares no pass.
const WORKSPACE_BYTES_MAX: u64 = 16 << 20;
/// Blocks of the output, which is a few lines.
const OUT_BLOCK_BYTES: usize = 16 << 10;

/// How quantiles are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantileMethod {
    /// In several passes over a file.
    Exact,
    /// In one pass over any input, by a KLL sketch.
    Approximate,
}

/// What to compute.
#[derive(Clone, Debug)]
pub struct QuantileFile {
    /// From where.
    pub reading: Reading,
    /// To where: CSV with one row a quantile.
    pub output: Output,
    /// The column.
    pub column: Box<str>,
    /// Which quantiles.
    pub quantiles: Vec<Fraction>,
    /// Only of rows for which this is true, e.g. `qty > 0`.
    pub filter: Option<String>,
    /// How.
    pub method: QuantileMethod,
}

/// A computation that was planned and not begun.
pub struct PlannedQuantile<'a> {
    job: &'a QuantileFile,
    tool: Tool<'a>,
    /// Open for the first pass.
    scanned: Option<Scanned>,
    column: usize,
    kind: ColumnType,
    filter: RowFilter,
    workers: usize,
    /// Of the exact method.
    workspace_bytes: usize,
}

impl QuantileFile {
    /// Opens the input and reads its beginning.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for an unknown column or one that is not of numbers, a filter
    /// that is none, and for exact quantiles of standard input, which cannot be read twice.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedQuantile<'a>> {
        self.output.check_against(&[&self.reading.input])?;
        if self.method == QuantileMethod::Exact && self.reading.input == Input::Stdin {
            return Err(Error::invalid(
                "exact quantiles read their input several times, and standard input can be read \
                 once: write it to a file first, or ask for approximate ones",
            ));
        }
        let scanned = self.reading.open(&tool)?;
        let column = position(scanned.segments.columns(), &self.column)?;
        let kind = scanned.segments.kinds()[column];
        if !matches!(kind, ColumnType::Int | ColumnType::Money | ColumnType::Float) {
            return Err(Error::invalid(format!(
                "column '{}' is not of numbers, and quantiles are",
                excerpt(&self.column)
            )));
        }
        let filter = RowFilter::parse(self.filter.as_deref(), &scanned.segments)?;
        let fixed = scanned.cost_bytes()
            + Sink::cost_bytes(&self.output, OUT_BLOCK_BYTES)
            + level_bytes(self.quantiles.len());
        let left = tool.workspace_bytes.saturating_sub(fixed);
        let state = QUANTILE_WORKSPACE_BYTES_MIN as u64;
        let most = left.saturating_sub(2 * state) / self.worker_bytes(&tool, &filter) as u64;
        let workers = scanned.workers.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1);
        let left = left.saturating_sub((workers * self.worker_bytes(&tool, &filter)) as u64);
        let workspace = (left / 2).clamp(state, WORKSPACE_BYTES_MAX);
        let workspace_bytes = usize::try_from(workspace).unwrap_or(usize::MAX);
        // What is wrong with the quantiles is said before anything is read.
        ExactQuantiles::new(&self.quantiles, QUANTILE_WORKSPACE_BYTES_MIN)?;
        Ok(PlannedQuantile {
            job: self,
            tool,
            scanned: Some(scanned),
            column,
            kind,
            filter,
            workers,
            workspace_bytes,
        })
    }

    fn worker_bytes(&self, tool: &Tool<'_>, filter: &RowFilter) -> usize {
        self.reading.segment_bytes(tool)
            + filter.bytes(self.reading.record_bytes_max)
            + 2 * self.reading.record_bytes_max
            + KEYS_MAX * size_of::<u64>()
    }
}

impl PlannedQuantile<'_> {
    /// Threads that read.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// Type of the column.
    #[must_use]
    pub fn kind(&self) -> ColumnType {
        self.kind
    }

    /// Computes them. [`Summary::passes`] tells how often the input was read again.
    ///
    /// # Errors
    /// Those of the input and the output; [`crate::ErrorKind::Invalid`] with the line for a field
    /// that is not of the column's type, or when the file changes between passes.
    pub fn run(mut self) -> Result<Summary> {
        let (lines, mut summary) = match self.job.method {
            QuantileMethod::Exact => self.exact()?,
            QuantileMethod::Approximate => self.approximate()?,
        };
        self.tool.watch.begin(Phase::Write, None);
        let mut sink = Sink::create(&self.job.output, &self.tool, OUT_BLOCK_BYTES)?;
        sink.push(lines.as_bytes())?;
        summary.rows_out = self.job.quantiles.len() as u64;
        summary.bytes_out = sink.finish()?;
        Ok(summary)
    }

    fn exact(&mut self) -> Result<(String, Summary)> {
        let quantiles = self.job.quantiles.len();
        let cost = ExactQuantiles::bytes_for(2 * quantiles, self.workspace_bytes);
        let _held = self.tool.consumer.try_reserve(cost + level_bytes(quantiles))?;
        let mut level = Level::first(&self.job.quantiles, self.workspace_bytes)?;
        let scanned = first(self.scanned.take());
        let mut summary = self.pass(&scanned, &|_| KeyReader::Exact(&level))?;
        drop(scanned);
        loop {
            level = match level.end_of_pass()? {
                level::Next::AnotherPass(level) => *level,
                level::Next::Done(numbers) => {
                    let mut lines = "q,value\n".to_owned();
                    for (place, q) in self.job.quantiles.iter().enumerate() {
                        // None are known where there are no rows.
                        let value = numbers.get(place).map(ToString::to_string);
                        lines += &format!("{q},{}\n", value.unwrap_or_default());
                    }
                    return Ok((lines, summary));
                }
            };
            summary.passes += 1;
            let scanned = self.job.reading.open(&self.tool)?;
            self.pass(&scanned, &|_| KeyReader::Exact(&level))?;
        }
    }

    fn approximate(&mut self) -> Result<(String, Summary)> {
        let _held = self.tool.consumer.try_reserve(Kll::<i64>::bytes_for(KLL_K))?;
        let sketch = Mutex::new(Kll::<i64>::new(KLL_K, 1)?);
        let scanned = first(self.scanned.take());
        let column = [self.column];
        let keys = |segments| KeyReader::Sketch(&sketch, TypedFields::new(segments, &column));
        let summary = self.pass(&scanned, &keys)?;
        let sketch = sketch.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut lines = "q,value,rank_error\n".to_owned();
        for q in &self.job.quantiles {
            let value = sketch.quantile(q.as_f64()).map(|v| text(self.kind, v.to_key()));
            lines += &format!("{q},{},{:.6}\n", value.unwrap_or_default(), sketch.rank_error());
        }
        Ok((lines, summary))
    }

    /// Reads all and gives the column's keys away, some at a time.
    fn pass<'s>(
        &'s self,
        scanned: &'s Scanned,
        keys: &(dyn Fn(&'s Segments) -> KeyReader<'s> + Sync),
    ) -> Result<Summary> {
        self.tool.watch.begin(Phase::Read, scanned.bytes_len);
        let segments = &scanned.segments;
        let done =
            workers::run(self.workers, self.tool.watch, |_| self.read(segments, keys(segments)))?;
        let mut summary = Summary::default();
        for (rows, bytes) in done {
            summary.rows_in += rows;
            summary.bytes_in += bytes;
        }
        Ok(summary)
    }

    fn read(&self, segments: &Segments, mut reader: KeyReader<'_>) -> Result<(u64, u64)> {
        let worker_bytes = self.job.worker_bytes(&self.tool, &self.filter);
        let _held = self.tool.consumer.try_reserve(worker_bytes as u64)?;
        let mut memory = vec![0; self.job.reading.segment_bytes(&self.tool)];
        let mut keys = Vec::with_capacity(KEYS_MAX);
        let mut records = Records::new(segments, &self.filter.columns_and([self.column]));
        let mut test = self.filter.test(segments);
        let (mut rows, mut bytes) = (0, 0);
        while let Some(segment) = segments.next(&mut memory, 0)? {
            self.tool.watch.check()?;
            records.begin(segment.first_line);
            while let Some(record) = records.next(&memory[..segment.bytes])? {
                rows += 1;
                if !test.passes(&record)? {
                    continue;
                }
                let key = reader.key(self.column, &record);
                keys.extend(key.map_err(|e| on_line(record.line(), &e))?);
                if keys.len() == KEYS_MAX {
                    reader.take(&keys)?;
                    keys.clear();
                }
            }
            bytes += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        reader.take(&keys)?;
        Ok((rows, bytes))
    }
}

/// What a worker does with the column's field of each row.
enum KeyReader<'a> {
    Exact(&'a Level),
    Sketch(&'a Mutex<Kll<i64>>, TypedFields<'a>),
}

impl KeyReader<'_> {
    /// The key of a record's number; NULL has none.
    #[inline]
    fn key(&mut self, column: usize, record: &RawRecord<'_>) -> Result<Option<u64>> {
        match self {
            Self::Exact(level) => level.key(record.field(column)),
            Self::Sketch(_, fields) => {
                fields.load(record);
                fields.value(column).map(key_of)
            }
        }
    }

    fn take(&self, keys: &[u64]) -> Result<()> {
        match self {
            Self::Exact(level) => {
                level.take(keys);
                Ok(())
            }
            Self::Sketch(sketch, _) => {
                let mut sketch = sketch.lock().unwrap_or_else(PoisonError::into_inner);
                // Keys of any type have one order, and a sketch needs no more.
                keys.iter().try_for_each(|key| sketch.add(i64::from_key(*key)))
            }
        }
    }
}

/// What the plan opened.
fn first(scanned: Option<Scanned>) -> Scanned {
    scanned.expect("a planned input is open until it is read")
}

/// The key of a number in a sketch; NULL has none.
fn key_of(value: ValueRef<'_>) -> Option<u64> {
    match value {
        ValueRef::Int(v) => Some(v.to_key()),
        ValueRef::Money(v) => Some(v.to_key()),
        ValueRef::Float(v) => Some(v.to_key()),
        _ => None,
    }
}

/// The text of a key's number.
fn text(kind: ColumnType, key: u64) -> String {
    match kind {
        ColumnType::Int => i64::from_key(key).to_string(),
        ColumnType::Money => Money::from_key(key).to_string(),
        _ => f64::from_key(key).to_string(),
    }
}
