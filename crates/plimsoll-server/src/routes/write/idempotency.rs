//! The Idempotency-Key header: which answer a repeat gets.
//!
//! ```text
//!   key given by the client ─┐
//!   who asks, route ─────────┴> scoped key ──> remembered with the fingerprint, in the write's
//!   method, path, body ───────> fingerprint    own transaction, for 24 hours
//! ```
//!
//! Promises: the same key with another request is refused (422), not answered with a wrong row.
//! Never: a key that was not committed together with its effect.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use plimsoll_store::Remember;

use crate::access::Principal;
use crate::problem::{Kind, Problem, Result};
use crate::router::RouteLabel;

const KEY_BYTES_MAX: usize = 255;
const KEEP_SECONDS: u32 = 24 * 60 * 60;

/// What the store is to remember, if the client asks.
///
/// # Errors
/// 400 for a key that is empty, too long or not visible ASCII.
pub(in crate::routes) fn remember(
    parts: &Parts,
    label: &RouteLabel,
    path: &str,
    body: &[u8],
    status: StatusCode,
) -> Result<Option<Remember>> {
    let Some(key) = parts.headers.get("idempotency-key") else {
        return Ok(None);
    };
    let bytes = key.as_bytes();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    let text = key.to_str().ok().filter(|_| visible && (1..=KEY_BYTES_MAX).contains(&bytes.len()));
    let Some(text) = text else {
        return Err(Problem::new(
            Kind::InvalidRequest,
            format!("an Idempotency-Key is 1 to {KEY_BYTES_MAX} visible ASCII characters"),
        ));
    };
    let mut fingerprint = blake3::Hasher::new();
    for part in [parts.method.as_str().as_bytes(), path.as_bytes(), body] {
        fingerprint.update(&(part.len() as u64).to_le_bytes());
        fingerprint.update(part);
    }
    if let Some(if_match) = parts.headers.get("if-match") {
        fingerprint.update(if_match.as_bytes());
    }
    let template = &label.template;
    Ok(Some(Remember {
        key: match parts.extensions.get::<Arc<Principal>>() {
            None => format!("{template} {text}").into(),
            // Nobody is answered what somebody else wrote.
            Some(principal) => {
                let mark = u128::from_le_bytes(*principal.mark());
                format!("{mark:032x} {template} {text}").into()
            }
        },
        fingerprint: *fingerprint.finalize().as_bytes(),
        keep_seconds: KEEP_SECONDS,
        tag: status.as_u16(),
    }))
}
