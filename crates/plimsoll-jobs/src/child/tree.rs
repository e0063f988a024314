//! A command with everything it started, found without its help.
//!
//! ```text
//!   root ─┬─ child ── grandchild        by parents
//!         ├─ group or session it leads  also once the parent between them is gone
//!         └─ seen before                also after setsid, by number and start time
//!
//!   this process as subreaper: what lost its parent becomes its child, and nothing escapes
//! ```
//!
//! Promises: a number that the kernel gave to another process since is never signalled; memory
//! that forks share counts once where that decides anything.
//! Never: this process itself; a wait without an end.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::census;
use super::stat::{self, Process};

/// A look may be this old: trees that are looked at in the same moment share one.
const YOUNG: Duration = Duration::from_millis(10);
/// Between two rounds of killing: what was forked meanwhile is in the second.
const KILL_AGAIN: Duration = Duration::from_millis(50);

/// Rounds until all of a tree stand still; one that the kernel holds never does.
const FREEZE_ROUNDS: usize = 50;

/// What a tree has at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident bytes of all its processes together.
    pub bytes: u64,
    /// The most that a single one of them ever had, also between two looks.
    pub single_peak_bytes: u64,
    /// How many they are.
    pub processes: usize,
}

/// A process and its descendants.
#[derive(Debug)]
pub struct Tree {
    /// The process whose children are all members; 0 is none.
    adopter: i32,
    /// No member began before it.
    since: u64,
    /// Number and start time of those seen.
    known: BTreeMap<i32, u64>,
    /// Groups and sessions that members lead, as long as somebody is in them.
    led: BTreeSet<i32>,
    /// The last look was as old as this.
    looked: Instant,
}

impl Tree {
    /// The tree below a child that runs. What leaves its parents, its group and its session at once
    /// before it was ever seen is not found.
    #[must_use]
    pub fn below(child: &std::process::Child) -> Self {
        let root = i32::try_from(child.id()).unwrap_or_default();
        let since = stat::one(root).map_or(u64::MAX, |process| process.start);
        let known = BTreeMap::from([(root, since)]);
        let looked = Instant::now();
        Self { adopter: 0, since, known, led: BTreeSet::from([root]), looked }
    }

    /// The same where every child of this process belongs to it: it has one command alone and is
    /// its subreaper, so that nothing gets away.
    #[must_use]
    pub fn of_all_below(child: &std::process::Child) -> Self {
        let adopter = i32::try_from(std::process::id()).unwrap_or_default();
        Self { adopter, ..Self::below(child) }
    }

    /// Looks at every process of the tree. Where they have more than `limit_bytes` together, pages
    /// they share count once, as far as the kernel lets this user see that.
    pub fn look(&mut self, limit_bytes: u64) -> Usage {
        let now = Instant::now();
        let members = self.members(now.checked_sub(YOUNG).unwrap_or(now));
        let living = members.iter().filter(|process| !process.ended);
        let mut usage = Usage::default();
        for process in living.clone() {
            usage.bytes += process.rss_bytes;
            usage.single_peak_bytes = usage.single_peak_bytes.max(stat::peak_bytes(process.pid));
            usage.processes += 1;
        }
        if usage.bytes > limit_bytes && usage.processes > 1 {
            usage.bytes = living.map(share_bytes).sum();
        }
        usage
    }

    /// The same, and nothing of what it sees is older than this call.
    pub(super) fn look_now(&mut self, limit_bytes: u64) -> Usage {
        self.looked = Instant::now();
        self.look(limit_bytes)
    }

    /// Sends every process of the tree a signal, and says how many there were. What is forked
    /// meanwhile outside of the tree's groups is found by the next call.
    pub fn signal(&mut self, signal: Signal) -> usize {
        let members = self.members(Instant::now());
        // A whole group at once: none of it can fork out of the way.
        let groups: BTreeSet<i32> = members.iter().map(|process| process.group).collect();
        for group in groups.intersection(&self.led).filter_map(|group| Pid::from_raw(*group)) {
            let _gone = rustix::process::kill_process_group(group, signal);
        }
        let alone = members.iter().filter(|p| !p.ended && !self.led.contains(&p.group));
        for process in alone {
            send(process, signal);
        }
        members.iter().filter(|process| !process.ended).count()
    }

    /// Kills the tree until nothing of it runs or the time is over, and says how many still do.
    pub fn kill(&mut self, within: Duration) -> usize {
        let until = Instant::now() + within;
        self.freeze();
        loop {
            let running = self.signal(Signal::KILL);
            let left = until.saturating_duration_since(Instant::now());
            if running == 0 || left.is_zero() {
                return running;
            }
            let living = self.members(Instant::now()).into_iter().find(|process| !process.ended);
            if let Some(held) = living.and_then(|process| hold(&process)) {
                wait_ended(&held, left.min(KILL_AGAIN));
            }
        }
    }

