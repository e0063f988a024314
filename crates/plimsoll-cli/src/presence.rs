//! Who uses a data directory.
//!
//! ```text
//!   DIR/plimsoll.lock   shared     servers and file tools
//!                       exclusive  an import that nobody is beside: it may set indexes aside
//! ```
//!
//! A process that comes while an import is alone waits for its shared lock on a thread of its own:
//! it works meanwhile, and the next import sees it.
//!
//! Promises: waits for nobody; the kernel gives a lock back however its process ends.
//! Never: a lock that keeps anybody from reading or writing.

use std::fs::File;
use std::path::Path;

use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// This process's place in a data directory.
pub(crate) enum Presence {
    /// Nobody else is there.
    Alone(#[allow(dead_code, reason = "the lock lives as long as its file")] File),
    /// Others may be.
    Shared(#[allow(dead_code, reason = "the lock lives as long as its file")] File),
    /// An import is alone there; this process joins when it is done.
    Behind,
}

impl Presence {
    /// Enters the directory, alone if that is wanted and can be.
    pub(crate) fn enter(data: &Path, alone: bool) -> anyhow::Result<Self> {
        let path = data.join("plimsoll.lock");
        let what = || format!("locking {}", path.display());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(what)?;
        if alone && takes(&file, FlockOperation::NonBlockingLockExclusive).with_context(what)? {
            return Ok(Self::Alone(file));
        }
        if takes(&file, FlockOperation::NonBlockingLockShared).with_context(what)? {
            return Ok(Self::Shared(file));
        }
        std::thread::Builder::new()
            .name("presence".to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
            .spawn(move || join(&file))
            .with_context(what)?;
        Ok(Self::Behind)
    }

    /// Whether nobody else is there.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }

    /// Whether an import holds the directory alone at this moment.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Self::Behind)
    }
}

fn takes(file: &File, operation: FlockOperation) -> Result<bool, Errno> {
    match flock(file, operation) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits for the lock and holds it as long as the process lives.
fn join(file: &File) {
    if let Err(error) = flock(file, FlockOperation::LockShared) {
        tracing::warn!(%error, "an import that is alone cannot see this process");
        return;
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::Presence;

    #[test]
    fn alone_is_only_who_is_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Presence::enter(folder.path(), true).unwrap();
        assert!(first.is_alone());
        assert!(Presence::enter(folder.path(), true).unwrap().is_behind());
        drop(first);
        // The one behind joins in its own time, so the lock is shared or soon will be.
        let second = Presence::enter(folder.path(), false).unwrap();
        assert!(!second.is_alone() && !second.is_behind());
        assert!(!Presence::enter(folder.path(), true).unwrap().is_alone());
    }
}
