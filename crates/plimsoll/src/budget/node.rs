//! A node of the tree: a part of the process with a cap of its own.
//!
//! Promises: a node lives as long as somebody holds it, a child or a consumer of it.
//! Never: a cap of zero, or above the parent's.

use std::fmt;
use std::sync::{Arc, Weak};

use super::consumer::Consumer;
use super::core::Core;
use super::reclaim::Reclaimer;
use super::tree::{ROOT, ROOT_NAME};
use crate::error::{Error, Result, excerpt};
use crate::limits::{
    BUDGET_CONSUMERS_MAX, BUDGET_DEPTH_MAX, BUDGET_NAME_BYTES_MAX, BUDGET_NODES_MAX,
};
use crate::units::ByteSize;

/// A part of the process (`http`, `jobs`, `cache`) whose consumers share a cap.
///
/// Clones are the same node. Caps of siblings may add up to more than the parent's: each is a
/// ceiling, not a share.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let jobs = budget.child("jobs", 32 << 20)?;
/// let import = jobs.child("import", 8 << 20)?;
/// let held = import.consumer("rows")?.try_reserve(1 << 20)?;
/// assert_eq!(jobs.held_bytes(), 1 << 20);
/// assert_eq!(jobs.active_consumers(), 1);
/// # drop(held);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone)]
pub struct Node {
    shared: Arc<NodeShared>,
}

pub(super) struct NodeShared {
    pub(super) core: Arc<Core>,
    pub(super) slot: usize,
    /// Keeps the parent's slot in use.
    _parent: Option<Node>,
}

impl Node {
    pub(super) fn root(core: Arc<Core>) -> Self {
        Self { shared: Arc::new(NodeShared { core, slot: ROOT, _parent: None }) }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    /// A node below this one.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a cap of 0 or above this node's, for a name that is
    /// empty, too long, taken or holds `/`; [`crate::ErrorKind::TooLarge`] when the tree is full.
    pub fn child(&self, name: &str, cap_bytes: u64) -> Result<Self> {
        check_name(name)?;
        let parent = self.shared.slot;
        let mut state = self.core().lock();
        let path = state.tree.path(parent);
        let parent_cap = state.cap_bytes(parent);
        if cap_bytes == 0 || cap_bytes > parent_cap {
            return Err(Error::invalid(format!(
                "cannot give {name} a cap of {}: below {path} it is at least 1 B and at most {}",
                ByteSize::new(cap_bytes),
                ByteSize::new(parent_cap)
            )));
        }
        let taken = state
            .tree
            .nodes
            .iter()
            .any(|(_, node)| node.parent == Some(parent) && &*node.name == name);
        if taken || name == ROOT_NAME {
            return Err(Error::invalid(format!(
                "cannot add {name} below {path}: the name is taken; use the node there is, or \
                 another name"
            )));
        }
        if state.tree.levels(parent).count() == BUDGET_DEPTH_MAX {
            return Err(Error::too_large(format!(
                "cannot add {name} below {path}: a budget is at most {BUDGET_DEPTH_MAX} levels \
                 deep; add it higher up"
            )));
        }
        let slot = state.tree.add_node(name.into(), Some(parent), cap_bytes).ok_or_else(|| {
            Error::too_large(format!(
                "cannot add {name} below {path}: a budget has at most {BUDGET_NODES_MAX} \
                     nodes; drop one, or use a consumer"
            ))
        })?;
        Ok(Self {
            shared: Arc::new(NodeShared {
                core: Arc::clone(self.core()),
                slot,
                _parent: Some(self.clone()),
            }),
        })
    }

    /// A named consumer below this node. Several may have one name; each has its own account.
    ///
    /// # Errors
    /// As [`Node::child`] for the name; [`crate::ErrorKind::TooLarge`] when
    /// [`crate::limits::BUDGET_CONSUMERS_MAX`] exist.
    pub fn consumer(&self, name: &str) -> Result<Consumer> {
        self.add_consumer(name, false)
    }

    /// A consumer that can move what it holds to disk; refusals say so beside its name.
    ///
    /// # Errors
    /// As [`Node::consumer`].
    pub fn spilling_consumer(&self, name: &str) -> Result<Consumer> {
        self.add_consumer(name, true)
    }

    fn add_consumer(&self, name: &str, can_spill: bool) -> Result<Consumer> {
        check_name(name)?;
        let mut state = self.core().lock();
        match state.tree.add_consumer(name.into(), self.shared.slot, can_spill) {
            Some(slot) => Ok(Consumer::new(self.clone(), slot)),
            None => Err(Error::too_large(format!(
                "cannot add the consumer {name} below {}: {BUDGET_CONSUMERS_MAX} exist; drop one \
                 first",
                state.tree.path(self.shared.slot)
            ))),
        }
    }

    /// Registers somebody who frees bytes held below this node; it is asked before an ask that
    /// needs them is refused, until it is dropped.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] when [`crate::limits::BUDGET_RECLAIMERS_MAX`] are alive.
    pub fn register_reclaimer(&self, reclaimer: Weak<dyn Reclaimer>) -> Result<()> {
        self.core().reclaimers.register(self.shared.slot, reclaimer)
    }

    /// What is reserved below this node, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.core().lock().tree.nodes[self.shared.slot].held_bytes
    }

    /// The cap, in bytes; for the root the limit of the process.
    #[must_use]
    pub fn cap_bytes(&self) -> u64 {
        self.core().lock().cap_bytes(self.shared.slot)
    }

    /// How many consumers below this node hold something.
    #[must_use]
    pub fn active_consumers(&self) -> usize {
        self.core().lock().tree.nodes[self.shared.slot].active
    }

    /// Names from the top, e.g. `jobs/import`; `process` for the root.
    #[must_use]
    pub fn path(&self) -> String {
        self.core().lock().tree.path(self.shared.slot)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.path())
    }
}

impl Drop for NodeShared {
    fn drop(&mut self) {
        if self.slot == ROOT {
            return;
        }
        self.core.reclaimers.forget_node(self.slot);
        let node = self.core.lock().tree.nodes.remove(self.slot);
        debug_assert_eq!(node.held_bytes, 0, "{} has consumers left", node.name);
    }
}

/// Names become paths in messages, ledgers and metrics.
fn check_name(name: &str) -> Result<()> {
    let fits = (1..=BUDGET_NAME_BYTES_MAX).contains(&name.len());
    if fits && !name.contains(|c: char| c == '/' || c.is_control()) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "'{}' is not a name in the budget: 1 to {BUDGET_NAME_BYTES_MAX} bytes without '/' or \
         control characters",
        excerpt(name)
    )))
}
