//! Who exported what: a row on disk before the first byte of an answer, and one behind its last.
//!
//! ```text
//!   stream, export ─ place? ─ begin ──> line ──> thread "audit" ── write, fsync ──> file
//!         │            503                            many rows, one fsync      │
//!         │<──────────────────────────── on disk, or why not ───────────────────┘
//!   body .. dropped ── end: done | cut | left | failed ──> line
//! ```
//!
//! The same on every database, because some of them may not be written: a file, see [`log`].
//!
//! Promises: nothing is exported whose beginning is not on disk; what began has an end, unless the
//! process or the disk died between: then its beginning stands alone.
//! Never: an export let through because the audit was busy or full.

mod log;

use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll, ready};
use std::thread::JoinHandle;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, header};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use plimsoll::budget::Reservation;
use plimsoll::format::RowEncoder;
use plimsoll::limits::THREAD_STACK_BYTES;
use plimsoll::record::{Row, Timestamp};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::app::{Context, Error};
use crate::config::{Clock, ServerLimits};
use crate::problem::{Kind, Problem, Result};
use crate::request_id::{RequestId, RequestIds};
use log::{Log, Unwritten};

/// Bytes of a query that stand in a row: with names and places a row has less than 8 KiB.
const QUERY_BYTES_MAX: usize = 2 << 10;

/// Two rows without their query, in memory: names, places, and what holds them.
const ROW_BYTES: u64 = 2 << 10;
/// The query as it came and, with what JSON escapes, in each of the two rows.
const QUERY_COPIES: u64 = 5;

/// One row.
#[derive(Serialize)]
struct Line<'l> {
    at: &'l str,
    event: &'static str,
    /// The same in both rows of an export, and in no others.
    export: &'l str,
    #[serde(flatten)]
    about: &'l About,
    #[serde(flatten)]
    end: Option<End<'l>>,
}

/// What both rows say.
#[derive(Serialize)]
struct About {
    /// Nobody where nobody is asked who they are.
    principal: Option<Box<str>>,
    action: &'static str,
    resource: Box<str>,
    /// As it was sent; what is too long ends in `...`.
    query: Box<str>,
    request_id: Box<str>,
}

/// What only the end knows.
#[derive(Serialize)]
struct End<'l> {
    format: Option<&'l str>,
    /// Read for the answer; where the outcome is not `done`, some of them were not sent.
    rows: u64,
    bytes: u64,
    outcome: &'static str,
}

/// A row on its way to the disk.
struct Entry {
    line: Vec<u8>,
    /// Whoever waits for it.
    done: Option<oneshot::Sender<std::result::Result<(), Unwritten>>>,
    /// Given back when an end is written.
    _place: Option<Place>,
}

/// The right to an end, and the bytes of both rows.
struct Place {
    _permit: OwnedSemaphorePermit,
    _held: Reservation,
}

/// The audit of a server.
pub(crate) struct Audit {
    entries: Option<SyncSender<Entry>>,
    places: Arc<Semaphore>,
    ids: RequestIds,
    clock: Arc<dyn Clock>,
    log: Arc<Mutex<Log>>,
    thread: Option<JoinHandle<()>>,
}

