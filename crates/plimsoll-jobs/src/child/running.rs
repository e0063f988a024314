//! A child process that runs.
//!
//! ```text
//!   say ─> unsent ─> stdin, as far as it is read      hear <─ channel <─ reader's thread
//!   look, signal ─> its tree                          drop: SIGKILL to the tree, reaped
//! ```
//!
//! Promises: nothing of it that is in its tree runs once this value is gone; writing to it never
//! waits.
//! Never: a child that is left as a zombie, but where the kernel holds it.

use std::io::{self, ErrorKind, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use super::limits::KILLED_WITHIN;
use super::reader::{Heard, Reader};
use super::tree::{Tree, Usage, wait_ended};

/// The process with its ends.
#[derive(Debug)]
pub(super) struct Running {
    process: Process,
    stdin: Option<ChildStdin>,
    unsent: Vec<u8>,
    reader: Reader,
}

/// The process alone: killed and reaped when it is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    tree: Tree,
}

impl Drop for Process {
    fn drop(&mut self) {
        let left = self.tree.kill(KILLED_WITHIN);
        if left > 0 {
            let pid = self.child.id();
            tracing::error!(target: "child", pid = pid, left, "processes survive SIGKILL");
        }
        // Where /proc shows nothing, at least the child itself is ended.
        let _ended = self.child.kill();
        // One that the kernel holds would not end while it is waited for.
        let _ended = if left == 0 { self.child.wait().map(Some) } else { self.child.try_wait() };
    }
}

impl Running {
    /// Starts it in a process group of its own.
    pub(super) fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn()?;
        let tree = Tree::below(&child);
        // From here on it is ended whatever fails.
        let mut process = Process { child, tree };
        let child = &mut process.child;
        let ends = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(out), Some(err)) = ends else {
            return Err(io::Error::other("the child has no pipes"));
        };
        fcntl_setfl(&stdin, OFlags::NONBLOCK)?;
        let reader = Reader::start(child.id(), out, err)?;
        Ok(Self { process, stdin: Some(stdin), unsent: Vec::new(), reader })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Writes as much as it reads, and keeps the rest for [`Running::flush`].
    pub(super) fn say(&mut self, line: &[u8]) {
        self.unsent.extend_from_slice(line);
        self.flush();
    }

    /// Writes on. What it does not read any more, because it closed its input or ended, is dropped:
    /// that it ended is heard.
    pub(super) fn flush(&mut self) {
        while let Some(stdin) = self.stdin.as_mut().filter(|_| !self.unsent.is_empty()) {
            match stdin.write(&self.unsent) {
                Ok(bytes) => drop(self.unsent.drain(..bytes)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.stdin = None;
                    self.unsent.clear();
                }
            }
        }
    }

    /// Bytes it has not read.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.unsent.len()
    }

    /// What it says, for so long at most; `None` when the time is over. Once it has closed its
    /// output it says [`Heard::End`] again and again.
    pub(super) fn hear(&self, time: Duration) -> Option<Heard> {
        match self.reader.heard.recv_timeout(time) {
            Ok(heard) => Some(heard),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Heard::End),
        }
    }

    /// What it has said.
    pub(super) fn heard(&self) -> Option<Heard> {
        match self.reader.heard.try_recv() {
            Ok(heard) => Some(heard),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Heard::End),
        }
    }

    pub(super) fn look(&mut self, limit_bytes: u64) -> Usage {
        self.process.tree.look(limit_bytes)
    }

    pub(super) fn look_now(&mut self, limit_bytes: u64) -> Usage {
        self.process.tree.look_now(limit_bytes)
    }

    pub(super) fn signal(&mut self, signal: Signal) {
        self.process.tree.signal(signal);
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.process.child.try_wait().ok().flatten()
    }

    /// How it ended, if it does so in this time.
    pub(super) fn ends_within(&mut self, time: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ended = self.ended();
            if ended.is_some() || left.is_zero() {
                return ended;
            }
            let held = pidfd_open(Pid::from_child(&self.process.child), PidfdFlags::empty());
            wait_ended(&held.ok()?, left);
        }
    }

    /// Lets it end by itself, then by SIGTERM, then by SIGKILL.
    pub(super) fn end(mut self, grace: Duration) {
        self.stdin = None;
        if self.ends_within(grace).is_none() {
            self.signal(Signal::TERM);
            self.ends_within(grace);
        }
    }
}
