//! API keys: random texts, of which only a hash is kept.
//!
//! ```text
//!   plk_ + base64url(32 random bytes)  ── blake3 ──>  hash = "blake3:<64 hex digits>"
//!   told once, to whoever makes it                    stands in the access file
//! ```
//!
//! A key has 256 random bits, so a hash that is quick to compute gives nothing away: there is
//! nothing to guess.
//!
//! Promises: hashes are compared in constant time, and all of them, whichever fits.
//! Never: a key kept, logged or told a second time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// What every key begins with, so that a person and a scanner for secrets knows one.
pub(super) const PREFIX: &str = "plk_";
const HASH_PREFIX: &str = "blake3:";

/// A key that was made just now.
///
/// ```
/// let made = plimsoll_server::NewKey::of([7; 32]);
/// assert!(made.key.starts_with("plk_") && made.hash.starts_with("blake3:"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// What the client sends.
    pub key: String,
    /// What the access file holds.
    pub hash: String,
}

impl NewKey {
    /// A key of 32 bytes that nobody can guess.
    #[must_use]
    pub fn of(random: [u8; 32]) -> Self {
        let key = format!("{PREFIX}{}", BASE64.encode(random));
        let hash = format!("{HASH_PREFIX}{}", hash_of(&key).to_hex());
        Self { key, hash }
    }
}

/// The hash of what a client sent.
pub(super) fn hash_of(key: &str) -> blake3::Hash {
    blake3::hash(key.as_bytes())
}

/// Reads a hash of the access file.
pub(super) fn read_hash(text: &str) -> Option<blake3::Hash> {
    blake3::Hash::from_hex(text.strip_prefix(HASH_PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::{NewKey, hash_of, read_hash};

    #[test]
    fn the_hash_of_a_key_is_what_the_file_holds_of_it() {
        let (one, other) = (NewKey::of([1; 32]), NewKey::of([2; 32]));
        assert_eq!(read_hash(&one.hash), Some(hash_of(&one.key)));
        assert_ne!(read_hash(&other.hash), Some(hash_of(&one.key)));
        assert_eq!(one.key.len(), 4 + 43);
        for wrong in
            ["", "blake3:", "blake3:00", &one.hash[7..], &one.hash.replace("blake3", "sha")]
        {
            assert_eq!(read_hash(wrong), None, "{wrong}");
        }
    }
}
