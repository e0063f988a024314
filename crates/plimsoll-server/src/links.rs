//! Addresses inside responses: `next`, `prev`, `self`, `canonical` and `Location`.
//!
//! Promises: whatever the client sent, what comes back is ASCII without quotes, angle brackets
//! or control characters, so that it fits a header and a JSON string as it is.
//! Never: a scheme or a host; proxies know those, we do not.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

/// What must not stand raw in a link. A `%` stays: the client's own encoding is kept.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What stands raw in a path's segment.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as one segment of a path.
pub(crate) fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Parameters that say where a page begins; a link to another page replaces them.
const PLACES: [&str; 5] =
    ["cursor", "page[after]", "page[before]", "page%5Bafter%5D", "page%5Bbefore%5D"];

/// The address of this request.
pub(crate) fn to_self(path: &str, query: Option<&str>) -> String {
    let mut link = utf8_percent_encode(path, UNSAFE).to_string();
    if let Some(query) = query {
        link.push('?');
        link.extend(utf8_percent_encode(query, UNSAFE));
    }
    link
}

/// The address of this request with another cursor.
pub(crate) fn to_cursor(path: &str, query: Option<&str>, cursor: &str) -> String {
    let mut link = utf8_percent_encode(path, UNSAFE).to_string();
    link.push('?');
    for pair in query.unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        if pair.is_empty() || PLACES.iter().any(|place| place.eq_ignore_ascii_case(name)) {
            continue;
        }
        link.extend(utf8_percent_encode(pair, UNSAFE));
        link.push('&');
    }
    link.push_str("cursor=");
    link.push_str(cursor);
    link
}

/// Where the path is served canonically, for a path that begins with `/api` or with neither.
pub(crate) fn canonical(path: &str) -> Option<String> {
    if path.starts_with("/api/v2/") {
        return None;
    }
    let rest = path.strip_prefix("/api").filter(|r| r.starts_with('/')).unwrap_or(path);
    Some(format!("/api/v2{}", utf8_percent_encode(rest, UNSAFE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_the_other_parameters_and_replaces_the_place() {
        let link = to_cursor("/p", Some("limit=2&page%5Bafter%5D=x&sort=-price"), "abc");
        assert_eq!(link, "/p?limit=2&sort=-price&cursor=abc");
        assert_eq!(to_cursor("/p", None, "abc"), "/p?cursor=abc");
    }

    #[test]
    fn a_link_cannot_break_out_of_a_header_or_a_json_string() {
        let link = to_self("/p\"<x>", Some("a=\"\\"));
        assert_eq!(link, "/p%22%3Cx%3E?a=%22%5C");
    }

    #[test]
    fn every_prefix_has_one_canonical_path() {
        assert_eq!(canonical("/goods/7").as_deref(), Some("/api/v2/goods/7"));
        assert_eq!(canonical("/api/goods").as_deref(), Some("/api/v2/goods"));
        assert_eq!(canonical("/api/v2/goods"), None);
    }
}
