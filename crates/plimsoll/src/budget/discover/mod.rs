//! Where the limit of the process comes from.
//!
//! Promises: the tightest of what a person set, what the kernel enforces on this process or any
//! of its ancestors, and, where nobody set one, a share of the machine; the source is named.
//! Never: a file read past a bound, or a limit above one the kernel would kill for.
//!
//! ```text
//!   flag, variable or file ──┐
//!   cgroup v2, all levels  ──┤
//!   cgroup v1, all levels  ──┼── the smallest ──> Limit { bytes, source, cut }
//!   RLIMIT_AS              ──┤                                        └ what was asked for,
//!   70 % of RAM, at most     │                                          where it is more
//!   512 MiB, if none is set ─┘
//! ```

mod cgroup;

use std::fmt;
use std::io::Read;

use crate::error::{Error, Result};
use crate::limits::{DEFAULT_LIMIT_BYTES_MAX, DEFAULT_LIMIT_RAM_PERCENT, SYSTEM_FILE_BYTES_MAX};
use crate::units::ByteSize;

/// The small text files in which a system describes itself.
pub trait SystemFiles {
    /// The whole text of the file at the absolute `path`, or `None` where it cannot be read.
    fn read(&self, path: &str) -> Option<String>;
}

/// The files of the machine this runs on. Reads at most
/// [`crate::limits::SYSTEM_FILE_BYTES_MAX`] of one.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFiles;

impl SystemFiles for HostFiles {
    fn read(&self, path: &str) -> Option<String> {
        let file = std::fs::File::open(path).ok()?;
        let mut bytes = Vec::new();
        file.take(SYSTEM_FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A limit a person set, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplicitLimit {
    /// The limit, in bytes.
    pub bytes: u64,
    /// Where it was set, as messages name it, e.g. `--memory-limit`.
    pub origin: String,
}

/// The limit found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit, in bytes.
    pub bytes: u64,
    /// What sets it.
    pub source: LimitSource,
    /// What was asked for, where something tighter stands.
    pub cut: Option<ExplicitLimit>,
}

/// What sets the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// A person.
    Explicit {
        /// Where it was set.
        origin: String,
    },
    /// A control group of the unified hierarchy.
    CgroupV2 {
        /// Its path below the mount, `/` for the mount itself.
        path: String,
    },
    /// A control group of the memory hierarchy.
    CgroupV1 {
        /// Its path below the mount, `/` for the mount itself.
        path: String,
        /// The file, and the line in it where it has several.
        file: &'static str,
    },
    /// The process's limit of address space.
    AddressSpace,
    /// A share of the machine's memory.
    Ram {
        /// The machine's memory, in bytes.
        total_bytes: u64,
    },
}

impl fmt::Display for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit { origin } => f.write_str(origin),
            Self::CgroupV2 { path } => write!(f, "cgroup v2 {path} (memory.max)"),
            Self::CgroupV1 { path, file } => write!(f, "cgroup v1 {path} ({file})"),
            Self::AddressSpace => f.write_str("RLIMIT_AS"),
            Self::Ram { total_bytes } => {
                let total = ByteSize::new(*total_bytes);
                write!(f, "{DEFAULT_LIMIT_RAM_PERCENT} % of {total} RAM")?;
                if share_of(*total_bytes) > DEFAULT_LIMIT_BYTES_MAX {
                    let most = ByteSize::new(DEFAULT_LIMIT_BYTES_MAX);
                    write!(f, ", capped at {most}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", ByteSize::new(self.bytes), self.source)?;
        match &self.cut {
            None => Ok(()),
            Some(asked) => write!(
                f,
                ", which is tighter than the {} of {}",
                ByteSize::new(asked.bytes),
                asked.origin
            ),
        }
    }
}

/// Finds the limit of this process. `address_space_bytes` is RLIMIT_AS where it is set.
///
/// ```
/// use plimsoll::budget::discover::{ExplicitLimit, SystemFiles, discover};
/// struct Laptop;
/// impl SystemFiles for Laptop {
///     fn read(&self, path: &str) -> Option<String> {
///         (path == "/proc/meminfo").then(|| "MemTotal: 24117248 kB\n".to_string())
///     }
/// }
/// let limit = discover(&Laptop, None, None)?;
/// assert_eq!(limit.to_string(), "512 MiB from 70 % of 23 GiB RAM, capped at 512 MiB");
///
/// let flag = ExplicitLimit { bytes: 64 << 20, origin: "--memory-limit".to_string() };
/// assert_eq!(discover(&Laptop, Some(flag), None)?.to_string(), "64 MiB from --memory-limit");
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when nothing says how much there is; a limit has to be set then.
pub fn discover(
    files: &dyn SystemFiles,
    explicit: Option<ExplicitLimit>,
    address_space_bytes: Option<u64>,
) -> Result<Limit> {
    let mut found = cgroup::limits(files);
    found.extend(address_space_bytes.map(|bytes| (bytes, LimitSource::AddressSpace)));
    match &explicit {
        Some(asked) => {
            found.push((asked.bytes, LimitSource::Explicit { origin: asked.origin.clone() }))
        }
        None => found.extend(ram_total_bytes(files).map(|total_bytes| {
            let share = share_of(total_bytes).min(DEFAULT_LIMIT_BYTES_MAX);
            (share, LimitSource::Ram { total_bytes })
        })),
    }
    // Of two that are equal the one a person set, or else the later, is named.
    let (bytes, source) =
        found.into_iter().rev().min_by_key(|(bytes, _)| *bytes).ok_or_else(|| {
            Error::invalid(
                "cannot find a memory limit: no control group, no RLIMIT_AS and no MemTotal in \
                 /proc/meminfo; set one, such as 256M",
            )
        })?;
    let cut = explicit.filter(|asked| asked.bytes > bytes);
    Ok(Limit { bytes, source, cut })
}

fn share_of(total_bytes: u64) -> u64 {
    total_bytes / 100 * DEFAULT_LIMIT_RAM_PERCENT
}

/// `MemTotal:  24035232 kB`.
fn ram_total_bytes(files: &dyn SystemFiles) -> Option<u64> {
    let text = files.read("/proc/meminfo")?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests;
