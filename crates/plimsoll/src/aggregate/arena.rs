//! Where groups live: records of a table of groups, one after another in chunks.
//!
//! ```text
//!   chunk   [entry][text][entry][entry][text]..              a record starts at every 4th byte
//!
//!   entry   key length u32 | hash u32 | key | state          the high bit of the first word
//!   text    1, room u32    | bytes .. room                   tells the two apart
//!
//!   place   chunk << 18 | offset / 4                         32 bits for one of 16 GiB
//! ```
//!
//! A record of more than a quarter of a chunk gets a chunk of its own. A text that outgrows its
//! room is placed again with half as much room again; the old one is garbage until the arena is
//! cleared.
//!
//! Promises: chunks together never take more than the bytes given; a place stays what it is
//! until the arena is cleared.
//! Never: a chunk that is allocated anew to grow.

use super::sketched::{Sketch, SketchKind};
use crate::limits::{GROUP_CHUNK_BYTES, GROUP_TABLE_BYTES_MAX};

/// There is no room for it: write out what is held, clear, and do it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where a record starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(crate) u32);

/// Records start at multiples of it.
const WORD_BYTES: usize = 4;
const OFFSET_BITS: u32 = 18;
const CACHE_LINE_BYTES: usize = 64;
/// Before the content of every record.
const ENTRY_HEAD_BYTES: usize = 8;
const TEXT_HEAD_BYTES: usize = 4;
const TEXT_MARK: u32 = 1 << 31;
/// A chunk's own `Vec`, twice for the doubling of the list of chunks.
const CHUNK_HEAD_BYTES: usize = 2 * size_of::<Vec<u8>>();
/// A sketch's own place, thrice for the doubling of their list: the old one and the new one.
const SKETCH_HEAD_BYTES: usize = 3 * size_of::<Sketch>();
const CHUNKS_MAX: usize = 1 << (32 - OFFSET_BITS);

const _: () = assert!(GROUP_CHUNK_BYTES == WORD_BYTES << OFFSET_BITS);
const _: () = assert!(GROUP_TABLE_BYTES_MAX == CHUNKS_MAX * GROUP_CHUNK_BYTES);

#[derive(Debug)]
pub(crate) struct Arena {
    chunks: Vec<Vec<u8>>,
    /// The chunk that small records go to.
    current: usize,
    chunk_bytes: usize,
    held_bytes: usize,
    held_bytes_max: usize,
    garbage_bytes: usize,
    state_bytes: usize,
    /// Of groups, each in memory of its own.
    sketches: Vec<Sketch>,
    sketch_bytes: usize,
}

/// An entry, as it is found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) hash: u32,
    pub(crate) key: &'a [u8],
    pub(crate) place: Place,
}

impl Arena {
    /// An arena whose entries have states of `state_bytes`, and whose chunks are sized for
    /// `workspace_bytes`.
    pub(crate) fn new(workspace_bytes: usize, state_bytes: usize) -> Self {
        let chunk_bytes =
            (workspace_bytes / 16).clamp(1 << 10, GROUP_CHUNK_BYTES) & !(WORD_BYTES - 1);
        Self {
            chunks: Vec::new(),
            current: 0,
            chunk_bytes,
            held_bytes: 0,
            held_bytes_max: 0,
            garbage_bytes: 0,
            state_bytes,
            sketches: Vec::new(),
            sketch_bytes: 0,
        }
    }

    /// What the chunks may take from now on.
    pub(crate) fn set_max(&mut self, bytes: usize) {
        self.held_bytes_max = bytes;
    }

