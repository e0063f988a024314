//! The jobs of the database that is served: its queue, and the server's own worker.
//!
//! ```text
//!   Jobs ─┬─ queue      routes/jobs
//!         ├─ worker     runs the kinds this process knows, and tends the queue for all
//!         └─ seats      of claims that wait, and of streams of events: both are bounded
//! ```
//!
//! Promises: stopped with the server: running jobs are asked to stop and handed back within the
//! drain time.
//! Never: a job whose memory is not the budget's child `jobs`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_jobs::{Queue, Random, Registry, Worker, WorkerOptions};
use tokio::sync::{Semaphore, oneshot};

use crate::app::Error;
use crate::home::Home;
use crate::intake::{Intake, IntakeConfig, QUEUE as INTAKE};
use crate::metrics::LastQueues;
use crate::reports::{QUEUE as REPORTS, Reports, ReportsConfig};

/// Claims that wait for a job at one time: each looks at its queues several times a second.
const CLAIMS_WAITING_MAX: usize = 64;
/// Streams of events at one time: each looks at its job several times a second.
const EVENT_STREAMS_MAX: usize = 64;

/// The jobs that a server is given.
pub struct JobsConfig {
    /// Over a database in which the jobs' migrations have run.
    pub queue: Queue,
    /// The kinds that the server's own worker runs.
    pub registry: Registry,
    /// How that works; without queues it only tends them for others.
    pub worker: WorkerOptions,
    /// Where the reports are that the worker writes.
    pub reports: ReportsConfig,
    /// Where the files are that clients send.
    pub intake: IntakeConfig,
    /// Uniform random numbers.
    pub random: Random,
}

/// See the module.
pub(crate) struct Jobs {
    pub(crate) queue: Queue,
    pub(crate) registry: Registry,
    pub(crate) random: Random,
    pub(crate) claims: Semaphore,
    pub(crate) events: Arc<Semaphore>,
    /// How long a lease holds that is not renewed, and how often it should be.
    pub(crate) lease: Duration,
    pub(crate) renew_every: Duration,
    /// Bytes that jobs have together.
    pub(crate) memory_bytes_max: Option<u64>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) intake: Arc<Intake>,
    /// Where the jobs of both find the server.
    pub(crate) home: Arc<Home>,
    /// For the metrics.
    pub(crate) last_queues: Arc<LastQueues>,
    worker: Arc<Worker>,
}

impl Jobs {
    /// Starts the worker.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that cannot be, and where the reports have no place.
    pub(crate) fn start(config: JobsConfig, server_key: &[u8; 32]) -> Result<Self, Error> {
        let JobsConfig { queue, mut registry, worker: mut options, reports, intake, random } =
            config;
        let home = Arc::<Home>::default();
        let reports = Reports::start(reports, server_key, &home, &mut registry)?;
        let intake = Intake::start(intake, server_key, &home, &mut registry)?;
        intake.look_at_start(&queue);
        // One that only tends the queues stays so.
        let tends_only = options.queues.is_empty();
        for name in [INTAKE, REPORTS].into_iter().filter(|_| !tends_only) {
            if !options.queues.iter().any(|queue| &**queue == name) {
                options.queues.push(name.into());
            }
        }
        let (lease, renew_every) = (options.lease, options.renew_every);
        let memory_bytes_max = options.memory.as_ref().map(plimsoll::budget::Node::cap_bytes);
        let worker = Worker::start(queue.clone(), registry.clone(), options, Arc::clone(&random))
            .map_err(|e| Error::Invalid(format!("the worker for jobs: {e}")))?;
        Ok(Self {
            queue,
            registry,
            random,
            claims: Semaphore::new(CLAIMS_WAITING_MAX),
            events: Arc::new(Semaphore::new(EVENT_STREAMS_MAX)),
            lease,
            renew_every,
            memory_bytes_max,
            reports,
            intake,
            home,
            last_queues: Arc::default(),
            worker: Arc::new(worker),
        })
    }

    /// The worker, for those who count what it does.
    pub(crate) fn worker(&self) -> Arc<Worker> {
        Arc::clone(&self.worker)
    }

    /// Stops the worker on a thread of its own, which begins at once; ready when all is handed
    /// back.
    pub(crate) fn stop(&self, time: Duration) -> impl Future<Output = ()> + use<> {
        let worker = Arc::clone(&self.worker);
        let (done, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("jobs-stop".to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
            .spawn(move || {
                if !worker.stop(time) {
                    tracing::warn!("jobs did not stop in time; their leases were taken from them");
                }
                // Whoever waited may have gone.
                let _gone = done.send(());
            });
        if let Err(error) = thread {
            tracing::error!(%error, "no thread that stops the worker; its leases run out");
        }
        async move { drop(stopped.await) }
    }
}
