//! Removes what killed processes left behind.
//!
//! ```text
//!   directory ─┬─ no file `owner` ────> removed if it is empty: its maker tries another name
//!              ├─ `owner` is locked ──> alive, left alone
//!              └─ lock taken ─────────> dead: files, then `owner`, then the directory
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
    let Ok(owner) = storage.open(&directory.join(OWNER)) else {
        let _not_empty = storage.remove_directory(directory);
        return;
    };
    if !owner.try_lock().unwrap_or(false) {
        return;
    }
    clear(storage, directory);
    let _next_time = storage.remove_file(&directory.join(OWNER));
    let _next_time = storage.remove_directory(directory);
}

/// Removes all files of a directory but the lock; its owner calls this.
pub(super) fn clear(storage: &dyn Storage, directory: &Path) {
    for name in storage.list(directory, NAMES_MAX).unwrap_or_default() {
        if name.to_str() != Some(OWNER) {
            let _next_time = storage.remove_file(&directory.join(name));
        }
    }
}
