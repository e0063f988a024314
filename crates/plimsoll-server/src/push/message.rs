//! What a job of the kind `http.push` is to send, and where.
//!
//! ```text
//!   {"url": "https://hooks.example/in", "secret": "billing", "body": {..},
//!    "headers": {"x-webhook-topic": "orders"}}
//! ```
//!
//! Promises: pure; what is wrong is told before anybody is called.
//! Never: the secret itself; a header that says who somebody is.

use std::collections::BTreeMap;

use bytes::Bytes;
use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use plimsoll::error::excerpt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Bytes of a URL: what receivers take for certain.
const URL_BYTES_MAX: usize = 2_048;
/// Characters of an id of one's own.
const ID_BYTES_MAX: usize = 128;
/// Headers of one's own.
const HEADERS_MAX: usize = 16;
/// Bytes of the value of one.
const HEADER_BYTES_MAX: usize = 1_024;
/// Headers that may be set. Those that carry credentials, or that a proxy is believed, are none of
/// them; a name of one's own begins with [`OWN_PREFIX`].
const HEADERS: [&str; 5] =
    ["accept", "accept-language", "idempotency-key", "traceparent", "tracestate"];
/// What headers of one's own begin with.
const OWN_PREFIX: &str = "x-webhook-";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    url: String,
    secret: String,
    body: Box<RawValue>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What is told to be the message's, in place of the job's number.
    id: Option<String>,
    /// The queue tells a callback which batch it follows.
    batch: Option<String>,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) to: Target,
    /// The name of the secret that signs it.
    pub(super) secret: String,
    /// Its own, where it has one.
    pub(super) id: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Where it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) https: bool,
    /// A name, or an address without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// For the header `host`.
    pub(super) authority: Box<str>,
    /// Path and query.
    pub(super) path: Box<str>,
}

/// Reads the payload of a job.
pub(super) fn read(payload: &str) -> Result<Message, String> {
    let payload: Payload = serde_json::from_str(payload).map_err(|e| {
        format!("the payload is not {{\"url\", \"secret\", \"body\", \"headers\"?, \"id\"?}}: {e}")
    })?;
    if payload.secret.starts_with("whsec_") {
        return Err("\"secret\" is the name of a secret in push.secrets, never the secret: \
                    replace the one that was sent, for the database has it"
            .to_owned());
    }
    plimsoll_jobs::check_name("secret", &payload.secret).map_err(|e| e.to_string())?;
    let to = target(&payload.url)?;
    let headers = headers(&payload.headers)?;
    let body = body(&payload.body, payload.batch.as_deref());
    let id = payload.id;
    if id.as_deref().is_some_and(|id| !is_id(id)) {
        let why = format!("the id is not 1 to {ID_BYTES_MAX} letters, digits, '_' or '-'");
        return Err(why);
    }
    Ok(Message { to, secret: payload.secret, id, headers, body })
}

/// Whether it may stand in what is signed, whose parts are parted by points.
fn is_id(id: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(fits)
}

/// Reads a URL into what is dialled and what is asked.
pub(super) fn target(url: &str) -> Result<Target, String> {
    let wrong = |why: &str| format!("the url {:?} {why}", excerpt(url));
    if url.len() > URL_BYTES_MAX {
        return Err(wrong(&format!("has more than {URL_BYTES_MAX} bytes")));
    }
    let uri: Uri = url.parse().map_err(|_| wrong("is none: https://host/path is"))?;
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(wrong("is none of https")),
    };
    let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
    if authority.as_str().contains('@') {
        return Err("the url holds a user or password: the signature says who sends".to_owned());
    }
    if url.contains('#') {
        return Err(wrong("has a fragment, which is not sent"));
    }
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if !is_address && !super::allow::is_host(host) {
        return Err(wrong("names no host"));
    }
    // Read here, for hyper takes a port that is no number for none.
    let rest = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    let port = match rest.strip_prefix(':') {
        None => Some(if https { 443 } else { 80 }),
        Some(digits) => digits.parse::<u16>().ok().filter(|port| *port != 0),
    };
    Ok(Target {
        https,
        host: host.into(),
        port: port.ok_or_else(|| wrong("has no port from 1 to 65535"))?,
        authority: authority.as_str().into(),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).into(),
    })
}

fn headers(given: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    if given.len() > HEADERS_MAX {
        return Err(format!("there are {} headers, at most {HEADERS_MAX} are sent", given.len()));
    }
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let lower = name.to_ascii_lowercase();
        if !HEADERS.contains(&lower.as_str()) && !lower.starts_with(OWN_PREFIX) {
            return Err(format!(
                "the header {:?} is not sent: {} and those that begin with {OWN_PREFIX} are",
                excerpt(name),
                HEADERS.join(", ")
            ));
        }
        let known = HeaderName::from_bytes(lower.as_bytes()).ok().filter(|_| lower.len() <= 64);
        let known = known.ok_or_else(|| format!("the header {:?} is no name", excerpt(name)))?;
        let fits = value.len() <= HEADER_BYTES_MAX;
        let value = HeaderValue::from_str(value).ok().filter(|_| fits && value.is_ascii());
        let value = value.ok_or_else(|| {
            format!("the header {lower} is not at most {HEADER_BYTES_MAX} visible ASCII bytes")
        })?;
        headers.insert(known, value);
    }
    Ok(headers)
}

/// The body as it was given; one that is an object is told its batch.
fn body(given: &RawValue, batch: Option<&str>) -> Bytes {
    #[derive(Deserialize)]
    struct Members {
        batch: Option<IgnoredAny>,
    }
    let text = given.get();
    let inner = text.strip_prefix('{').map(str::trim_start);
    let (Some(batch), Some(inner)) = (batch, inner) else { return text.to_owned().into() };
    match serde_json::from_str::<Members>(text) {
        Ok(Members { batch: None }) => {
            let comma = if inner == "}" { "" } else { "," };
            let batch = serde_json::Value::from(batch);
            format!("{{\"batch\":{batch}{comma}{inner}").into()
        }
        _ => text.to_owned().into(),
    }
}

#[cfg(test)]
mod tests;
