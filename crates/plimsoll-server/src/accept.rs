//! The listener: which connections are served, with which bounds, and how they end.
//!
//! ```text
//!   accept ─┬─ over the cap, or no bytes left ──> refuse (503, closed)
//!           └─ socket options ─> reserve buffers ─> task: hyper http1 over Stalling
//!
//!   shutdown: readyz 503 ─> no new connections ─> each finishes its request ─> after
//!             `drain_timeout` what is left is aborted: a cut stream never looks complete
//! ```
//!
//! Promises: a fixed number of connections, each with bounded buffers here and in the kernel; a
//! shutdown ends within the drain timeout whatever clients do.
//! Never: a header read without a deadline.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use plimsoll::budget::Reservation;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::app::{Error, Server};
use crate::config::{ServerConfig, ServerLimits};
use crate::exchange::exchange;
use crate::refuse::Refuser;
use crate::stall::Stalling;

/// What the kernel may hold unsent or unacknowledged for one client, and unread from it.
pub(crate) const KERNEL_BUFFER_BYTES: u32 = 64 << 10;
/// hyper's buffer for a request's head, and the bytes of an answer it copies together.
const HTTP_BUFFER_BYTES: usize = 16 << 10;
/// Charged per connection: hyper's read and write buffers, and the task with its headers.
const CONNECTION_BYTES: u64 = 2 * HTTP_BUFFER_BYTES as u64 + (8 << 10);
/// Headers of one request.
const HEADERS_MAX: usize = 64;
/// Pause after a failed accept, e.g. with no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` is ready, then drains and returns. Runs on the caller's tokio runtime,
/// which needs its I/O and time drivers.
///
/// # Errors
/// [`Error`] when the configuration cannot be served (a reserved word as a resource's path, a
/// budget too small), or the listener is not one. Single connections never end it.
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
        let mut shutdown = std::pin::pin!(shutdown);
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
                            self.context.metrics.rejected("connections");
                            refuser.refuse(socket);
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
        self.drain(connections).await;
        Ok(())
    }

    fn admit_connection(&self, open: &JoinSet<()>, socket: &TcpStream) -> Option<Reservation> {
        if open.len() >= self.context.limits.connections_max {
            return None;
        }
        let held = self.connection_bytes.try_reserve(CONNECTION_BYTES).ok()?;
        match bound_kernel_buffers(socket, &self.context.limits) {
            Ok(()) => Some(held),
            Err(error) => {
                tracing::warn!(target: "http", %error, "cannot bound a socket's buffers");
                None
            }
        }
    }

    async fn drain(&self, mut connections: JoinSet<()>) {
        self.context.phase.send_replace(Phase::Draining);
        let finished = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(self.context.limits.drain_timeout, finished).await.is_err() {
            tracing::warn!(
                target: "http",
                connections = connections.len(),
                "the drain timeout passed; what is left is cut"
            );
            connections.shutdown().await;
        }
    }
}

/// Whether the server takes new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    Draining,
}

async fn connection(server: Arc<Server>, socket: TcpStream, held: Reservation) {
    let mut phase = server.context.phase.subscribe();
    let io = Stalling::new(socket, server.context.limits.stall_timeout);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(server.context.limits.header_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HTTP_BUFFER_BYTES)
        .half_close(false)
        .keep_alive(true)
        // Frames are queued, not copied; a frame's buffer is free once the kernel has all of it.
        .writev(true);
    let service = service_fn(|request| exchange(Arc::clone(&server), request));
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

/// Bounds what the kernel holds for this client, so that a slow one costs a known amount and a
/// taken byte means an acknowledged one.
fn bound_kernel_buffers(socket: &TcpStream, limits: &ServerLimits) -> io::Result<()> {
    let options = SockRef::from(socket);
    // The kernel doubles what it is given to make room for its own bookkeeping; setting either
    // also ends its automatic growth to megabytes.
    options.set_send_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    options.set_recv_buffer_size(KERNEL_BUFFER_BYTES as usize)?;
    options.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        options.set_tcp_notsent_lowat(KERNEL_BUFFER_BYTES)?;
        // A peer that is gone without a word is noticed by its missing acknowledgements, also
        // when all there is to say stands in the kernel's buffer already.
        options.set_tcp_user_timeout(Some(limits.stall_timeout * 2 + Duration::from_secs(1)))?;
    }
    Ok(())
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
