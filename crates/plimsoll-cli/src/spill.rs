//! The directory for spilled data.
//!
//! Promises: exists, belongs to the owner alone, and is on a real disk.
//! Never: a file system that lives in memory, whose bytes the kernel would charge to us.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// `f_type` of tmpfs and ramfs, from the kernel's magic.h.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Makes the directory and points the database's temporary files there.
pub(crate) fn prepare(directory: &Path) -> anyhow::Result<()> {
    let what = || {
        format!(
            "preparing the spill directory {}, which must be writable (--data or \
             PLIMSOLL_SPILL_DIR names another)",
            directory.display()
        )
    };
    std::fs::create_dir_all(directory).with_context(what)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
        .with_context(what)?;
    if is_in_memory(directory)? {
        bail!(
            "{}: it is on a file system that lives in memory, so spilling would free nothing; \
             choose another with PLIMSOLL_SPILL_DIR",
            what()
        );
    }
    let absolute = directory.canonicalize().with_context(what)?;
    plimsoll_store::sqlite::set_temporary_directory(&absolute).with_context(what)
}

/// Whether the directory is on tmpfs or ramfs.
pub(crate) fn is_in_memory(directory: &Path) -> anyhow::Result<bool> {
    let stat = rustix::fs::statfs(directory)
        .with_context(|| format!("asking for the file system of {}", directory.display()))?;
    #[allow(clippy::useless_conversion)] // the field's width differs between systems
    Ok(IN_MEMORY.contains(&i64::try_from(stat.f_type).unwrap_or(0)))
}
