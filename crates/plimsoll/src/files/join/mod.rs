//! Joins two files, CSV or NDJSON each, by columns of equal value.
//!
//! ```text
//!   Memory      build side ─> table;  probe side ─┬─> worker: segment, look up ─┐ in the order
//!                                                 └─> worker: ...               ├ of the probe
//!   Partitions  build side ─> P runs, filter                                    │ side
//!               probe side ── passes the filter? ─> P runs                      │
//!               pairs of runs ─┬─> worker: see `pair` ──────────────────────────┤ in any order
//!                              └─> worker: ...                                  v
//!   Merge       both sides in order of their keys: see `merge`          in the order of the left
//! ```
//!
//! A row of the output is a left row as it stands and the fields of a right row that are not its
//! key; what is not of the output's format is written in it. Keys are compared as numbers where
//! both columns hold numbers, else byte by byte; NULL equals nothing, not even NULL.
//!
//! Promises: bounded memory whatever the keys are, one that most rows have among them; the output
//! appears whole or not at all.
//! Never: a row parsed into values, or a field decoded that stays in its format.

mod emit;
mod filter;
mod group;
mod merge;
mod pair;
mod partition;
mod plan;
mod run;
mod side;
mod table;

pub use plan::{JoinMode, JoinPlan};

use self::emit::RowShape;
use self::plan::{JoinInput, merge_plan, plan};
use self::side::{Piece, SideSpec};
use super::convert::position;
use super::input::Input;
use super::output::Output;
use super::reading::{Reading, Scanned};
use super::row_encoder::{RowEncoder, Start};
use super::sink::Sink;
use super::tool::Tool;
use crate::error::{Error, Result, excerpt};
use crate::format::Format;
use crate::limits::SORT_TERMS_MAX;
use crate::record::ColumnType;
use crate::record::key::{KeyKind, KeyTerm, Nulls};

/// Which rows come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs of rows that match.
    Inner,
    /// Those, and left rows that match nothing.
    Left,
}

/// One of the two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinSide {
    /// The first.
    Left,
    /// The second.
    Right,
}

impl JoinSide {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// What to join and how.
#[derive(Clone, Debug)]
pub struct JoinFile {
    /// The left input.
    pub left: Reading,
    /// The right input, with the same delimiter.
    pub right: Reading,
    /// To where.
    pub output: Output,
    /// CSV or NDJSON.
    pub output_format: Format,
    /// Columns that must be equal: of the left, of the right.
    pub on: Vec<(Box<str>, Box<str>)>,
    /// Which rows come out.
    pub kind: JoinKind,
    /// The side that is looked up; the smaller one where nobody says.
    pub build: Option<JoinSide>,
    /// Both inputs are in ascending order of their keys, as [`super::SortFile`] makes it where
    /// columns are of the same type on both sides; the order is verified. Rows come out in that of
    /// the left input. Nothing is built.
    pub sorted: bool,
}

/// A join that was planned and not begun.
pub struct PlannedJoin<'a> {
    job: &'a JoinFile,
    tool: Tool<'a>,
    left: SideSpec,
    right: SideSpec,
    /// Open where they cannot be opened again.
    left_scan: Option<Scanned>,
    right_scan: Option<Scanned>,
    header: Vec<u8>,
    shape: RowShape,
    plan: JoinPlan,
    out_block_bytes: usize,
}

/// Reads the columns of `--on`: `id=customer_id`, several with commas between them; `id` alone is
/// `id=id`.
///
/// ```
/// use plimsoll::files::parse_on;
/// let on = parse_on("id=customer, day")?;
/// assert_eq!(on, [("id".into(), "customer".into()), ("day".into(), "day".into())]);
/// assert!(parse_on("id=").is_err());
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] where a name is missing or there are more than 8 pairs.
pub fn parse_on(spec: &str) -> Result<Vec<(Box<str>, Box<str>)>> {
    let pairs: Vec<(Box<str>, Box<str>)> = spec
        .split(',')
        .map(|term| {
            let (left, right) = term.split_once('=').unwrap_or((term, term));
            (left.trim().into(), right.trim().into())
        })
        .collect();
    if pairs.len() > SORT_TERMS_MAX || pairs.iter().any(|(l, r)| l.is_empty() || r.is_empty()) {
        return Err(Error::invalid(format!(
            "join columns '{}': write LEFT=RIGHT, at most {SORT_TERMS_MAX} of them with commas \
             between",
            excerpt(spec)
        )));
    }
    Ok(pairs)
}