    /// What chunks and sketches take, used or not.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes + self.sketch_bytes
    }

    /// A new sketch; `seed` decides its coins.
    pub(super) fn insert_sketch(&mut self, kind: SketchKind, seed: u64) -> Result<u32, Full> {
        let bytes = kind.bytes() + SKETCH_HEAD_BYTES;
        // One more for the sketch that is read from disk to be merged.
        let wanted = if self.sketches.is_empty() { 2 * bytes } else { bytes };
        let number = u32::try_from(self.sketches.len()).or(Err(Full))?;
        if self.held_bytes() + wanted > self.held_bytes_max {
            return Err(Full);
        }
        self.sketch_bytes += wanted;
        self.sketches.push(kind.empty(seed ^ u64::from(number)));
        Ok(number)
    }

    pub(super) fn sketch(&self, number: u32) -> &Sketch {
        &self.sketches[number as usize]
    }

    pub(super) fn sketch_mut(&mut self, number: u32) -> &mut Sketch {
        &mut self.sketches[number as usize]
    }

    /// Bytes of texts that were placed again.
    pub(crate) fn garbage_bytes(&self) -> usize {
        self.garbage_bytes
    }

    /// A new entry whose state is all zero.
    pub(crate) fn insert(&mut self, hash: u32, key: &[u8]) -> Result<Place, Full> {
        let key_len = u32::try_from(key.len()).ok().filter(|len| *len < TEXT_MARK).ok_or(Full)?;
        let state_bytes = self.state_bytes;
        let content = key.len().checked_add(state_bytes).ok_or(Full)?;
        let (place, chunk) = self.make_room(ENTRY_HEAD_BYTES, content)?;
        chunk.extend_from_slice(&key_len.to_le_bytes());
        chunk.extend_from_slice(&hash.to_le_bytes());
        chunk.extend_from_slice(key);
        let end = (chunk.len() + state_bytes).next_multiple_of(WORD_BYTES);
        chunk.resize(end, 0);
        Ok(place)
    }

    /// Places `bytes` where there is room for `room`, which is no less.
    pub(crate) fn insert_text(&mut self, bytes: [&[u8]; 2], room: usize) -> Result<Place, Full> {
        let room = room.next_multiple_of(WORD_BYTES);
        let room_word = u32::try_from(room).ok().filter(|room| *room < TEXT_MARK).ok_or(Full)?;
        let (place, chunk) = self.make_room(TEXT_HEAD_BYTES, room)?;
        chunk.extend_from_slice(&(room_word | TEXT_MARK).to_le_bytes());
        let end = chunk.len() + room;
        bytes.iter().for_each(|part| chunk.extend_from_slice(part));
        chunk.resize(end, 0);
        Ok(place)
    }

    /// The chunk with room for a record, and where in it the record comes to lie.
    fn make_room(&mut self, head: usize, content: usize) -> Result<(Place, &mut Vec<u8>), Full> {
        let bytes = content.checked_add(head + WORD_BYTES - 1).ok_or(Full)? & !(WORD_BYTES - 1);
        let fits = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= bytes;
        let index = if self.chunks.get(self.current).is_some_and(fits) {
            self.current
        } else if bytes > self.chunk_bytes / 4 {
            self.allocate(bytes, bytes)?
        } else if self.chunks.get(self.current + 1).is_some_and(|c| c.is_empty() && fits(c)) {
            self.current += 1;
            self.current
        } else {
            self.current = self.allocate(bytes, self.chunk_bytes)?;
            self.current
        };
        let chunk = &mut self.chunks[index];
        let place =
            u32::try_from((index << OFFSET_BITS) | (chunk.len() / WORD_BYTES)).or(Err(Full))?;
        Ok((Place(place), chunk))
    }

    /// A new chunk of `wanted` bytes, or of what is left where that is at least `least`.
    fn allocate(&mut self, least: usize, wanted: usize) -> Result<usize, Full> {
        let left = self.held_bytes_max.saturating_sub(self.held_bytes() + CHUNK_HEAD_BYTES);
        let bytes = wanted.min(left & !(WORD_BYTES - 1));
        if bytes < least || self.chunks.len() == CHUNKS_MAX {
            return Err(Full);
        }
        let mut chunk = Vec::new();
        chunk.try_reserve_exact(bytes).or(Err(Full))?;
        self.held_bytes += chunk.capacity() + CHUNK_HEAD_BYTES;
        self.chunks.push(chunk);
        Ok(self.chunks.len() - 1)
    }

    /// What starts at `place`, to the end of its chunk.
    #[inline]
    fn record(&self, place: Place) -> &[u8] {
        let offset = (place.0 as usize & ((1 << OFFSET_BITS) - 1)) * WORD_BYTES;
        &self.chunks[(place.0 >> OFFSET_BITS) as usize][offset..]
    }

    #[inline]
    fn record_mut(&mut self, place: Place) -> &mut [u8] {
        let offset = (place.0 as usize & ((1 << OFFSET_BITS) - 1)) * WORD_BYTES;
        &mut self.chunks[(place.0 >> OFFSET_BITS) as usize][offset..]
    }

    #[inline]
    pub(crate) fn entry(&self, place: Place) -> Entry<'_> {
        let record = self.record(place);
        let key_len = word(record, 0) as usize;
        let key = &record[ENTRY_HEAD_BYTES..ENTRY_HEAD_BYTES + key_len];
        Entry { hash: word(record, 4), key, place }
    }

    /// Reads a byte of the cache line behind the one in which the record starts. State and text
    /// of a usual entry end there; who will need them has the processor fetch them already.
    #[inline]
    pub(crate) fn touch(&self, place: Place) {
        std::hint::black_box(self.record(place).get(CACHE_LINE_BYTES).copied());
    }

    /// Reads the first byte of the record at `place`, for the same reason.
    #[inline]
    pub(crate) fn touch_entry(&self, place: Place) {
        std::hint::black_box(self.record(place).first().copied());
    }

    /// Reads the first byte of the text at `place`, for the same reason; a place that nothing was
    /// ever put at is passed over.
    #[inline]
    pub(crate) fn touch_text(&self, place: Place) {
        let chunk = self.chunks.get((place.0 >> OFFSET_BITS) as usize);
        let offset = (place.0 as usize & ((1 << OFFSET_BITS) - 1)) * WORD_BYTES;
        std::hint::black_box(chunk.and_then(|chunk| chunk.get(offset)).copied());
    }

    #[inline]
    pub(crate) fn state(&self, place: Place) -> &[u8] {
        let record = self.record(place);
        let start = ENTRY_HEAD_BYTES + word(record, 0) as usize;
        &record[start..start + self.state_bytes]
    }

    #[inline]
    pub(crate) fn state_mut(&mut self, place: Place) -> &mut [u8] {
        let state_bytes = self.state_bytes;
        let record = self.record_mut(place);
        let start = ENTRY_HEAD_BYTES + word(record, 0) as usize;
        &mut record[start..start + state_bytes]
    }

    /// The first `len` bytes of the text at `place`.
    #[inline]
    pub(crate) fn text(&self, place: Place, len: usize) -> &[u8] {
        &self.record(place)[TEXT_HEAD_BYTES..TEXT_HEAD_BYTES + len]
    }

    /// Puts `bytes` in the stead of the text at `place`, or where there is more room.
    pub(crate) fn replace_text(&mut self, place: Place, bytes: [&[u8]; 2]) -> Result<Place, Full> {
        let len = bytes[0].len() + bytes[1].len();
        let record = self.record_mut(place);
        let room = (word(record, 0) & !TEXT_MARK) as usize;
        if len > room {
            let replaced = self.insert_text(bytes, len.max(room + room / 2))?;
            self.garbage_bytes += TEXT_HEAD_BYTES + room;
            return Ok(replaced);
        }
        let (first, second) = record[TEXT_HEAD_BYTES..].split_at_mut(bytes[0].len());
        first.copy_from_slice(bytes[0]);
        second[..bytes[1].len()].copy_from_slice(bytes[1]);
        Ok(place)
    }

    /// Every entry, in the order of the memory.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries { arena: self, chunk: 0, offset: 0 }
    }

    /// Forgets every record. The chunks that any record fits stay.
    pub(crate) fn clear(&mut self) {
        let (kept, chunk_bytes) = (&mut self.chunks, self.chunk_bytes);
        kept.retain(|chunk| chunk.capacity() == chunk_bytes);
        kept.iter_mut().for_each(Vec::clear);
        self.held_bytes = kept.iter().map(|chunk| chunk.capacity() + CHUNK_HEAD_BYTES).sum();
        self.current = 0;
        self.garbage_bytes = 0;
        self.sketches = Vec::new();
        self.sketch_bytes = 0;
    }
}

/// See [`Arena::entries`].
#[derive(Clone, Debug)]
pub(crate) struct Entries<'a> {
    arena: &'a Arena,
    chunk: usize,
    offset: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let chunk = self.arena.chunks.get(self.chunk)?;
            if self.offset == chunk.len() {
                (self.chunk, self.offset) = (self.chunk + 1, 0);
                continue;
            }
            let head = word(chunk, self.offset);
            if head & TEXT_MARK != 0 {
                self.offset += TEXT_HEAD_BYTES + (head & !TEXT_MARK) as usize;
                continue;
            }
            let place = (self.chunk << OFFSET_BITS) | (self.offset / WORD_BYTES);
            let content = head as usize + self.arena.state_bytes;
            self.offset += (ENTRY_HEAD_BYTES + content).next_multiple_of(WORD_BYTES);
            // Every place was a u32 when its record was made.
            #[allow(clippy::cast_possible_truncation)]
            return Some(self.arena.entry(Place(place as u32)));
        }
    }
}

#[inline]
fn word(bytes: &[u8], at: usize) -> u32 {
    // A conversion, and not a copy into an array: that is a call where it is not inlined.
    u32::from_le_bytes(bytes[at..at + WORD_BYTES].try_into().expect("four bytes"))
}
