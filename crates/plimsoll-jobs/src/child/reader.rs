//! The thread that reads what a child says.
//!
//! ```text
//!   stdout ─> lines of 64 KiB ─> messages ─> channel of four ─> the job's turn
//!   stderr ─> lines of 4 KiB ─> log, 100 a second; the rest is counted
//!   stop   ─> the thread ends, also where something the child left behind holds its output open
//! ```
//!
//! Promises: a child that says more than is handled waits itself, by its full pipe.
//! Never: a thread that outlives its child's value by more than a line.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::process::{ChildStderr, ChildStdout};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::{info, warn};

use super::limits::{ERROR_LINE_BYTES_MAX, ERROR_LINES_MAX, LINE_BYTES_MAX, WAITING_MAX};
use super::lines::{Lines, Piece};
use super::message::Said;
use super::outcome::shown;

/// Bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// In which lines of standard error are counted.
const ERROR_LINES_WITHIN: Duration = Duration::from_secs(1);

/// What came from the child.
#[derive(Debug)]
pub(super) enum Heard {
    Said(Said),
    /// What of a line that is no message can be shown.
    Garbage(Box<str>),
    TooLong,
    /// It closed its output.
    End,
}

/// The thread, as its owner sees it. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) heard: Receiver<Heard>,
    _stop: PipeWriter,
}

impl Reader {
    pub(super) fn start(child: u32, out: ChildStdout, err: ChildStderr) -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let (tell, heard) = sync_channel(WAITING_MAX);
        thread::Builder::new()
            .name("child".to_owned())
            .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
            .spawn(move || read(out, Errors::new(child, err), &stopped, &tell))?;
        Ok(Self { heard, _stop: stop })
    }
}

fn read(out: ChildStdout, mut errors: Errors, stopped: &PipeReader, tell: &SyncSender<Heard>) {
    let mut buffer = vec![0; READ_BYTES];
    let mut lines = Lines::new(LINE_BYTES_MAX);
    let mut out = Some(out);
    loop {
        let Some([out_ready, err_ready]) = wait(out.as_ref(), errors.from.as_ref(), stopped) else {
            return;
        };
        if err_ready {
            errors.read(&mut buffer);
        }
        if !out_ready {
            continue;
        }
        let bytes = out.as_mut().map_or(0, |out| some(out, &mut buffer));
        if !lines.push(&buffer[..bytes], |piece| tell.send(heard(piece)).is_ok()) {
            return;
        }
        if bytes == 0 {
            out = None;
            let rest = lines.rest().and_then(|rest| Said::read(rest).ok());
            let told = rest.is_none_or(|said| tell.send(Heard::Said(said)).is_ok());
            if !told || tell.send(Heard::End).is_err() {
                return;
            }
        }
    }
}

fn heard(piece: Piece<'_>) -> Heard {
    match piece {
        Piece::TooLong(_) => Heard::TooLong,
        Piece::Line(line) => Said::read(line).map_or_else(Heard::Garbage, Heard::Said),
    }
}

/// Which of the two has something, once one has; `None` once the thread is to end.
fn wait(
    out: Option<&ChildStdout>,
    err: Option<&ChildStderr>,
    stopped: &PipeReader,
) -> Option<[bool; 2]> {
    let mut watched = vec![PollFd::new(stopped, PollFlags::IN)];
    watched.extend(out.map(|out| PollFd::new(out, PollFlags::IN)));
    watched.extend(err.map(|err| PollFd::new(err, PollFlags::IN)));
    loop {
        match poll(&mut watched, None) {
            Err(Errno::INTR) => {}
            Err(_) => return None,
            Ok(_) => break,
        }
    }
    let mut ready = watched.iter().map(|fd| !fd.revents().is_empty());
    let stops = ready.next().unwrap_or(true);
    let out = out.is_some() && ready.next().unwrap_or(false);
    let err = err.is_some() && ready.next().unwrap_or(false);
    (!stops).then_some([out, err])
}

/// Bytes that are there; none once it is closed, or broken, which is the same to us.
fn some(from: &mut impl Read, buffer: &mut [u8]) -> usize {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read.unwrap_or(0),
        }
    }
}

/// Standard error, line by line into the log.
struct Errors {
    child: u32,
    from: Option<ChildStderr>,
    lines: Lines,
    since: Instant,
    logged: u32,
    dropped: u64,
}

impl Errors {
    fn new(child: u32, from: ChildStderr) -> Self {
        let lines = Lines::new(ERROR_LINE_BYTES_MAX);
        Self { child, from: Some(from), lines, since: Instant::now(), logged: 0, dropped: 0 }
    }

    fn read(&mut self, buffer: &mut [u8]) {
        let bytes = self.from.as_mut().map_or(0, |from| some(from, buffer));
        if self.since.elapsed() >= ERROR_LINES_WITHIN {
            self.tell_dropped();
            self.since = Instant::now();
            self.logged = 0;
        }
        let (child, logged, dropped) = (self.child, &mut self.logged, &mut self.dropped);
        self.lines.push(&buffer[..bytes], |piece| {
            let (Piece::Line(line) | Piece::TooLong(line)) = piece;
            if *logged < ERROR_LINES_MAX {
                *logged += 1;
                info!(target: "child", pid = child, "{}", String::from_utf8_lossy(line));
            } else {
                *dropped += 1;
            }
            true
        });
        if bytes == 0 {
            if let Some(rest) = self.lines.rest() {
                info!(target: "child", pid = child, "{}", shown(rest));
            }
            self.tell_dropped();
            self.from = None;
        }
    }

    fn tell_dropped(&mut self) {
        if self.dropped > 0 {
            let (pid, lines) = (self.child, self.dropped);
            warn!(target: "child", pid = pid, lines, "lines of standard error not logged");
            self.dropped = 0;
        }
    }
}
