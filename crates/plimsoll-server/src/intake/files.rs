//! The files of an intake, by their names.
//!
//! ```text
//!   TOKEN.partial    while it is received        TOKEN-LEASE.rejects   rows that were refused,
//!   TOKEN.upload     whole, on the disk                                one file for each claim
//! ```
//!
//! Promises: a whole file is on the disk under its name before anybody is told of it; one that is
//! not whole goes with whoever wrote it.
//! Never: a name that a client chose.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use super::Intake;
use super::space::Space;

const PARTIAL: &str = ".partial";
const WHOLE: &str = ".upload";
const REJECTS: &str = ".rejects";
/// Hexadecimal digits of a token.
const TOKEN_DIGITS: usize = 32;

/// The token of a file, by its name.
pub(super) fn token_of(name: &str) -> Option<&str> {
    let stem = [PARTIAL, WHOLE, REJECTS].iter().find_map(|end| name.strip_suffix(end))?;
    let token = stem.split('-').next()?;
    let plain = token.len() == TOKEN_DIGITS && token.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then_some(token)
}

/// Whether a name is that of rows which a claim of the token's job refused, and nothing else: who
/// writes results and checkpoints may be a worker elsewhere.
pub(crate) fn is_rejects_of(name: &str, token: &str) -> bool {
    let lease = name.strip_suffix(REJECTS).and_then(|stem| stem.strip_prefix(token));
    let lease = lease.and_then(|lease| lease.strip_prefix('-')).unwrap_or_default();
    token_of(name) == Some(token) && !lease.is_empty() && lease.bytes().all(|b| b.is_ascii_digit())
}

/// The name of a whole file.
pub(super) fn whole(token: &str) -> String {
    format!("{token}{WHOLE}")
}

/// The names of all files of the intake.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        names.extend(name.to_str().filter(|name| token_of(name).is_some()).map(str::to_owned));
    }
    Ok(names)
}

/// Bytes of all files that were sent. Rows that were refused are not among them: their number is
/// bounded, and they are part of a file that is.
pub(super) fn bytes(directory: &Path) -> io::Result<u64> {
    let was_sent = |name: &str| token_of(name).is_some() && !name.ends_with(REJECTS);
    let mut bytes = 0_u64;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(was_sent) {
            // One that goes meanwhile takes nothing.
            bytes = bytes.saturating_add(entry.metadata().map_or(0, |m| m.len()));
        }
    }
    Ok(bytes)
}

