//! A cgroup (version 2) of its own for one command.
//!
//! ```text
//!   A/own        this process             A counts memory and is ours: the new one beside it
//!   A/plimsoll-N the command
//!
//!   own/plimsoll-N-watch  this process    own is delegated and empty but for this process:
//!   own/plimsoll-N        the command     both inside of it
//! ```
//!
//! Promises: the command is inside from its first instruction; the group is removed when it is
//! over, and this process is where it was.
//! Never: a group that somebody else made is changed, but for the one delegated to this process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Where version 2 is mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// The group of a command.
pub(super) struct Group {
    /// Where this process belongs.
    home: PathBuf,
    /// Where it is while the command runs, if elsewhere.
    moved: Option<PathBuf>,
    folder: PathBuf,
}

impl Group {
    /// Makes it where this process may; else the reason.
    pub(super) fn of_this_process(limit_bytes: Option<u64>) -> Result<Self, String> {
        let groups = fs::read_to_string("/proc/self/cgroup").map_err(|e| e.to_string())?;
        Self::make(Path::new(MOUNT), &groups, limit_bytes)
    }

    fn make(mount: &Path, groups: &str, limit_bytes: Option<u64>) -> Result<Self, String> {
        // Dots lead out of what this process may see.
        let own = groups.lines().find_map(|line| line.strip_prefix("0::/"));
        let own = own.filter(|own| !own.split('/').any(|part| part == ".."));
        let own = own.ok_or("this process is in no group of version 2")?;
        let home = mount.join(own);
        if !words(&home.join("cgroup.controllers")).iter().any(|word| word == "memory") {
            return Err(format!("{} does not count memory", home.display()));
        }
        let name = format!("plimsoll-{}", std::process::id());
        let beside = home.parent().filter(|parent| {
            let control = words(&parent.join("cgroup.subtree_control"));
            !own.is_empty() && control.iter().any(|word| word == "memory")
        });
        let folder = beside.unwrap_or(&home).join(&name);
        let mut group = Self { home: home.clone(), moved: None, folder: folder.clone() };
        if beside.is_none_or(|_| fs::create_dir(&folder).is_err()) {
            group.folder = home.join(&name);
            let watch = home.join(format!("{name}-watch"));
            make_folder(&watch)?;
            group.moved = Some(watch.clone());
            enter(&watch).map_err(|e| told("entering", &watch, &e))?;
            let control = home.join("cgroup.subtree_control");
            fs::write(&control, "+memory").map_err(|e| told("writing", &control, &e))?;
            make_folder(&group.folder)?;
        }
        group.limit(limit_bytes)?;
        // Shows that this process may, before anything depends on it.
        enter(&group.folder).map_err(|e| told("entering", &group.folder, &e))?;
        group.leave().map_err(|e| told("leaving", &group.folder, &e))?;
        Ok(group)
    }

    fn limit(&self, bytes: Option<u64>) -> Result<(), String> {
        let Some(bytes) = bytes else { return Ok(()) };
        let max = self.folder.join("memory.max");
        fs::write(&max, bytes.to_string()).map_err(|e| told("writing", &max, &e))?;
        // What is not there limits nothing: swap that is off, a kernel before 4.19.
        for (name, value) in [("memory.swap.max", "0"), ("memory.oom.group", "1")] {
            let _missing = fs::write(self.folder.join(name), value);
        }
        Ok(())
    }

