//! What the kernel says of one process, and of all.
//!
//! ```text
//!   /proc/N/stat          "4711 (a name) S 1 4711 4711 .." -> parent, group, session, start, RSS
//!   /proc/N/status        VmHWM: the most it had, also between two looks
//!   /proc/N/smaps_rollup  Pss: pages that several share, each counted once among them
//! ```
//!
//! Promises: a process that ended between two reads is not there; its number and its start time
//! together name it for ever.
//! Never: a name that is trusted; it may hold blanks and brackets.

use std::fs;

/// A process as it was a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    /// In ticks since the machine started: with the number it is a name.
    pub(super) start: u64,
    pub(super) rss_bytes: u64,
    /// It has ended, and its parent has not asked how.
    pub(super) ended: bool,
    /// SIGSTOP has reached it.
    pub(super) stopped: bool,
}

/// All that can be seen. As long as the kernel's own table of processes.
pub(super) fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(one).collect()
}

/// The process of this number.
pub(super) fn one(pid: i32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&text))
}

fn parse(pid: i32, text: &str) -> Option<Process> {
    // The name stands in brackets, and may have some itself.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
    let pages: u64 = fields.get(21)?.parse().ok()?;
    Some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start: fields.get(19)?.parse().ok()?,
        rss_bytes: pages * rustix::param::page_size() as u64,
        ended: matches!(*fields.first()?, "Z" | "X"),
        stopped: matches!(*fields.first()?, "T" | "t"),
    })
}

/// The most resident bytes there were since it began the program it runs.
pub(super) fn peak_bytes(pid: i32) -> u64 {
    kib_of(&format!("/proc/{pid}/status"), "VmHWM:").unwrap_or(0) << 10
}

/// Its share of the pages it has. Only for processes of the same user.
pub(super) fn share_bytes(pid: i32) -> Option<u64> {
    kib_of(&format!("/proc/{pid}/smaps_rollup"), "Pss:").map(|kib| kib << 10)
}

fn kib_of(path: &str, name: &str) -> Option<u64> {
    let text = fs::read(path).ok()?;
    let text = String::from_utf8_lossy(&text);
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_shifts_no_field() {
        let rest = "S 7 8 9 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 5150 1000000 25 0";
        for name in ["sh", "a) S 1 1 1 (b", ") (", ""] {
            let found = parse(42, &format!("42 ({name}) {rest}\n")).unwrap();
            assert_eq!((found.parent, found.group, found.session, found.start), (7, 8, 9, 5150));
            assert_eq!(found.rss_bytes, 25 * rustix::param::page_size() as u64);
            assert!(!found.ended);
        }
        assert_eq!(parse(42, "42 (sh) S 7"), None);
        assert_eq!(parse(42, ""), None);
    }

    #[test]
    fn this_process_is_seen_with_its_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        let found = all().into_iter().find(|process| process.pid == own).unwrap();
        assert!(found.rss_bytes > 0 && peak_bytes(own) >= found.rss_bytes / 2);
        assert_eq!(one(own).map(|process| process.start), Some(found.start));
    }
}
