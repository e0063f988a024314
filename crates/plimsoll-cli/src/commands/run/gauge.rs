//! How the memory of a command is read, and how all of it is signalled.
//!
//! ```text
//!   in a cgroup of its own   memory.current without what the kernel takes back; memory.peak
//!   else                     RSS of the whole tree; pages that forks share count once
//! ```
//!
//! Promises: one reading has one meaning throughout a run.
//! Never: page cache counted as the command's need.

use std::process::Child;

use plimsoll_jobs::child::{Tree, Usage};
use rustix::process::Signal;

use super::course::Bounds;
use super::group::Group;

/// Of a cgroup's limit, what is left when the command is asked: at the limit itself the kernel
/// kills it at once.
const ASKED_BEFORE_PART: u64 = 16;

/// The command's memory.
pub(super) struct Gauge {
    tree: Tree,
    group: Option<Group>,
}

impl Gauge {
    pub(super) fn new(child: &Child, group: Option<Group>) -> Self {
        Self { tree: Tree::of_all_below(child), group }
    }

    /// At how many bytes it is asked to stop.
    pub(super) fn limit_bytes(&self, bounds: &Bounds) -> u64 {
        match (bounds.memory_bytes, &self.group) {
            (Some(bytes), Some(_)) => bytes - bytes / ASKED_BEFORE_PART,
            (bytes, _) => bytes.unwrap_or(u64::MAX),
        }
    }

    /// Reads.
    pub(super) fn look(&mut self, limit_bytes: u64) -> Usage {
        let usage = self.tree.look(limit_bytes);
        match self.group.as_ref().and_then(Group::bytes) {
            Some(bytes) => Usage { bytes, ..usage },
            None => usage,
        }
    }

    /// The most there was, where the kernel kept it.
    pub(super) fn peak_bytes(&self) -> Option<u64> {
        self.group.as_ref().and_then(Group::peak_bytes)
    }

    /// Whether the kernel killed it at its limit.
    pub(super) fn is_killed_at_limit(&self) -> bool {
        self.group.as_ref().is_some_and(Group::is_killed_at_limit)
    }

    /// Signals all of it, and says how many processes there were.
    pub(super) fn signal(&mut self, signal: Signal) -> usize {
        if signal == Signal::KILL
            && let Some(group) = &self.group
        {
            group.kill();
        }
        self.tree.signal(signal)
    }
}
