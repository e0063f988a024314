//! Rows of the input to the tables of several threads.
//!
//! ```text
//!   Segments ─┬─> worker 0: records ─> batch ─> Takes
//!             └─> worker 1: records ─> batch ─> Takes      fault: the lowest segment's
//! ```
//!
//! Promises: every worker has ended when this ends; the first fault of the input is told.
//! Never: a row that is taken twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::batch::Batch;
use super::run::PlannedGrouping;
use crate::error::{Error, Result};
use crate::files::tool::Summary;
use crate::scan::Records;

/// Whoever takes batches of rows.
pub(super) trait Takes {
    /// Takes the rows of `batch`.
    fn add(&mut self, batch: &Batch) -> Result<()>;
}

/// What workers leave behind while they read.
#[derive(Default)]
struct Reading {
    failed: AtomicBool,
    /// With the segment in which they were met.
    faults: Mutex<Vec<(u64, Error)>>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    rows: u64,
    bytes: u64,
}

impl PlannedGrouping<'_> {
    /// Reads everything into what each thread makes, and `end`s it there.
    pub(super) fn read<T: Takes, U: Send>(
        &self,
        make: impl Fn() -> Result<T> + Sync,
        end: impl Fn(T) -> Result<U> + Sync,
    ) -> Result<(Vec<U>, Summary)> {
        let (ended, read) = (Mutex::new(Vec::new()), Reading::default());
        let work = || {
            let mut segment = u64::MAX;
            let worked = make().and_then(|mut taker| {
                self.read_segments(&mut taker, &read, &mut segment)?;
                lock(&ended).push(end(taker)?);
                Ok(())
            });
            if let Err(error) = worked {
                read.failed.store(true, Ordering::Relaxed);
                lock(&read.faults).push((segment, error));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.plan.threads {
                scope.spawn(work);
            }
            work();
        });
        let mut faults = into_inner(read.faults);
        faults.sort_by_key(|(segment, _)| *segment);
        if let Some((_, error)) = faults.into_iter().next() {
            return Err(error);
        }
        let Counts { rows, bytes } = into_inner(read.counts);
        let summary = Summary { rows_in: rows, bytes_in: bytes, ..Summary::default() };
        Ok((into_inner(ended), summary))
    }

    fn read_segments<T: Takes>(
        &self,
        taker: &mut T,
        read: &Reading,
        number: &mut u64,
    ) -> Result<()> {
        let _segment = self.tool.consumer.try_reserve(self.plan.segment_bytes as u64)?;
        let mut memory = vec![0; self.plan.segment_bytes];
        let mut batch = Batch::new(self.work.reads.len(), self.tool.consumer)?;
        let needed = self.work.keys.iter().chain(&self.work.reads).map(|s| s.position);
        let mut records = Records::new(&self.segments, &needed.collect::<Vec<_>>());
        let (mut rows, mut bytes_read) = (0, 0);
        while !read.failed.load(Ordering::Relaxed) {
            self.tool.watch.check()?;
            let Some(segment) = self.segments.next(&mut memory, 0)? else { break };
            *number = segment.number;
            records.begin(segment.first_line);
            let bytes = &memory[..segment.bytes];
            while let Some(record) = records.next(bytes)? {
                rows += 1;
                batch.push(&self.work, &record)?;
                if batch.is_full() {
                    taker.add(&batch)?;
                    batch.clear();
                }
            }
            bytes_read += segment.bytes as u64;
            self.tool.watch.add(segment.bytes as u64);
        }
        taker.add(&batch)?;
        let mut counts = lock(&read.counts);
        counts.rows += rows;
        counts.bytes += bytes_read;
        Ok(())
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
