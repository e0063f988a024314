//! The line of asks that wait for bytes: first come, first served.
//!
//! Promises: a later ask is served before an earlier one only where it needs nothing of what the
//! earlier one waits for; the length is bounded.
//! Never: a waker called or dropped while the budget's lock is held; they are handed out.
//!
//! ```text
//!   order: [ A 20M http ] [ B 1M http ] [ C 1M jobs ]        one pass, from the front:
//!            │              │             └ nobody ahead waits for jobs or process: charged
//!            │              └ passes http, for which A waits: stays, although 1M is left
//!            └ http has 5M left: stays, and marks http for this pass
//!
//!   Waiting ──served──> Granted ──polled──> (slot free)
//!      │  └──limit lowered below the ask──> Refused ──polled──> (slot free)
//!      └──dropped or given up──> (slot free), and a new pass: who stood behind may go now
//! ```

use std::collections::VecDeque;
use std::task::Waker;

use super::slab::Slab;
use super::state::Blocked;
use super::tree::{ROOT, Tree};
use crate::limits::BUDGET_WAITERS_MAX;

#[derive(Debug)]
pub(super) enum Outcome {
    Waiting,
    Granted,
    Refused(Blocked),
}

#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) consumer: usize,
    pub(super) bytes: u64,
    pub(super) outcome: Outcome,
    pub(super) waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct Line {
    waiters: Slab<Waiter>,
    /// Slots of those whose outcome is `Waiting`, the oldest first.
    order: VecDeque<usize>,
    /// Number of the last pass; a node carrying it is waited for.
    pass: u64,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { waiters: Slab::new(BUDGET_WAITERS_MAX), order: VecDeque::new(), pass: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The level above `node` for which somebody in line waits, the widest of them.
    pub(super) fn waited_for(&self, tree: &Tree, node: usize) -> Option<usize> {
        if self.order.is_empty() {
            return None;
        }
        tree.levels(node).filter(|level| tree.nodes[*level].blocked_pass == self.pass).last()
    }

    /// Puts an ask that cannot be served now at the end. Unless it only stands behind others it
    /// is the first to wait for its level, which is `marked`. `None` when the line is full.
    pub(super) fn join(&mut self, tree: &mut Tree, waiter: Waiter, marked: bool) -> Option<usize> {
        let (consumer, bytes) = (waiter.consumer, waiter.bytes);
        let slot = self.waiters.insert(waiter)?;
        if self.order.is_empty() {
            // Marks of passes before the line ran empty must not count again.
            self.pass += 1;
        }
        self.order.push_back(slot);
        if marked {
            mark_widest(tree, consumer, bytes, self.pass);
        }
        Some(slot)
    }

    /// One pass: charges every ask that can be served in order and hands out its waker.
    pub(super) fn serve(&mut self, tree: &mut Tree, woken: &mut Vec<Waker>) {
        if self.order.is_empty() {
            return;
        }
        self.pass += 1;
        let mut place = 0;
        while let Some(slot) = self.order.get(place).copied() {
            let waiter = &mut self.waiters[slot];
            let node = tree.consumers[waiter.consumer].node;
            let stands_behind =
                tree.levels(node).any(|level| tree.nodes[level].blocked_pass == self.pass);
            if stands_behind {
                place += 1;
                continue;
            }
            if tree.charge(waiter.consumer, waiter.bytes).is_ok() {
                waiter.outcome = Outcome::Granted;
                woken.extend(waiter.waker.take());
                self.order.remove(place);
                continue;
            }
            if mark_widest(tree, waiter.consumer, waiter.bytes, self.pass) == Some(ROOT) {
                // Everybody behind needs the process too.
                return;
            }
            place += 1;
        }
    }

    /// Takes those out of the line that `refuse` has an answer for.
    pub(super) fn refuse_where(
        &mut self,
        woken: &mut Vec<Waker>,
        refuse: impl Fn(&Waiter) -> Option<Blocked>,
    ) {
        let waiters = &mut self.waiters;
        self.order.retain(|slot| {
            let waiter = &mut waiters[*slot];
            let Some(blocked) = refuse(waiter) else {
                return true;
            };
            waiter.outcome = Outcome::Refused(blocked);
            woken.extend(waiter.waker.take());
            false
        });
    }

    /// The ask that has waited longest.
    pub(super) fn head(&self) -> Option<&Waiter> {
        self.order.front().map(|slot| &self.waiters[*slot])
    }

    pub(super) fn waiter_mut(&mut self, slot: usize) -> &mut Waiter {
        &mut self.waiters[slot]
    }

    /// Frees the slot, wherever in its life the ask is.
    pub(super) fn leave(&mut self, slot: usize) -> Waiter {
        self.order.retain(|other| *other != slot);
        self.waiters.remove(slot)
    }
}

/// Marks the widest level that is short of an ask: whoever needs that level stands behind it.
fn mark_widest(tree: &mut Tree, consumer: usize, bytes: u64, pass: u64) -> Option<usize> {
    let level = tree.shortages(consumer, bytes).last()?.level;
    tree.nodes[level].blocked_pass = pass;
    Some(level)
}
