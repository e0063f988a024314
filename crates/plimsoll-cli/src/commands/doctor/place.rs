//! A directory that data or spill files go to: can it be written, what is below it, how fast.
//!
//! Promises: what was made to find out is removed, also when finding out fails.
//! Never: more than [`FLUSHES`] small writes, or more than [`FLUSH_TIME_MAX`] of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll::units::ByteSize;

use super::finding::Finding;

/// Writes whose flush is timed; the median of them is stable to a tenth on a quiet disk.
const FLUSHES: usize = 20;
/// Flushing stops after this, so that a slow disk costs no more time than a fast one.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);
const FLUSH_BYTES: usize = 4 << 10;
/// Below this the write-ahead log alone does not fit.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Below this an import or a sort of usual size fills the disk.
const FREE_BYTES_WANTED: u64 = 1 << 30;
/// A commit waits for one flush; with this one, 50 writers in turn are a second.
const FLUSH_WANTED: Duration = Duration::from_millis(20);
/// Levels of directories that are made: deeper is a slip.
const DEPTH_MAX: usize = 32;

/// What the directory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Databases and checkpoints: has to survive.
    Data,
    /// What does not fit memory: has to be elsewhere than memory.
    Spill,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Survey {
    /// It was there.
    pub(super) existed: bool,
    /// The kernel's number of the file system.
    pub(super) file_system: u32,
    /// Free for this user.
    pub(super) free_bytes: u64,
    /// The median time of writing a block and flushing it.
    pub(super) flush: Duration,
}

/// Tries the directory out. The error says at which step it failed.
pub(super) fn survey(directory: &Path) -> Result<Survey, String> {
    let made =
        Made::directories(directory).map_err(|e| format!("the directory cannot be made: {e}"))?;
    if !directory.is_dir() {
        return Err("it is not a directory".into());
    }
    let failed = |what: &str, e: io::Error| format!("{what} failed: {e}");
    let flush = flush_time(directory).map_err(|e| failed("writing a file in it", e))?;
    let about = rustix::fs::statfs(directory).map_err(|e| failed("statfs", e.into()))?;
    let space = rustix::fs::statvfs(directory).map_err(|e| failed("statvfs", e.into()))?;
    // The magic numbers have 32 bits, whatever the width and sign of the field.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let file_system = about.f_type as u32;
    Ok(Survey {
        existed: made.0.is_empty(),
        file_system,
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        flush,
    })
}

/// Directories that were made, the innermost last. They are removed again.
struct Made(Vec<PathBuf>);

