//! What the kernel charges this process's control group with, beside resident memory.
//!
//! ```text
//!   /proc/self/cgroup  "0::/a/b"         -> /sys/fs/cgroup/a/b/memory.stat          (v2)
//!                      "4:memory:/a/b"   -> /sys/fs/cgroup/memory/a/b/memory.stat   (v1)
//! ```
//!
//! Promises: only lines that are there; a group that cannot be read has none.
//! Never: a number of another group; the limit is found elsewhere.

use std::fs;

/// Lines that are shown, under the names of either version.
const LINES: [&str; 7] = ["anon", "rss", "file", "cache", "kernel", "sock", "shmem"];
/// Files of version 1 that hold what `memory.stat` has in version 2.
const FILES_V1: [(&str, &str); 2] =
    [("kernel", "memory.kmem.usage_in_bytes"), ("sock", "memory.kmem.tcp.usage_in_bytes")];

/// Name and bytes of each line.
pub(crate) fn lines() -> Vec<(&'static str, u64)> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let Some((folder, v1)) = folder(&groups) else { return Vec::new() };
    let mut found = stat(&fs::read_to_string(format!("{folder}/memory.stat")).unwrap_or_default());
    for (name, file) in FILES_V1.iter().filter(|_| v1) {
        let text = fs::read_to_string(format!("{folder}/{file}")).unwrap_or_default();
        found.extend(text.trim().parse().ok().map(|bytes: u64| (*name, bytes)));
    }
    found
}

/// Where the group that counts memory has its files, and whether it is of version 1.
fn folder(groups: &str) -> Option<(String, bool)> {
    let lines = || groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let v1 = lines().find(|(controllers, _)| controllers.split(',').any(|c| c == "memory"));
    let v2 = || lines().find(|(controllers, _)| controllers.is_empty());
    match v1 {
        Some((_, path)) => Some((format!("/sys/fs/cgroup/memory{path}"), true)),
        None => v2().map(|(_, path)| (format!("/sys/fs/cgroup{path}"), false)),
    }
}

fn stat(text: &str) -> Vec<(&'static str, u64)> {
    let line = |line: &str| {
        let (name, bytes) = line.split_once(' ')?;
        let name = LINES.iter().find(|l| **l == name)?;
        Some((*name, bytes.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{folder, stat};

    #[test]
    fn the_group_that_counts_memory_is_found_in_either_version() {
        let v1 = "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n";
        assert_eq!(folder(v1), Some(("/sys/fs/cgroup/memory/a/b".to_owned(), true)));
        let v2 = "0::/system.slice/x.service\n";
        assert_eq!(folder(v2), Some(("/sys/fs/cgroup/system.slice/x.service".to_owned(), false)));
        assert_eq!(folder("nonsense"), None);
    }

    #[test]
    fn only_known_lines_are_taken() {
        let text = "anon 4096\nfile 10\nsock 8192\npgfault 7\nkernel x\n";
        assert_eq!(stat(text), [("anon", 4096), ("file", 10), ("sock", 8192)]);
    }
}
