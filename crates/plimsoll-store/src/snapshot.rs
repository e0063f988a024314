//! Everything a selection has at one moment, handed over piece by piece.
//!
//! ```text
//!   SnapshotRequest { selection, encoder, sink }
//!        │  one thread, one transaction that reads only, the ranges of the order one after another
//!        v
//!   out ── full ──> sink ── full ──> sink ── .. ──> rows        the snapshot ends here
//! ```
//!
//! Promises: every row of one moment, in order, once; the snapshot is held as long as the database
//! takes to say the rows, and by no client.
//! Never: a client's pace: the sink takes what it is given, or the reading ends.

use std::sync::Arc;

use plimsoll::budget::Reservation;
use plimsoll::expr::Expr;
use plimsoll::format::RowEncoder;

use crate::catalogue::{Order, Resource};
use crate::error::Result;
use crate::horizon::Horizon;
use crate::read::Position;
use crate::search::Search;

/// Bytes handed over at a time: some of them fill a block of what is spilled.
pub const PIECE_BYTES: usize = 15 << 10;

/// Takes what was read.
pub trait PieceSink: Send {
    /// Takes the next piece: whole rows, [`PIECE_BYTES`] or a little more.
    ///
    /// # Errors
    /// End the reading, and are its error.
    fn piece(&mut self, bytes: &[u8]) -> Result<()>;
}

/// A reading of one snapshot.
pub struct SnapshotRequest {
    /// The resource to read.
    pub resource: Arc<Resource>,
    /// Only rows for which this is true.
    pub filter: Option<Arc<Expr>>,
    /// Only rows with these words in what of the resource is searched.
    pub search: Option<Arc<Search>>,
    /// A total order that an index has.
    pub order: Arc<Order>,
    /// Only rows behind this place of the order.
    pub from: Option<Position>,
    /// What has to be seen: of a write before. `None` is whatever is there.
    pub horizon: Option<Horizon>,
    /// Positions in the resource's schema, in the order the encoder expects.
    pub columns: Arc<[usize]>,
    /// Writes each row.
    pub encoder: Box<dyn RowEncoder>,
    /// A buffer of the caller's; empty.
    pub out: Vec<u8>,
    /// Grown before `out` is, for a row that does not fit its capacity.
    pub extra: Option<Reservation>,
    /// Where the rows go.
    pub sink: Box<dyn PieceSink>,
    /// Give up after this long.
    pub timeout_ms: u64,
}

impl SnapshotRequest {
    /// Hands over what is in the buffer once it is a piece; all of it at the end.
    pub(crate) fn hand_over(&mut self, at_end: bool) -> Result<()> {
        if self.out.len() >= PIECE_BYTES || (at_end && !self.out.is_empty()) {
            self.sink.piece(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}
