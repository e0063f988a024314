//! Removes what killed processes left behind.
//!
//! ```text
//!   directory ─┬─ no file `owner` ────> removed if it is empty: its maker tries another name
//!              ├─ `owner` is locked ──> alive, left alone
//!              └─ lock taken ─────────> dead: files, then `owner`, then the directory;
//!                                       a file that stays keeps `owner` for the next time
//! ```
//!
//! Promises: a living owner's directory is never touched, whoever runs this and whenever.
//! Never: a name that does not begin with the prefix; an error that stops the caller.

use std::path::Path;

use crate::storage::Storage;

/// Beginning of every spill directory's name; the process's number and a counter follow.
pub(super) const PREFIX: &str = "plimsoll-spill-";
/// The file whose lock says that the owner lives.
pub(super) const OWNER: &str = "owner";
/// Names looked at in a root, and files removed from a directory, at most.
const NAMES_MAX: usize = 10_000;

/// Removes the directories of dead owners below `root`; what cannot be removed stays.
pub(super) fn sweep(storage: &dyn Storage, root: &Path) {
    let names = storage.list(root, NAMES_MAX).unwrap_or_default();
    let ours = names.iter().filter(|name| name.to_str().is_some_and(|n| n.starts_with(PREFIX)));
    for name in ours {
        sweep_one(storage, &root.join(name));
    }
}

fn sweep_one(storage: &dyn Storage, directory: &Path) {
    let path = directory.join(OWNER);
    let Ok(owner) = storage.open(&path) else {
        let _not_empty = storage.remove_directory(directory);
        return;
    };
    // A lock on a file that has no name any more says nothing of who has the directory now.
    let dead = owner.try_lock().and_then(|locked| Ok(locked && owner.is_at(&path)?));
    if !dead.unwrap_or(false) {
        return;
    }
    remove(storage, directory);
}

/// Removes a directory whose lock the caller holds. `owner` goes only when nothing else is left:
/// without it nobody would know later that the rest may go.
pub(super) fn remove(storage: &dyn Storage, directory: &Path) {
    if clear(storage, directory) {
        let _next_time = storage.remove_file(&directory.join(OWNER));
        let _next_time = storage.remove_directory(directory);
    }
}

/// Removes all files of a directory but the lock; its owner calls this. Returns whether nothing
/// else is left.
pub(super) fn clear(storage: &dyn Storage, directory: &Path) -> bool {
    let Ok(names) = storage.list(directory, NAMES_MAX) else { return false };
    let mut left = names.len() == NAMES_MAX;
    for name in names.iter().filter(|name| name.to_str() != Some(OWNER)) {
        left |= storage.remove_file(&directory.join(name)).is_err();
    }
    !left
}
