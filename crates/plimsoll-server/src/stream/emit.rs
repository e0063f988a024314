//! Emission: slices of rows become frames on the wire.
//!
//! ```text
//!            ┌────────────── empty buffers (2) ◄──────────────┐ dropped once the kernel has it
//!            v                                                │
//!   producer task ── store.page ──> full buffer ── frames(1) ──> body ──> hyper ──> socket
//!            │                                         ▲
//!            └── client gone: the receiver closes ─────┘
//! ```
//!
//! Two buffers go round: one is sent while the next is read. A reader thread is held for one
//! slice and never by a client: a slow client keeps its two buffers, and the producer waits for
//! one of them without touching the store.
//!
//! Promises: every frame is what the reader wrote, uncopied; a failure never ends cleanly: NDJSON
//! gets one last line `{"error":..}` and is then cut, JSON and CSV are cut; the permit lives
//! exactly as long as the last buffer.
//! Never: a third buffer, or a slice nobody waits for.
//!
//! Where no index runs in the order, the slices are those of a sort, see [`super::sorted`].

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use plimsoll::budget::Reservation;
use plimsoll::expr::Expr;
use plimsoll::format::{Format, RowEncoder};
use plimsoll::limits::FRAME_BYTES;
use plimsoll_store::{
    Horizon, Order, Page, PageEnd, PageRequest, Position, ReadLane, Resource, Scope, Search, Store,
};
use tokio::sync::mpsc;

use super::admit::{FRAME_CAPACITY, FRAMES, Permit};
use super::frame::{Frames, Said, Sent};
use super::snapshot::Snapshot;
use super::sorted::Sorted;
use crate::app;
use crate::problem::{Problem, Result};
use crate::request_id::RequestId;

/// What is to be streamed.
pub(crate) struct Emission {
    pub(crate) source: Source,
    pub(crate) encoder: Box<dyn RowEncoder>,
    pub(crate) format: Format,
    pub(crate) request_id: RequestId,
}

/// Where the rows come from.
pub(crate) enum Source {
    /// The store, in the order of an index.
    Range(Range, Option<Position>),
    /// Rows that were read and sorted.
    Sorted(Sorted),
    /// Rows of one moment.
    Snapshot(Snapshot),
}

/// Which rows, in which order, and what of them.
#[derive(Clone)]
pub(crate) struct Range {
    pub(crate) resource: Arc<Resource>,
    pub(crate) filter: Option<Arc<Expr>>,
    pub(crate) search: Option<Arc<Search>>,
    pub(crate) order: Arc<Order>,
    pub(crate) columns: Arc<[usize]>,
    /// What has to be seen: at first what the client has written, then where the reading began.
    pub(crate) horizon: Option<Horizon>,
}

/// What is sent.
pub(crate) struct Emitted {
    pub(crate) body: Body,
    /// What a stream that goes on behind it has to see.
    pub(crate) horizon: Option<Horizon>,
}

/// A buffer with what fitted it.
pub(super) struct Slice {
    pub(super) out: Vec<u8>,
    pub(super) extra: Option<Reservation>,
    pub(super) encoder: Box<dyn RowEncoder>,
    pub(super) more: bool,
}

/// Reads the first slice, so that what fails there is an ordinary problem, and returns the body
/// that reads the rest.
///
/// # Errors
/// Those of the first slice.
///
/// # Cancel safety
/// Dropping the future or the body cancels the read that runs and returns all buffers.
pub(crate) async fn emit(
    context: &Arc<app::Context>,
    permit: Permit,
    emission: Emission,
) -> Result<Emitted> {
    let Emission { source, mut encoder, format, request_id } = emission;
    let (empty_sender, empty) = mpsc::channel(FRAMES);
    for _ in 1..FRAMES {
        // Room for all of them is what the channel was made with.
        drop(empty_sender.try_send(Vec::new()));
    }
    let mut out = Vec::with_capacity(FRAME_CAPACITY);
    encoder.begin(&mut out);
    let mut producer = Producer {
        store: context.store.clone(),
        source,
        permit: Arc::new(permit),
        empty,
        empty_sender,
        context: Arc::clone(context),
        format,
        request_id,
        rest: Duration::ZERO,
    };
    let first = producer.slice(encoder, out).await?;
    let horizon = match &producer.source {
        Source::Range(range, _) => range.horizon,
        Source::Sorted(_) | Source::Snapshot(_) => None,
    };
    let (sender, frames) = mpsc::channel(1);
    let finished = Arc::clone(context);
    context.metrics.stream_started();
    tokio::spawn(async move {
        let gone = sender.clone();
        tokio::select! {
            () = producer.produce(first, &sender) => {}
            () = gone.closed() => finished.metrics.stream_left(),
        }
    });
    Ok(Emitted { body: Body::new(Frames::new(frames)), horizon })
}

