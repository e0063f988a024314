//! The packs in the binary.
//!
//! Promises: read once, checked when read.
//! Never: a file on disk.

use plimsoll_store::Result;
use plimsoll_store::catalogue::Pack;

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// All packs.
///
/// # Errors
/// When a pack's own files are wrong; a test keeps that from being released.
pub(crate) fn all() -> Result<Vec<Pack>> {
    PACKS.iter().map(|files| Pack::parse(files)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_embedded_pack_reads() {
        let packs = super::all().expect("packs that read");
        assert!(packs.iter().any(|p| p.seed.is_some() && !p.recipes.is_empty()));
    }
}
