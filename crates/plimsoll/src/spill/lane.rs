//! A thread that writes blocks while their maker makes the next one.
//!
//! ```text
//!   maker ── full buffer, place ──> queue (as many as there are buffers) ──> thread ── write_at
//!     ^                                                                        │
//!     └──────────────── the buffer, empty, and how it went ────────────────────┘
//! ```
//!
//! Promises: buffers are made once and go round; the first failure is told at the next exchange
//! and at the end, and nothing is written after it.
//! Never: more blocks on the way than there are spare buffers.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::codec::Codec;
use super::packing::Packer;
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;
use crate::storage::AlignedBytes;

/// Buffers on the way at one time: one being written, one waiting, and none makes the maker wait.
const SPARES_MAX: usize = 16;

/// What blocks are written to.
pub trait BlockTarget: Send + Sync + std::fmt::Debug {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], with what was written where.
    fn write(&self, bytes: &[u8], offset: u64) -> Result<()>;
}

/// The thread and its spare buffers, for one maker of blocks.
#[derive(Debug)]
pub struct WriteLane {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
    block_bytes: usize,
    /// Buffers that are not with the thread.
    spares: Vec<AlignedBytes>,
    with_thread: usize,
    failure: Option<Error>,
    /// Of all writers that use the lane.
    packer: Option<Packer>,
    _reservation: Reservation,
}

#[derive(Debug)]
struct Job {
    target: Arc<dyn BlockTarget>,
    offset: u64,
    buffer: AlignedBytes,
    range: Range<usize>,
}

type Done = (AlignedBytes, Result<()>);

impl WriteLane {
    /// A lane with `spares` buffers of `block_bytes`, reserved from `consumer`, whose writers'
    /// blocks are compressed by `codec`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`], or the system's when no thread can be started.
    pub fn start(
        consumer: &Consumer,
        block_bytes: usize,
        spares: usize,
        codec: Codec,
    ) -> Result<Self> {
        assert!((1..=SPARES_MAX).contains(&spares), "a lane has 1 to {SPARES_MAX} spares");
        let buffers = spares * AlignedBytes::cost_bytes(block_bytes);
        let reservation = consumer.try_reserve(buffers as u64)?;
        let packer = Packer::new(codec, block_bytes, consumer)?;
        let (jobs, queue) = sync_channel::<Job>(spares);
        let (back, done) = sync_channel(spares);
        let thread = std::thread::Builder::new()
            .name("spill-write".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                while let Ok(Job { target, offset, buffer, range }) = queue.recv() {
                    let written = target.write(&buffer[range], offset);
                    if back.send((buffer, written)).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| Error::io("starting a thread that writes spilled blocks", e))?;
        Ok(Self {
            jobs: Some(jobs),
            done,
            thread: Some(thread),
            block_bytes,
            spares: (0..spares).map(|_| AlignedBytes::zeroed(block_bytes)).collect(),
            with_thread: 0,
            failure: None,
            packer,
            _reservation: reservation,
        })
    }

    /// What a lane costs, in bytes.
    #[must_use]
    pub const fn cost_bytes(block_bytes: usize, spares: usize, codec: Codec) -> usize {
        spares * AlignedBytes::cost_bytes(block_bytes) + Packer::cost_bytes(codec, block_bytes)
    }

    /// The codec and the bytes a payload is stored in, where that saves a sector.
    pub(super) fn pack(&mut self, payload: &[u8]) -> Option<(Codec, &[u8])> {
        self.packer.as_mut()?.pack(payload)
    }

    /// Size of the buffers.
    #[must_use]
    pub fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    /// Hands the `range` of `full` over for writing at `offset` of `target` and returns a
    /// buffer of the same size, whatever it holds.
    ///
    /// # Errors
    /// The failure of an earlier write; `full` is not written then.
    pub fn exchange(
        &mut self,
        target: Arc<dyn BlockTarget>,
        offset: u64,
        full: AlignedBytes,
        range: Range<usize>,
    ) -> Result<AlignedBytes> {
        let spare = self.spare()?;
        let job = Job { target, offset, buffer: full, range };
        let jobs = self.jobs.as_ref().expect("open until it is dropped");
        jobs.send(job).map_err(|_| died())?;
        self.with_thread += 1;
        Ok(spare)
    }

    fn spare(&mut self) -> Result<AlignedBytes> {
        self.fail_if_failed()?;
        while let Ok(done) = self.done.try_recv() {
            self.take_back(done);
        }
        while self.spares.is_empty() {
            let done = self.done.recv().map_err(|_| died())?;
            self.take_back(done);
        }
        self.fail_if_failed()?;
        Ok(self.spares.pop().expect("checked above"))
    }

    fn take_back(&mut self, (buffer, written): Done) {
        self.with_thread -= 1;
        self.spares.push(buffer);
        if let Err(error) = written {
            self.failure.get_or_insert(error);
        }
    }

    fn fail_if_failed(&mut self) -> Result<()> {
        match &self.failure {
            // The error has one owner; later calls say that there was one.
            Some(_) => Err(self.failure.replace(died()).expect("checked")),
            None => Ok(()),
        }
    }

    /// Waits until everything handed over is written.
    ///
    /// # Errors
    /// The first failure.
    pub fn settle(&mut self) -> Result<()> {
        while self.with_thread > 0 {
            let done = self.done.recv().map_err(|_| died())?;
            self.take_back(done);
        }
        self.fail_if_failed()
    }
}

fn died() -> Error {
    Error::io("writing spilled blocks", std::io::Error::other("an earlier block was not written"))
}

impl Drop for WriteLane {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // It only forwards errors; a panic there has been printed.
            let _panicked = thread.join();
        }
    }
}
