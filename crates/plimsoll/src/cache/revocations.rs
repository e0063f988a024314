//! What was taken away lately, so that a value made before is not put in after.
//!
//! ```text
//!   maker begins at 7 ── reads ───────────────────────────── puts ──> refused: 9 > 7
//!                          tag "products" invalidated at 9 ──^
//! ```
//!
//! Promises: a value whose key or tag was revoked after its making began is told.
//! Never: more than a fixed number remembered; what began before the last forgotten one counts as
//! revoked, which costs one more making.

use std::collections::VecDeque;

use crate::limits::CACHE_REVOCATIONS_MAX;

#[derive(Debug)]
pub(super) struct Revocations {
    /// (sequence, hash of a key or tag), the oldest first.
    recent: VecDeque<(u64, u64)>,
    /// What began before this is revoked whatever it is.
    all_before: u64,
}

impl Revocations {
    pub(super) const COST_BYTES: u64 = (CACHE_REVOCATIONS_MAX * size_of::<(u64, u64)>()) as u64;

    pub(super) fn new() -> Self {
        Self { recent: VecDeque::with_capacity(CACHE_REVOCATIONS_MAX), all_before: 0 }
    }

    pub(super) fn revoke(&mut self, sequence: u64, hash: u64) {
        if self.recent.len() == CACHE_REVOCATIONS_MAX
            && let Some((forgotten, _)) = self.recent.pop_front()
        {
            self.all_before = forgotten;
        }
        self.recent.push_back((sequence, hash));
    }

    pub(super) fn revoke_all(&mut self, sequence: u64) {
        self.recent.clear();
        self.all_before = sequence;
    }

    /// Whether what began at `begun` and is known by one of `hashes` was revoked since.
    pub(super) fn since(&self, begun: u64, hashes: &[u64]) -> bool {
        let later = self.recent.iter().rev().take_while(|(sequence, _)| *sequence > begun);
        self.all_before > begun || later.into_iter().any(|(_, hash)| hashes.contains(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_told_to_what_began_before_it_alone() {
        let mut revoked = Revocations::new();
        revoked.revoke(9, 77);
        assert!(revoked.since(7, &[1, 77]) && revoked.since(8, &[77]));
        assert!(!revoked.since(9, &[77]) && !revoked.since(7, &[78]));
        revoked.revoke_all(20);
        assert!(revoked.since(19, &[]) && !revoked.since(20, &[77]));
    }

    #[test]
    fn what_is_forgotten_counts_as_revoked() {
        let mut revoked = Revocations::new();
        for sequence in 1..=CACHE_REVOCATIONS_MAX as u64 + 5 {
            revoked.revoke(sequence, sequence);
        }
        assert!(revoked.since(4, &[0]), "the revocation of 5 is not known any more");
        assert!(!revoked.since(5, &[0]));
    }
}
