//! What the process's memory looks like now, as a trait.
//!
//! Promises: the budget reads memory through this and nothing else.
//! Never: called while the budget's lock is held.

/// One reading of the process's memory. All fields in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemorySample {
    /// What the kernel counts as resident for the process.
    pub resident_bytes: u64,
    /// The part of it the allocator holds: live, fragmented and not yet given back. A probe that
    /// cannot tell reports `resident_bytes` here too: then all of it is judged as heap, and
    /// reserved bytes are not counted a second time.
    pub allocator_resident_bytes: u64,
    /// What the allocator has handed out and not got back. A probe that cannot tell reports
    /// `allocator_resident_bytes`.
    pub allocator_allocated_bytes: u64,
}

impl MemorySample {
    /// Pages a purge may give back: resident in the allocator, but not handed out.
    pub(super) fn slack_bytes(&self) -> u64 {
        self.allocator_resident_bytes.saturating_sub(self.allocator_allocated_bytes)
    }
}

/// The source of readings.
pub trait MemoryProbe: Send + Sync {
    /// Reads the counters now. Takes microseconds; it is called about ten times a second and
    /// before a refusal.
    fn sample(&self) -> MemorySample;

    /// Asks the allocator to give unused pages back to the kernel.
    fn purge(&self) {}
}

/// A probe for programs that do not measure: all of the limit but the headroom is reservable.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmeasured;

impl MemoryProbe for Unmeasured {
    fn sample(&self) -> MemorySample {
        MemorySample::default()
    }
}
