//! The tree of caps and the consumers below them, as plain data under the budget's lock.
//!
//! Promises: a charge is checked against every level before any level changes; what a node holds
//! is the sum of its consumers' and children's; no level exceeds its cap by a charge.
//! Never: a lock, a waker or a probe; those belong to the callers.
//!
//! ```text
//!   process ──┬── http ──┬── stream    (consumer)      a charge of n bytes to http/stream:
//!    (root)   │          └── export    (consumer)        n <= left of process, n <= left of http,
//!             └── jobs ───── sort      (consumer)        then all three hold n more
//! ```

use std::sync::Arc;

use super::slab::Slab;
use crate::limits::{BUDGET_CONSUMERS_MAX, BUDGET_NODES_MAX};

/// Slot of the root, the only node that is never removed.
pub(super) const ROOT: usize = 0;
/// Name of the root where a path would be empty.
pub(super) const ROOT_NAME: &str = "process";

#[derive(Debug)]
pub(super) struct NodeState {
    pub(super) name: Arc<str>,
    pub(super) parent: Option<usize>,
    /// For the root: what is reservable at present.
    pub(super) cap_bytes: u64,
    pub(super) held_bytes: u64,
    pub(super) peak_bytes: u64,
    /// Consumers below this node that hold something.
    pub(super) active: usize,
    /// The pass over the line in which an ask was found waiting for this level.
    pub(super) blocked_pass: u64,
}

#[derive(Debug)]
pub(super) struct ConsumerState {
    pub(super) name: Arc<str>,
    pub(super) node: usize,
    pub(super) held_bytes: u64,
    pub(super) peak_bytes: u64,
    pub(super) can_spill: bool,
    /// Order of creation, to tell consumers of one name apart.
    pub(super) ordinal: u64,
}

/// A level that has too little left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) level: usize,
    pub(super) left_bytes: u64,
}

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) nodes: Slab<NodeState>,
    pub(super) consumers: Slab<ConsumerState>,
    ordinal_next: u64,
}

impl Tree {
    pub(super) fn new(reservable_bytes: u64) -> Self {
        let mut tree = Self {
            nodes: Slab::new(BUDGET_NODES_MAX),
            consumers: Slab::new(BUDGET_CONSUMERS_MAX),
            ordinal_next: 0,
        };
        let root = tree.add_node(ROOT_NAME.into(), None, reservable_bytes);
        assert_eq!(root, Some(ROOT), "the first node is the root");
        tree
    }

    pub(super) fn add_node(
        &mut self,
        name: Arc<str>,
        parent: Option<usize>,
        cap_bytes: u64,
    ) -> Option<usize> {
        self.nodes.insert(NodeState {
            name,
            parent,
            cap_bytes,
            held_bytes: 0,
            peak_bytes: 0,
            active: 0,
            blocked_pass: 0,
        })
    }

    pub(super) fn add_consumer(
        &mut self,
        name: Arc<str>,
        node: usize,
        can_spill: bool,
    ) -> Option<usize> {
        self.ordinal_next += 1;
        self.consumers.insert(ConsumerState {
            name,
            node,
            held_bytes: 0,
            peak_bytes: 0,
            can_spill,
            ordinal: self.ordinal_next,
        })
    }

    /// `node` and its ancestors, the root last.
    pub(super) fn levels(&self, node: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(node), |slot| self.nodes[*slot].parent)
    }

    /// Whether one of the two lies below the other, or they are the same. Either may be gone:
    /// reclaimers are asked with the lock open.
    pub(super) fn related(&self, a: usize, b: usize) -> bool {
        if self.nodes.get(a).is_none() || self.nodes.get(b).is_none() {
            return false;
        }
        self.levels(a).any(|level| level == b) || self.levels(b).any(|level| level == a)
    }

    /// The levels above `consumer` that cannot give `bytes` now, the narrowest first.
    pub(super) fn shortages(&self, consumer: usize, bytes: u64) -> impl Iterator<Item = Shortage> {
        self.levels(self.consumers[consumer].node).filter_map(move |level| {
            let left_bytes = self.left_bytes(level);
            (bytes > left_bytes).then_some(Shortage { level, left_bytes })
        })
    }

    /// What a level could give by itself, in bytes.
    pub(super) fn left_bytes(&self, level: usize) -> u64 {
        let node = &self.nodes[level];
        node.cap_bytes.saturating_sub(node.held_bytes)
    }

    /// Gives `bytes` to `consumer`, or changes nothing.
    pub(super) fn charge(&mut self, consumer: usize, bytes: u64) -> Result<(), Shortage> {
        if let Some(shortage) = self.shortages(consumer, bytes).next() {
            return Err(shortage);
        }
        let state = &mut self.consumers[consumer];
        let wakes_up = state.held_bytes == 0 && bytes > 0;
        state.held_bytes += bytes;
        state.peak_bytes = state.peak_bytes.max(state.held_bytes);
        let mut level = Some(state.node);
        while let Some(slot) = level {
            let node = &mut self.nodes[slot];
            node.held_bytes += bytes;
            node.peak_bytes = node.peak_bytes.max(node.held_bytes);
            node.active += usize::from(wakes_up);
            level = node.parent;
        }
        Ok(())
    }

    /// Takes `bytes` back from `consumer`.
    pub(super) fn discharge(&mut self, consumer: usize, bytes: u64) {
        let state = &mut self.consumers[consumer];
        assert!(
            state.held_bytes >= bytes,
            "{} gives back {bytes} B of {} B",
            state.name,
            state.held_bytes
        );
        state.held_bytes -= bytes;
        let rests = state.held_bytes == 0 && bytes > 0;
        let mut level = Some(state.node);
        while let Some(slot) = level {
            let node = &mut self.nodes[slot];
            node.held_bytes -= bytes;
            node.active -= usize::from(rests);
            level = node.parent;
        }
    }

    /// Path of a node without the root's name, e.g. `jobs/import`; the root's name for the root.
    pub(super) fn path(&self, node: usize) -> String {
        if node == ROOT {
            return ROOT_NAME.to_string();
        }
        let mut names: Vec<&str> = self
            .levels(node)
            .filter(|level| *level != ROOT)
            .map(|level| &*self.nodes[level].name)
            .collect();
        names.reverse();
        names.join("/")
    }

    pub(super) fn consumer_path(&self, consumer: usize) -> String {
        let state = &self.consumers[consumer];
        join(&self.path(state.node), &state.name)
    }
}

/// A consumer's path from its node's; the root's name is left out of it.
pub(super) fn join(node_path: &str, name: &str) -> String {
    if node_path == ROOT_NAME { name.to_string() } else { format!("{node_path}/{name}") }
}
