//! Joins two CSV files by columns of equal value.
//!
//! ```text
//!   Memory      build side ─> table;  probe side ─┬─> worker: segment, look up ─┐ in the order
//!                                                 └─> worker: ...               ├ of the probe
//!   Partitions  build side ─> P runs, filter                                    │ side
//!               probe side ── passes the filter? ─> P runs                      │
//!               pairs of runs ─┬─> worker: see `pair` ──────────────────────────┤ in any order
//!                              └─> worker: ...                                  v
//! ```
//!
//! A row of the output is a left row as it stands and the fields of a right row that are not its
//! key. Keys are compared as numbers where both columns hold numbers, else byte by byte; NULL
//! equals nothing, not even NULL.
//!
//! Promises: bounded memory whatever the keys are, one that most rows have among them; the output
//! appears whole or not at all.
//! Never: a row parsed into values.

mod emit;
mod filter;
mod pair;
mod partition;
mod plan;
mod run;
mod side;
mod table;

pub use plan::{JoinMode, JoinPlan};

use self::emit::RowShape;
use self::plan::{JoinInput, plan};
use self::side::SideSpec;
use super::convert::{csv_text, position};
use super::input::Input;
use super::output::Output;
use super::reading::{Reading, Scanned};
use super::sink::Sink;
use super::tool::Tool;
use crate::error::{Error, Result};
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
    /// Columns that must be equal: of the left, of the right.
    pub on: Vec<(Box<str>, Box<str>)>,
    /// Which rows come out.
    pub kind: JoinKind,
    /// The side that is looked up; the smaller one where nobody says.
    pub build: Option<JoinSide>,
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
            crate::error::excerpt(spec)
        )));
    }
    Ok(pairs)
}

impl JoinFile {
    /// Opens both inputs, reads their beginnings and makes the plan.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for unknown columns, inputs that are not CSV of one
    /// delimiter, an output that is an input, or too little memory, with the least that is needed;
    /// those of opening and scanning the inputs.
    pub fn plan<'a>(&'a self, tool: Tool<'a>) -> Result<PlannedJoin<'a>> {
        self.check()?;
        let (left_seen, left_scan) = Seen::of(&self.left, &tool)?;
        let (right_seen, right_scan) = Seen::of(&self.right, &tool)?;
        let (left, right) = self.sides(&left_seen, &right_seen)?;
        let build = self.build.unwrap_or_else(|| smaller(&left_seen, &right_seen));
        let (built, reading) = match build {
            JoinSide::Left => (&left_seen, &self.left),
            JoinSide::Right => (&right_seen, &self.right),
        };
        let workspace = usize::try_from(tool.workspace_bytes).unwrap_or(usize::MAX);
        let out_block_bytes = (workspace / 256).clamp(16 << 10, 256 << 10).next_power_of_two();
        let segments = [&self.left, &self.right].map(|side| side.segment_bytes(&tool));
        // Standard input stays open while the other side is read.
        let both = left_scan.is_some() || right_scan.is_some();
        let scans = [left_seen.scan_bytes, right_seen.scan_bytes];
        let plan = plan(JoinInput {
            workspace_bytes: tool.workspace_bytes,
            scan_bytes: if both { scans[0] + scans[1] } else { scans[0].max(scans[1]) },
            output_bytes: Sink::cost_bytes(&self.output, out_block_bytes),
            workers: left_seen.workers.min(right_seen.workers),
            segment_bytes: segments[0].max(segments[1]),
            build,
            build_bytes: built.bytes_len,
            build_row_bytes: built.row_bytes,
            spill_bytes: left_seen.bytes_len.zip(right_seen.bytes_len).map(|(l, r)| l + r),
            reopens: reading.input != Input::Stdin,
            tracked: self.kind == JoinKind::Left,
            codec: tool.spill.codec,
        })?;
        let (header, shape) = shape(&left_seen, &right_seen, &right);
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
        if self.left.format != Format::Csv || self.right.format != Format::Csv {
            return Err(Error::invalid(
                "joining reads CSV: convert the NDJSON side with `plimsoll convert` first",
            ));
        }
        if self.left.delimiter != self.right.delimiter {
            return Err(Error::invalid(
                "both sides of a join have one delimiter: convert one of them first",
            ));
        }
        Ok(())
    }

    fn sides(&self, left: &Seen, right: &Seen) -> Result<(SideSpec, SideSpec)> {
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
        let spec = |side, terms, seen: &Seen| SideSpec {
            side,
            terms,
            columns: seen.columns.len(),
            delimiter: self.left.delimiter.byte(),
        };
        Ok((spec(JoinSide::Left, lefts, left), spec(JoinSide::Right, rights, right)))
    }
}

/// The header, and what every row ends with: the left side's line ends.
fn shape(left: &Seen, right: &Seen, spec: &SideSpec) -> (Vec<u8>, RowShape) {
    let (text, line_end): (&[u8], &'static [u8]) = match &*left.header {
        [text @ .., b'\r', b'\n'] => (text, b"\r\n"),
        [text @ .., b'\n'] => (text, b"\n"),
        text => (text, b"\n"),
    };
    let mut header = text.to_vec();
    let mut names = left.columns.clone();
    let mut nulls = Vec::new();
    for (column, name) in right.columns.iter().enumerate() {
        if spec.terms.iter().any(|term| term.column == column) {
            continue;
        }
        let mut name = name.to_string();
        while names.iter().any(|known| **known == *name) {
            name.push_str("_right");
        }
        header.push(spec.delimiter);
        csv_text(name.as_bytes(), spec.delimiter, &mut header);
        names.push(name.into());
        nulls.push(spec.delimiter);
    }
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