impl Audit {
    /// Opens the file and starts the thread that writes it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the file cannot be written.
    pub(crate) fn open(
        path: &Path,
        limits: &ServerLimits,
        clock: &Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Error> {
        let log = Log::open(path).map_err(|e| {
            Error::Invalid(format!("opening the audit file {}: {e}", path.display()))
        })?;
        let log = Arc::new(Mutex::new(log));
        // Each that has a place sends two rows, and one may ask for all to be written.
        let entries_max = 2 * limits.audits_open_max + 1;
        let (entries, inbox) = sync_channel::<Entry>(entries_max);
        let writes = Arc::clone(&log);
        let thread = std::thread::Builder::new()
            .name("audit".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || {
                while let Ok(first) = inbox.recv() {
                    let more = inbox.try_iter().take(entries_max);
                    write(&writes, std::iter::once(first).chain(more).collect());
                }
            })
            .map_err(|e| Error::Invalid(format!("starting the thread of the audit: {e}")))?;
        Ok(Arc::new(Self {
            entries: Some(entries),
            places: Arc::new(Semaphore::new(limits.audits_open_max)),
            ids: RequestIds::new(),
            clock: Arc::clone(clock),
            log,
            thread: Some(thread),
        }))
    }

    /// Waits until all that was said before is on disk.
    pub(crate) async fn written(&self) {
        let (done, said) = oneshot::channel();
        if self.send(Entry { line: Vec::new(), done: Some(done), _place: None }) {
            // Whether it could be written stands in the log.
            let _told = said.await;
        }
    }

    /// The newest rows, newest first; this may wait for the disk.
    pub(crate) fn newest(&self, rows_max: usize) -> std::io::Result<Vec<String>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).newest(rows_max)
    }

    fn send(&self, entry: Entry) -> bool {
        self.entries.as_ref().is_some_and(|entries| entries.try_send(entry).is_ok())
    }

    fn line(
        &self,
        event: &'static str,
        export: &str,
        about: &About,
        end: Option<End<'_>>,
    ) -> Vec<u8> {
        let at = Timestamp::from_micros(self.clock.now_micros()).to_string();
        let line = Line { at: &at, event, export, about, end };
        let mut line = serde_json::to_vec(&line).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        drop(self.entries.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "http", "the thread of the audit panicked");
        }
    }
}

fn write(log: &Mutex<Log>, entries: Vec<Entry>) {
    let lines: Vec<&[u8]> = entries.iter().map(|entry| &*entry.line).collect();
    let written = log.lock().unwrap_or_else(PoisonError::into_inner).append(&lines);
    if let Err(why) = &written {
        let rows = lines.len();
        tracing::error!(target: "http", error = %why, rows, "the audit is not written");
    }
    for entry in entries {
        if let Some(done) = entry.done {
            // Whoever does not wait any more exports nothing.
            let _left = done.send(written);
        }
    }
}

/// An export between its two rows; nothing where there is no audit.
pub(crate) struct Audited(Option<Open>);

struct Open {
    audit: Arc<Audit>,
    export: RequestId,
    about: About,
    place: Option<Place>,
    rows: Arc<AtomicU64>,
    bytes: u64,
    format: Option<Box<str>>,
    outcome: &'static str,
}

/// Counts the rows of the answer to a request, in whose extensions it stands.
#[derive(Clone, Default)]
pub(crate) struct RowCount(Arc<AtomicU64>);