impl JoinFile {
    /// Opens both inputs, reads their beginnings and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, CSV of two delimiters, an output that is
    /// an input, or too little memory, with the least that is needed; those of opening and
    /// scanning the inputs.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedJoin<'a>> {
        self.check()?;
        let tool = if self.sorted { Tool { threads: 1, ..tool } } else { tool };
        let (left_seen, left_scan) = Seen::of(&self.left, &tool)?;
        let (right_seen, right_scan) = Seen::of(&self.right, &tool)?;
        let (left, right, header, shape) = self.sides(&left_seen, &right_seen)?;
        let build = self.build.unwrap_or_else(|| smaller(&left_seen, &right_seen));
        let (built, specified, reading) = match build {
            JoinSide::Left => (&left_seen, &left, &self.left),
            JoinSide::Right => (&right_seen, &right, &self.right),
        };
        let workspace = usize::try_from(tool.workspace_bytes).unwrap_or(usize::MAX);
        let out_block_bytes = (workspace / 256).clamp(16 << 10, 256 << 10).next_power_of_two();
        let segments = [&self.left, &self.right].map(|side| side.segment_bytes(&tool));
        // Standard input stays open while the other side is read.
        let both = self.sorted || left_scan.is_some() || right_scan.is_some();
        let scans = [left_seen.scan_bytes, right_seen.scan_bytes];
        let input = JoinInput {
            workspace_bytes: tool.workspace_bytes,
            scan_bytes: if both { scans[0] + scans[1] } else { scans[0].max(scans[1]) },
            output_bytes: Sink::cost_bytes(&self.output, out_block_bytes),
            workers: left_seen.workers.min(right_seen.workers),
            segment_bytes: segments[0].max(segments[1]),
            build,
            build_bytes: built.bytes_len,
            build_row_bytes: built.row_bytes + specified.overhead_bytes(),
            spill_bytes: left_seen.bytes_len.zip(right_seen.bytes_len).map(|(l, r)| l + r),
            reopens: reading.input != Input::Stdin,
            tracked: self.kind == JoinKind::Left,
            codec: tool.spill.codec,
        };
        let record_bytes_max = self.left.record_bytes_max.max(self.right.record_bytes_max);
        let plan = if self.sorted { merge_plan(input, record_bytes_max) } else { plan(input) }?;
        Ok(PlannedJoin {
            job: self,
            tool,
            left,
            right,
            left_scan,
            right_scan,
            header,
            shape,
            plan,
            out_block_bytes,
        })
    }

    fn check(&self) -> Result<()> {
        self.output.check_against(&[&self.left.input, &self.right.input])?;
        if self.left.input == Input::Stdin && self.right.input == Input::Stdin {
            return Err(Error::invalid("both sides are standard input: only one can be"));
        }
        if self.output_format == Format::Json {
            return Err(Error::invalid("joining to json: csv and ndjson can be written"));
        }
        if self.left.delimiter != self.right.delimiter {
            return Err(Error::invalid(
                "both sides of a join have one delimiter: convert one of them first",
            ));
        }
        Ok(())
    }

    fn sides(&self, left: &Seen, right: &Seen) -> Result<Sides> {
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        let number = |kind: ColumnType| {
            matches!(kind, ColumnType::Int | ColumnType::Money | ColumnType::Float)
        };
        let find = |side: JoinSide, seen: &Seen, name: &str| {
            position(&seen.columns, name)
                .map_err(|e| Error::invalid(format!("the {} side: {e}", side.name())))
        };
        for (l, r) in &self.on {
            let (l, r) = (find(JoinSide::Left, left, l)?, find(JoinSide::Right, right, r)?);
            let both = number(left.kinds[l]) && number(right.kinds[r]);
            let kind = if both { KeyKind::Number } else { KeyKind::Text };
            let term = |column| KeyTerm { column, kind, descending: false, nulls: Nulls::First };
            lefts.push(term(l));
            rights.push(term(r));
        }
        let names = right_names(&left.columns, &right.columns, &rights);
        let to = self.output_format;
        let encoder = |reading: &Reading, columns: &[(usize, &str)], seen: &Seen, start| {
            let columns = columns.iter().map(|(n, name)| (*n, *name, seen.kinds[*n]));
            RowEncoder::new((reading.format, to), self.left.delimiter, columns, start)
        };
        let all: Vec<(usize, &str)> = left.columns.iter().map(|c| &**c).enumerate().collect();
        let lefts_all = encoder(&self.left, &all, left, Start::Row);
        let others: Vec<(usize, &str)> = names.iter().map(|(n, name)| (*n, &**name)).collect();
        let others = encoder(&self.right, &others, right, Start::Behind);
        let (header, shape) = shape(left, to, &lefts_all, &others);
        let left_piece = match (self.left.format, to) {
            (Format::Csv, Format::Csv) => Piece::Text,
            (Format::Csv, _) | (_, Format::Csv) => Piece::Encoded(lefts_all),
            _ => Piece::Open(encoder(&self.left, &all[..1], left, Start::Row).nulls()),
        };
        let right_piece = match (self.right.format, to) {
            (Format::Csv, Format::Csv) => Piece::Fields,
            _ => Piece::Encoded(others),
        };
        let spec = |side, terms: Vec<KeyTerm>, seen: &Seen, piece| {
            let reading = if side == JoinSide::Left { &self.left } else { &self.right };
            SideSpec {
                side,
                by: as_sorted(&terms, &seen.columns),
                terms,
                columns: seen.columns.len(),
                delimiter: self.left.delimiter.byte(),
                piece,
                input: reading.input.to_string(),
            }
        };
        let left = spec(JoinSide::Left, lefts, left, left_piece);
        let right = spec(JoinSide::Right, rights, right, right_piece);
        Ok((left, right, header, shape))
    }
}

