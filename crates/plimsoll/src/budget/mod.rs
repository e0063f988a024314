//! The byte budget: one limit for the process, a tree of caps below it, and reservations that are
//! made before bytes are allocated.
//!
//! Promises: what is reserved never exceeds any cap on the way to the root, nor what the measured
//! process leaves of its limit; a refusal says who holds the most and what to do now; whoever
//! waits is served in order.
//! Never: an allocation, a thread or a clock of its own. The budget counts; the callers hold.
//!
//! ```text
//!   Budget ── process, 64 MiB ┬─ http, 24 MiB ┬─ Consumer stream ── Reservation 64 KiB
//!                             │               └─ Consumer export ── Reservation 1 MiB
//!                             ├─ jobs, 32 MiB ── Consumer sort ──── Reservation 16 MiB
//!                             └─ cache, 16 MiB ─ Consumer hot ───── Reservation 4 MiB
//!                                                └─ also a Reclaimer: gives back when asked
//! ```
//!
//! What may be reserved of the limit:
//!
//! ```text
//!   reservable = limit - headroom - (resident - allocator's resident) - unreserved
//!   headroom   = max(4 MiB, 8 % of the limit)
//!   unreserved = max(allocator's resident - reserved, heap known to be nobody's reservation)
//! ```
//!
//! At 64 MiB, with 6 MiB of code and stacks and 8 MiB of heap that nobody reserved, 44.9 MiB are
//! reservable. A reservation is taken off once: as reserved while it is empty, and still only as
//! reserved when its bytes show up in the allocator. `meter.rs` has the figure, the numbers of
//! each moment, and why the result cannot swing.
//!
//! | file | its noun |
//! |---|---|
//! | `tree` `line` `meter` `state` | plain data under one lock: caps, waiters, measured memory |
//! | `core` | the lock, and the steps from a shortage to a refusal |
//! | `node` `consumer` `reservation` `acquire` | the handles |
//! | `probe` `reclaim` | what the program supplies: readings, and bytes on demand |
//! | `refusal` `ledger` | what the program shows |
//! | `discover` | where the limit comes from |

mod acquire;
mod consumer;
mod core;
pub mod discover;
mod ledger;
mod line;
mod meter;
mod node;
mod probe;
mod reclaim;
mod refusal;
mod reservation;
mod slab;
mod state;
mod tree;

pub use acquire::Acquire;
pub use consumer::Consumer;
pub use ledger::{Ledger, LedgerConsumer, LedgerNode};
pub use meter::headroom_bytes;
pub use node::Node;
pub use probe::{MemoryProbe, MemorySample, Unmeasured};
pub use reclaim::Reclaimer;
pub use refusal::{Holder, Refusal, RefusalCause};
pub use reservation::Reservation;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::units::ByteSize;

/// The budget of a process: the root of its tree and the limit. Clones are the same budget.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 32 << 20, Arc::new(Unmeasured))?;
/// let stream = budget.child("http", 24 << 20)?.consumer("stream")?;
/// let frame = stream.try_reserve(64 << 10)?;
/// assert_eq!(budget.ledger().root.held_bytes, frame.bytes());
///
/// let refusal = stream.try_reserve(24 << 20).unwrap_err();
/// assert_eq!(&*refusal.level, "http");
/// assert_eq!(refusal.left_bytes, (24 << 20) - (64 << 10));
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    root: Node,
}

impl Budget {
    /// A budget of `limit_bytes` for the whole process, of which no less than `limit_bytes_min`
    /// is worth starting with. Takes the first reading.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the limit is below the minimum; both are in the message.
    pub fn new(
        limit_bytes: u64,
        limit_bytes_min: u64,
        probe: Arc<dyn MemoryProbe>,
    ) -> Result<Self> {
        // The headroom has to fit, whatever the caller finds enough.
        let limit_bytes_min = limit_bytes_min.max(crate::limits::HEADROOM_BYTES_MIN);
        check_limit(limit_bytes, limit_bytes_min)?;
        let core = core::Core::new(limit_bytes, limit_bytes_min, probe);
        Ok(Self { root: Node::root(Arc::new(core)) })
    }

    fn core(&self) -> &core::Core {
        self.root.core()
    }

    /// The root of the tree; its cap is the limit.
    #[must_use]
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// A part of the process with a cap of its own: [`Node::child`] of the root.
    ///
    /// # Errors
    /// As [`Node::child`].
    pub fn child(&self, name: &str, cap_bytes: u64) -> Result<Node> {
        self.root.child(name, cap_bytes)
    }

    /// A consumer that no cap but the limit binds: [`Node::consumer`] of the root.
    ///
    /// # Errors
    /// As [`Node::consumer`].
    pub fn consumer(&self, name: &str) -> Result<Consumer> {
        self.root.consumer(name)
    }

    /// The limit of the process, in bytes.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.root.cap_bytes()
    }

    /// What is reserved in the whole process, in bytes.
    #[must_use]
    pub fn reserved_bytes(&self) -> u64 {
        self.root.held_bytes()
    }

    /// Changes the limit while running. Nobody loses what is reserved: below a lowered limit,
    /// asks are refused until enough was given back. Caps of nodes stay as they are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when it is below the minimum the budget was made with.
    pub fn set_limit(&self, limit_bytes: u64) -> Result<()> {
        check_limit(limit_bytes, self.core().limit_bytes_min)?;
        self.core().change(|state, woken| state.set_limit(limit_bytes, woken));
        Ok(())
    }

    /// The most that may be reserved in total at present, in bytes, as of the last reading.
    #[must_use]
    pub fn reservable_bytes(&self) -> u64 {
        let state = self.core().lock();
        state.meter.reservable_bytes(state.limit_bytes)
    }

    /// Takes a reading. To be called evenly, about every 100 ms, from one thread: between
    /// readings only reservations move the figures. Serves those in line whom the reading lets
    /// in, and asks reclaimers on behalf of the one that has waited longest.
    pub fn measure(&self) {
        self.core().measure(meter::Reading::Regular);
        self.core().relieve_line();
    }

    /// The account of every node and consumer at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let copied = ledger::Copied::from_state(&self.core().lock());
        copied.assemble()
    }
}

fn check_limit(limit_bytes: u64, limit_bytes_min: u64) -> Result<()> {
    if limit_bytes >= limit_bytes_min {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "cannot run under a limit of {}: the minimum is {}; raise the limit",
        ByteSize::new(limit_bytes),
        ByteSize::new(limit_bytes_min)
    )))
}
