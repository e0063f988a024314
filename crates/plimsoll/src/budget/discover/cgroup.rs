//! Memory limits of this process's control groups, version 2 and 1, and of all their ancestors.
//!
//! Promises: every level that is visible from here is looked at; what cannot be read or parsed
//! sets no limit.
//! Never: a write, or a path outside the control group mounts.
//!
//! ```text
//!   /proc/self/cgroup      0::/user/app                      this process's group
//!   /proc/self/mountinfo   .. /user /sys/fs/cgroup .. - cgroup2 ..
//!                             root  mount point         group - root = /app
//!   read  /sys/fs/cgroup/app/memory.max, then /sys/fs/cgroup/memory.max
//! ```
//!
//! Formats: proc(5) for mountinfo, cgroups(7) for cgroup, and the kernel's cgroup-v2 and
//! cgroup-v1/memory documents for the limits.

use super::{LimitSource, SystemFiles};

/// Deeper groups than this do not occur; the bound is for a file that lies.
const DEPTH_MAX: usize = 64;
/// Version 1 writes "no limit" as a page-aligned number near 2^63; no machine has an EiB.
const NO_LIMIT_BYTES_MIN: u64 = 1 << 60;
/// The file of version 1, and the line of its statistics that covers ancestors out of sight.
const V1_LIMIT_FILE: &str = "memory.limit_in_bytes";
const V1_STAT_LINE: &str = "memory.stat hierarchical_memory_limit";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// A place where a hierarchy is mounted.
#[derive(Debug)]
struct Mount {
    version: Version,
    /// The group that the mount point shows.
    root: String,
    point: String,
}

/// Every limit of this process and its ancestors, innermost first.
pub(super) fn limits(files: &dyn SystemFiles) -> Vec<(u64, LimitSource)> {
    let mut found = Vec::new();
    let (Some(groups), Some(table)) =
        (files.read("/proc/self/cgroup"), files.read("/proc/self/mountinfo"))
    else {
        return found;
    };
    let mounts: Vec<Mount> = table.lines().filter_map(parse_mount).collect();
    for (version, group) in groups.lines().filter_map(parse_group) {
        let Some((point, below)) = locate(&mounts, version, group) else {
            continue;
        };
        for path in levels(below) {
            found.extend(limit_at(files, version, point, path));
        }
        if version == Version::V1 {
            found.extend(hierarchical_limit(files, point, below));
        }
    }
    found
}

/// One line of /proc/self/cgroup: `0::/a` (version 2) or `4:cpu,memory:/a` (version 1).
fn parse_group(line: &str) -> Option<(Version, &str)> {
    let mut fields = line.splitn(3, ':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    // A group that was removed below its process is marked so.
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    if id == "0" && controllers.is_empty() {
        return Some((Version::V2, path));
    }
    let memory = controllers.split(',').any(|name| name == "memory");
    memory.then_some((Version::V1, path))
}

/// One line of /proc/self/mountinfo, where it mounts a hierarchy that may limit memory:
/// `36 35 0:29 /root /point rw,noatime shared:9 - cgroup2 cgroup2 rw,nsdelegate`.
fn parse_mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    let (kind, _source, options) = (right.next()?, right.next()?, right.next().unwrap_or(""));
    let version = match kind {
        "cgroup2" => Version::V2,
        "cgroup" if options.split(',').any(|option| option == "memory") => Version::V1,
        _ => return None,
    };
    let mut left = left.split(' ').skip(3);
    Some(Mount { version, root: unescape(left.next()?), point: unescape(left.next()?) })
}

/// mountinfo writes space, tab, newline and backslash as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let octal = match rest {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                Some((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'))
            }
            _ => None,
        };
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &rest[4..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The mount point that shows `group`, and the group's path below it (`""` for the point itself).
fn locate<'a>(mounts: &'a [Mount], version: Version, group: &'a str) -> Option<(&'a str, &'a str)> {
    let of_version = || mounts.iter().filter(move |mount| mount.version == version);
    let shows = |mount: &'a Mount| {
        let below = match &*mount.root {
            "/" => group,
            root => group.strip_prefix(root)?,
        };
        let below = below.strip_suffix('/').unwrap_or(below);
        // A group outside this namespace reads `/../other`: nothing below the mount is its.
        let inside = below.is_empty() || below.starts_with('/');
        (inside && !below.split('/').any(|name| name == "..")).then_some((mount, below))
    };
    of_version()
        .filter_map(shows)
        // The shortest root shows the most ancestors.
        .min_by_key(|(mount, _)| mount.root.len())
        .map(|(mount, below)| (&*mount.point, below))
        // Inside a container that was given one subtree, that subtree is what can be seen.
        .or_else(|| of_version().next().map(|mount| (&*mount.point, "")))
}

/// `/a/b`, `/a` and the mount point itself, written as an empty path.
fn levels(below: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(below), |path| path.rfind('/').map(|slash| &path[..slash]))
        .take(DEPTH_MAX)
}

fn limit_at(
    files: &dyn SystemFiles,
    version: Version,
    point: &str,
    path: &str,
) -> Option<(u64, LimitSource)> {
    let file = match version {
        Version::V1 => V1_LIMIT_FILE,
        Version::V2 => "memory.max",
    };
    let text = files.read(&format!("{}{path}/{file}", base(point)))?;
    let path = shown(path);
    let source = match version {
        Version::V1 => LimitSource::CgroupV1 { path, file },
        Version::V2 => LimitSource::CgroupV2 { path },
    };
    Some((parse_limit(&text)?, source))
}

/// The kernel's own minimum over all ancestors, which reaches above a container's mount.
fn hierarchical_limit(
    files: &dyn SystemFiles,
    point: &str,
    path: &str,
) -> Option<(u64, LimitSource)> {
    let text = files.read(&format!("{}{path}/memory.stat", base(point)))?;
    let line = text.lines().find_map(|line| line.strip_prefix("hierarchical_memory_limit "))?;
    let source = LimitSource::CgroupV1 { path: shown(path), file: V1_STAT_LINE };
    Some((parse_limit(line)?, source))
}

/// A mount point as the front of a path.
fn base(point: &str) -> &str {
    point.strip_suffix('/').unwrap_or(point)
}

fn shown(path: &str) -> String {
    if path.is_empty() { "/" } else { path }.to_string()
}

/// `max` and numbers beyond any machine set no limit.
fn parse_limit(text: &str) -> Option<u64> {
    let bytes: u64 = text.trim().parse().ok()?;
    (bytes < NO_LIMIT_BYTES_MIN).then_some(bytes)
}