impl Made {
    fn directories(directory: &Path) -> io::Result<Self> {
        let mut missing = Vec::new();
        for level in directory.ancestors().take(DEPTH_MAX) {
            if level.as_os_str().is_empty() || level.try_exists()? {
                break;
            }
            missing.push(level.to_owned());
        }
        let mut made = Self(Vec::new());
        for level in missing.into_iter().rev() {
            match fs::create_dir(&level) {
                Ok(()) => made.0.push(level),
                // "a/../b" names b twice.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Ok(made)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for level in self.0.iter().rev() {
            // Somebody else's file in it means that it is in use by now, and stays.
            drop(fs::remove_dir(level));
        }
    }
}

/// A file that is removed again.
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn flush_time(directory: &Path) -> io::Result<Duration> {
    let path = directory.join(format!(".plimsoll-doctor-{}", std::process::id()));
    // One that was killed under the same number, as in a container, left its own.
    drop(fs::remove_file(&path));
    let mut file = File::create_new(&path)?;
    let _probe = Probe(path);
    let began = Instant::now();
    let mut times = Vec::with_capacity(FLUSHES);
    while times.len() < FLUSHES && (times.is_empty() || began.elapsed() < FLUSH_TIME_MAX) {
        let before = Instant::now();
        file.write_all(&[0x5a; FLUSH_BYTES])?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    file.sync_all()?;
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// Says what it means for `role`.
pub(super) fn judge(
    key: &str,
    role: Role,
    directory: &Path,
    survey: &Result<Survey, String>,
) -> Vec<Finding> {
    let path = directory.display();
    let survey = match survey {
        Ok(survey) => survey,
        Err(problem) => {
            let advice = format!(
                "{problem}; set {key} to a directory this user (uid {}) may write",
                rustix::process::geteuid().as_raw()
            );
            return vec![Finding::fail(key, path.to_string(), advice)];
        }
    };
    let existing = if survey.existed { "" } else { ", can be made" };
    vec![
        Finding::ok(key, format!("{path}, writable{existing}")),
        file_system(format!("{key} on"), role, survey.file_system),
        free(format!("{key} free"), survey.free_bytes),
        flush(format!("{key} flush"), survey.flush),
    ]
}

fn file_system(what: String, role: Role, number: u32) -> Finding {
    let name = KNOWN_FILE_SYSTEMS
        .iter()
        .find(|(known, ..)| *known == number)
        .map_or_else(|| format!("file system {number:#x}"), |(_, name, _)| (*name).to_owned());
    let nature = KNOWN_FILE_SYSTEMS.iter().find(|(known, ..)| *known == number).map(|k| k.2);
    let advice = match (nature, role) {
        (None | Some(Nature::Disk), _) => return Finding::ok(what, name),
        (Some(Nature::Memory), Role::Data) => {
            "it is lost at a restart, and its files count as memory; use a disk"
        }
        (Some(Nature::Memory), Role::Spill) => {
            "what is spilled stays in memory, beside the limit; use a disk"
        }
        (Some(Nature::Network), Role::Data) => {
            "SQLite needs locks and shared memory that a network or user file system may lack; \
             use a local disk"
        }
        (Some(Nature::Network), Role::Spill) => "it is slow for spilling; use a local disk",
        (Some(Nature::Overlay), Role::Data) => {
            "it goes when the container goes, and copies files up; mount a volume"
        }
        (Some(Nature::Overlay), Role::Spill) => "it is slow for spilling; mount a volume",
    };
    Finding::warn(what, name, advice)
}

fn free(what: String, bytes: u64) -> Finding {
    let value = ByteSize::new(bytes).to_string();
    let finding = if bytes < FREE_BYTES_MIN {
        let least = ByteSize::new(FREE_BYTES_MIN);
        Finding::fail(what, value, format!("free at least {least}"))
    } else if bytes < FREE_BYTES_WANTED {
        let wanted = ByteSize::new(FREE_BYTES_WANTED);
        Finding::warn(what, value, format!("{wanted} or more leaves room for imports and sorts"))
    } else {
        Finding::ok(what, value)
    };
    finding.figure(bytes, "bytes")
}

fn flush(what: String, time: Duration) -> Finding {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let value = format!("{}.{:03} ms", micros / 1000, micros % 1000);
    let finding = if time > FLUSH_WANTED {
        Finding::warn(what, value, "every commit waits for it; use a faster disk")
    } else {
        Finding::ok(what, value)
    };
    finding.figure(micros, "microseconds")
}

/// What stands behind a file system, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nature {
    Disk,
    Memory,
    Network,
    Overlay,
}

/// Numbers of linux/magic.h and of the file systems' own headers.
const KNOWN_FILE_SYSTEMS: [(u32, &str, Nature); 15] = [
    (0x0000_ef53, "ext4", Nature::Disk),
    (0x5846_5342, "xfs", Nature::Disk),
    (0x9123_683e, "btrfs", Nature::Disk),
    (0x2fc1_2fc1, "zfs", Nature::Disk),
    (0xf2f5_2010, "f2fs", Nature::Disk),
    (0x0102_1994, "tmpfs", Nature::Memory),
    (0x8584_58f6, "ramfs", Nature::Memory),
    (0x0000_6969, "nfs", Nature::Network),
    (0x0000_517b, "smb", Nature::Network),
    (0xff53_4d42, "cifs", Nature::Network),
    (0xfe53_4d42, "smb2", Nature::Network),
    (0x0102_1997, "9p", Nature::Network),
    (0x00c3_6400, "ceph", Nature::Network),
    (0x6573_5546, "fuse", Nature::Network),
    (0x794c_7630, "overlay", Nature::Overlay),
];

#[cfg(test)]
mod tests;
