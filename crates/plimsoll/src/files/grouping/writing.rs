//! Finished groups of several threads to one output.
//!
//! ```text
//!   worker 0 ─┬─ frames ─> this thread ─> Sink
//!   worker 1 ─┘     ^──────── empty ──────┘
//! ```
//!
//! Promises: every worker has ended when this ends; the first fault is told.
//! Never: an output that exists after a fault.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::emit::{Emit, Rows, header};
use super::plan::FRAMES;
use super::reading::{into_inner, lock};
use super::run::PlannedGrouping;
use crate::error::Result;
use crate::files::sink::Sink;
use crate::files::sort::{first_fault, panicked};
use crate::files::tool::Summary;
use crate::files::watch::Phase;

impl PlannedGrouping<'_> {
    /// Has each of `workers` emit its groups by `finish`, which gives how deep they were spilled.
    /// `total` is what there is to read, in bytes.
    pub(super) fn write<W: Send>(
        &self,
        workers: Vec<W>,
        total: u64,
        summary: &mut Summary,
        finish: impl Fn(W, &mut Emit<'_>, &AtomicBool) -> Result<u32> + Sync,
    ) -> Result<()> {
        self.tool.watch.begin(Phase::Write, Some(total));
        let frames = if self.output.is_some() { FRAMES * workers.len() } else { 0 };
        let bytes = frames * self.plan.frame_bytes;
        let _frames = self.tool.consumer.try_reserve(bytes as u64)?;
        let (back, empty) = sync_channel(frames.max(1));
        for _ in 0..frames {
            let frame = Vec::with_capacity(self.plan.frame_bytes);
            back.send(frame).expect("the channel holds them all");
        }
        let (empty, failed) = (Mutex::new(empty), AtomicBool::new(false));
        let (full, filled) = sync_channel(frames.max(1));
        let groups = Mutex::new((0, 0));
        let (outcomes, sink) = std::thread::scope(|scope| {
            let workers: Vec<_> = workers
                .into_iter()
                .map(|worker| {
                    let (full, empty, finish) = (full.clone(), &empty, &finish);
                    let (failed, groups) = (&failed, &groups);
                    scope.spawn(move || {
                        let emit = self.emit(full, empty);
                        let done = emit.and_then(|mut emit| {
                            let deepest = finish(worker, &mut emit, failed)?;
                            Ok((emit.finish()?, deepest))
                        });
                        let (more, deepest) = done.inspect_err(|_| {
                            failed.store(true, Ordering::Relaxed);
                        })?;
                        let mut groups = lock(groups);
                        *groups = (groups.0 + more, groups.1.max(deepest));
                        Ok(())
                    })
                })
                .collect();
            drop(full);
            let written = self.drain(filled, &back, summary);
            drop(back);
            let join = |worker: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                worker.join().unwrap_or_else(|_| Err(panicked()))
            };
            let mut outcomes: Vec<Result<()>> = workers.into_iter().map(join).collect();
            let sink = written.map_err(|error| outcomes.push(Err(error))).ok().flatten();
            (outcomes, sink)
        });
        first_fault(outcomes)?;
        let (groups, passes) = into_inner(groups);
        (summary.rows_out, summary.passes) = (groups, summary.passes.max(passes));
        if let Some(sink) = sink {
            summary.bytes_out = sink.finish()?;
        }
        Ok(())
    }

    fn emit<'e>(
        &self,
        full: SyncSender<Vec<u8>>,
        empty: &'e Mutex<Receiver<Vec<u8>>>,
    ) -> Result<Emit<'e>> {
        Ok(match self.output {
            None => Emit::Count(0),
            Some((_, style)) => {
                let rows = Rows::new(style, &self.work, full, empty, self.tool.consumer)?;
                Emit::Rows(Box::new(rows))
            }
        })
    }

    /// Writes frames until no worker is left; the output is not finished yet.
    fn drain(
        &self,
        filled: Receiver<Vec<u8>>,
        back: &SyncSender<Vec<u8>>,
        summary: &mut Summary,
    ) -> Result<Option<Sink>> {
        let Some((output, style)) = self.output else { return Ok(None) };
        let mut sink = Sink::create(output, &self.tool, self.plan.out_block_bytes)?;
        sink.push(&header(style, &self.work))?;
        for mut frame in filled {
            sink.push(&frame)?;
            frame.clear();
            // The worker that would take it may have ended.
            let _last = back.try_send(frame);
        }
        summary.bytes_out = sink.bytes();
        Ok(Some(sink))
    }
}
