//! What the kernel says of this process.
//!
//! Promises: reads /proc; a number that cannot be read is zero.
//! Never: anything of another process.

use std::fs;
use std::path::Path;

use plimsoll_server::{ProcessProbe, ProcessSample};

/// Resident bytes now.
pub(crate) fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// The most resident bytes there have been: VmHWM.
pub(crate) fn resident_peak_bytes() -> u64 {
    status_kib("VmHWM:") << 10
}

fn status_kib(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Files of this process below `directory`: how many, and their bytes. Temporary files of the
/// database have no name any more, so they are found by their descriptors.
pub(crate) fn open_files_below(directory: &Path) -> (u64, u64) {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { return (0, 0) };
    let (mut files, mut bytes) = (0, 0);
    for entry in descriptors.flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target.starts_with(directory) {
            files += 1;
            bytes += fs::metadata(entry.path()).map_or(0, |m| m.len());
        }
    }
    (files, bytes)
}

/// The numbers `/system/memory` and the metrics show.
pub(crate) struct OwnProcess {
    /// Where spilled data lies.
    pub(crate) spill: std::path::PathBuf,
}

impl ProcessProbe for OwnProcess {
    fn sample(&self) -> ProcessSample {
        let (spill_files, spill_bytes) = open_files_below(&self.spill);
        ProcessSample {
            rss_bytes: resident_bytes(),
            rss_peak_bytes: resident_peak_bytes(),
            threads: status_kib("Threads:"),
            allocator: crate::allocator::sample(),
            spill_bytes,
            spill_files,
            cgroup: crate::cgroup::lines(),
        }
    }
}
