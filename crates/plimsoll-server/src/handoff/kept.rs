//! The file of an export that runs, or ran: written once from front to end, read by whoever has
//! its link.
//!
//! ```text
//!   fill ── append ──> file without a name ──> follow, follow, ...   each by its own positions
//!     └── progress: bytes so far, and how it ended ──^ they wait for it
//! ```
//!
//! Promises: what is told as written can be read; the disk has it back with the last who holds it.
//! Never: a byte changed that was told.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::disk::Place;

/// How far the writing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) bytes: u64,
    pub(crate) end: Option<End>,
}

/// How the writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the last row; and when, as a number that only grows.
    Whole(u64),
    /// Before it.
    Failed,
}

/// The file. Dropping the last handle gives its bytes back.
pub(crate) struct KeptFile {
    pub(super) file: Arc<File>,
    progress: watch::Sender<Progress>,
    pub(super) place: Place,
}

impl KeptFile {
    pub(super) fn new(file: Arc<File>, place: Place) -> Self {
        Self { file, progress: watch::Sender::new(Progress::default()), place }
    }

    /// Tells that so many bytes more were written.
    pub(super) fn wrote(&self, bytes: u64) {
        self.progress.send_modify(|progress| progress.bytes += bytes);
    }

    pub(super) fn ended(&self, end: End) {
        self.progress.send_modify(|progress| progress.end = Some(end));
    }

    pub(crate) fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Follows it from now on.
    pub(crate) fn follow(self: &Arc<Self>) -> Follower {
        Follower { file: Arc::clone(self), progress: self.progress.subscribe() }
    }

    /// Whether somebody waits for the rest of it.
    pub(super) fn is_followed(&self) -> bool {
        self.progress.receiver_count() > 0
    }
}

/// Somebody who has, or will have, bytes of it. As long as there is one, it is written on.
pub(crate) struct Follower {
    pub(crate) file: Arc<KeptFile>,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Follower {
    /// How many there are, where it is whole.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let Progress { bytes, end } = self.file.progress();
        matches!(end, Some(End::Whole(_))).then_some(bytes)
    }

    /// Waits for the end of the writing, at most so long.
    pub(crate) async fn end(&mut self, timeout: Duration) -> Option<Progress> {
        let ended = self.progress.wait_for(|progress| progress.end.is_some());
        let ended = tokio::time::timeout(timeout, ended).await.ok()?;
        ended.ok().map(|progress| *progress)
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        // The disk takes its time with a large file: not on a thread that moves others' bytes.
        if let Ok(runtime) = Handle::try_current() {
            let file = Arc::clone(&self.file);
            runtime.spawn_blocking(move || drop(file));
        }
    }
}
