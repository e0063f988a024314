//! A look at an entry that leaves it as it is.
//!
//! Promises: counts nothing, moves nothing, and waits for no disk.
//! Never: a value; who wants that looks.

use super::handle::Cache;
use super::value::Source;

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Where its value is.
    pub source: Source,
    /// Bytes of its value.
    pub bytes: u64,
    /// Microseconds since it was made.
    pub age_us: u64,
    /// Microseconds it is still fresh; 0 for a stale one.
    pub fresh_left_us: u64,
    /// Microseconds it still serves, fresh or stale.
    pub left_us: u64,
}

impl Cache {
    /// What is known of a key that is not over at `now_us`. It is no use of the entry: no hit, no
    /// reason to keep it, and one on disk stays there.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::cache::{Cache, Terms};
    ///
    /// let budget = Budget::new(32 << 20, 32 << 20, std::sync::Arc::new(Unmeasured))?;
    /// let cache = Cache::builder().build(&budget.child("cache", 16 << 20)?)?;
    /// cache.put(b"key", b"value", &Terms::fresh_for(Duration::from_secs(60)), 0)?;
    /// let seen = cache.peek(b"key", 20_000_000).expect("there");
    /// assert_eq!((seen.bytes, seen.age_us, seen.fresh_left_us), (5, 20_000_000, 40_000_000));
    /// assert_eq!(cache.stats().hits(), 0);
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn peek(&self, key: &[u8], now_us: u64) -> Option<Peek> {
        let hash = self.shared.key_hash(key);
        let state = self.shared.lock();
        let entry = state.index.entries.get(state.index.find(hash, key)?);
        if entry.life.is_over(now_us) {
            return None;
        }
        let source = match (&entry.value, entry.place) {
            (Some(_), _) => Source::Hot,
            (None, Some(_)) => Source::Cold,
            (None, None) => return None,
        };
        Some(Peek {
            source,
            bytes: u64::from(entry.bytes),
            age_us: now_us.saturating_sub(entry.life.made_us),
            fresh_left_us: entry.life.fresh_until_us.saturating_sub(now_us),
            left_us: entry.life.stale_until_us.saturating_sub(now_us),
        })
    }
}
