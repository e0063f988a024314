//! A finished answer on its way to the client: first what lies on disk, then the end of it.
//!
//! ```text
//!   spool ── 80 KiB ──> buffer ──> body ──> hyper ──> socket
//!     ^                   ▲                             │
//!     └─ read by position └────── comes home ◄──────────┘      then the last frame, and the end
//! ```
//!
//! Of the two frames a permit stands for, one goes round and the other is the answer's end.
//!
//! Promises: no database and no snapshot waits for the client; a file that cannot be read cuts the
//! answer, which then never ends cleanly.
//! Never: a file read on a thread that moves other clients' bytes.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::Body;
use plimsoll::budget::Reservation;
use plimsoll_store::Spool;
use tokio::sync::mpsc;

use super::admit::{FRAME_CAPACITY, FRAMES, Permit};
use super::frame::{Frames, Said, Sent};
use crate::app;
use crate::request_id::RequestId;

/// An answer that is complete.
pub(crate) struct Finished {
    pub(crate) spool: Option<Spool>,
    /// What comes behind the spool.
    pub(crate) end: Vec<u8>,
    /// For what `end` has beyond a frame's capacity.
    pub(crate) extra: Option<Reservation>,
    pub(crate) request_id: RequestId,
}

/// The body that sends it.
///
/// # Cancel safety
/// Dropping the body frees the file and returns all buffers.
pub(crate) fn send(context: &Arc<app::Context>, permit: Permit, finished: Finished) -> Body {
    let (sender, frames) = mpsc::channel(1);
    let context = Arc::clone(context);
    context.metrics.stream_started();
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            () = produce(&context, permit, finished, &sender) => {}
            () = gone.closed() => context.metrics.stream_left(),
        }
    });
    Body::new(Frames::new(frames))
}

async fn produce(
    context: &app::Context,
    permit: Permit,
    finished: Finished,
    sender: &mpsc::Sender<Said>,
) {
    let Finished { spool, end, extra, request_id } = finished;
    let permit = Arc::new(permit);
    let (home, mut empty) = mpsc::channel(FRAMES);
    let frame = |buffer: Vec<u8>, extra: Option<Reservation>| {
        Said::Data(Sent::bytes(buffer, home.clone(), extra, Arc::clone(&permit)))
    };
    if let Some(Spool { file, bytes }) = spool {
        let mut buffer = Vec::with_capacity(FRAME_CAPACITY);
        let mut at = 0;
        while at < bytes {
            buffer = match read(&file, buffer, at, bytes).await {
                Ok(buffer) => buffer,
                // The runtime ends, and every connection with it.
                Err(Unread::Stopping) => return drop(sender.send(Said::Cut).await),
                Err(Unread::Failed(error)) => {
                    let request_id = request_id.as_str();
                    tracing::error!(target: "http", request_id, %error, "a spooled answer was cut");
                    context.metrics.stream_failed();
                    return drop(sender.send(Said::Cut).await);
                }
            };
            at += buffer.len() as u64;
            drop(sender.send(frame(buffer, None)).await);
            let Some(back) = empty.recv().await else {
                return;
            };
            buffer = back;
        }
    }
    drop(sender.send(frame(end, extra)).await);
    drop(sender.send(Said::End).await);
}

/// Why there are no bytes.
pub(crate) enum Unread {
    Stopping,
    Failed(std::io::Error),
}

/// The bytes from `at` on that fit the buffer, on a thread that may wait for the disk.
pub(crate) async fn read(
    file: &Arc<File>,
    mut buffer: Vec<u8>,
    at: u64,
    end: u64,
) -> Result<Vec<u8>, Unread> {
    let file = Arc::clone(file);
    let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(FRAME_CAPACITY);
    let reading = tokio::task::spawn_blocking(move || {
        buffer.resize(length, 0);
        file.read_exact_at(&mut buffer, at)?;
        Ok(buffer)
    });
    match reading.await {
        Ok(read) => read.map_err(Unread::Failed),
        Err(ended) if ended.is_cancelled() => Err(Unread::Stopping),
        Err(panicked) => Err(Unread::Failed(std::io::Error::other(panicked))),
    }
}
