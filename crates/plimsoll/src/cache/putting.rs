//! Putting a value in.
//!
//! ```text
//!   check ──> room ──> reserve value, key and tags ──> copy ──> lock: index has room? ──> insert
//!                                                         ^        │ no
//!                                                         └─ reserve, grow
//! ```
//!
//! Promises: reserved before it is copied; what was revoked while it was made is not put in.
//! Never: half an entry.

use std::sync::Arc;

use super::entry::{Entry, Link, TagLink};
use super::freed::Freed;
use super::shared::Shared;
use super::state::State;
use super::terms::Terms;
use super::value::{Stored, allocated_bytes};
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::units::ByteSize;

/// Times the index may have been filled by others while it was grown.
const GROWTHS_MAX: usize = 16;

/// Memory for a value and its entry.
pub(super) struct Admitted {
    pub(super) value: Reservation,
    pub(super) own: Reservation,
}

/// What is put in, beside its memory.
#[derive(Clone, Copy)]
pub(super) struct Put<'a> {
    pub(super) key: &'a [u8],
    pub(super) terms: &'a Terms,
    pub(super) now_us: u64,
    /// The state's sequence when the making began; `None` for a value that is new whatever
    /// happened meanwhile.
    pub(super) begun: Option<u64>,
}

impl Shared {
    pub(super) fn check_key(&self, key: &[u8]) -> Result<()> {
        let most = self.bounds.key_bytes_max;
        if key.len() <= most {
            return Ok(());
        }
        Err(Error::too_large(format!(
            "looking into a cache with a key of {} bytes: {most} are the most; use a digest of it",
            key.len()
        )))
    }

    /// Checks the bounds and reserves a value of `bytes` with its key and tags.
    pub(super) fn admit(&self, put: Put<'_>, bytes: usize) -> Result<Admitted> {
        self.check_key(put.key)?;
        put.terms.check()?;
        let most = self.bounds.value_bytes_max;
        if bytes > most {
            return Err(Error::too_large(format!(
                "putting {} into a cache: a value has at most {}; keep it elsewhere",
                ByteSize::new(bytes as u64),
                ByteSize::new(most as u64)
            )));
        }
        let tags = put.terms.tags().count() * size_of::<TagLink>();
        let own = allocated_bytes(put.key.len()) + allocated_bytes(tags);
        let value = self.reserve(&self.hot, Stored::cost_bytes(bytes), put.now_us)?;
        let own = self.reserve(&self.index, own, put.now_us)?;
        Ok(Admitted { value, own })
    }

    /// Takes a value in that was admitted; `false` where it was revoked since its making began.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`] when the index cannot grow.
    pub(super) fn insert(
        &self,
        put: Put<'_>,
        stored: &Arc<Stored>,
        own: Reservation,
    ) -> Result<bool> {
        let hash = self.key_hash(put.key);
        let links = self.tag_links(put.terms);
        let tags = links.len();
        let mut entry = Some(Entry {
            hash,
            sequence: 0,
            key: put.key.into(),
            life: put.terms.life(put.now_us),
            value: Some(Arc::clone(stored)),
            bytes: u32::try_from(stored.bytes().len()).expect("values are below 4 MiB"),
            used: false,
            proven: false,
            place: None,
            hot: Link::APART,
            cold: Link::APART,
            tags: links,
            own,
        });
        for _ in 0..GROWTHS_MAX {
            let inserted = self.change(|state, freed| {
                let short = state.index.growth_bytes(tags);
                match entry.take_if(|_| short == 0) {
                    Some(entry) => Ok(insert(state, put, entry, freed)),
                    None => Err(short),
                }
            });
            match inserted {
                Ok(inserted) => return Ok(inserted),
                Err(short) => self.grow(tags, short, put.now_us)?,
            }
        }
        Err(Error::out_of_budget("putting a value into a cache: others fill its index as it grows"))
    }

    /// Whether a value that is not put in is not to be given to those who wait for it either.
    pub(super) fn was_revoked(&self, put: Put<'_>) -> bool {
        let tags = self.tag_links(put.terms);
        is_late(&self.lock(), put.begun, self.key_hash(put.key), &tags)
    }

    fn grow(&self, tags: usize, bytes: u64, now_us: u64) -> Result<()> {
        let reserved = self.reserve(&self.index, bytes, now_us)?;
        self.change(|state, freed| {
            // Others may have grown it, or filled it, meanwhile.
            let enough = (1..=bytes).contains(&state.index.growth_bytes(tags));
            freed.index(if enough { state.index.grow(tags, reserved) } else { reserved });
        });
        Ok(())
    }

    fn tag_links(&self, terms: &Terms) -> Box<[TagLink]> {
        let mut hashes: Vec<u64> = terms.tags().map(|tag| self.tag_hash(tag)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashes.into_iter().map(|tag| TagLink { tag, link: Link::APART }).collect()
    }
}

/// Puts an entry in where nothing revoked it; there is room.
fn insert(state: &mut State, put: Put<'_>, mut entry: Entry, freed: &mut Freed) -> bool {
    if is_late(state, put.begun, entry.hash, &entry.tags) {
        state.stats.revoked += 1;
        let Entry { key, tags, own, .. } = entry;
        drop((key, tags));
        freed.index(own);
        return false;
    }
    if let Some(old) = state.index.find(entry.hash, put.key) {
        state.remove(old, freed);
    }
    entry.sequence = state.next_sequence();
    state.stats.puts += 1;
    state.insert(entry);
    true
}

/// Whether the key or one of the tags was revoked since `begun`.
fn is_late(state: &State, begun: Option<u64>, key: u64, tags: &[TagLink]) -> bool {
    let hashes: Vec<u64> = tags.iter().map(|link| link.tag).chain([key]).collect();
    begun.is_some_and(|begun| state.revocations.since(begun, &hashes))
}