impl RowCount {
    /// So far.
    pub(crate) fn rows(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Context {
    /// Puts the beginning of an export on disk.
    ///
    /// # Errors
    /// 503 where the audit has no place for it or cannot be written, 507 where the disk is full.
    pub(crate) async fn begin_audit(
        &self,
        action: &'static str,
        resource: &str,
        request: &mut Parts,
    ) -> Result<Audited> {
        let Some(audit) = self.audit.as_ref().filter(|_| request.method != Method::HEAD) else {
            return Ok(Audited(None));
        };
        let Ok(permit) = Arc::clone(&audit.places).try_acquire_owned() else {
            self.metrics.rejected("audit");
            let open = self.limits.audits_open_max;
            let why = format!("{open} exports run or wait for the audit's disk; try again");
            return Err(Problem::new(Kind::Busy, why).retry_after(1));
        };
        let query = request.uri.query().unwrap_or_default();
        let bytes = ROW_BYTES + QUERY_COPIES * query.len().min(QUERY_BYTES_MAX) as u64;
        let held = self.page_bytes.try_reserve(bytes)?;
        let place = Place { _permit: permit, _held: held };
        let request_id = request.extensions.get::<RequestId>().map_or("", RequestId::as_str);
        let about = About {
            principal: self.principal.as_ref().map(|principal| principal.name().into()),
            action,
            resource: resource.into(),
            query: bounded(query),
            request_id: request_id.into(),
        };
        let export = audit.ids.of(&HeaderMap::new());
        let line = audit.line("begin", export.as_str(), &about, None);
        let (done, said) = oneshot::channel();
        let asked = audit.send(Entry { line, done: Some(done), _place: None });
        // Dropped from here on, it still has an end.
        let rows = Arc::new(AtomicU64::new(0));
        request.extensions.insert(RowCount(Arc::clone(&rows)));
        let open = Open {
            audit: Arc::clone(audit),
            export,
            about,
            place: Some(place),
            rows,
            bytes: 0,
            format: None,
            outcome: "left",
        };
        let written = if asked { said.await.ok() } else { None };
        match written {
            Some(Ok(())) => Ok(Audited(Some(open))),
            why => Err(open.refused(why.and_then(std::result::Result::err))),
        }
    }
}

fn bounded(query: &str) -> Box<str> {
    if query.len() <= QUERY_BYTES_MAX {
        return query.into();
    }
    let cut = query.floor_char_boundary(QUERY_BYTES_MAX);
    format!("{}...", &query[..cut]).into()
}

impl Open {
    /// It never began.
    fn refused(mut self, why: Option<Unwritten>) -> Problem {
        self.place = None;
        match why {
            Some(Unwritten::DiskFull) => {
                let why = "the disk is full, and nothing is exported without a row in the audit";
                Problem::new(Kind::DiskFull, why)
            }
            _ => {
                let why = "the audit cannot be written, and nothing is exported without it; the \
                           log has the reason";
                Problem::new(Kind::NotReady, why).retry_after(5)
            }
        }
    }
}

/// Writes the end, whatever it was.
impl Drop for Open {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let end = End {
            format: self.format.as_deref(),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes,
            outcome: self.outcome,
        };
        let line = self.audit.line("end", self.export.as_str(), &self.about, Some(end));
        if !self.audit.send(Entry { line, done: None, _place: Some(place) }) {
            let export = self.export.as_str();
            tracing::error!(target: "http", export, "the end of an export is not in the audit");
        }
    }
}

impl Audited {
    /// The answer, whose end will be the export's.
    ///
    /// # Errors
    /// The answer's own.
    pub(crate) fn watch(self, answer: Result<Response<Body>>) -> Result<Response<Body>> {
        let Some(mut open) = self.0 else { return answer };
        match answer {
            Ok(response) => {
                let format = response.headers().get(header::CONTENT_TYPE);
                let format = format.and_then(|value| value.to_str().ok()).unwrap_or_default();
                open.format = format.split(';').next().map(Into::into);
                Ok(response.map(|body| Body::new(Watched { body, open })))
            }
            Err(problem) => {
                open.outcome = "failed";
                Err(problem)
            }
        }
    }
}

impl Audited {
    /// What was no answer is whole, and has so many bytes.
    pub(crate) fn whole(self, format: &str, bytes: u64) {
        if let Some(mut open) = self.0 {
            (open.format, open.bytes, open.outcome) = (Some(format.into()), bytes, "done");
        }
    }
}

/// A body that knows how it ended.
struct Watched {
    body: Body,
    open: Open,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let ended = self.body.is_end_stream();
        let open = &mut self.open;
        match &frame {
            Some(Ok(frame)) => {
                open.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                open.outcome = if ended { "done" } else { "left" };
            }
            Some(Err(_)) => open.outcome = "cut",
            None => open.outcome = "done",
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts the rows that it writes.
pub(crate) struct Counting {
    pub(crate) encoder: Box<dyn RowEncoder>,
    pub(crate) rows: RowCount,
}

impl RowEncoder for Counting {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.encoder.begin(out);
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        self.encoder.row(row, out)?;
        self.rows.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.encoder.end(out);
    }

    fn row_bytes_max(&self, row: &dyn Row) -> plimsoll::Result<usize> {
        self.encoder.row_bytes_max(row)
    }
}
