//! Finished runs of a sort, kept so that the same command goes on after a kill.
//!
//! ```text
//!   SPILL/plimsoll-resume-HASH/ owner     the lock: one process at a time
//!                               runs      blocks of all runs
//!                               journal   what is sorted | run | run | run ...
//! ```
//!
//! A run is noted once its blocks are written. What counts after a kill are the segments of the
//! input that were finished from its beginning without a gap; sorting goes on behind them.
//!
//! Promises: the result is byte for byte that of a sort without a kill; another input, other keys
//! or a changed file begin anew.
//! Never: a compressed or piped input, which cannot be entered in the middle.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::input::Input;
use super::tool::Tool;
use crate::error::{Error, Result};
use crate::sort::{RunRecord, SortedRun};
use crate::spill::{Journal, SpillArea, SpillFile};

/// What a journal begins with: everything the runs depend on.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    path: String,
    device: u64,
    inode: u64,
    bytes: u64,
    modified_ns: i128,
    keys: String,
    tag: u64,
}

/// A run with the piece of the input it stands for.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    segment: u64,
    part: u32,
    /// The segment has no further part.
    last: bool,
    rows: u64,
    /// Where the segment ends, and the line behind it.
    input_end: u64,
    next_line: u64,
    run: RunRecord,
}

/// A sort's place on disk, with what an earlier process left there.
#[derive(Debug)]
pub(super) struct Resumable {
    pub(super) area: SpillArea,
    pub(super) file: Arc<SpillFile>,
    journal: Journal,
    pub(super) found: Found,
}

/// What can be taken over.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) runs: Vec<Arc<SortedRun>>,
    pub(super) rows: u64,
    /// Segments that are finished.
    pub(super) segments: u64,
    /// Where the next one begins, and its line.
    pub(super) input_offset: u64,
    pub(super) line: u64,
}

impl Resumable {
    /// Opens the place of this sort: of this input, as it is now, by these keys.
    pub(super) fn open(tool: &Tool<'_>, input: &Input, keys: &str) -> Result<Self> {
        let mut identity = identify(input, keys)?;
        let hash = crc32fast::hash(format!("{}\n{keys}", identity.path).as_bytes());
        let area = SpillArea::open_named(
            Arc::clone(tool.storage),
            tool.spill_root,
            &format!("plimsoll-resume-{hash:08x}"),
            tool.spill,
        )?;
        if let Some((journal, file, found)) = take_over(tool, &area, &mut identity)? {
            return Ok(Self { area, file, journal, found });
        }
        area.clear()?;
        let file = area.file_named("runs")?;
        identity.tag = file.tag();
        let mut journal = Journal::create(&**tool.storage, &area.directory().join("journal"))?;
        journal.append(&encode(&identity)?)?;
        Ok(Self { area, file, journal, found: Found::default() })
    }

    /// Notes a finished run.
    pub(super) fn note(
        &mut self,
        run: &SortedRun,
        last: bool,
        rows: u64,
        (input_end, next_line): (u64, u64),
    ) -> Result<()> {
        let (segment, part) = run.order();
        let run = run.record();
        let noted = Noted { segment, part, last, rows, input_end, next_line, run };
        self.journal.append(&encode(&noted)?)
    }
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|e| Error::corrupt(format!("noting a finished run: {e}")))
}

fn identify(input: &Input, keys: &str) -> Result<Identity> {
    let Input::File(path) = input else {
        return Err(Error::invalid(
            "a sort of standard input cannot be resumed: write it to a file first, or take \
             --resume away",
        ));
    };
    let failed = |e| Error::io(format!("looking at {}", path.display()), e);
    let data = fs::metadata(path).map_err(failed)?;
    let whole = fs::canonicalize(path).map_err(failed)?;
    Ok(Identity {
        path: whole.to_string_lossy().into_owned(),
        device: data.dev(),
        inode: data.ino(),
        bytes: data.len(),
        modified_ns: i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec()),
        keys: keys.to_owned(),
        tag: 0,
    })
}

/// The journal and its runs, where they are of this sort.
fn take_over(
    tool: &Tool<'_>,
    area: &SpillArea,
    identity: &mut Identity,
) -> Result<Option<(Journal, Arc<SpillFile>, Found)>> {
    let mut first = None;
    let mut noted: Vec<Noted> = Vec::new();
    let journal =
        Journal::open(&**tool.storage, &area.directory().join("journal"), &mut |bytes| {
            if first.is_none() {
                first = Some(postcard::from_bytes::<Identity>(bytes).ok());
            } else if let Ok(run) = postcard::from_bytes(bytes) {
                noted.push(run);
            }
            Ok(())
        })?;
    let (Some(journal), Some(Some(theirs))) = (journal, first) else { return Ok(None) };
    identity.tag = theirs.tag;
    if *identity != theirs {
        return Ok(None);
    }
    let Some(file) = area.adopt("runs", theirs.tag)? else { return Ok(None) };
    noted.sort_by_key(|n| (n.segment, n.part));
    let mut found = Found::default();
    for group in noted.chunk_by(|a, b| a.segment == b.segment) {
        let whole = group[0].segment == found.segments
            && group.iter().zip(0_u32..).all(|(n, part)| n.part == part)
            && group[group.len() - 1].last;
        if !whole {
            break;
        }
        for run in group {
            let order = (run.segment, run.part);
            let adopted = SortedRun::adopt(&file, run.run, order, tool.consumer)?;
            found.runs.push(Arc::new(adopted));
            found.rows += run.rows;
        }
        let end = &group[group.len() - 1];
        (found.input_offset, found.line) = (end.input_end, end.next_line);
        found.segments += 1;
    }
    Ok(Some((journal, file, found)))
}
