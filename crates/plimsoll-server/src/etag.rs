//! Entity tags and the preconditions that name them.
//!
//! Promises: two different rows never share a tag; `If-None-Match` compares weakly, `If-Match`
//! strongly, as RFC 9110 says.
//! Never: a tag of a list; those change under the reader's hands.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::problem::{Kind, Problem, Result};

/// The tag of a row with a version column.
pub(crate) fn of_version(version: i64) -> String {
    format!("\"{version}\"")
}

/// The tag of bytes.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    of_digest(blake3::Hasher::new().update(bytes))
}

/// The tag of bytes that went through a digest.
pub(crate) fn of_digest(digest: &blake3::Hasher) -> String {
    format!("\"b3-{}\"", &digest.finalize().to_hex()[..32])
}

/// As a header. A tag made here is always one.
pub(crate) fn header_value(tag: &str) -> HeaderValue {
    HeaderValue::from_str(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether `If-None-Match` names the tag.
pub(crate) fn none_match(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',')
                .map(str::trim)
                .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
        })
    })
}

/// The version a write is bound to by `If-Match`; `None` when it is bound to nothing.
///
/// # Errors
/// 412 when the header names something this row can never be.
pub(crate) fn if_match(headers: &HeaderMap, versioned: bool) -> Result<Option<i64>> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let stale = |why: &str| Err(Problem::new(Kind::PreconditionFailed, why));
    if !versioned {
        return stale(
            "rows of this resource have no version, so If-Match can only be '*'; leave it out",
        );
    }
    match text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok()) {
        Some(version) => Ok(Some(version)),
        None => stale("If-Match is not a tag of this row; read it again and take its ETag"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, text: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(text));
        headers
    }

    #[test]
    fn none_match_compares_weakly_and_within_lists() {
        assert!(none_match(&headers(header::IF_NONE_MATCH, "\"4\", W/\"5\""), "\"5\""));
        assert!(none_match(&headers(header::IF_NONE_MATCH, "*"), "\"5\""));
        assert!(!none_match(&headers(header::IF_NONE_MATCH, "\"4\""), "\"5\""));
    }

    #[test]
    fn a_foreign_tag_fails_the_precondition_and_a_star_binds_to_nothing() {
        let ask = |text| if_match(&headers(header::IF_MATCH, text), true);
        assert_eq!(ask("\"7\"").expect("a version"), Some(7));
        assert_eq!(ask("*").expect("a star"), None);
        assert!(ask("\"b3-00\"").is_err());
        assert!(ask("W/\"7\"").is_err());
    }
}
