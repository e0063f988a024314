//! What a child may take, and how long.
//!
//! Promises: every wait, queue and line has a bound here, with its reason.
//! Never: a bound that depends on what a child says.

use std::time::Duration;

/// Bytes of a line at most: a checkpoint has that, and refers to files rather than holding them.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Messages that wait between the thread that reads and the one that handles.
pub(super) const WAITING_MAX: usize = 4;
/// Bytes of them at most, with the one that is being read and the one that is handled.
pub const WAITING_BYTES_MAX: usize = (WAITING_MAX + 2) * LINE_BYTES_MAX;
/// Messages a second that are still a conversation. A row's progress is not worth a message.
pub const MESSAGES_MAX: u32 = 5_000;
/// In which they are counted.
pub(super) const MESSAGES_WITHIN: Duration = Duration::from_secs(1);
/// Lines a second of a child's standard error that are logged; the rest is counted.
pub(super) const ERROR_LINES_MAX: u32 = 100;
/// Bytes of such a line.
pub(super) const ERROR_LINE_BYTES_MAX: usize = 4 << 10;
/// Bytes of the message of a failure that are kept.
pub(super) const MESSAGE_BYTES_MAX: usize = 2_000;
/// Bytes that wait until the child reads, beyond the job itself: it asks for more answers than it
/// reads.
pub(super) const UNSENT_BYTES_MAX: usize = 256 << 10;
/// Characters of what was said that are shown.
pub(super) const SHOWN_MAX: usize = 120;
/// Between two looks at stop and deadlines, and at memory where half of the share is taken.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Between two looks at memory below that.
pub(super) const LOOK_FAR_EVERY: Duration = Duration::from_millis(100);
/// Looks at memory take this part of the time at most.
pub(super) const LOOK_PART: u32 = 10;
/// Looks that find too much, one after the other, before it is taken for true: between fork and
/// exec two processes show the same memory.
pub(super) const LOOKS_OVER: u32 = 2;
/// Once asked for its memory, a child may take this part of its share more.
pub(super) const MORE_PART: u64 = 4;
/// What SIGKILL takes, but for processes that the kernel holds.
pub(super) const KILLED_WITHIN: Duration = Duration::from_secs(5);
/// What a child that closed its output takes to end.
pub(super) const ENDED_WITHIN: Duration = Duration::from_secs(1);
/// Longer than any silence that is meant: it bounds the arithmetic of deadlines.
pub(super) const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// Limits of one child.
///
/// ```
/// use plimsoll_jobs::child::Limits;
/// let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
/// assert_eq!(limits.jobs_max, 500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Its share: bytes of its whole tree, over which it is asked to hand its job back.
    pub memory_bytes: Option<u64>,
    /// One that holds more after a job is replaced.
    pub warm_bytes_max: Option<u64>,
    /// Jobs until it is replaced.
    pub jobs_max: u32,
    /// Processes of its tree; more is a fork bomb.
    pub processes_max: usize,
    /// Without a word for so long, it hangs.
    pub silence: Duration,
    /// From asking to SIGTERM, and from there to SIGKILL.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: None,
            warm_bytes_max: None,
            jobs_max: 500,
            processes_max: 64,
            silence: Duration::from_secs(120),
            grace: Duration::from_secs(5),
        }
    }
}
