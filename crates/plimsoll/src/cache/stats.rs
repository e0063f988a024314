//! What a cache holds and has done.
//!
//! Promises: counted where it happens; a look is one hit or one miss.
//! Never: a figure that is estimated.

/// Figures of a cache since it was built; bytes and items are of this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries in memory.
    pub hot_items: u64,
    /// What their values are charged with.
    pub hot_bytes: u64,
    /// Entries on disk; those that are in memory as well are counted in both.
    pub cold_items: u64,
    /// Their keys and values.
    pub cold_bytes: u64,
    /// Memory of keys, tags and tables, of both tiers.
    pub index_bytes: u64,
    /// Looks answered from memory.
    pub hot_hits: u64,
    /// Looks answered from disk.
    pub cold_hits: u64,
    /// Looks of both kinds whose value was stale.
    pub stale_hits: u64,
    /// Looks that found nothing.
    pub misses: u64,
    /// Values put in.
    pub puts: u64,
    /// Entries that left memory for want of room.
    pub evictions: u64,
    /// Of these, those that were written to disk.
    pub demotions: u64,
    /// Entries that came back from disk to memory.
    pub promotions: u64,
    /// Entries removed because their time was over.
    pub expired: u64,
    /// Entries removed by key, by tag or by clearing.
    pub invalidated: u64,
    /// Cold entries given up because the disk quota or the index was full.
    pub cold_given_up: u64,
    /// Values not taken in because their key or tag was revoked while they were made.
    pub revoked: u64,
    /// Asks for memory that the budget refused: the value was not put in, or not read.
    pub refused: u64,
    /// Records on disk that were not what was written: each was a miss.
    pub damaged: u64,
    /// Requests to the disk that failed.
    pub disk_failures: u64,
    /// Bytes the budget asked back and got.
    pub reclaimed_bytes: u64,
    /// Values made by one for all who asked.
    pub made: u64,
    /// Makings that failed or were given up.
    pub failed: u64,
    /// Looks that waited for somebody else's making.
    pub waited: u64,
}

impl CacheStats {
    /// Looks that found something.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.hot_hits + self.cold_hits
    }

    /// Hits among all looks, from 0 to 1; 0 before the first.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn hit_ratio(&self) -> f64 {
        let looks = self.hits() + self.misses;
        if looks == 0 { 0.0 } else { self.hits() as f64 / looks as f64 }
    }
}