/// The keys as a sort is told them.
fn as_sorted(terms: &[KeyTerm], columns: &[Box<str>]) -> String {
    let term = |term: &KeyTerm| {
        let kind = if term.kind == KeyKind::Number { "num" } else { "text" };
        format!("{}:{kind}", excerpt(&columns[term.column]))
    };
    terms.iter().map(term).collect::<Vec<_>>().join(",")
}

/// Both sides, the output's header, and how its rows end.
type Sides = (SideSpec, SideSpec, Vec<u8>, RowShape);

/// Right columns that are not of the key, with names that no other column has.
fn right_names(left: &[Box<str>], right: &[Box<str>], key: &[KeyTerm]) -> Vec<(usize, Box<str>)> {
    let mut names: Vec<(usize, Box<str>)> = Vec::new();
    for (column, name) in right.iter().enumerate() {
        if key.iter().any(|term| term.column == column) {
            continue;
        }
        let mut name = name.to_string();
        while left.iter().chain(names.iter().map(|(_, n)| n)).any(|known| **known == *name) {
            name.push_str("_right");
        }
        names.push((column, name.into()));
    }
    names
}

/// The header, and what every row ends with: the left side's line ends where it is CSV.
fn shape(left: &Seen, to: Format, all: &RowEncoder, others: &RowEncoder) -> (Vec<u8>, RowShape) {
    let nulls = others.nulls();
    if to != Format::Csv {
        return (Vec::new(), RowShape { line_end: b"}\n", nulls });
    }
    let (text, line_end): (&[u8], &'static [u8]) = match &*left.header {
        [text @ .., b'\r', b'\n'] => (text, b"\r\n"),
        [text @ .., b'\n'] => (text, b"\n"),
        text => (text, b"\n"),
    };
    let mut header = if text.is_empty() { all.names() } else { text.to_vec() };
    header.extend_from_slice(&others.names());
    header.extend_from_slice(line_end);
    (header, RowShape { line_end, nulls })
}

/// What the beginning of a side tells.
struct Seen {
    columns: Vec<Box<str>>,
    kinds: Vec<ColumnType>,
    header: Box<[u8]>,
    row_bytes: u64,
    bytes_len: Option<u64>,
    workers: usize,
    scan_bytes: u64,
}

impl Seen {
    /// Looks at a side, and leaves it open where it cannot be opened again.
    fn of(reading: &Reading, tool: &Tool<'_>) -> Result<(Self, Option<Scanned>)> {
        let scanned = reading.open(tool)?;
        let segments = &scanned.segments;
        let seen = Self {
            columns: segments.columns().to_vec(),
            kinds: segments.kinds().to_vec(),
            header: segments.header().into(),
            row_bytes: segments.row_bytes(),
            bytes_len: scanned.bytes_len,
            workers: scanned.workers,
            scan_bytes: scanned.cost_bytes(),
        };
        let kept = (reading.input == Input::Stdin).then_some(scanned);
        Ok((seen, kept))
    }
}

/// The side with fewer bytes; one of unknown length is taken to be the larger, and of two such
/// the left.
fn smaller(left: &Seen, right: &Seen) -> JoinSide {
    match (left.bytes_len, right.bytes_len) {
        (Some(left), Some(right)) if left < right => JoinSide::Left,
        (Some(_), None) => JoinSide::Left,
        _ => JoinSide::Right,
    }
}

impl PlannedJoin<'_> {
    /// What it will do.
    #[must_use]
    pub fn plan(&self) -> &JoinPlan {
        &self.plan
    }

    /// How each pair of columns is compared.
    pub fn key_kinds(&self) -> impl Iterator<Item = KeyKind> {
        self.left.terms.iter().map(|term| term.kind)
    }
}