    /// Starts a command inside. This process goes in, and out again: a child is where its parent
    /// is at that moment.
    pub(super) fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        enter(&self.folder)?;
        let child = command.spawn();
        self.leave()?;
        child
    }

    fn leave(&self) -> io::Result<()> {
        enter(self.moved.as_ref().unwrap_or(&self.home))
    }

    /// Bytes that the kernel cannot take back.
    pub(super) fn bytes(&self) -> Option<u64> {
        let all = number(&self.folder.join("memory.current"))?;
        let stat = fs::read_to_string(self.folder.join("memory.stat")).ok()?;
        Some(all.saturating_sub(taken_back(&stat)))
    }

    /// The most there was, page cache among it.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        number(&self.folder.join("memory.peak"))
    }

    /// Whether the kernel killed a process for the limit.
    pub(super) fn is_killed_at_limit(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("memory.events")).unwrap_or_default();
        line(&events, "oom_kill").is_some_and(|kills| kills > 0)
    }

    /// Kills all that is inside, at once.
    pub(super) fn kill(&self) {
        // A kernel before 5.14 does not have it; each process is killed as well.
        let _missing = fs::write(self.folder.join("cgroup.kill"), "1");
    }
}

impl Drop for Group {
    /// What cannot be removed stays, empty, and limits nobody.
    fn drop(&mut self) {
        let _busy = fs::remove_dir(&self.folder);
        if let Some(moved) = &self.moved {
            let _not_set = fs::write(self.home.join("cgroup.subtree_control"), "-memory");
            let _gone = enter(&self.home);
            let _busy = fs::remove_dir(moved);
        }
    }
}

fn enter(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("cgroup.procs"), "0")
}

fn make_folder(folder: &Path) -> Result<(), String> {
    fs::create_dir(folder).map_err(|e| told("making", folder, &e))
}

fn told(what: &str, path: &Path, error: &io::Error) -> String {
    format!("{what} {}: {error}", path.display())
}

fn words(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn line(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name)?.1.trim().parse().ok()
}

fn taken_back(stat: &str) -> u64 {
    let names = ["active_file", "inactive_file", "slab_reclaimable"];
    names.iter().filter_map(|name| line(stat, name)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files that the kernel would have made.
    fn hierarchy(parent_counts: bool) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/own")).unwrap();
        fs::write(root.path().join("a/own/cgroup.controllers"), "cpu memory\n").unwrap();
        let control = if parent_counts { "memory pids\n" } else { "pids\n" };
        fs::write(root.path().join("a/cgroup.subtree_control"), control).unwrap();
        root
    }

    fn read(path: PathBuf) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_group_is_made_beside_this_process_where_memory_is_counted_there() {
        let root = hierarchy(true);
        let group = Group::make(root.path(), "0::/a/own\n", Some(64 << 20)).unwrap();
        assert_eq!(group.folder.parent(), Some(&*root.path().join("a")));
        assert_eq!(read(group.folder.join("memory.max")), "67108864");
        assert_eq!(read(group.folder.join("memory.oom.group")), "1");
        assert!(group.moved.is_none());
    }

    #[test]
    fn a_delegated_group_holds_the_command_and_its_watcher_side_by_side() {
        let root = hierarchy(false);
        let group = Group::make(root.path(), "1:cpu:/\n0::/a/own\n", None).unwrap();
        let own = root.path().join("a/own");
        assert_eq!(group.folder.parent(), Some(&*own));
        assert_eq!(read(group.moved.as_ref().unwrap().join("cgroup.procs")), "0");
        assert_eq!(read(own.join("cgroup.subtree_control")), "+memory");
        drop(group);
        assert_eq!(read(own.join("cgroup.procs")), "0", "back where it was");
    }

    #[test]
    fn where_no_group_can_be_made_the_reason_is_told() {
        let root = hierarchy(false);
        let refused = |groups: &str| Group::make(root.path(), groups, None).err().unwrap();
        assert!(refused("4:memory:/a\n").contains("no group of version 2"));
        assert!(refused("0::/a\n").contains("does not count memory"));
    }

    #[test]
    fn what_the_kernel_takes_back_does_not_count() {
        let stat = "anon 900\nfile 70\nactive_file 40\ninactive_file 30\nslab_reclaimable 5\n";
        assert_eq!(taken_back(stat), 75);
        assert_eq!(line("low 0\noom 1\noom_kill 2\n", "oom_kill"), Some(2));
        assert_eq!(line("oom_kill x\n", "oom_kill"), None);
    }
}
