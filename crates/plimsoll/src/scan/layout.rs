//! What every worker knows about the input: its format, its columns, their types.
//!
//! Promises: names are unique and bounded; a type asked for names a column that exists.
//! Never: a header guessed; an input without one is refused.

use super::exact::{refuse, walk};
use super::options::ScanOptions;
use super::records::{Fields, RawRecord};
use crate::error::{Error, Result, excerpt};
use crate::format::Format;
use crate::limits::{COLUMNS_MAX, NAME_BYTES_MAX};
use crate::record::ColumnType;

/// Names of columns, in order.
pub(super) type Names = Box<[Box<str>]>;

pub(super) struct Layout {
    pub(super) format: Format,
    pub(super) delimiter: u8,
    pub(super) record_bytes_max: usize,
    pub(super) header: Box<[u8]>,
    pub(super) columns: Names,
    /// Bytes of a usual record.
    pub(super) row_bytes: u64,
}

/// The sentence for a record beyond its bound.
pub(super) fn too_long(layout: &Layout, line: u64, bytes: usize) -> Error {
    Error::too_large(format!(
        "line {line}: the {} record takes {bytes} bytes; at most {} are allowed: split it, or \
         raise the longest record (--record-max)",
        layout.format.name(),
        layout.record_bytes_max
    ))
}

/// Where the header lies, and its names.
pub(super) struct Header {
    /// Offsets in the sample: behind blank lines, and behind the header's line end.
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) columns: Names,
}

/// Finds the header at the start of `sample`, which is all of the input where `complete`.
pub(super) fn read_header(sample: &[u8], complete: bool, options: &ScanOptions) -> Result<Header> {
    let mark = usize::from(sample.starts_with(b"\xef\xbb\xbf")) * 3;
    if sample.starts_with(b"\xff\xfe") || sample.starts_with(b"\xfe\xff") {
        return Err(Error::invalid(
            "the input is UTF-16; UTF-8 is read: convert it first, e.g. with \
             iconv -f UTF-16 -t UTF-8",
        ));
    }
    let white = sample[mark..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let from = mark + white;
    if from == sample.len() {
        return Err(Error::invalid("the CSV input is empty: it needs a header"));
    }
    let line = 1 + memchr::memchr_iter(b'\n', &sample[..from]).count() as u64;
    let mut ends = Vec::new();
    let walked = walk(sample, from, options.delimiter.byte(), &mut ends, COLUMNS_MAX)
        .map_err(|fault| refuse(fault, sample, from, line, &[]))?;
    let bytes = walked.text - from;
    if (walked.taken == sample.len() && !complete) || bytes > options.record_bytes_max {
        return Err(Error::too_large(format!(
            "line {line}: the header takes more than {} bytes: is this CSV, and are its lines \
             ended by LF or CR LF?",
            bytes.min(options.record_bytes_max)
        )));
    }
    if walked.fields > COLUMNS_MAX {
        return Err(Error::invalid(format!(
            "the header has {} columns; at most {COLUMNS_MAX} are read: is the delimiter right?",
            walked.fields
        )));
    }
    let text_end = walked.text;
    let record = RawRecord {
        segment: sample,
        start: from,
        text_end,
        end: walked.taken,
        line,
        fields: Fields::Csv(&ends),
    };
    let columns = names(&record, ends.len())?;
    // A mark before the header stays with it; blank lines do not.
    let start = if white == 0 { 0 } else { from };
    Ok(Header { start, end: walked.taken, columns })
}

fn names(header: &RawRecord<'_>, columns: usize) -> Result<Names> {
    let mut scratch = Vec::new();
    let mut names: Vec<Box<str>> = Vec::with_capacity(columns);
    for position in 0..columns {
        let text = header.field(position).decode(&mut scratch).unwrap_or_default();
        let place = || format!("the header, line {}, column {}", header.line(), position + 1);
        let name = std::str::from_utf8(text)
            .map_err(|_| Error::invalid(format!("{}: the name is not UTF-8", place())))?;
        if name.contains('\r') {
            return Err(Error::invalid(format!(
                "{}: a CR without LF in the name: convert the line ends to LF first",
                place()
            )));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(Error::invalid(format!(
                "{}: the name is longer than {NAME_BYTES_MAX} bytes",
                place()
            )));
        }
        if names.iter().any(|known| **known == *name) {
            return Err(Error::invalid(format!(
                "{}: the name '{}' stands twice: rename one of the two",
                place(),
                excerpt(name)
            )));
        }
        names.push(name.into());
    }
    Ok(names.into())
}

/// Puts the types asked for by name in place of those found.
pub(super) fn apply_kinds(
    columns: &[Box<str>],
    asked: &[(Box<str>, ColumnType)],
    kinds: &mut [ColumnType],
) -> Result<()> {
    for (name, kind) in asked {
        let Some(position) = columns.iter().position(|column| column == name) else {
            let known: Vec<String> =
                columns.iter().map(|column| format!("'{}'", excerpt(column))).collect();
            return Err(Error::invalid(format!(
                "the type of '{}' is given and the input has no such column; it has {}",
                excerpt(name),
                known.join(", ")
            )));
        };
        kinds[position] = *kind;
    }
    Ok(())
}
