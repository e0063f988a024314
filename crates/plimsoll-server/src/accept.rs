//! The listener: which connections are served, with which bounds, and how they end.
//!
//! ```text
//!   accept ─┬─ over the cap, or no bytes left ──> refuse (503, closed)
//!           └─ socket options ─> reserve buffers ─> task: hyper http1 over Stalling
//!
//!   Serving ── shutdown ──> Leaving ── `leave_delay` ──> Draining ── `drain_timeout` ──> cut
//!                           readyz 503, all else goes on │ no new connections, each finishes
//!                                                        │ its request; a cut stream never
//!                                                        │ looks complete
//! ```
//!
//! Promises: a fixed number of connections, each with bounded buffers here and in the kernel; a
//! shutdown ends within the drain timeout whatever clients do.
//! Never: a header read without a deadline.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use plimsoll::budget::Reservation;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::{Error, Server};
use crate::config::ServerConfig;
use crate::exchange::exchange;
use crate::refuse::Refuser;
use crate::socket::bound_kernel_buffers;
use crate::stall::{Ending, Stalling};

/// hyper's buffer for a request's head, and the bytes of an answer it copies together.
const HTTP_BUFFER_BYTES: usize = 16 << 10;
/// Charged per connection: hyper's read and write buffers, and the task with its headers.
const CONNECTION_BYTES: u64 = 2 * HTTP_BUFFER_BYTES as u64 + (8 << 10);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// At the end, for the disk to take the last rows of the audit.
const AUDIT_WAIT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, e.g. with no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is ready, then drains and returns. Runs on the caller's tokio runtime,
/// which needs its I/O and time drivers.
///
/// # Errors
/// [`Error`] when the configuration cannot be served (a reserved word as a resource's path, a
/// budget too small), or the listener is not one. Single connections never end it.
///
/// Requests whose head is larger than 16 KiB or has more than 64 headers are answered 431 (414 for
/// the address alone) without a body, before there is a request to speak of.
///
/// ```
/// use std::sync::Arc;
/// use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll_server::{
///     Build, ProcessProbe, ProcessSample, ServerConfig, ServerLimits, serve,
/// };
/// use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase};
/// use plimsoll_store::{Catalogue, Store};
///
/// struct Nobody;
/// impl ProcessProbe for Nobody {
///     fn sample(&self) -> ProcessSample {
///         ProcessSample::default()
///     }
/// }
///
/// let directory = tempfile::tempdir()?;
/// let database = SqliteConfig {
///     file: directory.path().join("data.db"),
///     readers: 1,
///     reader_cache_bytes: 1 << 20,
///     writer_cache_bytes: 1 << 20,
///     value_bytes_max: 1 << 20,
///     writable: true,
/// };
/// let database = SqliteDatabase::open(&database, &mut [])?;
/// let config = ServerConfig {
///     store: Store::new(Arc::new(database), Arc::new(Catalogue::default())),
///     catalogue_source: None,
///     budget: Budget::new(64 << 20, 32 << 20, Arc::new(Unmeasured))?,
///     http_cap_bytes: 32 << 20,
///     spill_directory: directory.path().into(),
///     public_url: None,
///     limit_source: "the example".into(),
///     limits: ServerLimits::default(),
///     cursor_key: [7; 32],
///     access: None,
///     audit: None,
///     jobs: None,
///     cache: None,
///     logs: None,
///     writable: true,
///     clock: Arc::new(|| 0),
///     process: Arc::new(Nobody),
///     build: Build { version: "0.1.0".into(), commit: "unknown".into() },
/// };
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// // Serves until the last argument is ready; here at once.
/// runtime.block_on(serve(listener, config, async {}))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancel safety
/// Dropping the future closes the listener and aborts every connection at once.
pub async fn serve<S>(
    listener: std::net::TcpListener,
    config: ServerConfig,
    shutdown: S,
) -> Result<(), Error>
where
    S: Future<Output = ()> + Send,
{
    Server::new(config)?.run(listener, shutdown).await
}

