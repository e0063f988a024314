//! Streams of one moment: the database says all rows at once, the client takes them at its pace.
//!
//! ```text
//!   database thread ── piece ──> spooled queue ── on disk beyond 256 KiB, compressed
//!     one snapshot,                  │ pieces
//!     as fast as it can              └──> fill <── producer task ──> frames ──> client
//! ```
//!
//! Promises: the snapshot is held as long as the database takes to say the rows; what a slow client
//! has not taken lies on disk, below the spill quota; files and bytes are gone with the client.
//! Never: more than one table's and eight queries' at a time, or a frame before its rows are whole.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::collections::SpillQueue;
use plimsoll::limits::{FRAME_BYTES, FRAME_SLACK_BYTES};
use plimsoll::spill::{Codec, SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use plimsoll_store::{Error, ErrorKind, PieceSink, SnapshotRequest};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

use crate::app::{self, Context};
use crate::config::ServerConfig;
use crate::problem::{Kind, Problem, Result};

/// Pieces in memory before they go to disk.
const MEMORY_BYTES: u64 = 256 << 10;
/// Answers of queries that wait in a spool for their clients.
const QUERIES_MAX: usize = 8;
/// Of the buffer that rows are written to, which lives as long as the reading.
const BUFFER_BYTES: usize = FRAME_BYTES + FRAME_SLACK_BYTES;

/// Who may hold a snapshot, and where what it says is put.
pub(crate) struct Snapshots {
    turn: Arc<Semaphore>,
    /// Of named queries, whose rows are few; they are read one after another all the same.
    query_turns: Arc<Semaphore>,
    consumer: Consumer,
    directory: PathBuf,
}

impl Snapshots {
    pub(crate) fn new(config: &ServerConfig) -> Result<Self, app::Error> {
        let consumer = config.budget.root().spilling_consumer("snapshot")?;
        let directory = config.spill_directory.clone();
        let turn = |many| Arc::new(Semaphore::new(many));
        let (turn, query_turns) = (turn(1), turn(QUERIES_MAX));
        Ok(Self { turn, query_turns, consumer, directory })
    }

    async fn turn(&self, context: &Context, is_query: bool) -> Result<OwnedSemaphorePermit> {
        let turns = if is_query { &self.query_turns } else { &self.turn };
        let turn = Arc::clone(turns).acquire_owned();
        if let Ok(Ok(turn)) = tokio::time::timeout(context.limits.admission_wait, turn).await {
            return Ok(turn);
        }
        context.metrics.rejected("snapshots");
        let why = if is_query {
            "other queries are being sent; try again when one of them has ended"
        } else {
            "another stream with consistency=snapshot is being sent; try again when it has ended, \
             or leave consistency out"
        };
        Err(Problem::new(Kind::QueueFull, why).retry_after(5))
    }

    fn queue(&self) -> Result<SpillQueue<Vec<u8>>> {
        let options = SpillOptions { codec: Codec::Lz4, ..SpillOptions::default() };
        let area = SpillArea::open(Arc::new(Disk), &self.directory, options)
            .map_err(plimsoll_store::Error::from)?;
        let queue = SpillQueue::builder().memory_bytes(MEMORY_BYTES);
        Ok(queue.build(&area, &self.consumer).map_err(plimsoll_store::Error::from)?)
    }
}

/// What the reading and the client share.
struct Shared {
    spooled: Mutex<Spooled>,
    said: Notify,
}

struct Spooled {
    pieces: SpillQueue<Vec<u8>>,
    /// How the reading ended.
    ended: Option<plimsoll_store::Result<u64>>,
    client_left: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Spooled> {
        self.spooled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading's end of it.
struct Sink {
    shared: Arc<Shared>,
    _buffer: Reservation,
}

impl PieceSink for Sink {
    fn piece(&mut self, bytes: &[u8]) -> plimsoll_store::Result<()> {
        let mut spooled = self.shared.lock();
        if spooled.client_left {
            return Err(Error::new(ErrorKind::Stopped, "the client of this snapshot has gone"));
        }
        spooled.pieces.push_back(bytes.to_vec())?;
        drop(spooled);
        self.shared.said.notify_one();
        Ok(())
    }
}

/// A snapshot that is being read, or was. Dropping it ends the reading.
pub(crate) struct Snapshot {
    shared: Arc<Shared>,
    /// Waits for the reading; without it the database is told to stop.
    reading: AbortHandle,
    _turn: OwnedSemaphorePermit,
}

/// What is read, before it has a place to go to.
pub(crate) type Make =
    dyn FnOnce(Vec<u8>, Reservation, Box<dyn PieceSink>) -> SnapshotRequest + Send;

impl Snapshot {
    /// Begins to read, and waits for the first rows or the end.
    ///
    /// # Errors
    /// 429 without a turn, 503 without room; those of the reading as long as nothing was read.
    ///
    /// # Cancel safety
    /// Dropping the future ends the reading at its next piece.
    pub(crate) async fn begin(
        context: &Arc<Context>,
        is_query: bool,
        make: Box<Make>,
    ) -> Result<Self> {
        let snapshots = &context.snapshots;
        let turn = snapshots.turn(context, is_query).await?;
        let consumer = &snapshots.consumer;
        let buffer = consumer.try_reserve(BUFFER_BYTES as u64)?;
        let shared = Arc::new(Shared {
            spooled: Mutex::new(Spooled {
                pieces: snapshots.queue()?,
                ended: None,
                client_left: false,
            }),
            said: Notify::new(),
        });
        let sink = Box::new(Sink { shared: Arc::clone(&shared), _buffer: buffer });
        let request = make(Vec::with_capacity(BUFFER_BYTES), consumer.try_reserve(0)?, sink);
        let (pending, said) = (context.store.snapshot(request), Arc::clone(&shared));
        let (context, started) = (Arc::clone(context), Instant::now());
        let reading = tokio::spawn(async move {
            let ended = pending.await;
            context.metrics.processed("snapshot", started.elapsed());
            said.lock().ended = Some(ended);
            said.said.notify_one();
        });
        let snapshot = Self { shared, reading: reading.abort_handle(), _turn: turn };
        snapshot.first().await?;
        Ok(snapshot)
    }

    /// Waits until there is something to say, so that what fails before is an ordinary problem.
    async fn first(&self) -> Result<()> {
        loop {
            {
                let mut spooled = self.shared.lock();
                if !spooled.pieces.is_empty() {
                    return Ok(());
                }
                match spooled.ended.take() {
                    Some(Err(error)) => return Err(error.into()),
                    Some(rows) => {
                        spooled.ended = Some(rows);
                        return Ok(());
                    }
                    None => {}
                }
            }
            self.shared.said.notified().await;
        }
    }

    /// Fills the buffer with whole pieces; false when there are no more.
    ///
    /// # Errors
    /// Those of the reading and of the spool.
    pub(super) async fn fill(&self, mut out: Vec<u8>, mut extra: Reservation) -> Result<Filled> {
        loop {
            let shared = Arc::clone(&self.shared);
            // The disk is waited for on a thread that moves nobody else's bytes.
            let taking = tokio::task::spawn_blocking(move || {
                let ended = shared.lock().take(&mut out, &mut extra);
                (out, extra, ended)
            });
            let ended;
            (out, extra, ended) = taking.await.map_err(|e| Problem::internal(&e))?;
            match ended? {
                Some(_rows) => return Ok((out, extra, false)),
                None if !out.is_empty() => return Ok((out, extra, true)),
                None => self.shared.said.notified().await,
            }
        }
    }
}

/// The buffer, what it has grown by, and whether there may be more.
type Filled = (Vec<u8>, Reservation, bool);

impl Spooled {
    /// Moves pieces into the buffer until it is a frame; says how the reading ended once all of
    /// them are taken.
    fn take(
        &mut self,
        out: &mut Vec<u8>,
        extra: &mut Reservation,
    ) -> plimsoll_store::Result<Option<u64>> {
        while out.len() < FRAME_BYTES
            && let Some(piece) = self.pieces.pop_front()?
        {
            let missing = (out.len() + piece.len()).saturating_sub(out.capacity());
            if missing > 0 {
                extra.try_grow(missing as u64).map_err(plimsoll::Error::from)?;
                out.reserve_exact(piece.len());
            }
            out.extend_from_slice(&piece);
        }
        if self.pieces.is_empty() { self.ended.take().transpose() } else { Ok(None) }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.reading.abort();
        let mut spooled = self.shared.lock();
        spooled.client_left = true;
        // Nothing of it is wanted any more: the disk has it back now.
        spooled.pieces.clear();
    }
}
