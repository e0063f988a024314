//! Two inputs in order of their keys, joined by reading each once.
//!
//! ```text
//!   left   a a b d      a cursor a side: its row's key and piece, checked against the row before
//!   right  a b b c
//!          group of a: its right rows ──> with each left row of a
//!   left < right   left row alone        left = right   the right rows of the key are gathered
//!   left > right   right row skipped     at the end     what is left is read, for its order
//! ```
//! Blasgen and Eswaran, "Storage and access in relational data bases" (1977).
//!
//! Promises: the rows of the hash join, in the order of the left input; memory of one group, which
//! goes to disk where it is larger; a row out of order is refused with its file and line.
//! Never: an input taken to be sorted without a look at all of it.

use super::super::reading::Scanned;
use super::super::tool::Summary;
use super::super::turns::Turns;
use super::super::watch::{Phase, Watch};
use super::group::Group;
use super::side::{RowParts, SideSpec};
use super::{JoinSide, PlannedJoin};
use crate::error::{Error, Result};
use crate::scan::Records;

/// Rows between two looks at the wish to stop.
const CHECK_ROWS: u64 = 4096;

/// One side and the row it is at.
struct Cursor<'a> {
    scanned: &'a Scanned,
    spec: &'a SideSpec,
    watch: &'a Watch,
    memory: Vec<u8>,
    /// Bytes of the segment that is read.
    segment: Option<usize>,
    records: Records,
    parts: RowParts<'a>,
    /// Of the last row that has one.
    key: Vec<u8>,
    piece: Vec<u8>,
    keyed: bool,
    rows: u64,
    bytes: u64,
}

impl<'a> Cursor<'a> {
    fn new(scanned: &'a Scanned, spec: &'a SideSpec, planned: &'a PlannedJoin<'_>) -> Self {
        let (key, piece) = Default::default();
        Self {
            scanned,
            spec,
            watch: planned.tool.watch,
            memory: vec![0; planned.plan.segment_bytes],
            segment: None,
            records: spec.records(&scanned.segments),
            parts: RowParts::new(spec),
            key,
            piece,
            keyed: false,
            rows: 0,
            bytes: 0,
        }
    }

    /// Goes to the next row; `false` behind the last one. A row with a NULL in its key has none
    /// and may stand anywhere.
    fn advance(&mut self) -> Result<bool> {
        loop {
            let bytes = match self.segment {
                Some(bytes) => bytes,
                None => {
                    self.watch.check()?;
                    let next = self.scanned.segments.next(&mut self.memory, 0);
                    let next = next.map_err(|e| e.of_input(&self.spec.input))?;
                    let Some(segment) = next else { return Ok(false) };
                    self.records.begin(segment.first_line);
                    self.bytes += segment.bytes as u64;
                    *self.segment.insert(segment.bytes)
                }
            };
            let next = self.records.next(&self.memory[..bytes]);
            let Some(record) = next.map_err(|e| e.of_input(&self.spec.input))? else {
                self.watch.add(bytes as u64);
                self.segment = None;
                continue;
            };
            self.rows += 1;
            self.keyed = self.parts.key(&record).is_some();
            let (key, piece) = self.parts.key_and_piece(&record)?;
            if self.keyed {
                if *key < *self.key {
                    return Err(out_of_order(self.spec, record.line()));
                }
                self.key.clear();
                self.key.extend_from_slice(key);
            }
            self.piece.clear();
            self.piece.extend_from_slice(piece);
            return Ok(true);
        }
    }

    /// Goes to the next row that has a key.
    fn advance_keyed(&mut self) -> Result<bool> {
        while self.advance()? {
            if self.keyed {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cold]
fn out_of_order(spec: &SideSpec, line: u64) -> Error {
    Error::invalid(format!(
        "{}, line {line}: its key comes before that of a row above it, and sorted inputs are \
         joined in ascending order of their keys: sort it with `plimsoll sort --by {}`, or take \
         --sorted away",
        spec.input, spec.by
    ))
}

impl PlannedJoin<'_> {
    /// Joins inputs that are sorted.
    pub(super) fn merge(mut self) -> Result<Summary> {
        let scans = [self.open(JoinSide::Left)?, self.open(JoinSide::Right)?];
        let bytes_len = scans[0].bytes_len.zip(scans[1].bytes_len).map(|(l, r)| l + r);
        self.tool.watch.begin(Phase::Read, bytes_len);
        let _held = self.tool.consumer.try_reserve(2 * self.plan.segment_bytes as u64)?;
        let mut left = Cursor::new(&scans[0], &self.left, &self);
        let mut right = Cursor::new(&scans[1], &self.right, &self);
        let mut group = Group::new(&self.tool, self.plan.table_bytes, self.plan.block_bytes)?;
        let turns = Turns::new(self.sink()?, self.tool.watch);
        let mut emitter = self.emitter(&turns)?;
        let mut more = right.advance_keyed()?;
        while left.advance()? {
            if left.keyed && !group.is_of(&left.key) {
                more = gather(&mut group, &left.key, &mut right, more)?;
            }
            if left.keyed && group.is_of(&left.key) {
                group.each(|piece| {
                    if emitter.rows.is_multiple_of(CHECK_ROWS) {
                        self.tool.watch.check()?;
                    }
                    emitter.row(&left.piece, piece)
                })?;
            } else if self.keeps_left() {
                emitter.alone(&left.piece)?;
            }
        }
        // A row further down might belong to a left one above.
        while more {
            more = right.advance_keyed()?;
        }
        emitter.flush()?;
        let (spill_bytes, spill_peak_bytes) = group.spill_bytes();
        let summary = Summary {
            rows_in: left.rows + right.rows,
            rows_out: emitter.rows,
            bytes_in: left.bytes + right.bytes,
            spill_bytes,
            spill_peak_bytes,
            runs: group.runs,
            passes: u32::from(group.runs > 0),
            ..Summary::default()
        };
        drop(emitter);
        Ok(Summary { bytes_out: turns.into_sink().finish()?, ..summary })
    }
}

/// Brings the right rows of `key` together; `more` tells whether the cursor is at a row, before
/// and after.
fn gather(
    group: &mut Group<'_>,
    key: &[u8],
    right: &mut Cursor<'_>,
    mut more: bool,
) -> Result<bool> {
    while more && *right.key < *key {
        more = right.advance_keyed()?;
    }
    if !more || *right.key != *key {
        group.begin(None);
        return Ok(more);
    }
    group.begin(Some(key));
    while more && *right.key == *key {
        group.push(&right.piece)?;
        more = right.advance_keyed()?;
    }
    group.end()?;
    Ok(more)
}
