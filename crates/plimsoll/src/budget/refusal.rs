//! A refusal as a value: who asked for what, what is left of which limit, who holds the most.
//!
//! Promises: one readable sentence that ends with what to do now; a bounded list of holders.
//! Never: a formatted string where a number is wanted; every number is a field.

use std::fmt;

use crate::units::ByteSize;

/// Why bytes were not given. All sizes in bytes. Costs under 1 KiB.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// let http = budget.child("http", 16 << 20)?;
/// let refusal = http.consumer("stream")?.try_reserve(17 << 20).unwrap_err();
/// assert_eq!(
///     refusal.to_string(),
///     "cannot reserve 17 MiB for http/stream, which holds 0 B: http never gives more than \
///      16 MiB; ask for less, or raise the cap of http"
/// );
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Path of the node the consumer belongs to, e.g. `http`.
    pub node: Box<str>,
    /// Name of the consumer that asked.
    pub consumer: Box<str>,
    /// Path of the level that refused; `process` for the whole.
    pub level: Box<str>,
    /// Why this level refused.
    pub cause: RefusalCause,
    /// What was asked for.
    pub asked_bytes: u64,
    /// What the consumer already holds.
    pub held_bytes: u64,
    /// What the level could still give to somebody.
    pub left_bytes: u64,
    /// The level's cap, or the limit of the process.
    pub limit_bytes: u64,
    /// Who holds the most below the level, largest first, at most
    /// [`crate::limits::BUDGET_HOLDERS_MAX`].
    pub holders: Box<[Holder]>,
}

/// Why a level refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCause {
    /// The level has not enough left: wait, or ask for less.
    Full,
    /// The ask is larger than the level ever gives: waiting does not help.
    Never,
    /// Earlier asks stand in line for what the level has left: wait behind them.
    Behind {
        /// How many asks stand in line.
        waiting: usize,
    },
    /// Every place in the line is taken: come back later.
    LineFull {
        /// How many asks stand in line.
        waiting: usize,
    },
    /// The ask stood in line until its deadline.
    Deadline {
        /// How many other asks stand in line.
        waiting: usize,
    },
}

/// One who holds bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Path of the consumer, e.g. `jobs/sort`.
    pub path: Box<str>,
    /// What it holds, in bytes.
    pub held_bytes: u64,
    /// Whether it can move its bytes to disk when it is asked for them.
    pub can_spill: bool,
}

impl Refusal {
    /// Path of the consumer, e.g. `http/stream`.
    #[must_use]
    pub fn path(&self) -> String {
        super::tree::join(&self.node, &self.consumer)
    }

    fn is_process(&self) -> bool {
        &*self.level == super::tree::ROOT_NAME
    }

    fn write_reason(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            RefusalCause::Full => self.write_left(f),
            RefusalCause::Never => {
                let most = ByteSize::new(self.left_bytes);
                let level = if self.is_process() { "the process" } else { &self.level };
                write!(f, "{level} never gives more than {most}")
            }
            RefusalCause::Behind { waiting } => {
                self.write_left(f)?;
                write!(f, ", and {} for it", Waiting(waiting, "earlier ask"))
            }
            RefusalCause::LineFull { waiting } => {
                self.write_left(f)?;
                write!(f, ", and the line is full: {}", Waiting(waiting, "ask"))
            }
            RefusalCause::Deadline { waiting } => {
                f.write_str("its deadline passed in line; ")?;
                self.write_left(f)?;
                match waiting {
                    0 => Ok(()),
                    _ => write!(f, ", and {} too", Waiting(waiting, "other ask")),
                }
            }
        }
    }

    fn write_left(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = ByteSize::new(self.limit_bytes);
        let left = ByteSize::new(self.left_bytes).to_string();
        // A few bytes short would read "1 MiB asked, 1 MiB left".
        if left == ByteSize::new(self.asked_bytes).to_string() {
            write!(f, "{} of {} B are left", self.left_bytes, self.asked_bytes)?;
        } else {
            write!(f, "{left} is left")?;
        }
        if self.is_process() {
            write!(f, " under the process limit of {limit}")
        } else {
            write!(f, " of {}'s {limit}", self.level)
        }
    }

    fn write_holders(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, holder) in self.holders.iter().enumerate() {
            let lead = if place == 0 { "; most is held by " } else { ", " };
            let held = ByteSize::new(holder.held_bytes);
            let spills = if holder.can_spill { " (can spill)" } else { "" };
            write!(f, "{lead}{} {held}{spills}", holder.path)?;
        }
        if self.holders.is_empty() {
            f.write_str("; no reservation is held there")?;
        }
        Ok(())
    }

    fn write_advice(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.cause, self.holders.is_empty()) {
            (RefusalCause::Never, _) | (RefusalCause::Full, true) => "; ask for less, or raise ",
            (RefusalCause::Full, false) => "; wait until they finish, ask for less, or raise ",
            (RefusalCause::Behind { .. }, _) => "; wait in line, or raise ",
            (RefusalCause::LineFull { .. } | RefusalCause::Deadline { .. }, _) => {
                "; try again later, or raise "
            }
        })?;
        if self.is_process() {
            f.write_str("the memory limit")
        } else {
            write!(f, "the cap of {}", self.level)
        }
    }
}

/// `1 ask waits`, `2 asks wait`.
struct Waiting(usize, &'static str);

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 {} waits", self.1),
            n => write!(f, "{n} {}s wait", self.1),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = ByteSize::new(self.asked_bytes);
        let held = ByteSize::new(self.held_bytes);
        write!(f, "cannot reserve {asked} for {}", self.path())?;
        write!(f, ", which holds {held}: ")?;
        self.write_reason(f)?;
        if self.cause != RefusalCause::Never {
            self.write_holders(f)?;
        }
        self.write_advice(f)
    }
}

impl std::error::Error for Refusal {}
