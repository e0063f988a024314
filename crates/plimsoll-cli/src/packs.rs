//! The packs in the binary.
//!
//! Promises: read once, checked when read.
//! Never: a file on disk.

use plimsoll_store::Result;
use plimsoll_store::catalogue::{Pack, Words};

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// All packs, in a database's words.
///
/// # Errors
/// When a pack's own files are wrong, or have no such words; a test keeps that from being released.
pub(crate) fn all(words: Words) -> Result<Vec<Pack>> {
    PACKS.iter().map(|files| Pack::parse_for(files, words)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_embedded_pack_reads() {
        let packs = super::all(super::Words::Sqlite).expect("packs that read");
        assert!(packs.iter().any(|p| p.seed.is_some() && !p.recipes.is_empty()));
        let packs = super::all(super::Words::Postgres).expect("packs that read");
        assert!(packs.iter().all(|p| !p.migrations.is_empty()));
    }
}
