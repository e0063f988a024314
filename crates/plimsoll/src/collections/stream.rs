//! Blocks of a file in order, the next ones being read while these are used.
//!
//! ```text
//!   stream ── places of a group, empty buffer ──> thread 0, thread 1 ── read_at ──┐
//!     ^                                           in turns                        │
//!     └──────────────── the buffer, full, and how it went ────────────────────────┘
//!   group: blocks that lie together on disk, as many as a buffer takes
//! ```
//!
//! Two requests are on their way while a group is used: with one, the disk waits from its end until
//! two threads have woken up.
//!
//! Promises: three buffers, made once, or two where there is no room for three; blocks come in the
//! order they were asked for; a block larger than a buffer is read alone.
//! Never: a request beyond the list of places it was given.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::block_log::BlockLog;
use super::page::PAYLOAD_BYTES;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::limits::THREAD_STACK_BYTES;
use crate::spill::block::{self, HEADER_BYTES};
use crate::spill::{BlockPlace, BlockReader, Codec, Expander, SpillFile};
use crate::storage::AlignedBytes;

/// Groups on their way at most, each by a thread of its own.
const AHEAD: usize = 2;

#[derive(Debug)]
pub(super) struct BlockStream {
    file: Arc<SpillFile>,
    threads: Vec<Thread>,
    /// Which of them reads the group that is asked for next.
    turn: usize,
    group_bytes: usize,
    /// Blocks of the list that have been asked for.
    asked: usize,
    /// The group in use: its buffer, and the blocks of it that were not given out.
    group: Group,
    /// Groups on their way, in order: who reads them, and the numbers of their blocks.
    ahead: VecDeque<(usize, Range<usize>)>,
    spares: Vec<AlignedBytes>,
    current: Current,
    plain: Vec<u8>,
    expander: Expander,
    /// A block too large for the buffers.
    large: Option<BlockReader>,
    _reservation: Reservation,
}

/// A thread that reads one group at a time.
#[derive(Debug)]
struct Thread {
    jobs: Option<SyncSender<Job>>,
    done: Receiver<Done>,
    handle: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Group {
    buffer: Option<AlignedBytes>,
    at: usize,
    blocks: Range<usize>,
}

#[derive(Debug)]
struct Job {
    offset: u64,
    bytes: usize,
    buffer: AlignedBytes,
}

type Done = (AlignedBytes, Result<()>);

/// Where the payload of the block in use is.
#[derive(Clone, Debug)]
enum Current {
    Group(Range<usize>),
    Plain,
    Large,
}

impl BlockStream {
    /// A stream over blocks of `log`, which have to be settled.
    pub(super) fn start(log: &BlockLog) -> Result<Self> {
        let group_bytes = log.chunk_bytes();
        let plain = if log.codec() == Codec::None { 0 } else { PAYLOAD_BYTES };
        let buffer = AlignedBytes::cost_bytes(group_bytes);
        let fixed = plain + Expander::cost_bytes(log.codec());
        let cost = |ahead| ((1 + ahead) * buffer + fixed) as u64;
        let consumer = log.consumer();
        let (ahead, reservation) = match consumer.try_reserve(cost(AHEAD)) {
            Ok(reservation) => (AHEAD, reservation),
            // One request at a time is slower, but better than none.
            Err(_) => (1, consumer.try_reserve(cost(1))?),
        };
        let file = Arc::clone(log.file());
        let threads = (0..ahead).map(|_| Thread::start(&file)).collect::<Result<_>>()?;
        Ok(Self {
            file,
            threads,
            turn: 0,
            group_bytes,
            asked: 0,
            group: Group { buffer: Some(AlignedBytes::zeroed(group_bytes)), at: 0, blocks: 0..0 },
            ahead: VecDeque::with_capacity(ahead),
            spares: (0..ahead).map(|_| AlignedBytes::zeroed(group_bytes)).collect(),
            current: Current::Group(0..0),
            plain: Vec::with_capacity(plain),
            expander: Expander::default(),
            large: None,
            _reservation: reservation,
        })
    }

