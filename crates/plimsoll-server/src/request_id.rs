//! The id of a request: the client's where it is one, else ours.
//!
//! Promises: at most 128 visible ASCII characters, so that it is safe in logs and headers.
//! Never: two requests of one process with the same id of ours.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header both ways.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const BYTES_MAX: usize = 128;

/// Makes ids: a random start and a count, mixed so that neighbours look different.
#[derive(Debug)]
pub(crate) struct RequestIds {
    start: u64,
    count: AtomicU64,
}

/// One id. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestIds {
    pub(crate) fn new() -> Self {
        Self { start: RandomState::new().hash_one("request ids"), count: AtomicU64::new(0) }
    }

    /// The id of the request with these headers.
    pub(crate) fn of(&self, headers: &HeaderMap) -> RequestId {
        if let Some(theirs) = headers.get(X_REQUEST_ID) {
            let bytes = theirs.as_bytes();
            let visible = bytes.iter().all(u8::is_ascii_graphic);
            if visible && (1..=BYTES_MAX).contains(&bytes.len()) {
                return RequestId(theirs.clone());
            }
        }
        // The finisher of SplitMix64 (Steele, Lea and Flood, 2014): a bijection, so no id comes
        // twice before the count wraps.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut mixed = self.start.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let mut text = [0; 16];
        for (place, digit) in text.iter_mut().enumerate() {
            let nibble = (mixed >> (60 - 4 * place)) & 0xf;
            *digit = b"0123456789abcdef"[usize::try_from(nibble).unwrap_or(0)];
        }
        RequestId(HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("-")))
    }
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_the_client_is_kept_only_when_it_is_short_and_visible() {
        let ids = RequestIds::new();
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(text).expect("a header"));
            ids.of(&headers).as_str().to_owned()
        };
        assert_eq!(of("abc-1"), "abc-1");
        assert_ne!(of("a b"), "a b");
        assert_ne!(of(&"x".repeat(129)), "x".repeat(129));
        assert_eq!(of("").len(), 16);
    }

    #[test]
    fn two_ids_of_ours_differ() {
        let ids = RequestIds::new();
        let (a, b) = (ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
        assert_ne!(a.as_str(), b.as_str());
    }
}
