//! Finished runs of a sort, kept so that the same command goes on after a kill.
//!
//! ```text
//!   SPILL/plimsoll-resume-HASH/ owner     the lock: one process at a time
//!                               runs      blocks of all runs
//!                               journal   what is sorted | run | run | taken over | run ...
//! ```
//!
//! A run is noted once its blocks are written. What counts after a kill are the segments of the
//! input that were finished from its beginning without a gap; sorting goes on behind them.
//!
//! Promises: the result is byte for byte that of a sort without a kill; another input, other keys
//! or a changed file begin anew.
//! Never: a compressed or piped input, which cannot be entered in the middle; memory that grows
//! with the journal.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::found::{Found, Note, NotedRun};
use super::input::Input;
use super::tool::Tool;
use crate::error::{Error, Result};
use crate::scan::Segment;
use crate::sort::SortedRun;
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

/// Merges some of the runs in a file.
pub(super) type MakeRoom<'a> =
    dyn Fn(&mut Vec<Arc<SortedRun>>, &SpillArea, &Arc<SpillFile>) -> Result<()> + 'a;

/// A sort's place on disk, with what an earlier process left there.
#[derive(Debug)]
pub(super) struct Resumable {
    pub(super) area: SpillArea,
    pub(super) file: Arc<SpillFile>,
    journal: Journal,
    pub(super) found: Found,
}

impl Resumable {
    /// Opens the place of this sort: of this input, as it is now, by these keys.
    ///
    /// `make_room` is given the runs found so far whenever they are as many as `runs_max`, and
    /// leaves fewer.
    pub(super) fn open(
        tool: &Tool<'_>,
        input: &Input,
        keys: &str,
        runs_max: u64,
        make_room: &MakeRoom<'_>,
    ) -> Result<Self> {
        let mut identity = identify(input, keys)?;
        let hash = crc32fast::hash(format!("{}\n{keys}", identity.path).as_bytes());
        let area = SpillArea::open_named(
            Arc::clone(tool.storage),
            tool.spill_root,
            &format!("plimsoll-resume-{hash:08x}"),
            tool.spill,
        )?;
        let mut found = Found::new(tool.consumer, runs_max)?;
        if let Some((mut journal, file)) =
            take_over(tool, &area, &mut identity, &mut found, make_room)?
        {
            journal.append(&encode(&Note::TakenOver { segments: found.segments })?)?;
            return Ok(Self { area, file, journal, found });
        }
        // Its runs hold a file of the name that is made now.
        drop(found);
        area.clear()?;
        let file = area.file_named("runs")?;
        identity.tag = file.tag();
        let mut journal = Journal::create(&**tool.storage, &area.directory().join("journal"))?;
        journal.append(&encode(&identity)?)?;
        let found = Found::new(tool.consumer, runs_max)?;
        Ok(Self { area, file, journal, found })
    }

    /// Notes a finished run. `last` says that the segment has no further part.
    pub(super) fn note(
        &mut self,
        run: &SortedRun,
        last: bool,
        segment: &Segment,
        next_line: u64,
    ) -> Result<()> {
        let ((number, part), run) = (run.order(), run.record());
        let input = (segment.input_start, segment.input_end);
        let noted = NotedRun { segment: number, part, last, input, next_line, run };
        self.journal.append(&encode(&Note::Run(noted))?)
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

/// The journal and its file, where they are of this sort; `found` has its runs then.
fn take_over(
    tool: &Tool<'_>,
    area: &SpillArea,
    identity: &mut Identity,
    found: &mut Found,
    make_room: &MakeRoom<'_>,
) -> Result<Option<(Journal, Arc<SpillFile>)>> {
    let mut file = None;
    let mut begun = false;
    let mut usable = true;
    let path = area.directory().join("journal");
    let journal = Journal::open(&**tool.storage, &path, tool.consumer, &mut |bytes| {
        if !begun {
            begun = true;
            let Ok(theirs) = postcard::from_bytes::<Identity>(bytes) else { return Ok(()) };
            identity.tag = theirs.tag;
            if *identity == theirs {
                file = area.adopt("runs", theirs.tag)?;
            }
            return Ok(());
        }
        let (Some(file), true) = (&file, usable) else { return Ok(()) };
        match postcard::from_bytes(bytes) {
            Ok(Note::Run(run)) => found.add(run, file, &|runs| make_room(runs, area, file)),
            Ok(Note::TakenOver { segments }) => {
                usable = found.taken_over(segments);
                Ok(())
            }
            Err(_) => {
                usable = false;
                Ok(())
            }
        }
    })?;
    found.end();
    Ok(journal.zip(file).filter(|_| usable))
}
