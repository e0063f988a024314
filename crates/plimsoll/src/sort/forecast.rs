//! Reads blocks before a merge asks for them, in the order in which it will.
//!
//! ```text
//!   merge ── empty reader, (run, block) ──> queue ─┬> thread ── load, check ─┐
//!     ^                                            ├> thread                 │
//!     │                                            └> thread                 │
//!     └─────────────── reader with the block, or the error ──────────────────┘
//! ```
//!
//! A block is needed when the one before it is used up, which is about when the merge reaches the
//! block's first key: forecasting (Knuth 5.4.6) with the keys of all blocks known, so the whole
//! order stands before the first read. Where it is slightly wrong, because a block's last key and
//! the next one's first are not the same, the merge asks for what it needs out of turn.
//!
//! Promises: at most as many blocks in memory as there are readers.
//! Never: a wait for a block that nobody asked for.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::merge::Part;
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;
use crate::spill::{BlockPlace, BlockReader, Codec, SpillFile, Unpacker};

#[derive(Debug)]
struct Job {
    file: Arc<SpillFile>,
    place: BlockPlace,
    key: (u32, u32),
    reader: BlockReader,
}

#[derive(Debug)]
struct Done {
    key: (u32, u32),
    reader: BlockReader,
    outcome: Result<u32>,
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
    /// (part, block) in the order they will be needed.
    order: Vec<(u32, u32)>,
    next: usize,
    /// Of each part, the first block nobody asked for yet.
    asked: Vec<u32>,
    arrived: Vec<((u32, u32), BlockReader)>,
    spare: Vec<BlockReader>,
}

impl Forecast {
    /// Bytes of the order, for a number of blocks.
    pub(super) const fn cost_bytes(blocks: usize) -> usize {
        blocks * size_of::<(u32, u32)>()
    }

    /// Starts reading the blocks of `parts` into `readers`.
    pub(super) fn start(
        parts: &[Part],
        readers: Vec<BlockReader>,
        codec: Codec,
        consumer: &Consumer,
    ) -> Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(readers.len());
        let (back, done) = sync_channel(readers.len());
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..READERS).map(|_| {
            let (queue, back) = (Arc::clone(&queue), back.clone());
            let room_bytes = readers.first().map_or(0, BlockReader::room_len);
            let mut unpacker = Unpacker::new(room_bytes, codec, consumer)?;
            std::thread::Builder::new()
                .name("spill-read".to_owned())
                .stack_size(THREAD_STACK_BYTES)
                .spawn(move || read(&queue, &back, &mut unpacker))
                .map_err(|e| Error::io("starting a thread that reads spilled blocks", e))
        });
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let asked = parts.iter().map(|p| p.first_block()).collect();
        let mut forecast = Self {
            jobs: Some(jobs),
            done,
            threads,
            order: order(parts),
            next: 0,
            asked,
            arrived: Vec::with_capacity(readers.len()),
            spare: readers,
        };
        forecast.ask_ahead(parts)?;
        Ok(forecast)
    }

    /// The block `block` of part `part`, in exchange for the reader of the one before.
    pub(super) fn take(
        &mut self,
        parts: &[Part],
        key: (u32, u32),
        used: Option<BlockReader>,
    ) -> Result<BlockReader> {
        self.spare.extend(used);
        if key.1 >= self.asked[key.0 as usize] {
            // Out of turn: the forecast had others first. Asking ahead must not take the last
            // reader before this.
            self.ask(parts, key)?;
        }
        self.ask_ahead(parts)?;
        loop {
            if let Some(at) = self.arrived.iter().position(|(k, _)| *k == key) {
                return Ok(self.arrived.swap_remove(at).1);
            }
            let Done { key, reader, outcome } = self.done.recv().map_err(|_| died())?;
            outcome?;
            self.arrived.push((key, reader));
        }
    }

    fn ask(&mut self, parts: &[Part], key: (u32, u32)) -> Result<()> {
        let reader = self.spare.pop().expect("a merge gives a reader back before it asks");
        let (file, place) = parts[key.0 as usize].block(key.1);
        self.asked[key.0 as usize] = key.1 + 1;
        let jobs = self.jobs.as_ref().expect("open until it is dropped");
        jobs.send(Job { file, place, key, reader }).map_err(|_| died())
    }

    fn ask_ahead(&mut self, parts: &[Part]) -> Result<()> {
        while !self.spare.is_empty() {
            let Some(&key) = self.order.get(self.next) else { break };
            self.next += 1;
            if key.1 >= self.asked[key.0 as usize] {
                self.ask(parts, key)?;
            }
        }
        Ok(())
    }
}

/// One thread's work: takes turns with the others at waiting for the next request.
fn read(queue: &Mutex<Receiver<Job>>, back: &SyncSender<Done>, unpacker: &mut Option<Unpacker>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { file, place, key, mut reader }) = job else { return };
        let outcome = reader.load_with(&file, place, unpacker);
        if back.send(Done { key, reader, outcome }).is_err() {
            return;
        }
    }
}

/// All blocks in the order in which the merge reaches their first keys.
fn order(parts: &[Part]) -> Vec<(u32, u32)> {
    let numbered = (0_u32..).zip(parts);
    let mut order: Vec<(u32, u32)> =
        numbered.flat_map(|(n, part)| part.blocks().map(move |block| (n, block))).collect();
    // The first block of every part is needed before the first row.
    order.sort_unstable_by_key(|&(part, block)| {
        let of = &parts[part as usize];
        (block != of.first_block(), of.prefix(block), part, block)
    });
    order
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
