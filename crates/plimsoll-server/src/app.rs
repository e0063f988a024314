//! The server as one value: everything a request needs.
//!
//! ```text
//!   Server ─┬─ Core: budget, admission, metrics, limits           made once at start
//!           └─ Face: router ─> Endpoint ─> Context {Core, store, tables}
//!                └ replaced whole by a reload; a request keeps the Context it came in with
//! ```
//!
//! Promises: made or refused before the first connection; a request sees one catalogue.
//! Never: state of a single request.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use plimsoll::budget::{Budget, Consumer, Reservation};
use plimsoll::cache::Cache;
use plimsoll_store::catalogue::NamedQuery;
use plimsoll_store::{Resource, Store};
use tokio::sync::{Semaphore, watch};

use crate::accept::Phase;
use crate::access::{Access, Audit, Principal, Tables};
use crate::config::{Build, Clock, ProcessProbe, ServerConfig, ServerLimits};
use crate::cursor::CursorKey;
use crate::handoff::Handoffs;
use crate::jobs::Jobs;
use crate::logs::Logs;
use crate::metrics::{Gauges, Metrics};
use crate::problem::Result;
use crate::reload::Reload;
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
    pub(crate) core: Arc<Core>,
    face: RwLock<Arc<Face>>,
    pub(crate) unmatched: Arc<RouteLabel>,
    pub(crate) connection_bytes: Consumer,
    _floors: [Reservation; 3],
}

/// Held all the time by each consumer that must never stand in line behind waiting streams: the
/// budget lets those pass who hold something already.
const FLOOR_BYTES: u64 = 4 << 10;

/// What is served, and the way to it.
pub(crate) struct Face {
    pub(crate) router: Router,
    pub(crate) context: Arc<Context>,
}

/// What handlers share under one catalogue.
pub(crate) struct Context {
    core: Arc<Core>,
    pub(crate) store: Store,
    /// Every resource by its table's name.
    pub(crate) tables: Tables,
    /// Every named query.
    pub(crate) queries: Arc<BTreeMap<Box<str>, Arc<NamedQuery>>>,
    pub(crate) cursors: CursorKey,
    /// Whoever asks, where that was asked: store, tables and cursors are theirs.
    pub(crate) principal: Option<Arc<Principal>>,
}

impl Context {
    /// The same as somebody may use it.
    ///
    /// # Errors
    /// When the database cannot be asked as them.
    pub(crate) fn acting(&self, principal: &Arc<Principal>) -> Result<Arc<Self>> {
        let store = match principal.identity() {
            Some(identity) => self.store.acting_as(identity)?,
            None => self.store.clone(),
        };
        Ok(Arc::new(Self {
            core: Arc::clone(&self.core),
            store,
            tables: self.tables.seen_by(principal),
            queries: Arc::clone(&self.queries),
            cursors: self.core.cursors.bound_to(principal.mark()),
            principal: Some(Arc::clone(principal)),
        }))
    }
}

impl Deref for Context {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

/// What handlers share, whatever the catalogue.
pub(crate) struct Core {
    pub(crate) budget: Budget,
    pub(crate) limit_source: Box<str>,
    pub(crate) limits: ServerLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) process: Arc<dyn ProcessProbe>,
    pub(crate) build: Build,
    pub(crate) started: Instant,
    cursors: CursorKey,
    pub(crate) request_ids: RequestIds,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) page_bytes: Consumer,
    pub(crate) body_bytes: Consumer,
    pub(crate) reports: Semaphore,
    pub(crate) snapshots: Snapshots,
    pub(crate) sorts: Sorts,
    pub(crate) handoffs: Handoffs,
    pub(crate) jobs: Option<Jobs>,
    pub(crate) cache: Option<Cache>,
    pub(crate) logs: Option<Arc<Logs>>,
    /// Where answers that do not fit memory are put.
    pub(crate) spill_directory: PathBuf,
    pub(crate) reload: Reload,
    access: Option<RwLock<Arc<Access>>>,
    pub(crate) audit: Option<Arc<Audit>>,
    writable: bool,
}

/// What each of these holds all the time.
fn floors(consumers: [&Consumer; 3]) -> Result<[Reservation; 3], Error> {
    let [page, body, connection] =
        consumers.map(|consumer| consumer.try_reserve(FLOOR_BYTES).map_err(plimsoll::Error::from));
    Ok([page?, body?, connection?])
}

