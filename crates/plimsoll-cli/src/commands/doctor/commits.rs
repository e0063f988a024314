//! How many commits a second the data directory takes, one after the other.
//!
//! Promises: a database of its own, gone afterwards; at most [`COMMITS_MAX`] commits and about
//! [`TIME_MAX`].
//! Never: grouped commits: this is what a single writer gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase, migrate};
use plimsoll_store::{Database, Error, ErrorKind, Priority, Write, WriteUnit};

use super::finding::Finding;

/// Enough that one slow flush does not decide.
const COMMITS_MAX: u32 = 50;
const TIME_MAX: Duration = Duration::from_secs(1);
/// Below this a client that writes row by row notices.
const PER_SECOND_WANTED: u64 = 50;
/// The probe's rows are a few bytes.
const CACHE_BYTES: u64 = 256 << 10;
/// The time that the probe's rows carry; nothing reads it.
const NOW_MICROS: i64 = 0;

const WHAT: &str = "commits/s alone";

/// Directory of the probe, removed with what is in it.
struct Probe(PathBuf);

impl Drop for Probe {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Commits a second in `directory`, which may have to be made for the while.
pub(super) fn measure(directory: &Path) -> Result<u64, Error> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::Io, format!("making the probe: {e}"));
    // A directory that is not there yet is made by `plimsoll serve`; until then its nearest
    // ancestor is on the same disk.
    let base = directory
        .ancestors()
        .map(|a| if a.as_os_str().is_empty() { Path::new(".") } else { a })
        .find(|a| a.is_dir())
        .unwrap_or(directory);
    let probe = base.join(format!(".plimsoll-doctor-{}.d", std::process::id()));
    // One that was killed under the same number, as in a container, left its own.
    drop(fs::remove_dir_all(&probe));
    fs::create_dir(&probe).map_err(failed)?;
    let probe = Probe(probe);
    let file = probe.0.join("probe.db");
    migrate(&file, &[], NOW_MICROS)?;
    let config = SqliteConfig {
        file,
        readers: 1,
        reader_cache_bytes: CACHE_BYTES,
        writer_cache_bytes: CACHE_BYTES,
        value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
        writable: true,
    };
    let database = SqliteDatabase::open(&config, &mut [])?;
    let began = Instant::now();
    let mut done = 0;
    while done < COMMITS_MAX && began.elapsed() < TIME_MAX {
        let put = Write::Put { kind: "doctor", key: done.to_string().into(), state: "{}".into() };
        database.write(WriteUnit::of(put, NOW_MICROS), Priority::Normal).wait()?;
        done += 1;
    }
    let micros = began.elapsed().as_micros().max(1);
    database.close()?;
    Ok(u64::try_from(u128::from(done) * 1_000_000 / micros).unwrap_or(u64::MAX))
}

/// Says what it means.
pub(super) fn judge(per_second: &Result<u64, Error>) -> Finding {
    match per_second {
        Ok(rate) if *rate < PER_SECOND_WANTED => {
            let advice = "send rows together, or use a disk that flushes faster";
            Finding::warn(WHAT, rate.to_string(), advice).figure(*rate, "per second")
        }
        Ok(rate) => Finding::ok(WHAT, rate.to_string()).figure(*rate, "per second"),
        Err(error) => {
            let advice = format!("a database in data_dir cannot be written: {error}");
            Finding::fail(WHAT, "none", advice)
        }
    }
}

/// The line where the directory cannot be used at all.
pub(super) fn not_measured() -> Finding {
    Finding::warn(WHAT, "not measured", "mend data_dir first")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::{Error, ErrorKind, judge, measure};

    #[test]
    fn commits_are_counted_and_nothing_is_left() {
        let parent = tempfile::tempdir().unwrap();
        for directory in [parent.path().to_owned(), parent.path().join("later/data")] {
            assert!(measure(&directory).unwrap() > 0);
            assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_place_that_takes_no_database_fails() {
        let measured = measure(Path::new("/proc"));
        assert_eq!(judge(&measured).level, Level::Fail, "{measured:?}");
    }

    #[test]
    fn a_slow_disk_is_warned_of() {
        assert_eq!(judge(&Ok(49)).level, Level::Warn);
        assert_eq!(judge(&Ok(50)).level, Level::Ok);
        let error = Error::new(ErrorKind::DiskFull, "the disk is full");
        assert!(judge(&Err(error)).advice.ends_with("the disk is full"));
    }
}