    /// Goes to the next block of `count`, found by `place`; its number, or `None` at the end.
    pub(super) fn next(
        &mut self,
        log: &BlockLog,
        count: usize,
        place: impl Fn(usize) -> BlockPlace,
    ) -> Result<Option<usize>> {
        self.large = None;
        while self.group.blocks.is_empty() {
            self.ask(count, &place)?;
            let Some((reader, blocks)) = self.ahead.pop_front() else {
                return self.next_large(log, count, place);
            };
            let (buffer, read) = self.threads[reader].done.recv().map_err(|_| died())?;
            self.spares.extend(self.group.buffer.replace(buffer));
            self.group.at = 0;
            self.group.blocks = blocks;
            read?;
            self.ask(count, &place)?;
        }
        let number = self.group.blocks.start;
        self.group.blocks.start += 1;
        self.open(place(number)).map(|()| Some(number))
    }

    /// Has the next groups read, while there are groups and threads for them.
    fn ask(&mut self, count: usize, place: impl Fn(usize) -> BlockPlace) -> Result<()> {
        while self.ahead.len() < self.threads.len() && self.asked < count {
            let first = place(self.asked);
            let (mut end, mut bytes) = (self.asked, 0);
            while end < count {
                let next = place(end);
                let joins = next.offset == first.offset + bytes as u64;
                if !joins || bytes + next.bytes as usize > self.group_bytes {
                    break;
                }
                bytes += next.bytes as usize;
                end += 1;
            }
            if end == self.asked {
                // A block for itself, when its turn comes.
                break;
            }
            let buffer = self.spares.pop().expect("one for each thread, and one in use");
            let jobs = self.threads[self.turn].jobs.as_ref().expect("open until dropped");
            jobs.send(Job { offset: first.offset, bytes, buffer }).map_err(|_| died())?;
            self.ahead.push_back((self.turn, self.asked..end));
            self.turn = (self.turn + 1) % self.threads.len();
            self.asked = end;
        }
        Ok(())
    }

    fn next_large(
        &mut self,
        log: &BlockLog,
        count: usize,
        place: impl Fn(usize) -> BlockPlace,
    ) -> Result<Option<usize>> {
        if self.asked >= count {
            return Ok(None);
        }
        let number = self.asked;
        self.asked += 1;
        let mut reader = log.reader(place(number))?;
        log.read(&mut reader, place(number))?;
        self.large = Some(reader);
        self.current = Current::Large;
        Ok(Some(number))
    }

    fn open(&mut self, place: BlockPlace) -> Result<()> {
        let refuse = |why: &str| block::refuse(&self.file.place(place.offset), why);
        let start = self.group.at;
        let end = start + place.bytes as usize;
        self.group.at = end;
        let buffer = self.group.buffer.as_mut().expect("present between calls");
        let header =
            block::open(&mut buffer[start..end], self.file.tag() ^ place.offset).map_err(refuse)?;
        if header.records != place.records {
            return Err(refuse("it holds another number of records"));
        }
        let stored = start + HEADER_BYTES..start + HEADER_BYTES + header.stored as usize;
        self.current = match Codec::from_number(header.codec) {
            Some(Codec::None) if header.stored == header.payload => Current::Group(stored),
            Some(codec) if header.payload as usize <= PAYLOAD_BYTES => {
                self.plain.clear();
                self.plain.resize(header.payload as usize, 0);
                self.expander.expand(codec, &buffer[stored], &mut self.plain).map_err(refuse)?;
                Current::Plain
            }
            _ => return Err(refuse("its codec is unknown")),
        };
        Ok(())
    }

    /// The payload of the block in use.
    #[inline]
    pub(super) fn payload(&self) -> &[u8] {
        match (&self.current, &self.group.buffer, &self.large) {
            (Current::Group(range), Some(buffer), _) => &buffer[range.clone()],
            (Current::Large, _, Some(reader)) => reader.payload(),
            (Current::Plain, ..) => &self.plain,
            _ => &[],
        }
    }
}

impl Thread {
    fn start(file: &Arc<SpillFile>) -> Result<Self> {
        let source = Arc::clone(file);
        let (jobs, queue) = sync_channel::<Job>(1);
        let (back, done) = sync_channel(1);
        let handle = std::thread::Builder::new()
            .name("spill-read".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                while let Ok(Job { offset, bytes, mut buffer }) = queue.recv() {
                    let read = source.read(&mut buffer[..bytes], offset);
                    if back.send((buffer, read)).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| Error::io("starting a thread that reads spilled blocks", e))?;
        Ok(Self { jobs: Some(jobs), done, handle: Some(handle) })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(handle) = self.handle.take() {
            // It only forwards errors; a panic there has been printed.
            let _panicked = handle.join();
        }
    }
}

fn died() -> Error {
    Error::io("reading spilled blocks", std::io::Error::other("the reading thread is gone"))
}
