//! Reads blocks before a merge asks for them, in the order in which it will.
//!
//! ```text
//!   merge ── empty reader, place ──> queue ─┬> thread ── load, check ─┐
//!     ^   └─ empty window ───────────>      ├> thread                 │
//!     │                                     └> thread                 │
//!     └────────── reader with the block, window, or the error ───────┘
//! ```
//!
//! A block is needed when the one before it is used up, which is about when the merge reaches the
//! block's first key: forecasting (Knuth 5.4.6) with the keys of the next blocks of every part
//! known. Where it is slightly wrong, because a block's last key and the next one's first are not
//! the same, the merge asks for what it needs out of turn.
//!
//! Promises: at most as many blocks in memory as there are readers, and a window of the index a
//! part.
//! Never: a wait for a block that nobody asked for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::index::IndexReader;
use super::merge::Part;
use super::upcoming::{Fetch, Upcoming};
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;
use crate::spill::{BlockPlace, BlockReader, Codec, SpillFile, Unpacker};

/// A block of a part.
pub(super) type BlockNumber = (u32, u64);

#[derive(Debug)]
enum Job {
    Block { file: Arc<SpillFile>, place: BlockPlace, number: BlockNumber, reader: BlockReader },
    Window { part: u32, fetch: Fetch },
}

#[derive(Debug)]
enum Done {
    Block {
        number: BlockNumber,
        reader: BlockReader,
        outcome: Result<u32>,
    },
    Window {
        part: u32,
        fetch: Fetch,
        outcome: Result<()>,
    },
    /// A thread ended by a panic; what it had is lost.
    Panicked,
}

/// Tells of a panic, so that nobody waits for what does not come.
struct Tells<'a>(&'a SyncSender<Done>);

impl Drop for Tells<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // There is room: what the thread had on its way does not come back.
            let _nobody_waits = self.0.try_send(Done::Panicked);
        }
    }
}

/// Requests on the way at one time. A disk answers small requests one after another at a fraction
/// of its speed: with blocks of 64 KiB three are 1.7 times as fast as one here.
const READERS: usize = 3;

/// The reading threads of one merge.
#[derive(Debug)]
pub(super) struct Forecast {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    threads: Vec<JoinHandle<()>>,
    parts: Vec<Upcoming>,
    /// First keys of the parts' next blocks, the least first. An entry whose block was asked for
    /// out of turn stays until it is met.
    order: BinaryHeap<Reverse<(u128, BlockNumber)>>,
    arrived: Vec<(BlockNumber, BlockReader)>,
    spare: Vec<BlockReader>,
    /// Readers beyond one a part.
    ahead: usize,
    /// As many of them are given up when they come back.
    unwanted: usize,
}

impl Forecast {
    /// Bytes it costs beside the readers, for a number of parts and rooms of `room_bytes`.
    pub(super) fn cost_bytes(parts: usize, room_bytes: usize, codec: Codec) -> usize {
        let thread = IndexReader::cost_bytes() + Unpacker::cost_bytes(room_bytes, codec);
        READERS * thread + Self::held_bytes(parts)
    }

    /// The part of that which the caller reserves.
    pub(super) const fn held_bytes(parts: usize) -> usize {
        // A place in each queue, and two in the order for what is met late.
        let queued = size_of::<Job>() + size_of::<Done>() + 2 * size_of::<(u128, BlockNumber)>();
        parts * (size_of::<Upcoming>() + Upcoming::cost_bytes() + queued)
    }

