//! A part of a file that does not change, on its way to the client.
//!
//! Promises: read by position, on a thread that may wait for the disk, into the two buffers of a
//! permit; a file that cannot be read cuts the answer.
//! Never: an end before the last byte that was promised.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use tokio::sync::mpsc;

use super::admit::{FRAME_CAPACITY, FRAMES, Permit};
use super::frame::{Frames, Said, Sent};
use super::spooled::{Unread, read};
use crate::app;
use crate::request_id::RequestId;

/// The body that sends those bytes.
///
/// # Cancel safety
/// Dropping the body ends the reading and returns all buffers.
pub(crate) fn send_part(
    context: &Arc<app::Context>,
    permit: Permit,
    file: Arc<File>,
    part: Range<u64>,
    request_id: RequestId,
) -> Body {
    let (sender, frames) = mpsc::channel(1);
    let bytes = part.end - part.start;
    let context = Arc::clone(context);
    context.metrics.stream_started();
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            sent = produce(Arc::new(permit), &file, part, &sender) => match sent {
                Ok(()) => drop(sender.send(Said::End).await),
                Err(unread) => {
                    // With the runtime every connection ends.
                    if let Unread::Failed(error) = unread {
                        let request_id = request_id.as_str();
                        tracing::error!(target: "http", request_id, %error, "a download was cut");
                        context.metrics.stream_failed();
                    }
                    drop(sender.send(Said::Cut).await);
                }
            },
            () = gone.closed() => context.metrics.stream_left(),
        }
    });
    Body::new(Frames::sized(frames, bytes))
}

async fn produce(
    permit: Arc<Permit>,
    file: &Arc<File>,
    part: Range<u64>,
    sender: &mpsc::Sender<Said>,
) -> Result<(), Unread> {
    let (home, mut empty) = mpsc::channel(FRAMES);
    for _ in 0..FRAMES {
        // Room for all of them is what the channel was made with.
        drop(home.try_send(Vec::with_capacity(FRAME_CAPACITY)));
    }
    let mut at = part.start;
    while at < part.end {
        let Some(buffer) = empty.recv().await else { return Ok(()) };
        let buffer = read(file, buffer, at, part.end).await?;
        at += buffer.len() as u64;
        let sent = Sent::bytes(buffer, home.clone(), None, Arc::clone(&permit));
        drop(sender.send(Said::Data(sent)).await);
    }
    Ok(())
}
