//! The audit's file: lines of JSON, appended, flushed, and put aside when it is large.
//!
//! ```text
//!   lock ─ still the file of this name? ─ large? ─ write ─ fsync ─ unlock
//!              └ opened again               └ audit.ndjson.6 .. .1 <── audit.ndjson
//! ```
//!
//! Promises: what was appended is on disk; a line is whole or is not there; several processes may
//! share a file; the files together have a bound.
//! Never: another line after a flush has failed: what is on disk is not known then.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A file is put aside before it has more.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Files that were put aside; with the one that is written they have 448 MiB, some million exports.
const ASIDE_MAX: u32 = 6;
/// What is looked at for the newest rows, and for where the last line ends: a row has less than 8
/// KiB.
const TAIL_BYTES: u64 = 1 << 20;
/// How every line begins.
const BEGINNING: &[u8] = b"{\"at\":";
/// How often a file that another process put aside meanwhile is opened again.
const TRIES_MAX: u32 = 8;

/// Why rows are not on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritten {
    #[error("the disk is full: free space, and the audit goes on")]
    DiskFull,
    #[error("the file cannot be written")]
    Failed,
    #[error("a flush failed before: check the disk, then restart")]
    Poisoned,
}

/// The file.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    file_bytes_max: u64,
    poisoned: bool,
}

impl Log {
    /// Opens or makes it, for its owner alone, and takes away a line that was never finished.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with(path, FILE_BYTES_MAX)
    }

    fn with(path: &Path, file_bytes_max: u64) -> io::Result<Self> {
        let file = open(path)?;
        sync_directory(path)?;
        let mut log = Self { path: path.to_owned(), file, file_bytes_max, poisoned: false };
        log.lock()?;
        log.expect_own()?;
        let mended = log.end_of_lines().and_then(|end| log.cut(end));
        log.file.unlock()?;
        mended.map(|()| log)
    }

    /// Appends lines, and returns when they are on disk.
    pub(super) fn append(&mut self, lines: &[&[u8]]) -> Result<(), Unwritten> {
        let text = lines.concat();
        if self.poisoned {
            return Err(Unwritten::Poisoned);
        }
        if text.is_empty() {
            return Ok(());
        }
        let written = self.lock().and_then(|()| self.write(&text));
        // A lock that stays is given back with the file.
        let _unlocked = self.file.unlock();
        written.map_err(|error| {
            let path = self.path.display();
            tracing::error!(target: "http", %error, %path, "the audit's file");
            match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Unwritten::DiskFull,
                _ if self.poisoned => Unwritten::Poisoned,
                _ => Unwritten::Failed,
            }
        })
    }

    /// The newest lines, newest first.
    pub(super) fn newest(&self, rows_max: usize) -> io::Result<Vec<String>> {
        let (from, tail) = self.tail()?;
        let text = String::from_utf8_lossy(&tail);
        let mut lines: Vec<&str> = text.lines().collect();
        if from > 0 && !lines.is_empty() {
            // Begun before what was looked at.
            lines.remove(0);
        }
        Ok(lines.into_iter().rev().take(rows_max).map(str::to_owned).collect())
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        if before > 0 && before + text.len() as u64 > self.file_bytes_max {
            self.put_aside()?;
        }
        let before = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(text) {
            self.cut(before)?;
            return Err(error);
        }
        self.file.sync_data().inspect_err(|_| self.poisoned = true)
    }

    /// Locks the file that has the name now.
    fn lock(&mut self) -> io::Result<()> {
        for _ in 0..TRIES_MAX {
            self.file.lock()?;
            let own = self.file.metadata()?;
            match std::fs::metadata(&self.path) {
                Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => return Ok(()),
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                // Put aside by another process, or taken away.
                Ok(_) | Err(_) => {
                    self.file = open(&self.path)?;
                    sync_directory(&self.path)?;
                }
            }
        }
        Err(io::Error::other("the file is put aside again and again"))
    }

    /// The next file begins; the one before the first of those put aside goes.
    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..ASIDE_MAX).rev() {
            match std::fs::rename(self.aside(number), self.aside(number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, self.aside(1))?;
        let next = open(&self.path)?;
        next.lock()?;
        sync_directory(&self.path)?;
        self.file = next;
        Ok(())
    }

    fn aside(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    /// What begins otherwise is somebody's file, and would lose its last line.
    fn expect_own(&self) -> io::Result<()> {
        let mut first = [0; BEGINNING.len()];
        let length = first.len().min(usize::try_from(self.file.metadata()?.len()).unwrap_or(0));
        self.file.read_exact_at(&mut first[..length], 0)?;
        if BEGINNING.starts_with(&first[..length]) {
            return Ok(());
        }
        let why = "it holds something else, which would be written into: name another file";
        Err(io::Error::new(ErrorKind::InvalidData, why))
    }

    fn tail(&self) -> io::Result<(u64, Vec<u8>)> {
        let length = self.file.metadata()?.len();
        let from = length.saturating_sub(TAIL_BYTES);
        let mut tail = vec![0; usize::try_from(length - from).unwrap_or_default()];
        self.file.read_exact_at(&mut tail, from)?;
        Ok((from, tail))
    }

    fn end_of_lines(&self) -> io::Result<u64> {
        let (from, tail) = self.tail()?;
        let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Ok(from + end as u64)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        if self.file.metadata()?.len() > length { self.file.set_len(length) } else { Ok(()) }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// A name that is new is on disk with its directory.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_that_was_never_finished_is_taken_away_and_the_next_stands_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.ndjson");
        std::fs::write(&path, "{\"at\":1}\n{\"b\":").expect("written");
        let mut log = Log::open(&path).expect("opened");
        log.append(&[b"{\"c\":3}\n", b"{\"d\":4}\n"]).expect("written");
        assert_eq!(lines(&path), ["{\"at\":1}", "{\"c\":3}", "{\"d\":4}"]);
        assert_eq!(log.newest(2).expect("rows"), ["{\"d\":4}", "{\"c\":3}"]);
        assert_eq!(log.newest(9).expect("rows").len(), 3);
    }

    #[test]
    fn files_are_put_aside_within_a_bound_and_two_writers_lose_no_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.ndjson");
        let mut logs = [0, 1].map(|_| Log::with(&path, 100).expect("opened"));
        for number in 0..60 {
            let line = format!("{{\"at\":{number:011}}}\n");
            logs[number % 2].append(&[line.as_bytes()]).expect("written");
        }
        let files = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 7);
        let mut found = lines(&path);
        for number in 1..=ASIDE_MAX {
            let aside = lines(&logs[0].aside(number));
            assert_eq!(aside.len(), 5);
            found.splice(0..0, aside);
        }
        let numbers = found.iter().map(|line| line[6..17].parse::<usize>().expect("a number"));
        let kept: Vec<usize> = numbers.collect();
        assert_eq!(kept, (60 - kept.len()..60).collect::<Vec<_>>(), "the newest, in order");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_and_no_line_is_begun() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(Log::open(&folder.path().join("none/audit.ndjson")).is_err());
        let other = folder.path().join("other");
        std::fs::write(&other, "name,price\n1,").expect("written");
        assert!(Log::open(&other).is_err());
        assert_eq!(lines(&other), ["name,price", "1,"], "somebody's file stays as it is");
        let full = Path::new("/dev/full");
        let file = OpenOptions::new().read(true).write(true).open(full).expect("opened");
        let mut log =
            Log { path: full.to_owned(), file, file_bytes_max: FILE_BYTES_MAX, poisoned: false };
        assert_eq!(log.append(&[b"x\n"]), Err(Unwritten::DiskFull));
    }
}
