//! Frames between the producer of a stream and hyper.
//!
//! ```text
//!   producer ── Said::Data(bytes) ──> Frames (the body) ──> hyper ──> kernel
//!      ▲                                                                │ Sent is dropped
//!      └──────────────── the empty buffer comes home ◄──────────────────┘
//! ```
//!
//! Promises: a body ends cleanly only where the producer said so, or has given all the bytes it
//! was to have; a producer that went away without a word is a failure.
//! Never: a copy.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use plimsoll::budget::Reservation;
use tokio::sync::mpsc;

use super::admit::{FRAME_CAPACITY, Permit};

/// What the producer says.
pub(crate) enum Said {
    Data(Bytes),
    End,
    Cut,
}

/// A buffer on its way to the client.
pub(crate) struct Sent {
    buffer: Vec<u8>,
    home: mpsc::Sender<Vec<u8>>,
    _extra: Option<Reservation>,
    _permit: Arc<Permit>,
}

impl Sent {
    /// The buffer as bytes that come home when they are sent. `extra` stands for what it has
    /// beyond a frame's capacity.
    pub(crate) fn bytes(
        buffer: Vec<u8>,
        home: mpsc::Sender<Vec<u8>>,
        extra: Option<Reservation>,
        permit: Arc<Permit>,
    ) -> Bytes {
        Bytes::from_owner(Self { buffer, home, _extra: extra, _permit: permit })
    }
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        if buffer.capacity() != FRAME_CAPACITY {
            buffer = Vec::new();
        }
        // The producer may be gone already; then the buffer is simply freed.
        drop(self.home.try_send(buffer));
    }
}

/// The response's body.
pub(crate) struct Frames {
    frames: mpsc::Receiver<Said>,
    /// Bytes still to come, where their number is known.
    left: Option<u64>,
    done: bool,
}

impl Frames {
    pub(crate) fn new(frames: mpsc::Receiver<Said>) -> Self {
        Self { frames, left: None, done: false }
    }

    /// Of so many bytes: with the last of them it is at its end, and nobody has to ask again.
    pub(crate) fn sized(frames: mpsc::Receiver<Said>, bytes: u64) -> Self {
        Self { frames, left: Some(bytes), done: bytes == 0 }
    }
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.done {
            return Poll::Ready(None);
        }
        match ready!(self.frames.poll_recv(cx)) {
            Some(Said::Data(bytes)) => {
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(bytes.len() as u64);
                    self.done = *left == 0;
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Said::End) => {
                self.done = true;
                Poll::Ready(None)
            }
            // Also a producer that went away without a word: silence is not an end.
            Some(Said::Cut) | None => Poll::Ready(Some(Err(axum::Error::new(
                std::io::Error::other("the stream failed midway"),
            )))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.done
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
