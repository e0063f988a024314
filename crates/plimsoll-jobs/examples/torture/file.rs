//! The file that a job leaves: the row that says so is in the transaction that completes it.
//!
//! Promises: written as every durable file of the library is: flushed, named, and its name
//! flushed.
//! Never: a file whose bytes do not follow from the job's number.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::files::PartialFile;
use plimsoll::spill::BlockTarget as _;
use plimsoll::storage::{Disk, Storage};

/// Folders, so that each has few names.
const FOLDERS: i64 = 64;
const LINES: i64 = 100;

fn path(folder: &str, job: i64) -> PathBuf {
    Path::new(folder).join((job % FOLDERS).to_string()).join(job.to_string())
}

fn text(job: i64) -> String {
    (0..LINES).map(|line| format!("job {job}, line {line}\n")).collect()
}

/// Makes the folders, before anything is cut.
pub(crate) fn make_folders(folder: &Path) -> std::io::Result<()> {
    (0..FOLDERS).try_for_each(|n| std::fs::create_dir(folder.join(n.to_string())))
}

/// Writes the file of a job; when this returns it is there for good.
pub(crate) fn write(folder: &str, job: i64) -> plimsoll::Result<()> {
    let storage: Arc<dyn Storage> = Arc::new(Disk);
    let text = text(job);
    let file = PartialFile::create(&storage, &path(folder, job), true)?;
    file.write(text.as_bytes(), 0)?;
    file.finish(text.len() as u64)
}

/// Whether it is there, with all its bytes.
pub(crate) fn is_whole(folder: &str, job: i64) -> bool {
    std::fs::read(path(folder, job)).is_ok_and(|bytes| bytes == text(job).as_bytes())
}
