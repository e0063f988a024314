//! The server as one value: everything a request needs, made once at start.
//!
//! Promises: made or refused before the first connection; unchanged afterwards.
//! Never: state of a single request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use plimsoll::budget::{Budget, Consumer, Reservation};
use plimsoll_store::Store;
use tokio::sync::{Semaphore, watch};

use crate::accept::Phase;
use crate::config::{Build, Clock, ProcessProbe, ServerConfig, ServerLimits};
use crate::cursor::CursorKey;
use crate::metrics::{Gauges, Metrics};
use crate::request_id::RequestIds;
use crate::router::{self, RouteLabel};
use crate::served::Served;
use crate::stream::{Admission, Snapshots, Sorts};

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was configured cannot be served.
    #[error("{0}")]
    Invalid(String),
    /// The budget has no room for the server.
    #[error(transparent)]
    Budget(#[from] plimsoll::Error),
    /// The listener cannot be used.
    #[error("cannot use the listener: {0}")]
    Listener(#[source] std::io::Error),
}

/// A server that is ready to run.
pub struct Server {
    pub(crate) context: Arc<Context>,
    pub(crate) router: Router,
    pub(crate) unmatched: Arc<RouteLabel>,
    pub(crate) connection_bytes: Consumer,
    _floors: [Reservation; 3],
}

/// Held all the time by each consumer that must never stand in line behind waiting streams: the
/// budget lets those pass who hold something already.
const FLOOR_BYTES: u64 = 4 << 10;

/// What handlers share.
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) budget: Budget,
    pub(crate) limit_source: Box<str>,
    pub(crate) limits: ServerLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) process: Arc<dyn ProcessProbe>,
    pub(crate) build: Build,
    pub(crate) started: Instant,
    pub(crate) cursors: CursorKey,
    pub(crate) request_ids: RequestIds,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) phase: watch::Sender<Phase>,
    /// Every resource by its table's name.
    pub(crate) tables: BTreeMap<Box<str>, Arc<Served>>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) page_bytes: Consumer,
    pub(crate) body_bytes: Consumer,
    pub(crate) reports: Semaphore,
    pub(crate) snapshots: Snapshots,
    pub(crate) sorts: Sorts,
}

impl Server {
    /// Makes a server of its configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a resource whose path is reserved, [`Error::Budget`] for a cap that
    /// the budget cannot have.
    pub fn new(config: ServerConfig) -> Result<Arc<Self>, Error> {
        let http = config.budget.child("http", config.http_cap_bytes)?;
        let tables: BTreeMap<Box<str>, Arc<Served>> = config
            .store
            .catalogue()
            .resources()
            .map(|resource| {
                Served::new(Arc::clone(resource), config.writable)
                    .map(|served| (resource.name.clone(), Arc::new(served)))
            })
            .collect::<Result<_, _>>()?;
        let metrics = Arc::new(Metrics::new(&config.build));
        let admission = Arc::new(Admission::new(
            http.consumer("stream")?,
            &config.limits,
            Arc::clone(&metrics),
        ));
        metrics.register_gauges(Gauges {
            budget: config.budget.clone(),
            store: config.store.clone(),
            process: Arc::clone(&config.process),
            admission: Arc::clone(&admission),
        });
        let [page_bytes, body_bytes, connection_bytes] =
            [http.consumer("page")?, http.consumer("body")?, http.consumer("connection")?];
        let floor = |consumer: &Consumer| consumer.try_reserve(FLOOR_BYTES);
        let refused = plimsoll::Error::from;
        let floors = [
            floor(&page_bytes).map_err(refused)?,
            floor(&body_bytes).map_err(refused)?,
            floor(&connection_bytes).map_err(refused)?,
        ];
        let context = Arc::new(Context {
            page_bytes,
            body_bytes,
            reports: Semaphore::new(config.limits.reports_max),
            snapshots: Snapshots::new(&config)?,
            sorts: Sorts::new(&config)?,
            cursors: CursorKey::new(config.cursor_key),
            request_ids: RequestIds::new(),
            phase: watch::Sender::new(Phase::Serving),
            started: Instant::now(),
            store: config.store,
            budget: config.budget,
            limit_source: config.limit_source,
            limits: config.limits,
            clock: config.clock,
            process: config.process,
            build: config.build,
            metrics,
            tables,
            admission,
        });
        Ok(Arc::new(Self {
            router: router::build(&context)?,
            unmatched: Arc::new(RouteLabel::new("unmatched")),
            connection_bytes,
            _floors: floors,
            context,
        }))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({} tables)", self.context.tables.len())
    }
}