    /// Starts reading the blocks of `parts` into `readers`; `consumer` is for the threads' pages
    /// of the index.
    pub(super) fn start(
        parts: &[Part],
        readers: Vec<BlockReader>,
        codec: Codec,
        consumer: &Consumer,
    ) -> Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(readers.len() + parts.len());
        let (back, done) = sync_channel(readers.len() + parts.len());
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..READERS).map(|_| {
            let (queue, back) = (Arc::clone(&queue), back.clone());
            let mut index = IndexReader::new(consumer)?;
            let room_bytes = readers.first().map_or(0, BlockReader::room_len);
            let mut unpacker = Unpacker::new(room_bytes, codec, consumer)?;
            std::thread::Builder::new()
                .name("spill-read".to_owned())
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || read(&queue, &back, &mut index, &mut unpacker))
                .map_err(|e| Error::io("starting a thread that reads spilled blocks", e))
        });
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let mut forecast = Self {
            jobs: Some(jobs),
            done,
            threads,
            parts: parts.iter().map(Upcoming::new).collect(),
            order: BinaryHeap::with_capacity(2 * parts.len()),
            arrived: Vec::with_capacity(readers.len()),
            ahead: readers.len() - parts.len(),
            unwanted: 0,
            spare: readers,
        };
        let numbers = 0..u32::try_from(parts.len()).expect("parts are counted in 32 bits");
        for part in numbers.clone() {
            forecast.fetch(part)?;
        }
        // The first block of every part is needed before the first row.
        for part in numbers {
            forecast.know(part)?;
            forecast.ask(part)?;
        }
        forecast.ask_ahead()?;
        Ok(forecast)
    }

    /// The block `number`, in exchange for the reader of the one before.
    pub(super) fn take(
        &mut self,
        number: BlockNumber,
        used: Option<BlockReader>,
    ) -> Result<BlockReader> {
        self.spare.extend(used);
        let (part, block) = number;
        if block >= self.parts[part as usize].number() {
            // Out of turn: the forecast had others first. Asking ahead must not take the last
            // reader before this.
            self.know(part)?;
            self.ask(part)?;
        }
        while self.unwanted > 0 && self.spare.pop().is_some() {
            self.unwanted -= 1;
        }
        self.ask_ahead()?;
        loop {
            if let Some(at) = self.arrived.iter().position(|(k, _)| *k == number) {
                return Ok(self.arrived.swap_remove(at).1);
            }
            self.receive()?;
        }
    }

    /// Gives up half of the readers beyond one a part, but for the one that an exchange needs, as
    /// they come back; `false` where there are none any more.
    pub(super) fn give_up_ahead(&mut self) -> bool {
        if self.unwanted == 0 {
            self.unwanted = self.ahead / 2;
            self.ahead -= self.unwanted;
        }
        self.unwanted > 0
    }

    /// Waits until the next block of `part` is known.
    fn know(&mut self, part: u32) -> Result<()> {
        while self.parts[part as usize].first().is_none() {
            self.fetch(part)?;
            self.receive()?;
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<()> {
        match self.done.recv().map_err(|_| died())? {
            Done::Block { number, reader, outcome } => {
                outcome?;
                self.arrived.push((number, reader));
            }
            Done::Window { part, fetch, outcome } => {
                outcome?;
                let upcoming = &mut self.parts[part as usize];
                let known = upcoming.first().is_some();
                upcoming.fetched(fetch);
                if !known {
                    self.expect(part);
                }
            }
            Done::Panicked => return Err(died()),
        }
        Ok(())
    }

    /// Notes the key of the next block of `part`, where it is known.
    fn expect(&mut self, part: u32) {
        if self.order.len() == self.order.capacity() {
            // Of those that are not met yet there is one a part at most.
            let parts = &self.parts;
            self.order
                .retain(|Reverse((_, (part, block)))| *block == parts[*part as usize].number());
        }
        if let Some((block, entry)) = self.parts[part as usize].first() {
            self.order.push(Reverse((entry.prefix(), (part, block))));
        }
    }

    fn ask(&mut self, part: u32) -> Result<()> {
        let reader = self.spare.pop().expect("a merge gives a reader back before it asks");
        let upcoming = &mut self.parts[part as usize];
        let number = (part, upcoming.number());
        let entry = upcoming.pop().expect("known before it is asked for");
        let file = Arc::clone(upcoming.file());
        self.send(Job::Block { file, place: entry.place, number, reader })?;
        self.expect(part);
        self.fetch(part)
    }

    fn fetch(&mut self, part: u32) -> Result<()> {
        match self.parts[part as usize].fetch() {
            Some(fetch) => self.send(Job::Window { part, fetch }),
            None => Ok(()),
        }
    }

    fn send(&self, job: Job) -> Result<()> {
        self.jobs.as_ref().expect("open until it is dropped").send(job).map_err(|_| died())
    }

    fn ask_ahead(&mut self) -> Result<()> {
        while !self.spare.is_empty() {
            let Some(Reverse((_, (part, block)))) = self.order.pop() else { break };
            if block == self.parts[part as usize].number() {
                self.ask(part)?;
            }
        }
        Ok(())
    }
}

/// One thread's work: takes turns with the others at waiting for the next request.
fn read(
    queue: &Mutex<Receiver<Job>>,
    back: &SyncSender<Done>,
    index: &mut IndexReader,
    unpacker: &mut Option<Unpacker>,
) {
    let _tells = Tells(back);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        let done = match job {
            Job::Block { file, place, number, mut reader } => {
                let outcome = reader.load_with(&file, place, unpacker);
                Done::Block { number, reader, outcome }
            }
            Job::Window { part, mut fetch } => {
                let outcome = fetch.run(index);
                Done::Window { part, fetch, outcome }
            }
        };
        if back.send(done).is_err() {
            return;
        }
    }
}

fn died() -> Error {
    Error::io("reading spilled blocks", std::io::Error::other("the reading thread ended"))
}

impl Drop for Forecast {
    fn drop(&mut self) {
        drop(self.jobs.take());
        for thread in self.threads.drain(..) {
            // It only forwards errors; a panic there has been printed.
            let _panicked = thread.join();
        }
    }
}
