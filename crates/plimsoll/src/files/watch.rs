//! How far a tool is, and the wish that it stop: shared with whoever shows the one and has the
//! other.
//!
//! Promises: reading it costs nothing and never blocks the work.
//! Never: more than one phase at a time.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crate::error::{Error, Result};

/// What a tool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the input, and making runs or partitions.
    Read,
    /// Merging runs into fewer runs.
    Pass,
    /// Writing the output.
    Write,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Pass => "merging runs",
            Self::Write => "writing",
        }
    }
}

/// Shared progress.
///
/// ```
/// use plimsoll::files::{Phase, Watch};
/// let watch = Watch::default();
/// watch.begin(Phase::Write, Some(100));
/// watch.add(40);
/// assert_eq!(watch.now(), (Phase::Write, 40, Some(100)));
/// watch.stop();
/// assert!(watch.check().is_err());
/// ```
#[derive(Debug, Default)]
pub struct Watch {
    phase: AtomicU8,
    done: AtomicU64,
    /// 0 where it is not known.
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Watch {
    /// Begins a phase over `total` bytes, where that is known.
    pub fn begin(&self, phase: Phase, total: Option<u64>) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total.unwrap_or(0), Ordering::Relaxed);
    }

    /// So many more bytes are done.
    pub fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The phase, the bytes done and, where that is known, the bytes there are.
    #[must_use]
    pub fn now(&self) -> (Phase, u64, Option<u64>) {
        let phase = [Phase::Read, Phase::Pass, Phase::Write];
        let phase = phase[usize::from(self.phase.load(Ordering::Relaxed))];
        let total = self.total.load(Ordering::Relaxed);
        (phase, self.done.load(Ordering::Relaxed), (total > 0).then_some(total))
    }

    /// Asks the tool to stop at the next occasion, which is milliseconds away.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Stopped`] after [`Watch::stop`].
    #[inline]
    pub fn check(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) { Err(Error::stopped()) } else { Ok(()) }
    }
}
