//! A queue whose middle is on disk.
//!
//! ```text
//!   pop <── head <── front block <── | block | block | ... | <── tail block <── push
//!           until it    being read          on disk            being filled
//!           is empty
//! ```
//!
//! Promises: first in, first out; below both thresholds not one byte is written; a block that has
//! been read goes back to the disk.
//! Never: more of the middle in memory than one block at each end.

use std::collections::VecDeque;

use super::block_log::{BlockLog, Cached};
use super::builder::{Builder, Thresholds};
use super::codec::Spillable;
use super::held::Held;
use super::page::{self, Page};
use crate::budget::{Consumer, Reservation};
use crate::error::Result;
use crate::limits::COLLECTION_BLOCK_BYTES;
use crate::spill::{BlockPlace, BlockReader, SpillArea};

/// A first-in-first-out queue under a threshold of memory, for a producer that is at times faster
/// than its consumer.
///
/// In memory an element costs its size and what it owns. Once spilled, the queue also costs a
/// block of 64 KiB at each end, three requests of 64 KiB to 1 MiB (1/16 of the threshold), and 16
/// bytes for every 64 KiB on disk.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::collections::SpillQueue;
/// use plimsoll::spill::{SpillArea, SpillOptions};
/// use plimsoll::storage::Disk;
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let root = tempfile::tempdir()?;
/// let area = SpillArea::open(Arc::new(Disk), root.path(), SpillOptions::default())?;
/// let consumer = budget.consumer("work")?;
/// let mut work = SpillQueue::builder().memory_items(100).build(&area, &consumer)?;
/// for number in 0..10_000_u64 {
///     work.push_back(format!("task {number}"))?;
/// }
/// assert_eq!(work.pop_front()?.as_deref(), Some("task 0"));
/// assert_eq!(work.len(), 9_999);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SpillQueue<T> {
    area: SpillArea,
    consumer: Consumer,
    thresholds: Thresholds,
    /// The front of the queue.
    head: VecDeque<T>,
    /// What the elements of `head` own.
    owned_bytes: u64,
    held: Held,
    /// What stands behind `head`.
    behind: Option<Box<Behind<T>>>,
}

/// The part of the queue that is on disk, and its ends.
#[derive(Debug)]
struct Behind<T> {
    log: BlockLog,
    consumer: Consumer,
    front: Option<Front>,
    blocks: VecDeque<BlockPlace>,
    blocks_held: Held,
    tail: Page<T>,
    /// What was the tail when nothing was before it, and how much of it has been taken.
    last: Page<T>,
    last_taken: u32,
    items: u64,
    /// The reader of the block before, for the next one.
    idle: Option<BlockReader>,
    _reservation: Reservation,
}

/// The block that elements are taken from.
#[derive(Debug)]
struct Front {
    reader: BlockReader,
    place: BlockPlace,
    taken: u32,
}

impl<T: Spillable> SpillQueue<T> {
    /// Says how much stays in memory, then builds.
    #[must_use]
    pub fn builder() -> Builder<Self> {
        Builder::new()
    }

    pub(super) fn new(
        area: &SpillArea,
        consumer: &Consumer,
        thresholds: Thresholds,
    ) -> Result<Self> {
        Ok(Self {
            area: area.clone(),
            consumer: consumer.clone(),
            thresholds,
            head: VecDeque::new(),
            owned_bytes: 0,
            held: Held::new(consumer)?,
            behind: None,
        })
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.head.len() as u64 + self.behind.as_ref().map_or(0, |behind| behind.items)
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether elements are on disk or on their way there.
    #[must_use]
    pub fn is_spilled(&self) -> bool {
        self.behind.is_some()
    }

    /// Adds an element at the back.
    ///
    /// # Errors
    /// The queue is as before and the element dropped: those of writing and of the quota;
    /// [`crate::ErrorKind::OutOfBudget`] when not even the buffers for spilling can be reserved,
    /// or those for an element larger than a block; [`crate::ErrorKind::Invalid`] for an element
    /// without an encoding.
    pub fn push_back(&mut self, element: T) -> Result<()> {
        if let Some(behind) = &mut self.behind {
            return behind.push(&element);
        }
        let owned = element.heap_bytes() as u64;
        if self.fits(owned) && self.held.charge(owned).is_ok() {
            if self.room_for_one() {
                self.head.push_back(element);
                self.owned_bytes += owned;
                return Ok(());
            }
            self.held.discharge(owned);
        }
        let mut behind = Box::new(Behind::new(&self.area, &self.consumer, self.thresholds.bytes)?);
        behind.push(&element)?;
        self.behind = Some(behind);
        Ok(())
    }

    fn fits(&self, owned_bytes: u64) -> bool {
        let elements = (self.head.len() as u64 + 1) * size_of::<T>() as u64;
        elements + self.owned_bytes + owned_bytes <= self.thresholds.bytes
            && self.head.len() < self.thresholds.items
    }

    /// Makes room in the head; `false` when the budget refuses it.
    fn room_for_one(&mut self) -> bool {
        let fitting = self.thresholds.bytes / (size_of::<T>() as u64).max(1);
        let items_max = usize::try_from(fitting).unwrap_or(usize::MAX).min(self.thresholds.items);
        room_in(&mut self.head, &mut self.held, items_max).is_ok()
    }

    /// Takes the element at the front.
    ///
    /// # Errors
    /// Those of reading; [`crate::ErrorKind::OutOfBudget`] for the block that is read. The queue
    /// is as before.
    pub fn pop_front(&mut self) -> Result<Option<T>> {
        if let Some(element) = self.head.pop_front() {
            let owned = element.heap_bytes() as u64;
            self.owned_bytes -= owned;
            self.held.discharge(owned);
            return Ok(Some(element));
        }
        let Some(behind) = &mut self.behind else {
            return Ok(None);
        };
        let element = behind.pop()?;
        if behind.items == 0 {
            // Everything has been taken: back to memory.
            self.behind = None;
        }
        Ok(Some(element))
    }

    /// Drops all elements, in memory and on disk.
    pub fn clear(&mut self) {
        self.behind = None;
        self.head = VecDeque::new();
        self.owned_bytes = 0;
        self.held.discharge(self.held.used());
    }
}

impl<T: Spillable> Behind<T> {
    fn new(area: &SpillArea, consumer: &Consumer, memory_bytes: u64) -> Result<Self> {
        let reservation = consumer.try_reserve(2 * Page::<T>::cost_bytes() as u64)?;
        Ok(Self {
            log: BlockLog::new(area, consumer, "queue", memory_bytes, Cached::No)?,
            consumer: consumer.clone(),
            front: None,
            blocks: VecDeque::new(),
            blocks_held: Held::new(consumer)?,
            tail: Page::new(),
            last: Page::new(),
            last_taken: 0,
            items: 0,
            idle: None,
            _reservation: reservation,
        })
    }

