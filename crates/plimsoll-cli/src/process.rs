//! What the kernel says of this process.
//!
//! Promises: reads /proc; a number that cannot be read is zero.
//! Never: anything of another process.

use std::fs;
use std::ops::Range;
use std::path::Path;

use plimsoll_server::{ProcessProbe, ProcessSample};

/// Resident bytes now.
pub(crate) fn resident_bytes() -> u64 {
    resident().0
}

/// Resident bytes now, and those of them that are pages of files: the program's own, mostly.
pub(crate) fn resident() -> (u64, u64) {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let mut pages = text.split_ascii_whitespace().map(|pages| pages.parse::<u64>().unwrap_or(0));
    let mut bytes = |nth| pages.nth(nth).unwrap_or(0) * rustix::param::page_size() as u64;
    (bytes(1), bytes(0))
}

/// Where the program's code lies: pages of its file that are never written.
pub(crate) fn code() -> Option<Range<usize>> {
    let program = fs::read_link("/proc/self/exe").ok()?;
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| code_of(line, &program))
}

/// `start-end perms offset device inode      path`, of the mapping that is the program's code.
fn code_of(line: &str, program: &Path) -> Option<Range<usize>> {
    let (fields, path) = line.split_at_checked(line.find('/')?)?;
    let mut fields = fields.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    if fields.next()? != "r-xp" || Path::new(path) != program {
        return None;
    }
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{code, code_of, resident};

    #[test]
    fn only_the_programs_own_code_is_found() {
        let of = |line: &str| code_of(line, Path::new("/opt/a b/plimsoll"));
        let line = "55a0-55b0 r-xp 0038f000 fe:00 77    /opt/a b/plimsoll";
        assert_eq!(of(line), Some(0x55a0..0x55b0));
        assert_eq!(of(&line.replace("r-xp", "r--p")), None);
        assert_eq!(of(&line.replace("r-xp", "rw-p")), None);
        assert_eq!(of("55a0-55b0 r-xp 0038f000 fe:00 77    /lib/libc.so.6"), None);
        assert_eq!(of("7ffd-7fff r-xp 00000000 00:00 0     [vdso]"), None);
        // This test's own.
        let here = only_the_programs_own_code_is_found as fn() as usize;
        assert!(code().expect("a program has code").contains(&here));
        let (all, of_files) = resident();
        assert!(all > of_files && of_files > 0, "{all} {of_files}");
    }
}
