//! The cold tier: segments of one spill file, filled one after another, the oldest reused.
//!
//! ```text
//!   evicted ──> filling ──full──> writing ──written──> order: | oldest | ... | newest |
//!                  ^                                              │
//!                  └── ready <── empty, or new below the quota <──┴ else the oldest, emptied
//! ```
//! A first-in first-out log is what flash likes, and what is read is in memory again afterwards:
//! it is written anew when it leaves memory and its segment is gone (Eisenman et al., "Flashield",
//! NSDI 2019, and Berg et al., "CacheLib", OSDI 2020, have the reasons).
//!
//! Promises: two segments in memory, whatever the quota; nothing here waits for the disk; whoever
//! claims a full segment writes it with the lock open.
//! Never: more segments than the quota has room for.

use std::collections::VecDeque;
use std::sync::Arc;

use super::chain::Chain;
use super::entry::Place;
use super::filling::{Filling, Wanted};
use crate::storage::AlignedBytes;

/// Segments below which there is no cold tier: filled, written, ready, and one to read from.
pub(super) const SEGMENTS_MIN: u64 = 4;

#[derive(Debug)]
pub(super) struct Segment {
    /// Where in the file.
    pub(super) offset: u64,
    pub(super) entries: Chain,
}

#[derive(Debug)]
struct Writing {
    filled: Arc<Filling>,
    claimed: bool,
}

#[derive(Debug)]
pub(super) struct Cold {
    segments: Vec<Segment>,
    segments_max: usize,
    /// Of the file.
    tag: u64,
    filling: Option<Filling>,
    writing: Option<Writing>,
    ready: Option<u32>,
    spare: Option<AlignedBytes>,
    /// Written, the oldest first.
    order: VecDeque<u32>,
    empty: Vec<u32>,
    pub(super) items: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
}

/// A full segment that somebody is about to write.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) filled: Arc<Filling>,
    /// Whether to bring another extent of the file.
    pub(super) wants_extent: bool,
}

impl Cold {
    /// What a tier costs in memory, in bytes.
    pub(super) fn cost_bytes(segment_bytes: usize, segments_max: usize) -> u64 {
        let list = segments_max * (size_of::<Segment>() + 2 * size_of::<u32>());
        (2 * AlignedBytes::cost_bytes(segment_bytes) + list) as u64
    }

    /// A tier over the extents at `offsets`, of `segment_bytes` each.
    pub(super) fn new(
        offsets: [u64; 2],
        (segment_bytes, segments_max): (usize, usize),
        tag: u64,
    ) -> Self {
        let mut segments = Vec::with_capacity(segments_max);
        segments.extend(offsets.map(|offset| Segment { offset, entries: Chain::EMPTY }));
        Self {
            segments,
            segments_max,
            tag,
            filling: Some(Filling::new(AlignedBytes::zeroed(segment_bytes), 0, offsets[0], tag)),
            writing: None,
            ready: Some(1),
            spare: Some(AlignedBytes::zeroed(segment_bytes)),
            order: VecDeque::with_capacity(segments_max),
            empty: Vec::with_capacity(segments_max),
            items: 0,
            bytes: 0,
        }
    }

    /// Whether a record can be taken without one being given up for it.
    pub(super) fn has_room(&self) -> bool {
        let forgotten = |number: &u32| self.segments[*number as usize].entries.is_empty();
        self.segments.len() < self.segments_max
            || !self.empty.is_empty()
            || self.order.front().is_some_and(forgotten)
    }

    /// Puts a record in; its place, or `None` when memory for it is still being written.
    pub(super) fn append(&mut self, sequence: u64, key: &[u8], value: &[u8]) -> Option<Place> {
        for _ in 0..2 {
            let filling = self.filling.as_mut()?;
            let segment = filling.segment;
            if let Some(at) = filling.append(sequence, key, value) {
                return Some(Place { segment, at });
            }
            if !self.rotate() {
                return None;
            }
        }
        None
    }

    /// Begins the next segment where there is room in memory for it.
    fn rotate(&mut self) -> bool {
        if self.writing.is_some() {
            return false;
        }
        let (Some(segment), Some(buffer)) = (self.ready, self.spare.take()) else {
            return false;
        };
        self.ready = None;
        let offset = self.segments[segment as usize].offset;
        let next = Filling::new(buffer, segment, offset, self.tag);
        if let Some(mut full) = self.filling.replace(next) {
            full.close();
            self.writing = Some(Writing { filled: Arc::new(full), claimed: false });
        }
        true
    }

    pub(super) fn has_unclaimed(&self) -> bool {
        self.writing.as_ref().is_some_and(|writing| !writing.claimed)
    }

    /// The segment to be written, if nobody is at it.
    pub(super) fn claim(&mut self) -> Option<Full> {
        let writing = self.writing.as_mut().filter(|writing| !writing.claimed)?;
        writing.claimed = true;
        let wants_extent = self.empty.is_empty() && self.segments.len() < self.segments_max;
        Some(Full { filled: Arc::clone(&writing.filled), wants_extent })
    }

    /// Notes that the claimed segment is on disk, or that it is lost: then the segment whose
    /// entries are to be forgotten is returned.
    pub(super) fn written(&mut self, full: Full, kept: bool) -> Option<u32> {
        let segment = full.filled.segment;
        drop(full);
        let filled = self.writing.take().and_then(|writing| Arc::into_inner(writing.filled));
        self.spare = filled.map(Filling::into_buffer);
        if kept {
            self.order.push_back(segment);
            return None;
        }
        self.empty.push(segment);
        Some(segment)
    }

    /// Takes in a new extent of the file.
    pub(super) fn extend(&mut self, offset: u64) {
        let number = u32::try_from(self.segments.len()).expect("bounded by limits");
        self.segments.push(Segment { offset, entries: Chain::EMPTY });
        self.empty.push(number);
    }

    /// Chooses the segment to be filled after the current one; the segment whose entries are to be
    /// forgotten for it is returned.
    pub(super) fn prepare(&mut self) -> Option<u32> {
        if self.ready.is_some() {
            return None;
        }
        self.ready = self.empty.pop();
        if self.ready.is_some() {
            return None;
        }
        self.ready = self.order.pop_front();
        self.ready
    }

    /// Gives the oldest segment up; its entries are to be forgotten.
    pub(super) fn give_up_oldest(&mut self) -> Option<u32> {
        let oldest = self.order.pop_front()?;
        self.empty.push(oldest);
        Some(oldest)
    }

    pub(super) fn segment_mut(&mut self, number: u32) -> &mut Segment {
        &mut self.segments[number as usize]
    }

    pub(super) fn offset(&self, place: Place) -> u64 {
        self.segments[place.segment as usize].offset
    }

    /// The value, where its segment is in memory; `None` where the file has it.
    pub(super) fn in_memory(&self, place: Place, wanted: &Wanted<'_>) -> Option<&[u8]> {
        let writing = self.writing.as_ref().map(|writing| &*writing.filled);
        let mut held = self.filling.iter().chain(writing);
        held.find(|held| held.segment == place.segment)?.value_at(place.at, wanted)
    }
}
