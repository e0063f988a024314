//! The header by which a client sees what it has written or seen, where hosts may lag behind.
//!
//! ```text
//!   POST, PATCH, DELETE ──> 00000000016b3748 ──> GET, QUERY: no state before that write
//!   list, stream        ──> 00000000016b3800 ──> the next page, the rest: no state before these
//! ```
//!
//! Promises: the text of an answer comes back as what it was; anything else is refused.
//! Never: anything kept here between two requests.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use plimsoll_store::Horizon;

use crate::problem::{Kind, Problem, Result};

pub(crate) const PLIMSOLL_SESSION: HeaderName = HeaderName::from_static("plimsoll-session");

/// What has to be seen by the one who asks with these headers.
pub(crate) fn horizon(headers: &HeaderMap) -> Result<Option<Horizon>> {
    let mut given = headers.get_all(PLIMSOLL_SESSION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let wrong = |why: &str| {
        let detail =
            format!("Plimsoll-Session {why}: send what the last answer had there, or leave it out");
        Problem::new(Kind::InvalidRequest, detail)
    };
    if given.next().is_some() {
        return Err(wrong("is given twice"));
    }
    let text = value.to_str().map_err(|_| wrong("is no text"))?;
    text.parse().map(Some).map_err(|_| {
        wrong(&format!("'{}' is nothing that was given out", plimsoll::error::excerpt(text)))
    })
}

/// Tells the client what its next reads have to see, if they could miss it.
pub(crate) fn tell(horizon: Option<Horizon>, headers: &mut HeaderMap) {
    if let Some(horizon) = horizon
        && let Ok(value) = HeaderValue::try_from(horizon.to_string())
    {
        headers.insert(PLIMSOLL_SESSION, value);
    }
}