    /// Stops all of it, so that none is forked and orphaned between a look and a signal.
    fn freeze(&mut self) {
        let mut before = BTreeMap::new();
        for _ in 0..FREEZE_ROUNDS {
            self.signal(Signal::STOP);
            let still =
                self.members(Instant::now()).iter().all(|process| process.ended || process.stopped);
            if still && self.known == before {
                return;
            }
            before.clone_from(&self.known);
        }
    }

    /// Those that there were at `at` or later.
    fn members(&mut self, at: Instant) -> Vec<Process> {
        // Each is another one: two that agree are two readings.
        let census = census::since(at.max(self.looked + Duration::from_nanos(1)));
        self.looked = census.begun;
        let members = select(&census.all, self);
        self.known = members.iter().map(|process| (process.pid, process.start)).collect();
        self.led = members
            .iter()
            .flat_map(|process| [process.group, process.session])
            .filter(|id| self.led.contains(id) || self.known.contains_key(id))
            .collect();
        members
    }
}

/// Its share of its pages; all of them where that is not to be seen, none once it ends.
fn share_bytes(process: &Process) -> u64 {
    let now = || stat::one(process.pid).filter(|now| now.start == process.start);
    stat::share_bytes(process.pid).or_else(|| Some(now()?.rss_bytes)).unwrap_or(0)
}

fn send(process: &Process, signal: Signal) {
    if let Some(held) = hold(process) {
        let _ended = pidfd_send_signal(&held, signal);
    }
}

/// A descriptor of this very process, and of no other that has its number by now.
fn hold(process: &Process) -> Option<OwnedFd> {
    let held = pidfd_open(Pid::from_raw(process.pid)?, PidfdFlags::empty()).ok()?;
    stat::one(process.pid).filter(|now| now.start == process.start).map(|_| held)
}

/// Waits for the end of a process, for so long at most.
pub(super) fn wait_ended(held: &OwnedFd, time: Duration) {
    let time = Timespec::try_from(time).unwrap_or_default();
    // A signal of ours cuts it short: whoever waits looks again.
    let _cut_short = poll(&mut [PollFd::new(held, PollFlags::IN)], Some(&time));
}

/// Those of `all` that belong to the tree.
fn select(all: &[Process], tree: &Tree) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found: BTreeMap<i32, Process> = BTreeMap::new();
    // A round finds at least one more, or is the last.
    loop {
        let before = found.len();
        for process in all.iter().filter(|p| p.pid != own && p.start >= tree.since) {
            let seen = tree.known.get(&process.pid) == Some(&process.start);
            let led = tree.led.contains(&process.group) || tree.led.contains(&process.session);
            let adopted = tree.adopter != 0 && process.parent == tree.adopter;
            if seen || led || adopted || found.contains_key(&process.parent) {
                found.insert(process.pid, *process);
            }
        }
        if found.len() == before {
            return found.into_values().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32, start: u64) -> Process {
        let session = group;
        let (ended, stopped) = (false, false);
        Process { pid, parent, group, session, start, rss_bytes: 0, ended, stopped }
    }

    fn tree() -> Tree {
        let known = BTreeMap::from([(100, 50)]);
        let looked = Instant::now();
        Tree { adopter: 0, since: 50, known, led: BTreeSet::from([100]), looked }
    }

    fn pids(all: &[Process], tree: &Tree) -> Vec<i32> {
        select(all, tree).iter().map(|process| process.pid).collect()
    }

    #[test]
    fn members_are_found_by_parents_by_groups_and_by_having_been_seen() {
        let all = [
            process(7, 101, 102, 60), // a number below its parent's: the kernel began anew
            process(100, 1, 100, 50),
            process(101, 100, 100, 55),
            process(103, 1, 100, 56), // its parent is gone
            process(104, 1, 104, 57), // nobody's
        ];
        let mut tree = tree();
        assert_eq!(pids(&all, &tree), [7, 100, 101, 103]);
        tree.known.insert(104, 57);
        assert_eq!(pids(&all, &tree), [7, 100, 101, 103, 104]);
        tree.known.insert(104, 51);
        assert_eq!(pids(&all, &tree), [7, 100, 101, 103], "the number is another's by now");
    }

    #[test]
    fn what_began_before_the_root_is_no_member() {
        let all = [process(100, 1, 100, 50), process(101, 1, 100, 49)];
        assert_eq!(pids(&all, &tree()), [100]);
    }

    #[test]
    fn every_child_of_the_adopter_belongs_to_its_command() {
        let all = [process(100, 9, 100, 50), process(104, 9, 104, 57), process(105, 104, 105, 58)];
        assert_eq!(pids(&all, &Tree { adopter: 9, ..tree() }), [100, 104, 105]);
    }
}
