//! Reads the blocks of a run while the ones before are used.
//!
//! ```text
//!   caller ── empty reader, number ──> queue ─┬> thread ── load, check ─┐
//!     ^                                       └> thread                 │
//!     └──── readers in the order of the run <── sorted by number ───────┘
//! ```
//!
//! Promises: blocks are given in the order of the run; as many are in memory as there are readers.
//! Never: a block read that the run does not have.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::codec::Codec;
use super::file::SpillFile;
use super::packing::Unpacker;
use super::reader::BlockReader;
use super::run::{BlockPlace, Run};
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;

/// Requests on the way at one time: a disk answers small ones faster together.
const THREADS: usize = 3;

#[derive(Debug)]
struct Job {
    file: Arc<SpillFile>,
    place: BlockPlace,
    number: usize,
    reader: BlockReader,
}

#[derive(Debug)]
struct Done {
    number: usize,
    reader: BlockReader,
    outcome: Result<u32>,
}

/// Threads that read ahead for one user of runs.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    jobs: Option<SyncSender<Job>>,
    /// `None` where a thread ended by a panic; what it had is lost.
    done: Receiver<Option<Done>>,
    threads: Vec<JoinHandle<()>>,
    spare: Vec<BlockReader>,
    /// Blocks that came before one that was asked for earlier.
    early: Vec<Done>,
}

impl ReadAhead {
    /// What it costs, in bytes.
    pub(crate) fn cost_bytes(
        readers: usize,
        (block_bytes, plain_bytes): (usize, usize),
        codec: Codec,
    ) -> usize {
        let room_bytes = BlockReader::room_bytes(block_bytes, plain_bytes);
        readers * BlockReader::cost_bytes(block_bytes, plain_bytes)
            + THREADS.min(readers) * Unpacker::cost_bytes(room_bytes, codec)
    }

    /// Threads with `readers` buffers for blocks of `block_bytes`, and `plain_bytes` decompressed.
    pub(crate) fn start(
        consumer: &Consumer,
        readers: usize,
        (block_bytes, plain_bytes): (usize, usize),
        codec: Codec,
    ) -> Result<Self> {
        let spare = (0..readers).map(|_| BlockReader::new(consumer, block_bytes, plain_bytes));
        let spare = spare.collect::<Result<Vec<_>>>()?;
        let (jobs, queue) = sync_channel::<Job>(readers);
        let (back, done) = sync_channel(readers);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..THREADS.min(readers)).map(|_| {
            let (queue, back) = (Arc::clone(&queue), back.clone());
            let room_bytes = BlockReader::room_bytes(block_bytes, plain_bytes);
            let mut unpacker = Unpacker::new(room_bytes, codec, consumer)?;
            std::thread::Builder::new()
                .name("spill-ahead".to_owned())
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || read(&queue, &back, &mut unpacker))
                .map_err(|e| Error::io("starting a thread that reads spilled blocks", e))
        });
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let early = Vec::with_capacity(readers);
        Ok(Self { jobs: Some(jobs), done, threads, spare, early })
    }

    /// Gives every block of `run` to `work`, with its number of records.
    pub(crate) fn each(
        &mut self,
        run: &Run,
        mut work: impl FnMut(&BlockReader, u32, BlockPlace) -> Result<()>,
    ) -> Result<()> {
        let mut asked = 0;
        for (number, place) in run.blocks().iter().enumerate() {
            while let Some(&place) = run.blocks().get(asked) {
                let Some(reader) = self.spare.pop() else { break };
                self.ask(Job { file: Arc::clone(run.file()), place, number: asked, reader })?;
                asked += 1;
            }
            let Done { reader, outcome, .. } = self.take(number)?;
            let worked = outcome.and_then(|records| work(&reader, records, *place));
            self.spare.push(reader);
            if let Err(error) = worked {
                self.settle(asked - number - 1)?;
                return Err(error);
            }
        }
        Ok(())
    }

    fn ask(&self, job: Job) -> Result<()> {
        self.jobs.as_ref().expect("open until it is dropped").send(job).map_err(|_| died())
    }

    fn take(&mut self, number: usize) -> Result<Done> {
        loop {
            if let Some(at) = self.early.iter().position(|done| done.number == number) {
                return Ok(self.early.swap_remove(at));
            }
            let done = self.done.recv().ok().flatten().ok_or_else(died)?;
            self.early.push(done);
        }
    }

    /// Takes back what is on the way of a run that is not read to its end.
    fn settle(&mut self, on_the_way: usize) -> Result<()> {
        while self.early.len() < on_the_way {
            let done = self.done.recv().ok().flatten().ok_or_else(died)?;
            self.early.push(done);
        }
        self.spare.extend(self.early.drain(..).map(|done| done.reader));
        Ok(())
    }
}

/// Tells of a panic, so that nobody waits for what does not come.
struct Tells<'a>(&'a SyncSender<Option<Done>>);

impl Drop for Tells<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // There is room: what the thread had on its way does not come back.
            let _nobody_waits = self.0.try_send(None);
        }
    }
}

fn read(
    queue: &Mutex<Receiver<Job>>,
    back: &SyncSender<Option<Done>>,
    unpacker: &mut Option<Unpacker>,
) {
    let _tells = Tells(back);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { file, place, number, mut reader }) = job else { return };
        let outcome = reader.load_with(&file, place, unpacker);
        if back.send(Some(Done { number, reader, outcome })).is_err() {
            return;
        }
    }
}

fn died() -> Error {
    Error::io("reading spilled blocks", std::io::Error::other("the reading threads ended"))
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // It only forwards errors; a panic there has been printed.
            let _panicked = thread.join();
        }
    }
}