    fn push(&mut self, element: &T) -> Result<()> {
        let bytes = T::WIDTH.unwrap_or_else(|| element.encoded_bytes());
        if !self.tail.takes(bytes) {
            self.flush()?;
        }
        if Page::<T>::ever_takes(bytes) {
            self.tail.push(element, bytes)?;
        } else {
            let _held = self.consumer.try_reserve(page::large_bytes(bytes))?;
            let payload = page::large(element, bytes)?;
            room_in(&mut self.blocks, &mut self.blocks_held, usize::MAX)?;
            let place = self.log.append(&payload, 1)?;
            self.blocks.push_back(place);
        }
        self.items += 1;
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let records = self.tail.records();
        if records == 0 {
            return Ok(());
        }
        room_in(&mut self.blocks, &mut self.blocks_held, usize::MAX)?;
        match self.log.append(self.tail.payload(), records) {
            Ok(place) => self.blocks.push_back(place),
            Err(error) => {
                self.tail.retract();
                return Err(error);
            }
        }
        self.tail.clear();
        Ok(())
    }

    /// Takes the oldest element; there is one.
    fn pop(&mut self) -> Result<T> {
        if self.last_taken == self.last.records() && self.front.is_none() {
            self.open_front()?;
        }
        let element = match &mut self.front {
            Some(front) => {
                let (payload, records) = (front.reader.payload(), front.place.records);
                let element = page::element(payload, front.taken, records);
                let element = element.ok_or_else(|| self.log.damaged(front.place))?;
                front.taken += 1;
                if front.taken == records {
                    let usual = front.place.bytes as usize <= COLLECTION_BLOCK_BYTES;
                    let front = self.front.take().filter(|_| usual);
                    self.idle = front.map(|front| front.reader);
                }
                element
            }
            None => {
                let element = self.last.get(self.last_taken);
                self.last_taken += 1;
                element.expect("the tail holds what was put into it")
            }
        };
        self.items -= 1;
        Ok(element)
    }

    /// Reads the first block, or takes the tail where there is none.
    fn open_front(&mut self) -> Result<()> {
        let Some(&place) = self.blocks.front() else {
            self.last.clear();
            self.last_taken = 0;
            std::mem::swap(&mut self.last, &mut self.tail);
            return Ok(());
        };
        let usual = place.bytes as usize <= COLLECTION_BLOCK_BYTES;
        let mut reader = match self.idle.take().filter(|_| usual) {
            Some(reader) => reader,
            None => self.log.reader(place)?,
        };
        self.log.read(&mut reader, place)?;
        self.blocks.pop_front();
        self.log.free(place);
        self.front = Some(Front { reader, place, taken: 0 });
        Ok(())
    }
}

/// As [`super::held::room_for_one`], for a deque.
fn room_in<T>(list: &mut VecDeque<T>, held: &mut Held, items_max: usize) -> Result<()> {
    let old = list.capacity();
    if list.len() < old {
        return Ok(());
    }
    let new = (2 * old).max(4).min(items_max).max(old + 1);
    held.charge((new * size_of::<T>()) as u64)?;
    list.reserve_exact(new - list.len());
    held.discharge((old * size_of::<T>()) as u64);
    Ok(())
}
