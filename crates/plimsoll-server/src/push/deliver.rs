//! One delivery: a connection, a request, the answer's status.
//!
//! ```text
//!   dial ─> POST, signed ─> status, Retry-After ─> 64 KiB of the body, thrown away ─> closed
//!   └──────────── within the whole time ──────┘    └── 2 s at most: the status stands ──┘
//! ```
//!
//! Promises: ends within its time whatever the receiver does; holds a bounded part of its answer.
//! Never: a redirect that is followed; a connection that is kept; a body that is kept.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::dial::Dialer;
use super::message::Message;
use super::outcome::{Answered, Trouble};

/// Bytes of an answer's body that are read, so that its sender sees an end and no reset.
const BODY_BYTES_MAX: usize = 64 << 10;
/// And for how long: the status is known by then.
const BODY_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes that hyper holds of an answer's head, or of a piece of its body.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Headers of an answer.
const HEADERS_MAX: usize = 100;
/// Bytes of `Retry-After`: a date has 29.
const RETRY_AFTER_BYTES_MAX: usize = 64;

/// Delivers a message under the headers that sign it.
pub(super) async fn deliver(
    dialer: &Dialer,
    message: &Message,
    signed: HeaderMap,
    timeout: Duration,
) -> Result<Answered, Trouble> {
    let host = &message.to.host;
    let late = |_| Trouble::Again(format!("{host} did not answer within {timeout:?}"));
    let asked = async {
        let stream = dialer.dial(&message.to).await?;
        let broken = |e: hyper::Error| Trouble::Again(format!("asking {host}: {e}"));
        let mut builder = http1::Builder::new();
        builder.max_buf_size(BUFFER_BYTES_MAX).max_headers(HEADERS_MAX);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // Ends with the runtime of this delivery.
        let _driver = tokio::spawn(connection);
        sender.send_request(request(message, signed)?).await.map_err(broken)
    };
    let response = tokio::time::timeout(timeout, asked).await.map_err(late)??;
    let answered = answered(&response);
    // How it ends, or whether it does, changes nothing.
    let _read = tokio::time::timeout(BODY_TIME_MAX, throw_away(response.into_body())).await;
    Ok(answered)
}

fn request(message: &Message, signed: HeaderMap) -> Result<Request<Full<Bytes>>, Trouble> {
    let to = &message.to;
    let mut request = Request::post(&*to.path)
        .header(HOST, &*to.authority)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("plimsoll/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Full::new(message.body.clone()))
        .map_err(|e| Trouble::Never(format!("a request to {}: {e}", to.host)))?;
    request.headers_mut().extend(message.headers.clone());
    request.headers_mut().extend(signed);
    Ok(request)
}

fn answered(response: &Response<Incoming>) -> Answered {
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.filter(|value| value.len() <= RETRY_AFTER_BYTES_MAX);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
    Answered { status: response.status().as_u16(), retry_after }
}

async fn throw_away(mut body: Incoming) {
    let mut left = BODY_BYTES_MAX;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(1, Bytes::len)) {
            Some(fewer) => left = fewer,
            None => return,
        }
    }
}
