//! Request bodies: read whole, within a reservation, a size and a time.
//!
//! ```text
//!   Content-Type? ─ Content-Length? ─ reserve ─ read, at most 256 KiB and 10 s ─> Vec<u8>
//!      415             413             503        413            408
//! ```
//!
//! Promises: nothing of the body is read before its bytes are reserved.
//! Never: a body decompressed; a Content-Encoding is refused.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use plimsoll::budget::Reservation;
use plimsoll::limits::BODY_BYTES_MAX;

use crate::app::Context;
use crate::problem::{Kind, Problem, Result};

/// What reading a body may hold: the body, and the values that are made of it.
const BODY_COST_FACTOR: u64 = 3;

/// A body and what stands for it.
pub(crate) struct Held {
    pub(crate) bytes: Vec<u8>,
    pub(crate) reservation: Reservation,
}

/// Media types of a row's members.
pub(crate) const ROW_TYPES: [&str; 2] = ["application/json", "application/merge-patch+json"];
/// Media type of everything else.
pub(crate) const JSON_TYPES: [&str; 1] = ["application/json"];

/// Reads a JSON body of one of the media types `allowed`.
///
/// # Errors
/// 408, 413, 415 or 503.
pub(crate) async fn read_json(
    context: &Context,
    headers: &HeaderMap,
    body: Body,
    allowed: &[&str],
) -> Result<Held> {
    check_type(headers, allowed)?;
    let known = body.size_hint().exact();
    if known.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let most = known.unwrap_or(BODY_BYTES_MAX as u64);
    let reservation = context.body_bytes.try_reserve(most * BODY_COST_FACTOR)?;
    let capacity = usize::try_from(most).unwrap_or(BODY_BYTES_MAX).min(16 << 10);
    let reading = read(body, Vec::with_capacity(capacity));
    let timeout = context.limits.body_timeout;
    let Ok(bytes) = tokio::time::timeout(timeout, reading).await else {
        return Err(Problem::new(
            Kind::BodyTimeout,
            format!("the body did not arrive within {} s", timeout.as_secs()),
        ));
    };
    Ok(Held { bytes: bytes?, reservation })
}

async fn read(body: Body, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut body = std::pin::pin!(body);
    while let Some(frame) = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame
            .map_err(|e| Problem::new(Kind::InvalidRequest, format!("the body broke off: {e}")))?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > BODY_BYTES_MAX {
                return Err(too_large());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

fn too_large() -> Problem {
    Problem::new(Kind::BodyTooLarge, format!("a body has at most {BODY_BYTES_MAX} bytes"))
        .with("bytes_max", BODY_BYTES_MAX)
}

fn check_type(headers: &HeaderMap, allowed: &[&str]) -> Result<()> {
    let refuse = |why: String| Err(Problem::new(Kind::UnsupportedMediaType, why));
    if headers.contains_key(header::CONTENT_ENCODING) {
        return refuse("a body with a Content-Encoding is not read; send it as it is".to_owned());
    }
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if allowed.iter().any(|name| name.eq_ignore_ascii_case(essence)) {
        return Ok(());
    }
    refuse(format!(
        "the body has Content-Type '{}'; allowed: {}",
        plimsoll::error::excerpt(essence),
        allowed.join(", ")
    ))
}
