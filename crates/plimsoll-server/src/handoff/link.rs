//! Links: an id and an end, signed.
//!
//! ```text
//!   /api/v2/exports/6b1f..(32 digits)?expires=1769861400&signature=base64url(MAC)
//!                   └ id                      └ seconds, Unix         32 bytes
//!
//!   key   blake3 derived from the server's key, so that a cursor never passes for a link
//!   MAC   blake3 keyed, over id and end
//!   id    blake3 keyed, over what differs between processes and a count: nobody without the key
//!         can tell the next one
//! ```
//!
//! Promises: what was not made here is not opened; the MAC is compared in constant time.
//! Never: what the export is of; that stays in the table.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

const CONTEXT: &str = "plimsoll 2026-11-21 links to exports";
const ID_BYTES: usize = 16;
const MAC_BYTES: usize = 32;
/// Where links lead to.
const PATH: &str = "/api/v2/exports/";

/// Which export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id([u8; ID_BYTES]);

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) id: Id,
    /// Unix time.
    pub(crate) expires_seconds: i64,
}

/// Makes links and opens them.
pub(crate) struct LinkKey {
    key: [u8; 32],
    /// Differs between processes that have the same key.
    start: [u64; 2],
    count: AtomicU64,
}

impl LinkKey {
    pub(crate) fn new(server_key: &[u8; 32]) -> Self {
        let start = [RandomState::new(), RandomState::new()].map(|state| state.hash_one("links"));
        Self { key: blake3::derive_key(CONTEXT, server_key), start, count: AtomicU64::new(0) }
    }

    /// A new id.
    pub(crate) fn id(&self) -> Id {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(b"id");
        for part in [self.start[0], self.start[1], count] {
            hasher.update(&part.to_be_bytes());
        }
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..ID_BYTES]);
        Id(id)
    }

    /// Path and query.
    pub(crate) fn write(&self, link: Link) -> String {
        let signature = BASE64.encode(self.mac(link).as_bytes());
        let Link { id, expires_seconds } = link;
        format!("{PATH}{id}?expires={expires_seconds}&signature={signature}")
    }

    /// Reads the last segment of a path and the query behind it; `None` for what was not written
    /// here, letter by letter.
    pub(crate) fn open(&self, segment: &str, query: Option<&str>) -> Option<Link> {
        let (expires, signature) = query?.strip_prefix("expires=")?.split_once("&signature=")?;
        let link = Link { id: Id::read(segment)?, expires_seconds: expires.parse().ok()? };
        // One more digit is enough to know that it is too long.
        let given = signature.get(..signature.len().min(MAC_BYTES * 2))?;
        let given: [u8; MAC_BYTES] = BASE64.decode(given).ok()?.try_into().ok()?;
        // blake3::Hash compares in constant time.
        (self.mac(link) == blake3::Hash::from_bytes(given)).then_some(link)
    }

    fn mac(&self, link: Link) -> blake3::Hash {
        let mut signed = [0; 4 + ID_BYTES + 8];
        signed[..4].copy_from_slice(b"link");
        signed[4..4 + ID_BYTES].copy_from_slice(&link.id.0);
        signed[4 + ID_BYTES..].copy_from_slice(&link.expires_seconds.to_be_bytes());
        blake3::keyed_hash(&self.key, &signed)
    }
}

impl Id {
    fn read(text: &str) -> Option<Self> {
        let digits = text.len() == ID_BYTES * 2
            && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u128::from_str_radix(text, 16).ok())??;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(link: &str) -> (&str, &str) {
        link.strip_prefix(PATH).expect("the path").split_once('?').expect("a query")
    }

    #[test]
    fn a_link_is_opened_as_it_was_written_and_not_with_one_letter_changed() {
        let key = LinkKey::new(&[7; 32]);
        let link = Link { id: key.id(), expires_seconds: 1_769_861_400 };
        let text = key.write(link);
        let (segment, query) = parts(&text);
        assert_eq!(key.open(segment, Some(query)), Some(link));
        assert_eq!(LinkKey::new(&[7; 32]).open(segment, Some(query)), Some(link), "the same key");
        assert_eq!(LinkKey::new(&[8; 32]).open(segment, Some(query)), None, "another server");
        for at in 0..text.len() - PATH.len() {
            let mut changed = text.clone().into_bytes();
            let byte = &mut changed[PATH.len() + at];
            *byte = if *byte == b'1' { b'2' } else { b'1' };
            let changed = String::from_utf8(changed).expect("ASCII");
            let opened = changed
                .strip_prefix(PATH)
                .and_then(|rest| rest.split_once('?'))
                .and_then(|(segment, query)| key.open(segment, Some(query)));
            assert_eq!(opened, None, "{changed}");
        }
        for query in [None, Some(""), Some("expires=1"), Some("expires=1&signature=")] {
            assert_eq!(key.open(segment, query), None);
        }
        let longer = format!("{query}&utm=1");
        assert_eq!(key.open(segment, Some(&longer)), None);
    }

    #[test]
    fn no_two_ids_are_the_same_and_a_cursor_key_signs_no_link() {
        let (one, two) = (LinkKey::new(&[7; 32]), LinkKey::new(&[7; 32]));
        let ids: std::collections::HashSet<Id> =
            (0..1_000).flat_map(|_| [one.id(), two.id()]).collect();
        assert_eq!(ids.len(), 2_000);
        assert_ne!(one.key, [7; 32]);
    }
}
