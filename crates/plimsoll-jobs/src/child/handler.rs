//! What a child is given, and who is told what it says.
//!
//! Promises: a handler is called on the thread that runs the job, one call at a time.
//! Never: a call after the job is over.

pub use crate::job::Progress;

/// A job as a child gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job<'a> {
    /// Its number.
    pub id: i64,
    /// What kind of work.
    pub kind: &'a str,
    /// JSON.
    pub payload: &'a str,
    /// JSON: where an earlier attempt stopped.
    pub checkpoint: Option<&'a str>,
    /// 1 is the first.
    pub attempt: u32,
}

/// Why a job is to stop before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its memory is over its share, or needed elsewhere.
    Memory,
    /// The worker ends.
    Shutdown,
    /// It is not wanted any more, or its lease is another's.
    Cancel,
}

impl Stop {
    /// As a child is told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Shutdown => "shutdown",
            Self::Cancel => "cancel",
        }
    }
}

/// Whoever has a job run.
pub trait Handler {
    /// How far it is. Told at most once a look: the last one counts.
    fn progress(&mut self, progress: &Progress);

    /// Keeps a checkpoint, JSON, and says whether it is durable. Where it is not, the child is not
    /// told that it is, and is cancelled: its lease is lost, or the store is.
    fn checkpoint(&mut self, state: &str) -> bool;

    /// A line for the job's log.
    fn log(&mut self, line: &str);

    /// Bytes of the child's tree, at each look: so that they count in a budget.
    fn memory(&mut self, bytes: u64);

    /// Whether it is to stop. Asked at each look, until it says so once.
    fn stop(&mut self) -> Option<Stop>;
}
