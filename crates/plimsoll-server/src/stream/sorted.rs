//! Streams in an order that no index has: read and sorted first, then given out slice by slice.
//!
//! ```text
//!   handler ── turn, room? ──> thread "stream-sort"                    producer task
//!      │                         read by key, sort, spill                  │
//!      └<──── ready or why not ────┘                                       │
//!                                  fill <── Ask(empty buffer) ─────────────┤
//!                                    └───── full buffer, more? ───────────>┘
//! ```
//!
//! Promises: the status is sent when everything was read, so that what fails before is an ordinary
//! problem; the thread ends, and its files and bytes are gone, before the last slice is sent, or
//! within one slice of the store after the client has gone.
//! Never: more such threads than turns, or one that waits for a client with a buffer in its hands.

use std::sync::Arc;
use std::time::Instant;

use plimsoll::budget::{Consumer, Reservation};
use plimsoll::limits::{FRAME_BYTES, THREAD_STACK_BYTES};
use plimsoll::spill::SpillOptions;
use plimsoll::storage::Disk;
use plimsoll_store::{SortRequest, SortSpace, SortedRange, sort, sort_workspace_bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::app::{self, Context};
use crate::config::ServerConfig;
use crate::problem::{Kind, Problem, Result};

/// Who may sort, and where.
pub(crate) struct Sorts {
    turns: Arc<Semaphore>,
    turns_max: usize,
    space: Arc<SortSpace>,
}

impl Sorts {
    pub(crate) fn new(config: &ServerConfig) -> Result<Self, app::Error> {
        let consumer: Consumer = config.budget.root().spilling_consumer("stream-sort")?;
        let space = SortSpace {
            storage: Arc::new(Disk),
            directory: config.spill_directory.clone(),
            options: SpillOptions::default(),
            consumer,
            workspace_bytes: sort_workspace_bytes(config.budget.limit_bytes()),
        };
        let turns_max = config.limits.sorts_max;
        Ok(Self { turns: Arc::new(Semaphore::new(turns_max)), turns_max, space: Arc::new(space) })
    }

    async fn turn(&self, context: &Context) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        if let Ok(Ok(turn)) = tokio::time::timeout(context.limits.admission_wait, turn).await {
            return Ok(turn);
        }
        context.metrics.rejected("sorts");
        let why = format!(
            "{} streams are sorted already, because no index runs in their order; try again when \
             one has ended, or sort by an index",
            self.turns_max
        );
        Err(Problem::new(Kind::QueueFull, why).retry_after(5))
    }
}

/// Asks the thread to fill a buffer.
struct Ask {
    out: Vec<u8>,
    extra: Reservation,
    answer: oneshot::Sender<plimsoll_store::Result<Filled>>,
}

/// The buffer, what it has grown by, and whether there may be more.
type Filled = (Vec<u8>, Reservation, bool);

/// Rows that are sorted. Dropping it ends the thread that has them.
pub(crate) struct Sorted {
    asks: mpsc::Sender<Ask>,
}

impl Sorted {
    /// Reads and sorts.
    ///
    /// # Errors
    /// 429 without a turn, 503 without room for the workspace; those of reading and spilling.
    ///
    /// # Cancel safety
    /// Dropping the future ends the thread at its next slice.
    pub(crate) async fn sort(context: &Arc<Context>, request: SortRequest) -> Result<Self> {
        let started = Instant::now();
        let turn = context.sorts.turn(context).await?;
        let space = &context.sorts.space;
        // The sort reserves for itself; this refusal is the one that names the holders.
        drop(space.consumer.try_reserve(space.workspace_bytes).inspect_err(|_| {
            context.metrics.rejected("memory");
        })?);
        let (asks, inbox) = mpsc::channel(1);
        let (ready, done) = oneshot::channel();
        let worker = Worker { context: Arc::clone(context), turn };
        std::thread::Builder::new()
            .name("stream-sort".to_owned())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || worker.run(request, ready, inbox))
            .map_err(|e| Problem::internal(&format!("starting a thread that sorts: {e}")))?;
        done.await.map_err(|_| ended())??;
        context.metrics.processed("sort", started.elapsed());
        Ok(Self { asks })
    }

    /// Fills the buffer.
    pub(super) async fn fill(&self, out: Vec<u8>, extra: Reservation) -> Result<Filled> {
        let (answer, filled) = oneshot::channel();
        self.asks.send(Ask { out, extra, answer }).await.map_err(|_| ended())?;
        Ok(filled.await.map_err(|_| ended())??)
    }
}

fn ended() -> Problem {
    Problem::internal(&"the thread that sorts a stream ended early")
}

/// What the thread has. Dropped last: the turn is over when everything else is given back.
struct Worker {
    context: Arc<Context>,
    turn: OwnedSemaphorePermit,
}

impl Worker {
    fn run(
        self,
        request: SortRequest,
        ready: oneshot::Sender<plimsoll_store::Result<()>>,
        mut inbox: mpsc::Receiver<Ask>,
    ) {
        let context = &self.context;
        let sorted = sort(&context.store, request, &context.sorts.space, &|| ready.is_closed());
        let mut rows = match sorted {
            Ok(rows) => rows,
            Err(error) => {
                drop(self);
                // Nobody waiting any more is why a sort is stopped.
                return drop(ready.send(Err(error)));
            }
        };
        if ready.send(Ok(())).is_err() {
            return;
        }
        while let Some(ask) = inbox.blocking_recv() {
            let Ask { mut out, mut extra, answer } = ask;
            let more = rows.fill(&mut out, FRAME_BYTES, &mut extra);
            if matches!(more, Ok(true)) {
                drop(answer.send(Ok((out, extra, true))));
                continue;
            }
            self.end(rows);
            return drop(answer.send(more.map(|more| (out, extra, more))));
        }
    }

    /// Files, bytes and turn are given back before the last answer, so that who has it may count
    /// on that.
    fn end(self, rows: SortedRange) {
        drop(rows);
        drop(self.turn);
    }
}