impl Server {
    /// Makes a server of its configuration.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a resource whose path is reserved, [`Error::Budget`] for a cap that
    /// the budget cannot have.
    pub fn new(mut config: ServerConfig) -> Result<Arc<Self>, Error> {
        if let Some(access) = &config.access {
            access.check(&config.store)?;
        }
        let open_audit = |file| Audit::open(file, &config.limits, &config.clock);
        let audit = config.audit.as_deref().map(open_audit).transpose()?;
        let http = config.budget.child("http", config.http_cap_bytes)?;
        let metrics = Arc::new(Metrics::new(&config.build));
        let admission = Arc::new(Admission::new(
            http.consumer("stream")?,
            &config.limits,
            Arc::clone(&metrics),
        ));
        let jobs =
            config.jobs.take().map(|jobs| Jobs::start(jobs, &config.cursor_key)).transpose()?;
        metrics.register_gauges(Gauges {
            budget: config.budget.clone(),
            store: config.store.clone(),
            process: Arc::clone(&config.process),
            admission: Arc::clone(&admission),
            jobs: jobs.as_ref().map(|jobs| (jobs.worker(), Arc::clone(&jobs.last_queues))),
        });
        let [page_bytes, body_bytes, connection_bytes] =
            [http.consumer("page")?, http.consumer("body")?, http.consumer("connection")?];
        let floors = floors([&page_bytes, &body_bytes, &connection_bytes])?;
        let core = Arc::new(Core {
            jobs,
            cache: config.cache.take(),
            logs: config.logs.take(),
            spill_directory: config.spill_directory.clone(),
            page_bytes,
            body_bytes,
            reports: Semaphore::new(config.limits.reports_max),
            snapshots: Snapshots::new(&config)?,
            sorts: Sorts::new(&config)?,
            handoffs: Handoffs::new(&config, &http)?,
            cursors: CursorKey::new(config.cursor_key),
            request_ids: RequestIds::new(),
            phase: watch::Sender::new(Phase::Serving),
            started: Instant::now(),
            budget: config.budget,
            limit_source: config.limit_source,
            limits: config.limits,
            clock: config.clock,
            process: config.process,
            build: config.build,
            metrics,
            admission,
            reload: Reload::new(config.catalogue_source),
            access: config.access.map(|access| RwLock::new(Arc::new(access))),
            audit,
            writable: config.writable,
        });
        let server = Arc::new(Self {
            face: RwLock::new(Arc::new(Face::new(&core, config.store)?)),
            core,
            unmatched: Arc::new(RouteLabel::new("unmatched")),
            connection_bytes,
            _floors: floors,
        });
        server.core.reload.belongs_to(&server);
        if let Some(jobs) = &server.core.jobs {
            jobs.home.belongs_to(&server);
        }
        Ok(server)
    }

    /// What is served now.
    pub(crate) fn face(&self) -> Arc<Face> {
        Arc::clone(&self.face.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Knows these from now on, e.g. when a file has changed. Requests under way go on as whoever
    /// they came from.
    ///
    /// # Errors
    /// [`Error::Invalid`] where nobody is asked who they are, or the database cannot be asked as
    /// one of these; those that were known stay.
    pub fn replace_access(&self, access: Access) -> Result<(), Error> {
        let Some(known) = &self.core.access else {
            let why = "the server was started without an access file, and goes on without one";
            return Err(Error::Invalid(why.to_owned()));
        };
        access.check(&self.face().context.store)?;
        *known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        Ok(())
    }

    /// Serves this from now on. Requests under way keep theirs.
    pub(crate) fn show(&self, face: Face) {
        *self.face.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(face);
    }
}

impl Core {
    /// Who may ask for what, if anybody is asked.
    pub(crate) fn access(&self) -> Option<Arc<Access>> {
        let known = self.access.as_ref()?;
        Some(Arc::clone(&known.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Face {
    /// # Errors
    /// [`Error::Invalid`] for a resource whose path is reserved.
    pub(crate) fn new(core: &Arc<Core>, store: Store) -> Result<Self, Error> {
        let served = |resource: &Arc<Resource>| {
            let served = Served::new(Arc::clone(resource), core.writable)?;
            Ok((resource.name.clone(), Arc::new(served)))
        };
        let tables = store.catalogue().resources().map(served).collect::<Result<_, Error>>()?;
        let named = |query: &Arc<NamedQuery>| (query.name().into(), Arc::clone(query));
        let queries = store.catalogue().queries().map(named).collect();
        let context = Arc::new(Context {
            core: Arc::clone(core),
            store,
            tables: Tables::new(tables),
            queries: Arc::new(queries),
            cursors: core.cursors.clone(),
            principal: None,
        });
        Ok(Self { router: router::build(&context)?, context })
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({} tables)", self.face().context.tables.len())
    }
}
