//! Filling: the body of an export goes to its file, to the end, whoever follows.
//!
//! ```text
//!   body of an export ── frame ──> take bytes ──> blocking thread: write ──> progress
//!                          └ dropped when it is written: at most two are under way
//!   end ──> the file is whole ──> waits for the link's end ──> the file goes
//! ```
//!
//! Promises: the first frame is on the disk before the link counts as taken, so that a full disk
//! is an ordinary problem then; a client that leaves stops nothing, since it may come back for the
//! rest; with the link's end it stops if nobody follows.
//! Never: a file kept that lacks its end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use plimsoll_store::Spool;

use super::disk::Place;
use super::export::{Export, Turn};
use super::kept::{End, Follower, KeptFile};
use crate::app::Context;
use crate::problem::{Kind, Problem, Result};

const FAILED: &str = "the export failed midway, and what there was of it was removed";
const DISK_FULL: &str = "the disk was full, and what there was of the export was removed";
const OVER: &str = "the time for which its file is kept is over";

/// Writes the first frame, and the others in a task of their own.
///
/// # Errors
/// 507 without room on the disk, 500 for a body that is cut or a disk that fails.
///
/// # Cancel safety
/// Dropping the future drops the body, and the link is as it was.
pub(crate) async fn begin(
    context: &Arc<Context>,
    turn: Turn,
    place: Place,
    body: Body,
) -> Result<Follower> {
    let spool = Spool::create(&context.handoffs.directory)?;
    let kept = Arc::new(KeptFile::new(Arc::clone(&spool.file), place));
    let mut fill = Fill { context: Arc::clone(context), body, spool: Some(spool), kept };
    let more = fill.frame().await?;
    let (kept, export) = (Arc::clone(&fill.kept), Arc::clone(turn.export()));
    turn.begun(&kept);
    // Followed before the rest is written, which the end of the link would stop otherwise.
    let follower = kept.follow();
    tokio::spawn(fill.run(export, more));
    Ok(follower)
}

struct Fill {
    context: Arc<Context>,
    body: Body,
    /// `None` while it is written to.
    spool: Option<Spool>,
    kept: Arc<KeptFile>,
}

impl Fill {
    /// Moves one frame; false when there are no more.
    async fn frame(&mut self) -> Result<bool> {
        let body = &mut self.body;
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let Some(frame) = frame else { return Ok(false) };
        // Whoever made the body has logged why.
        let frame = frame.map_err(|_| Problem::new(Kind::Internal, FAILED))?;
        let Ok(bytes) = frame.into_data() else { return Ok(true) };
        self.write(bytes).await.inspect_err(|problem| {
            tracing::warn!(target: "http", error = ?problem, "an export by link was not written");
        })?;
        Ok(true)
    }

    async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let length = bytes.len() as u64;
        self.context.handoffs.take_bytes(&self.kept.place, length)?;
        let Some(mut spool) = self.spool.take() else {
            return Err(Problem::internal(&"a write to the file of an export was broken off"));
        };
        // The disk is waited for on a thread that moves nobody else's bytes.
        let writing = tokio::task::spawn_blocking(move || {
            let written = spool.append(&bytes);
            (spool, written)
        });
        let (spool, written) = writing.await.map_err(|e| Problem::internal(&e))?;
        written?;
        self.spool = Some(spool);
        self.kept.wrote(length);
        Ok(())
    }

    /// The rest, and the time afterwards.
    async fn run(mut self, export: Arc<Export>, mut more: bool) {
        while more {
            if self.left(&export).is_zero() && !self.kept.is_followed() {
                return self.stop(&export, OVER);
            }
            more = match self.frame().await {
                Ok(more) => more,
                Err(problem) => {
                    let full = problem.kind() == Kind::DiskFull;
                    return self.stop(&export, if full { DISK_FULL } else { FAILED });
                }
            };
        }
        self.kept.ended(End::Whole(self.context.handoffs.next_finished()));
        let left = self.left(&export).min(self.context.limits.export_kept);
        // Its handle would keep the bytes on the disk.
        drop(self);
        let gone = Arc::clone(&export);
        tokio::select! {
            () = tokio::time::sleep(left) => export.leave(OVER),
            () = gone.file_gone.notified() => {}
        }
    }

    fn stop(&self, export: &Export, why: &'static str) {
        self.kept.ended(End::Failed);
        export.leave(why);
    }

    /// Until the link ends.
    fn left(&self, export: &Export) -> Duration {
        let micros = export.link.expires_seconds.saturating_mul(1_000_000);
        let left = micros.saturating_sub(self.context.clock.now_micros());
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }
}