/// Removes a file, if it is there.
pub(super) fn remove(directory: &Path, name: &str, space: &Space) -> io::Result<()> {
    let path = directory.join(name);
    let bytes = std::fs::symlink_metadata(&path).map_or(0, |m| m.len());
    match std::fs::remove_file(&path) {
        Ok(()) if name.ends_with(REJECTS) => {}
        Ok(()) => space.give(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Makes the file of the rows that a claim refuses; gives its name. It begins with so many bytes of
/// an earlier claim's: whoever lost the lease and does not know it yet spoils nothing.
pub(super) fn begin_rejects(
    directory: &Path,
    token: &str,
    lease_token: i64,
    before: Option<(&str, u64)>,
) -> io::Result<Box<str>> {
    let name = format!("{token}-{lease_token}{REJECTS}");
    let mut file = File::create(directory.join(&name))?;
    if let Some((before, bytes)) = before.filter(|(_, bytes)| *bytes > 0) {
        let from = File::open(directory.join(before))?;
        if io::copy(&mut from.take(bytes), &mut file)? < bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.sync_all()?;
    }
    File::open(directory)?.sync_all()?;
    // Attempts that did not get as far as a checkpoint left theirs.
    for entry in std::fs::read_dir(directory)? {
        let other = entry?.file_name();
        let Some(other) = other.to_str() else { continue };
        let is_needed = *other == *name || before.is_some_and(|(file, _)| file == other);
        if other.ends_with(REJECTS) && token_of(other) == Some(token) && !is_needed {
            std::fs::remove_file(directory.join(other))?;
        }
    }
    Ok(name.into())
}

/// A file while it is received. Dropping it before it is whole removes it.
pub(crate) struct Upload {
    directory: Arc<Path>,
    space: Arc<Space>,
    token: Box<str>,
    file: File,
    digest: blake3::Hasher,
    bytes: u64,
    is_whole: bool,
}

impl Upload {
    pub(super) fn create(directory: &Path, space: &Arc<Space>) -> io::Result<Self> {
        let number = |seed: u8| RandomState::new().hash_one(seed);
        let token = format!("{:016x}{:016x}", number(0), number(1));
        let file = File::create_new(directory.join(format!("{token}{PARTIAL}")))?;
        let (directory, space) = (directory.into(), Arc::clone(space));
        let (token, digest) = (token.into(), blake3::Hasher::new());
        Ok(Self { directory, space, token, file, digest, bytes: 0, is_whole: false })
    }

    /// Appends; [`io::ErrorKind::QuotaExceeded`] where the space has no room.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.space.take(bytes.len() as u64) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.bytes += bytes.len() as u64;
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    /// It is all there: on the disk, under its name.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        let partial = self.directory.join(format!("{}{PARTIAL}", self.token));
        std::fs::rename(partial, self.directory.join(whole(&self.token)))?;
        File::open(&self.directory)?.sync_all()?;
        self.is_whole = true;
        Ok(())
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Of all that was appended.
    pub(crate) fn digest(&self) -> [u8; 32] {
        *self.digest.finalize().as_bytes()
    }

    /// Takes the place of another's file, whose bytes are given back.
    pub(crate) fn replace(self, intake: &Intake, token: &str) -> io::Result<()> {
        let path = intake.upload_path(token);
        let bytes = std::fs::metadata(&path).map_or(0, |m| m.len());
        std::fs::rename(intake.upload_path(&self.token), path)?;
        self.space.give(bytes);
        let directory = Arc::clone(&self.directory);
        let _replaced = self.leave();
        File::open(&directory)?.sync_all()
    }

    /// From now on it is its job's; gives the token.
    pub(crate) fn leave(mut self) -> Box<str> {
        self.bytes = 0;
        std::mem::take(&mut self.token)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.token.is_empty() {
            return;
        }
        let end = if self.is_whole { WHOLE } else { PARTIAL };
        let removed = std::fs::remove_file(self.directory.join(format!("{}{end}", self.token)));
        self.space.give(self.bytes);
        if let Err(error) = removed {
            tracing::warn!(%error, "removing what there was of a file that was sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Space, Upload, begin_rejects, bytes, is_rejects_of, token_of, whole};

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_its_bytes_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let space = Arc::new(Space::new(0, 8));
        let mut kept = Upload::create(folder.path(), &space).expect("made");
        kept.append(b"a,b\n").expect("written");
        let mut broken = Upload::create(folder.path(), &space).expect("made");
        broken.append(b"1,2\n").expect("written");
        assert_eq!(bytes(folder.path()).expect("readable"), 8);
        let full = broken.append(b"x").expect_err("no room").kind();
        assert_eq!(full, std::io::ErrorKind::QuotaExceeded);
        drop(broken);
        assert!(space.take(4), "its bytes are free again");
        kept.finish().expect("whole");
        let name = whole(kept.token());
        let token = kept.leave();
        assert_eq!(std::fs::read(folder.path().join(&name)).expect("there"), b"a,b\n");
        assert_eq!(token_of(&name), Some(&*token));
        assert_eq!([token_of("x.upload"), token_of(&token), token_of("-3.rejects")], [None; 3]);
    }

    #[test]
    fn rejects_are_those_of_the_job_itself_and_lie_in_no_other_place() {
        let token = "0123456789abcdef".repeat(2);
        let is = |name: String| is_rejects_of(&name, &token);
        assert!(is(format!("{token}-7.rejects")));
        let other = token.replace('0', "1");
        for name in [
            format!("{other}-7.rejects"),
            format!("{token}-.rejects"),
            format!("{token}.rejects"),
            format!("{token}-7.upload"),
            format!("{token}-/../../{token}-7.rejects"),
            format!("../{token}-7.rejects"),
            format!("/tmp/{token}-7.rejects"),
            format!("{token}-7.rejects/../x"),
            "/etc/hostname".to_owned(),
            String::new(),
        ] {
            assert!(!is(name.clone()), "{name}");
        }
        assert!(!is_rejects_of("-7.rejects", "") && !is_rejects_of("../x-7.rejects", "../x"));
    }

    #[test]
    fn a_claim_has_what_was_counted_of_the_one_before_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = "0123456789abcdef".repeat(2);
        let begin = |lease, before| begin_rejects(folder.path(), &token, lease, before);
        let first = begin(1, None).expect("made");
        std::fs::write(folder.path().join(&*first), "counted, not counted").expect("written");
        begin(2, Some((&first, 7))).expect("made");
        let third = begin(3, Some((&first, 7))).expect("made");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("there");
        assert_eq!((&*read(&third), &*read(&first)), ("counted", "counted, not counted"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 2, "the second went");
        assert!(begin(4, Some((&third, 8))).is_err(), "shorter than what was counted");
        assert_eq!((token_of(&first), bytes(folder.path()).expect("there")), (Some(&*token), 0));
    }
}
