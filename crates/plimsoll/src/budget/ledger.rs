//! The account of the whole budget at one moment, as plain data for a page, a metric or a log.
//!
//! Promises: one consistent moment; nodes and consumers in order of their names; a node's held
//! bytes are the sum of what is listed below it.
//! Never: sorted or assembled while the budget's lock is held.

use std::sync::Arc;

use super::meter::headroom_bytes;
use super::probe::MemorySample;
use super::state::State;
use super::tree::ROOT;

/// Where every byte of the limit is. All sizes in bytes. Costs about 100 bytes per consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The limit of the process.
    pub limit_bytes: u64,
    /// Kept free below the limit.
    pub headroom_bytes: u64,
    /// The most that may be reserved in total at present.
    pub reservable_bytes: u64,
    /// Resident, but not the allocator's.
    pub outside_bytes: u64,
    /// Heap that nobody reserved.
    pub unreserved_bytes: u64,
    /// The last reading.
    pub sample: MemorySample,
    /// Asks that stand in line.
    pub waiting: usize,
    /// The tree; its root is the process.
    pub root: LedgerNode,
}

/// A node's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerNode {
    /// Its name, without its parents'.
    pub name: Arc<str>,
    /// Its cap; the limit for the root.
    pub cap_bytes: u64,
    /// Held below it now.
    pub held_bytes: u64,
    /// The most that was held below it at one time.
    pub peak_bytes: u64,
    /// Consumers below it that hold something.
    pub active_consumers: usize,
    /// Its own consumers, by name; those of one name in order of creation.
    pub consumers: Vec<LedgerConsumer>,
    /// Its children, by name.
    pub children: Vec<LedgerNode>,
}

/// A consumer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerConsumer {
    /// Its name, without its node's.
    pub name: Arc<str>,
    /// Held now.
    pub held_bytes: u64,
    /// The most it held at one time.
    pub peak_bytes: u64,
    /// Whether it can move its bytes to disk.
    pub can_spill: bool,
}

/// A node with its own and its parent's slot.
struct NodeRow {
    slot: usize,
    parent: Option<usize>,
    node: LedgerNode,
}

/// A consumer with its node's slot and its place in time.
struct ConsumerRow {
    node: usize,
    ordinal: u64,
    consumer: LedgerConsumer,
}

/// What is copied under the lock.
pub(super) struct Copied {
    ledger: Ledger,
    nodes: Vec<NodeRow>,
    consumers: Vec<ConsumerRow>,
}

impl Copied {
    pub(super) fn from_state(state: &State) -> Self {
        let nodes = state.tree.nodes.iter().map(|(slot, _)| NodeRow {
            slot,
            parent: state.tree.nodes[slot].parent,
            node: node_account(state, slot),
        });
        let consumers = state.tree.consumers.iter().map(|(_, state)| ConsumerRow {
            node: state.node,
            ordinal: state.ordinal,
            consumer: LedgerConsumer {
                name: Arc::clone(&state.name),
                held_bytes: state.held_bytes,
                peak_bytes: state.peak_bytes,
                can_spill: state.can_spill,
            },
        });
        Self {
            ledger: Ledger {
                limit_bytes: state.limit_bytes,
                headroom_bytes: headroom_bytes(state.limit_bytes),
                reservable_bytes: state.meter.reservable_bytes(state.limit_bytes),
                outside_bytes: state.meter.outside_bytes(),
                unreserved_bytes: state.meter.unreserved_bytes(),
                sample: state.meter.sample(),
                waiting: state.line.len(),
                root: node_account(state, ROOT),
            },
            nodes: nodes.collect(),
            consumers: consumers.collect(),
        }
    }

    /// Puts every account below its node.
    pub(super) fn assemble(mut self) -> Ledger {
        self.consumers
            .sort_by(|a, b| (&a.consumer.name, a.ordinal).cmp(&(&b.consumer.name, b.ordinal)));
        self.nodes.sort_by(|a, b| a.node.name.cmp(&b.node.name));
        fill(&mut self.ledger.root, ROOT, &self.nodes, &self.consumers);
        self.ledger
    }
}

fn node_account(state: &State, slot: usize) -> LedgerNode {
    let node = &state.tree.nodes[slot];
    LedgerNode {
        name: Arc::clone(&node.name),
        cap_bytes: state.cap_bytes(slot),
        held_bytes: node.held_bytes,
        peak_bytes: node.peak_bytes,
        active_consumers: node.active,
        consumers: Vec::new(),
        children: Vec::new(),
    }
}

/// Recurses at most [`crate::limits::BUDGET_DEPTH_MAX`] deep, the depth of the tree.
fn fill(account: &mut LedgerNode, slot: usize, nodes: &[NodeRow], consumers: &[ConsumerRow]) {
    let own = consumers.iter().filter(|row| row.node == slot);
    account.consumers = own.map(|row| row.consumer.clone()).collect();
    for row in nodes.iter().filter(|row| row.parent == Some(slot)) {
        let mut child = row.node.clone();
        fill(&mut child, row.slot, nodes, consumers);
        account.children.push(child);
    }
}
