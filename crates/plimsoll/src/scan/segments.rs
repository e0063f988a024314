//! Whole records of one input, handed out to several workers.
//!
//! ```text
//!   input ── pieces of 256 KiB ──> the worker's own memory
//!                                  |left over before|.. piece .. piece ..|part of a record|
//!                                  |<---------- Segment 7 -------------->|      │
//!   tail  <─────────────────────────────────────────────────────────────────────┘
//!                                  the next call, of any worker, begins with it
//! ```
//!
//! Only reading, counting and the walk over the last record happen under the lock; splitting into
//! records and fields does not.
//!
//! Promises: every byte behind the header is in exactly one segment; memory is the tail's.
//! Never: a record in two segments.

use std::sync::{Arc, Mutex};

use super::layout::Layout;
use super::options::ScanOptions;
use super::state::State;
use crate::error::{Error, ErrorKind, Result};
use crate::record::ColumnType;

/// Read and counted at a time: it stays in a core's second cache between the two.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Whole records of one CSV or NDJSON input, for several workers. Share by reference.
///
/// Holds [`ScanOptions::workspace_bytes`].
///
/// ```
/// use plimsoll::format::Format;
/// use plimsoll::scan::{Records, ScanOptions, Segments};
/// let input = Box::new(&b"id,name\n1,tea\n2,\"a,b\"\n"[..]);
/// let segments = Segments::open(input, ScanOptions::new(Format::Csv))?;
/// let mut records = Records::new(&segments, &[1]);
/// let (mut memory, mut scratch, mut names) = ([0; 64], Vec::new(), Vec::new());
/// while let Some(segment) = segments.next(&mut memory, 0)? {
///     records.begin(segment.first_line);
///     let bytes = &memory[..segment.bytes];
///     while let Some(record) = records.next(bytes)? {
///         names.push(record.field(1).decode(&mut scratch).map(<[u8]>::to_vec));
///     }
/// }
/// assert_eq!(names, [Some(b"tea".to_vec()), Some(b"a,b".to_vec())]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct Segments {
    layout: Arc<Layout>,
    kinds: Box<[ColumnType]>,
    state: Mutex<Shared>,
}

struct Shared {
    state: State,
    /// Why there is nothing more to be had.
    failed: Option<(ErrorKind, Box<str>)>,
}

/// Whole records in the memory given to [`Segments::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From 0, in the order of the input.
    pub number: u64,
    /// Bytes of it, from the memory's first on.
    pub bytes: usize,
    /// Records in it at most; line breaks inside quotes and blank lines are counted too.
    pub records_max: u64,
    /// Line of its first byte, from 1.
    pub first_line: u64,
    /// Offset of its first byte in the input.
    pub input_start: u64,
    /// Offset behind its last byte.
    pub input_end: u64,
}

impl Segments {
    /// Reads the first megabyte of `input`, plain bytes, for the CSV header and the types.
    ///
    /// An `input` that fails with an [`Error`] inside [`std::io::Error::other`] has that error
    /// passed on as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for an input without header, a name twice, too many columns, a type
    /// for a column that is not there, or options out of range; [`ErrorKind::TooLarge`] for a
    /// header beyond the longest record; [`ErrorKind::Io`] from the input.
    pub fn open(input: Box<dyn std::io::Read + Send>, options: ScanOptions) -> Result<Self> {
        options.check()?;
        let (state, layout, kinds) = State::open(input, &options)?;
        let state = Mutex::new(Shared { state, failed: None });
        Ok(Self { layout, kinds, state })
    }

    /// Names of the columns: the CSV header, or the names in the first megabyte of NDJSON in the
    /// order they are met.
    #[must_use]
    pub fn columns(&self) -> &[Box<str>] {
        &self.layout.columns
    }

    /// The CSV header as it stands, with its line end; empty for NDJSON.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.layout.header
    }

    /// Types of the columns: as asked, else the narrowest of int, money, float and text that holds
    /// every value in the first megabyte.
    #[must_use]
    pub fn kinds(&self) -> &[ColumnType] {
        &self.kinds
    }

    /// Bytes of a usual record with its line end, by those in the first megabyte.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.layout.row_bytes
    }

    /// Whether the last segment was given out, as far as the input has been read; `false` may
    /// still be followed by an end.
    #[must_use]
    pub fn at_end(&self) -> bool {
        self.state.lock().is_ok_and(|shared| shared.state.at_end())
    }

    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Fills `into` from its start with whole records, about as many as fit while
    /// `bytes + records_max * entry_bytes <= into.len()`; `None` at the end of the input.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] for a record that does not fit alone, naming its line and the room;
    /// [`ErrorKind::Invalid`] for a quote that is not closed; [`ErrorKind::Io`] from the input.
    /// After an error every worker gets it again.
    pub fn next(&self, into: &mut [u8], entry_bytes: usize) -> Result<Option<Segment>> {
        let mut shared = self.state.lock().map_err(|_| {
            Error::corrupt("a worker panicked while it read the input: start again")
        })?;
        if let Some((kind, sentence)) = &shared.failed {
            return Err(again(*kind, sentence));
        }
        shared.state.fill(&self.layout, into, entry_bytes).inspect_err(|error| {
            shared.failed = Some((error.kind(), error.to_string().into()));
        })
    }
}

/// An error as it was given before.
fn again(kind: ErrorKind, sentence: &str) -> Error {
    match kind {
        ErrorKind::Invalid => Error::invalid(sentence),
        ErrorKind::TooLarge => Error::too_large(sentence),
        // The input's own refusal is not repeated with its holders; what it holds is given back.
        ErrorKind::OutOfBudget | ErrorKind::Io => {
            Error::io("the input failed before", std::io::Error::other(sentence))
        }
        ErrorKind::Corrupt => Error::corrupt(sentence),
        ErrorKind::Stopped => Error::stopped(),
    }
}
