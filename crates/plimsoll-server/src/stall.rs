//! A connection's socket that gives up on a client which takes nothing.
//!
//! ```text
//!   poll_write ── taken by the kernel ──> clock off
//!       └─ Pending ──> clock on (30 s) ──> still Pending ──> TimedOut: the connection ends
//! ```
//!
//! The kernel's send buffer is bounded (see [`crate::socket`]), so it takes a byte only after the
//! client acknowledged one: progress of a write is progress of the client, at most one send
//! buffer apart.
//!
//! Promises: a client that takes a few kilobytes within the time is served for ever, however slow
//! it is; an answer that was cut never looks complete, also where only the connection's end frames
//! it (HTTP/1.0).
//! Never: a clock for a client that owes us nothing; idle connections are hyper's to close.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A socket with a stall clock. Costs one timer while a write waits.
pub(crate) struct Stalling {
    socket: TokioIo<TcpStream>,
    timeout: Duration,
    /// Made at the first wait, then reused.
    clock: Option<Pin<Box<Sleep>>>,
    running: bool,
    ending: Arc<Ending>,
}

/// How the connection may end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// The client speaks HTTP/1.0, where the end of the connection is the end of the answer: then
    /// an answer that was cut must end in a reset, or it would look complete.
    pub(crate) close_is_framing: AtomicBool,
    clean: AtomicBool,
}

impl Stalling {
    pub(crate) fn new(socket: TcpStream, timeout: Duration, ending: Arc<Ending>) -> Self {
        Self { socket: TokioIo::new(socket), timeout, clock: None, running: false, ending }
    }

    /// Passes on what the socket said, with the clock started, read or stopped.
    fn judge<T>(
        &mut self,
        cx: &mut Context<'_>,
        answer: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if answer.is_ready() {
            self.running = false;
            return answer;
        }
        let deadline = Instant::now() + self.timeout;
        let clock = self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if !self.running {
            clock.as_mut().reset(deadline);
            self.running = true;
        }
        match clock.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client took no byte within the stall timeout",
            ))),
        }
    }
}

impl Read for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl Write for Stalling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.judge(cx, answer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let answer = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.judge(cx, answer)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let answer = Pin::new(&mut self.socket).poll_flush(cx);
        self.judge(cx, answer)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper shuts a connection down only after everything it had to say was written.
        self.ending.clean.store(true, Ordering::Relaxed);
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

impl Drop for Stalling {
    fn drop(&mut self) {
        let ending = &self.ending;
        if ending.close_is_framing.load(Ordering::Relaxed) && !ending.clean.load(Ordering::Relaxed)
        {
            // Without lingering the kernel answers with RST instead of FIN. Where it cannot, the
            // client is gone already.
            drop(SockRef::from(self.socket.inner()).set_linger(Some(Duration::ZERO)));
        }
    }
}
