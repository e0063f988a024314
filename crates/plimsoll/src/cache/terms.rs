//! For how long a value serves, and by which tags it is taken away.
//!
//! Promises: a value is fresh, then stale, then gone, at the moments its terms say.
//! Never: a time of its own; moments are the caller's clock.

use std::time::Duration;

use super::entry::Life;
use crate::error::{Error, Result, excerpt};
use crate::limits::{CACHE_TAG_BYTES_MAX, CACHE_TAGS_MAX};

/// How long, and under which tags.
///
/// ```
/// use std::time::Duration;
/// use plimsoll::cache::Terms;
/// let minute = Duration::from_secs(60);
/// let terms = Terms::fresh_for(5 * minute).stale_for(minute).tag("products").tag("channel web");
/// assert_eq!(terms.tags().count(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct Terms {
    fresh: Duration,
    stale: Duration,
    tags: Vec<Box<str>>,
}

impl Terms {
    /// Fresh for so long, then gone.
    #[must_use]
    pub fn fresh_for(fresh: Duration) -> Self {
        Self { fresh, stale: Duration::ZERO, tags: Vec::new() }
    }

    /// And so much longer served stale, while somebody makes it anew.
    #[must_use]
    pub fn stale_for(mut self, stale: Duration) -> Self {
        self.stale = stale;
        self
    }

    /// And taken away with everything else that has this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Its tags, in the order they were given.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.tags.iter().map(|tag| &**tag)
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.tags.len() > CACHE_TAGS_MAX {
            return Err(Error::too_large(format!(
                "putting a value with {} tags into a cache: {CACHE_TAGS_MAX} are the most; tag \
                 what is invalidated together with one",
                self.tags.len()
            )));
        }
        match self.tags().find(|tag| tag.len() > CACHE_TAG_BYTES_MAX) {
            None => Ok(()),
            Some(tag) => Err(Error::too_large(format!(
                "putting a value with the tag '{}' into a cache: a tag has at most \
                 {CACHE_TAG_BYTES_MAX} bytes",
                excerpt(tag)
            ))),
        }
    }

    pub(super) fn life(&self, now_us: u64) -> Life {
        let after = |from: u64, time: Duration| {
            from.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
        };
        let fresh_until_us = after(now_us, self.fresh);
        let stale_until_us = after(fresh_until_us, self.stale);
        Life { made_us: now_us, fresh_until_us, stale_until_us }
    }
}
