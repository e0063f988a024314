//! A client that reads the file of an export, while it is written or afterwards.
//!
//! ```text
//!   file ── at ──> buffer ──> body ──> hyper ──> socket
//!     │ nothing more yet: wait for progress     │
//!     └────────── buffer comes home <───────────┘      two of them, those of a permit
//! ```
//!
//! Promises: a body ends cleanly only with the last byte of a file that is whole, or of the part
//! that was asked for; nobody waits for this client.
//! Never: a file read on a thread that moves other clients' bytes.

use std::sync::Arc;

use axum::body::Body;
use tokio::sync::mpsc;

use super::kept::{End, Follower, Progress};
use crate::app::Context;
use crate::request_id::RequestId;
use crate::stream::{FRAME_CAPACITY, FRAMES, Frames, Permit, Said, Sent, Unread, read};

/// Which bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) from: u64,
    /// Behind the last; `None` is the end of the file.
    pub(crate) to: Option<u64>,
}

/// The body that sends them.
///
/// # Cancel safety
/// Dropping the body ends the reading and returns all buffers; the file goes on being written.
pub(crate) fn follow(
    context: &Arc<Context>,
    permit: Permit,
    follower: Follower,
    part: Part,
    request_id: RequestId,
) -> Body {
    let (sender, frames) = mpsc::channel(1);
    let context = Arc::clone(context);
    let reader = Reader { permit: Arc::new(permit), follower, part };
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            end = reader.send(&sender) => {
                if let Err(error) = &end {
                    let request_id = request_id.as_str();
                    tracing::error!(target: "http", request_id, %error, "a download was cut");
                    context.metrics.stream_failed();
                }
                let last = if let Ok(true) = end { Said::End } else { Said::Cut };
                drop(sender.send(last).await);
            }
            () = gone.closed() => context.metrics.stream_left(),
        }
    });
    Body::new(match part.to {
        Some(to) => Frames::sized(frames, to - part.from),
        None => Frames::new(frames),
    })
}

struct Reader {
    permit: Arc<Permit>,
    follower: Follower,
    part: Part,
}

impl Reader {
    /// Sends everything; false when there will never be more of a file that is not whole.
    async fn send(mut self, sender: &mpsc::Sender<Said>) -> std::io::Result<bool> {
        let (home, mut empty) = mpsc::channel(FRAMES);
        for _ in 0..FRAMES {
            // Room for all of them is what the channel was made with.
            drop(home.try_send(Vec::with_capacity(FRAME_CAPACITY)));
        }
        let mut at = self.part.from;
        loop {
            let Progress { bytes, end } = *self.follower.progress.borrow_and_update();
            let to = self.part.to.unwrap_or(bytes).min(bytes);
            if at < to {
                let Some(buffer) = empty.recv().await else { return Ok(false) };
                let buffer = match read(&self.follower.file.file, buffer, at, to).await {
                    Ok(buffer) => buffer,
                    // The runtime ends, and every connection with it.
                    Err(Unread::Stopping) => return Ok(false),
                    Err(Unread::Failed(error)) => return Err(error),
                };
                at += buffer.len() as u64;
                let sent = Sent::bytes(buffer, home.clone(), None, Arc::clone(&self.permit));
                drop(sender.send(Said::Data(sent)).await);
                continue;
            }
            match end {
                _ if self.part.to == Some(at) => return Ok(true),
                Some(End::Whole(_)) => return Ok(true),
                Some(End::Failed) => {
                    // An error makes hyper drop what it has not written yet.
                    for _ in 0..FRAMES {
                        drop(empty.recv().await);
                    }
                    return Ok(false);
                }
                None if self.follower.progress.changed().await.is_err() => return Ok(false),
                None => {}
            }
        }
    }
}