impl Server {
    /// As [`serve`], for a server that was made before.
    ///
    /// # Errors
    /// When the listener cannot be used on this runtime.
    pub async fn run<S>(
        self: Arc<Self>,
        listener: std::net::TcpListener,
        shutdown: S,
    ) -> Result<(), Error>
    where
        S: Future<Output = ()> + Send,
    {
        listener.set_nonblocking(true).map_err(Error::Listener)?;
        let listener = TcpListener::from_std(listener).map_err(Error::Listener)?;
        let mut connections = JoinSet::new();
        let refuser = Refuser::new();
        let mut shutdown = std::pin::pin!(async {
            shutdown.await;
            self.core.phase.send_replace(Phase::Leaving);
            tokio::time::sleep(self.core.limits.leave_delay).await;
        });
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => match self.admit_connection(&connections, &socket) {
                        Some(held) => {
                            let server = Arc::clone(&self);
                            connections.spawn(connection(server, socket, held));
                        }
                        None => {
                            self.core.metrics.rejected("connections");
                            refuser.refuse(socket).await;
                        }
                    },
                    Err(error) if is_of_the_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(target: "http", %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        let jobs = self.core.jobs.as_ref();
        let handed_back = jobs.map(|jobs| jobs.stop(self.core.limits.drain_timeout));
        self.drain(connections).await;
        if let Some(handed_back) = handed_back {
            handed_back.await;
        }
        if let Some(audit) = &self.core.audit {
            let written = tokio::time::timeout(AUDIT_WAIT, audit.written());
            if written.await.is_err() {
                tracing::error!(target: "http", "the disk takes the end of the audit too slowly");
            }
        }
        Ok(())
    }

    fn admit_connection(&self, open: &JoinSet<()>, socket: &TcpStream) -> Option<Reservation> {
        if open.len() >= self.core.limits.connections_max {
            return None;
        }
        let held = self.connection_bytes.try_reserve(CONNECTION_BYTES).ok()?;
        match bound_kernel_buffers(socket, self.core.limits.stall_timeout) {
            Ok(()) => Some(held),
            Err(error) => {
                tracing::warn!(target: "http", %error, "cannot bound a socket's buffers");
                None
            }
        }
    }

    async fn drain(&self, mut connections: JoinSet<()>) {
        self.core.phase.send_replace(Phase::Draining);
        let finished = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.core.limits.drain_timeout, finished).await.is_err() {
            tracing::warn!(
                target: "http",
                connections = connections.len(),
                "the drain timeout passed; what is left is cut"
            );
            connections.shutdown().await;
        }
    }
}

/// Whether the server takes new work; see the figure above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Leaving,
    Draining,
}

async fn connection(server: Arc<Server>, socket: TcpStream, held: Reservation) {
    let mut phase = server.core.phase.subscribe();
    let ending = Arc::new(Ending::default());
    let io = Stalling::new(socket, server.core.limits.stall_timeout, Arc::clone(&ending));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(server.core.limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .half_close(false)
        .keep_alive(true)
        // Frames are queued, not copied; a frame's buffer is free once the kernel has all of it.
        .writev(true);
    let service = service_fn(|request: Request<Incoming>| {
        if request.version() < Version::HTTP_11 {
            ending.close_is_framing.store(true, Ordering::Relaxed);
        }
        exchange(Arc::clone(&server), request)
    });
    let mut served = std::pin::pin!(http.serve_connection(io, service));
    let outcome = tokio::select! {
        outcome = served.as_mut() => outcome,
        () = async { drop(phase.wait_for(|phase| *phase == Phase::Draining).await) } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        // Clients that vanish, stall or send nonsense are ordinary.
        tracing::debug!(target: "http", %error, "a connection ended early");
    }
    drop(held);
}

/// Errors of one connection that was lost while it waited, as opposed to those of the listener.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
