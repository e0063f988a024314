//! Everything the budget's one lock guards: tree, line and meter, and the decisions over them.
//!
//! Promises: each method leaves the whole consistent; nothing here blocks or calls out.
//! Never: a decision split over two locks.

use std::task::Waker;

use super::line::{Line, Outcome, Waiter};
use super::meter::{Meter, headroom_bytes};
use super::refusal::{Holder, Refusal, RefusalCause};
use super::tree::{ROOT, Tree};
use crate::limits::BUDGET_HOLDERS_MAX;

/// How an ask came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Answered at once. Whoever already holds bytes passes those who wait: what waits can only
    /// be served when running work finishes.
    AtOnce,
    /// Ready to wait, so it never passes anyone who waits for the same level.
    InLine,
}

/// Why an ask was not served, with what a refusal and the reclaimers need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) cause: RefusalCause,
    pub(super) level: usize,
    pub(super) left_bytes: u64,
    /// What has to come free.
    pub(super) short_bytes: u64,
}

pub(super) struct State {
    pub(super) tree: Tree,
    pub(super) line: Line,
    pub(super) meter: Meter,
    pub(super) limit_bytes: u64,
}

impl State {
    pub(super) fn new(limit_bytes: u64, meter: Meter) -> Self {
        Self {
            tree: Tree::new(meter.reservable_bytes(limit_bytes)),
            line: Line::new(),
            meter,
            limit_bytes,
        }
    }

    pub(super) fn reserved_bytes(&self) -> u64 {
        self.tree.nodes[ROOT].held_bytes
    }

    /// The cap a person set: the limit for the root.
    pub(super) fn cap_bytes(&self, node: usize) -> u64 {
        match node {
            ROOT => self.limit_bytes,
            _ => self.tree.nodes[node].cap_bytes,
        }
    }

    /// Serves an ask now, or says why not and changes nothing.
    pub(super) fn admit(
        &mut self,
        consumer: usize,
        bytes: u64,
        entry: Entry,
    ) -> Result<(), Blocked> {
        let state = &self.tree.consumers[consumer];
        let passes = bytes == 0 || (entry == Entry::AtOnce && state.held_bytes > 0);
        if !passes && let Some(level) = self.line.waited_for(&self.tree, state.node) {
            return Err(self.never(consumer, bytes).unwrap_or(Blocked {
                cause: RefusalCause::Behind { waiting: self.line.len() },
                level,
                left_bytes: self.tree.left_bytes(level),
                short_bytes: bytes,
            }));
        }
        let Err(shortage) = self.tree.charge(consumer, bytes) else {
            return Ok(());
        };
        Err(self.never(consumer, bytes).unwrap_or(Blocked {
            cause: RefusalCause::Full,
            level: shortage.level,
            left_bytes: shortage.left_bytes,
            short_bytes: bytes - shortage.left_bytes,
        }))
    }

    /// The narrowest level that could not give `bytes` even if nobody held anything.
    fn never(&self, consumer: usize, bytes: u64) -> Option<Blocked> {
        let node = self.tree.consumers[consumer].node;
        let (ceiling, level) = self
            .tree
            .levels(node)
            .map(|level| match level {
                ROOT => (self.limit_bytes - headroom_bytes(self.limit_bytes), ROOT),
                _ => (self.tree.nodes[level].cap_bytes, level),
            })
            .min()?;
        (bytes > ceiling).then(|| Blocked {
            cause: RefusalCause::Never,
            level,
            left_bytes: ceiling,
            short_bytes: bytes - ceiling,
        })
    }

    /// Serves an ask or gives it a place in line, in one step.
    pub(super) fn admit_or_join(
        &mut self,
        consumer: usize,
        bytes: u64,
        waker: Waker,
    ) -> Result<Option<usize>, Blocked> {
        let Err(blocked) = self.admit(consumer, bytes, Entry::InLine) else {
            return Ok(None);
        };
        if blocked.cause == RefusalCause::Never {
            return Err(blocked);
        }
        let waiter = Waiter { consumer, bytes, outcome: Outcome::Waiting, waker: Some(waker) };
        let waiting = self.line.len();
        let marked = blocked.cause == RefusalCause::Full;
        match self.line.join(&mut self.tree, waiter, marked) {
            Some(slot) => Ok(Some(slot)),
            None => Err(Blocked { cause: RefusalCause::LineFull { waiting }, ..blocked }),
        }
    }

