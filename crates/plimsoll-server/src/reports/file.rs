//! The file of a report while it is written.
//!
//! ```text
//!   ID-TOKEN.partial ── append, append, sync ──> sync, rename, sync the directory ──> ID-TOKEN
//!        ^ a copy of so many bytes of an earlier claim's, hashed on the way
//! ```
//!
//! Promises: each claim writes a file of its own: whoever lost the lease and does not know it yet
//! spoils nothing; what was synced before a checkpoint is there behind a kill or a power cut.
//! Never: bytes behind a checkpoint taken for rows.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use plimsoll_jobs::Lease;
use ring::digest::{Context as Digest, SHA256};

/// Behind the name of one that is not whole.
const PARTIAL: &str = ".partial";
/// Bytes that are copied at a time.
const COPY_BYTES: usize = 64 << 10;

/// See the module.
pub(super) struct ReportFile {
    directory: PathBuf,
    name: Box<str>,
    file: File,
    digest: Digest,
    bytes: u64,
}

/// The job that a file belongs to, by its name.
pub(super) fn job_of(name: &str) -> Option<i64> {
    let (id, token) = name.strip_suffix(PARTIAL).unwrap_or(name).split_once('-')?;
    token.parse::<i64>().ok()?;
    id.parse().ok()
}

/// Both names that a file may have.
fn paths(directory: &Path, name: &str) -> [PathBuf; 2] {
    [directory.join(format!("{name}{PARTIAL}")), directory.join(name)]
}

/// Removes a file under either name; gives how many bytes it had.
pub(super) fn remove(directory: &Path, name: &str) -> io::Result<u64> {
    let mut freed = 0;
    for path in paths(directory, name) {
        let bytes = std::fs::symlink_metadata(&path).map_or(0, |m| m.len());
        match std::fs::remove_file(&path) {
            Ok(()) => freed += bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(freed)
}

/// Removes all files of a job but the one called `except`; gives how many bytes they had.
pub(crate) fn remove_all(directory: &Path, id: i64, except: Option<&str>) -> io::Result<u64> {
    let mut freed = 0;
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| job_of(name) == Some(id)) else { continue };
        let name = name.strip_suffix(PARTIAL).unwrap_or(name);
        if except != Some(name) {
            freed += remove(directory, name)?;
        }
    }
    Ok(freed)
}

impl ReportFile {
    /// An empty one.
    pub(super) fn create(directory: &Path, lease: Lease) -> io::Result<Self> {
        let name: Box<str> = format!("{}-{}", lease.id, lease.token).into();
        let [partial, _] = paths(directory, &name);
        let file = File::create(partial)?;
        let digest = Digest::new(&SHA256);
        Ok(Self { directory: directory.to_owned(), name, file, digest, bytes: 0 })
    }

    /// With the first bytes of an earlier one; `None` where that does not have them any more.
    pub(super) fn resume(
        directory: &Path,
        lease: Lease,
        before: &str,
        bytes: u64,
    ) -> io::Result<Option<Self>> {
        let Some(mut from) = open(directory, before)? else { return Ok(None) };
        let mut made = Self::create(directory, lease)?;
        let mut buffer = vec![0; COPY_BYTES];
        while made.bytes < bytes {
            let left = usize::try_from(bytes - made.bytes).unwrap_or(usize::MAX).min(COPY_BYTES);
            let read = from.read(&mut buffer[..left])?;
            if read == 0 {
                made.discard();
                return Ok(None);
            }
            made.append(&buffer[..read])?;
        }
        Ok(Some(made))
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// All of it is on the disk, its name as well.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// It is whole: gives it its name, and says its digest.
    pub(super) fn finish(self) -> io::Result<Box<str>> {
        self.file.sync_all()?;
        let [partial, whole] = paths(&self.directory, &self.name);
        std::fs::rename(partial, whole)?;
        File::open(&self.directory)?.sync_all()?;
        Ok(format!("sha-256=:{}:", BASE64.encode(self.digest.finish())).into())
    }

    /// Away with it.
    pub(super) fn discard(&self) {
        if let Err(error) = remove(&self.directory, &self.name) {
            tracing::warn!(%error, file = &*self.name, "removing what there was of a report");
        }
    }
}

/// One of an earlier claim, which may have got as far as its name.
fn open(directory: &Path, name: &str) -> io::Result<Option<File>> {
    for path in paths(directory, name) {
        match File::open(path) {
            Ok(file) => return Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use plimsoll_jobs::Lease;

    use super::{ReportFile, job_of};

    #[test]
    fn what_goes_on_has_the_bytes_of_the_checkpoint_and_a_digest_as_if_never_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let lease = |token| Lease { id: 7, token };
        let mut first = ReportFile::create(folder.path(), lease(1)).expect("made");
        first.append(b"one two").expect("written");
        let resume = |before: &str, bytes| {
            ReportFile::resume(folder.path(), lease(2), before, bytes).expect("readable")
        };
        assert!(resume("7-1", 8).is_none(), "shorter than its checkpoint");
        assert!(resume("7-0", 1).is_none(), "not there");
        let mut second = resume("7-1", 4).expect("there");
        first.append(b" a zombie's").expect("written");
        second.append(b"three").expect("written");
        let digest = second.finish().expect("whole");
        assert_eq!(std::fs::read(folder.path().join("7-2")).expect("there"), b"one three");
        let mut whole = ReportFile::create(folder.path(), lease(3)).expect("made");
        whole.append(b"one three").expect("written");
        assert_eq!(whole.finish().expect("whole"), digest);
        assert_eq!(
            [job_of("7-1.partial"), job_of("7-2"), job_of("x.csv")],
            [Some(7), Some(7), None]
        );
    }
}
