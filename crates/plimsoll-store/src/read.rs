//! What a reader is asked for and what it answers: one bounded slice of rows, already encoded.
//!
//! ```text
//!   PageRequest { scope, columns, bytes_max, rows_max, encoder, out }
//!        │  one reader thread, one snapshot of at most 50 ms
//!        v
//!   Page { out: bytes, rows, first/last Position, end }
//!        │  end = More(position)  -> the next request starts there
//!        └─ end = Exhausted       -> that was all
//! ```
//!
//! Promises: the buffer and the encoder travel to the reader and back, so that whoever reserved
//! the bytes keeps holding them; a slice that found nothing in its time still moves forward.
//! Never: an offset.

use std::sync::Arc;
use std::time::Duration;

use plimsoll::budget::Reservation;
use plimsoll::expr::Expr;
use plimsoll::format::RowEncoder;
use plimsoll::record::Value;

use crate::catalogue::{Order, Resource};
use crate::horizon::Horizon;
use crate::search::Search;

/// Which rows.
#[derive(Clone, Debug)]
pub enum Scope {
    /// The row with this key, in the order of [`Resource::key`].
    Key(Vec<Value>),
    /// Rows in an order, from a position on.
    Range {
        /// Only rows for which this is true.
        filter: Option<Arc<Expr>>,
        /// Only rows with these words in what of the resource is searched.
        search: Option<Arc<Search>>,
        /// A total order of the resource.
        order: Arc<Order>,
        /// Where to go on; `None` is the beginning (the end, backwards).
        from: Option<Position>,
        /// Read towards the beginning; rows then arrive in reverse.
        backwards: bool,
    },
    /// Rows whose column holds one of some values: those of each value together, in the order of
    /// the key. [`Page::places`] says which value each row goes with.
    Among {
        /// Position in the resource's schema.
        column: usize,
        /// Different ones, none of them NULL, as many as a page has rows at most.
        values: Arc<[Value]>,
        /// Rows of each value at most. Which ones are left out is not said.
        each_max: u64,
    },
}

/// A place between two rows: the values of the order's columns of the row just read.
#[derive(Clone, Debug, PartialEq)]
pub struct Position(pub Vec<Value>);

/// Who is asking. Interactive reads go first, but never starve bulk ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLane {
    /// A person waits: list pages and single rows.
    Interactive,
    /// A machine waits: streams and exports.
    Bulk,
}

/// One slice of reading.
pub struct PageRequest {
    /// The resource to read.
    pub resource: Arc<Resource>,
    /// Which rows.
    pub scope: Scope,
    /// Positions in the resource's schema, in the order the encoder expects.
    pub columns: Arc<[usize]>,
    /// Stop after this many rows.
    pub rows_max: u64,
    /// Stop once `out` holds this many bytes. A single row may go beyond, up to its own bound.
    pub bytes_max: usize,
    /// Writes each row.
    pub encoder: Box<dyn RowEncoder>,
    /// Where the rows go; appended to.
    pub out: Vec<u8>,
    /// Grown before `out` is, for a row that does not fit its capacity. Without one the caller
    /// answers for what a row can take, up to [`plimsoll::limits::ROW_BYTES_MAX`].
    pub extra: Option<Reservation>,
    /// Remember where each row ends, for a caller that turns the rows around.
    pub row_ends: Option<Vec<usize>>,
    /// Who is asking.
    pub lane: ReadLane,
    /// What has to be seen: of a write before, or of the slice before in [`Page::horizon`]. `None`
    /// begins a reading anywhere.
    pub horizon: Option<Horizon>,
}

/// Whether there is more.
#[derive(Clone, Debug, PartialEq)]
pub enum PageEnd {
    /// No row follows.
    Exhausted,
    /// Go on from here.
    More(Position),
}

/// The answer to a [`PageRequest`].
pub struct Page {
    /// The encoded rows.
    pub out: Vec<u8>,
    /// The request's, with what `out` has grown by.
    pub extra: Option<Reservation>,
    /// The encoder, for the next slice.
    pub encoder: Box<dyn RowEncoder>,
    /// Where each row ends, if asked for.
    pub row_ends: Option<Vec<usize>>,
    /// For [`Scope::Among`], the place among its values that each row goes with, ascending.
    pub places: Vec<u32>,
    /// Rows written to `out`.
    pub rows: u64,
    /// Rows looked at, the filtered ones included.
    pub rows_scanned: u64,
    /// Position of the first row written.
    pub first: Option<Position>,
    /// Position of the last row written, where the slice stopped at it.
    pub last: Option<Position>,
    /// Whether there is more.
    pub end: PageEnd,
    /// How long to wait before the next slice, because others are at work on the database.
    pub rest: Duration,
    /// For the next slice of this reading, so that it goes on where the rows are that there were
    /// when it began.
    pub horizon: Option<Horizon>,
}