    /// Why the oldest ask in line still waits; `Ok` when nobody does.
    pub(super) fn head_blocked(&self) -> Result<(), Blocked> {
        let Some(head) = self.line.head() else {
            return Ok(());
        };
        match self.tree.shortages(head.consumer, head.bytes).next() {
            None => Ok(()),
            Some(shortage) => Err(Blocked {
                cause: RefusalCause::Full,
                level: shortage.level,
                left_bytes: shortage.left_bytes,
                short_bytes: head.bytes - shortage.left_bytes,
            }),
        }
    }

    pub(super) fn give_back(&mut self, consumer: usize, bytes: u64, woken: &mut Vec<Waker>) {
        self.tree.discharge(consumer, bytes);
        self.line.serve(&mut self.tree, woken);
    }

    /// Takes over what the meter or a new limit says, and serves whom it lets in.
    pub(super) fn retune(&mut self, woken: &mut Vec<Waker>) {
        self.tree.nodes[ROOT].cap_bytes = self.meter.reservable_bytes(self.limit_bytes);
        self.line.serve(&mut self.tree, woken);
    }

    /// Sets the limit and answers those in line whom it can never serve.
    pub(super) fn set_limit(&mut self, limit_bytes: u64, woken: &mut Vec<Waker>) {
        self.limit_bytes = limit_bytes;
        let mut line = std::mem::replace(&mut self.line, Line::new());
        line.refuse_where(woken, |waiter| self.never(waiter.consumer, waiter.bytes));
        self.line = line;
        self.retune(woken);
    }

    pub(super) fn refusal(&self, consumer: usize, asked_bytes: u64, blocked: &Blocked) -> Refusal {
        let state = &self.tree.consumers[consumer];
        Refusal {
            node: self.tree.path(state.node).into(),
            consumer: (&*state.name).into(),
            level: self.tree.path(blocked.level).into(),
            cause: blocked.cause,
            asked_bytes,
            held_bytes: state.held_bytes,
            left_bytes: blocked.left_bytes,
            limit_bytes: self.cap_bytes(blocked.level),
            holders: self.holders(blocked.level),
        }
    }

    /// The refusal of an ask that left the line unserved.
    pub(super) fn deadline_refusal(&self, consumer: usize, asked_bytes: u64) -> Refusal {
        let node = self.tree.consumers[consumer].node;
        let level = match self.tree.shortages(consumer, asked_bytes).next() {
            Some(shortage) => shortage.level,
            // There is room, but others stood before it.
            None => self.line.waited_for(&self.tree, node).unwrap_or(ROOT),
        };
        let blocked = Blocked {
            cause: RefusalCause::Deadline { waiting: self.line.len() },
            level,
            left_bytes: self.tree.left_bytes(level),
            short_bytes: 0,
        };
        self.refusal(consumer, asked_bytes, &blocked)
    }

    /// Those below `level` that hold the most; the older one first where two hold the same.
    fn holders(&self, level: usize) -> Box<[Holder]> {
        let mut top: Vec<(u64, u64, usize)> = Vec::with_capacity(BUDGET_HOLDERS_MAX + 1);
        for (slot, consumer) in self.tree.consumers.iter() {
            let below = self.tree.levels(consumer.node).any(|node| node == level);
            if consumer.held_bytes == 0 || !below {
                continue;
            }
            let key = (consumer.held_bytes, u64::MAX - consumer.ordinal, slot);
            let place = top.partition_point(|other| *other > key);
            top.insert(place, key);
            top.truncate(BUDGET_HOLDERS_MAX);
        }
        top.into_iter()
            .map(|(held_bytes, _, slot)| Holder {
                path: self.tree.consumer_path(slot).into(),
                held_bytes,
                can_spill: self.tree.consumers[slot].can_spill,
            })
            .collect()
    }
}