impl Range {
    fn page(
        &self,
        from: Option<Position>,
        encoder: Box<dyn RowEncoder>,
        out: Vec<u8>,
        extra: Reservation,
    ) -> PageRequest {
        PageRequest {
            resource: Arc::clone(&self.resource),
            scope: Scope::Range {
                filter: self.filter.clone(),
                search: self.search.clone(),
                order: Arc::clone(&self.order),
                from,
                backwards: false,
            },
            columns: Arc::clone(&self.columns),
            rows_max: u64::MAX,
            bytes_max: FRAME_BYTES,
            encoder,
            out,
            extra: Some(extra),
            row_ends: None,
            lane: ReadLane::Bulk,
            horizon: self.horizon,
        }
    }
}

struct Producer {
    store: Store,
    source: Source,
    permit: Arc<Permit>,
    empty: mpsc::Receiver<Vec<u8>>,
    empty_sender: mpsc::Sender<Vec<u8>>,
    context: Arc<app::Context>,
    format: Format,
    request_id: RequestId,
    /// Before the next slice is read.
    rest: Duration,
}

impl Producer {
    async fn slice(&mut self, encoder: Box<dyn RowEncoder>, out: Vec<u8>) -> Result<Slice> {
        let extra = self.context.admission.more(0)?;
        match &mut self.source {
            Source::Sorted(sorted) => {
                let (out, extra, more) = sorted.fill(out, extra).await?;
                Ok(Slice { out, extra: Some(extra), encoder, more })
            }
            Source::Snapshot(snapshot) => {
                let (out, extra, more) = snapshot.fill(out, extra).await?;
                Ok(Slice { out, extra: Some(extra), encoder, more })
            }
            Source::Range(range, from) => {
                tokio::time::sleep(std::mem::take(&mut self.rest)).await;
                let request = range.page(from.take(), encoder, out, extra);
                let page = self.store.page(request).await?;
                let Page { out, extra, encoder, end, rest, horizon, .. } = page;
                self.rest = rest;
                range.horizon = horizon;
                if let PageEnd::More(position) = end {
                    *from = Some(position);
                }
                Ok(Slice { out, extra, encoder, more: from.is_some() })
            }
        }
    }

    /// Says everything from the first slice on. Ends early only when nobody listens.
    async fn produce(&mut self, first: Slice, sender: &mpsc::Sender<Said>) {
        let mut slice = first;
        loop {
            if !slice.more {
                slice.encoder.end(&mut slice.out);
            }
            // A slice that found nothing in its time keeps its buffer for the next.
            let mut out = slice.out;
            if !out.is_empty() {
                drop(sender.send(Said::Data(self.frame(out, slice.extra))).await);
                let Some(buffer) = self.empty.recv().await else {
                    return;
                };
                out = buffer;
            }
            if !slice.more {
                return drop(sender.send(Said::End).await);
            }
            if out.capacity() != FRAME_CAPACITY {
                out = Vec::with_capacity(FRAME_CAPACITY);
            }
            match self.slice(slice.encoder, out).await {
                Ok(next) => slice = next,
                Err(problem) => return self.fail(&problem, sender).await,
            }
        }
    }

    /// The buffer as bytes that come home when they are sent.
    fn frame(&self, buffer: Vec<u8>, extra: Option<Reservation>) -> Bytes {
        Sent::bytes(buffer, self.empty_sender.clone(), extra, Arc::clone(&self.permit))
    }

    /// Tells the client as far as its format can, then cuts. The buffer in hand is lost.
    async fn fail(&mut self, problem: &Problem, sender: &mpsc::Sender<Said>) {
        tracing::warn!(
            target: "http",
            request_id = self.request_id.as_str(),
            error = ?problem,
            "a stream failed midway"
        );
        self.context.metrics.stream_failed();
        let mut abroad = FRAMES - 1;
        if self.format == Format::Ndjson {
            let document = problem.document(self.request_id.as_str());
            let line = format!("{{\"error\":{document}}}\n");
            drop(sender.send(Said::Data(self.frame(line.into_bytes(), None))).await);
            abroad += 1;
        }
        // An error makes hyper drop what it has not written yet: wait until every buffer is home,
        // the line above among them.
        for _ in 0..abroad {
            drop(self.empty.recv().await);
        }
        drop(sender.send(Said::Cut).await);
    }
}
