//! A worker's process.
//!
//! Promises: it works where its parent's options say, under a name of its own.
//! Never: one that outlives the end of its standard input for long.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Options, Random};

/// A thread that is in a call of the kernel is out of it by then.
const FROZEN_WITHIN: Duration = Duration::from_secs(10);

pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    pub(crate) name: String,
}

impl Process {
    /// Starts one; `more` is its own.
    pub(crate) fn start(
        options: &Options,
        random: &mut Random,
        more: &[String],
    ) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let name = format!("w{:016x}", random.next());
        let mut command = Command::new(program);
        command.args(["work", "--folder", &options.folder, "--name", &name]);
        command.args(["--notes", options.notes(), "--files", &options.files]);
        command.args(["--seed", &random.next().to_string()]).args(more);
        if let Some(url) = &options.database {
            command.args(["--database", url]);
        }
        let mut child =
            command.stdin(Stdio::piped()).spawn().map_err(|e| format!("starting a worker: {e}"))?;
        let input = child.stdin.take();
        Ok(Self { child, input, name })
    }

    /// It enqueues nothing more, and ends when all jobs are over.
    pub(crate) fn close_input(&mut self) {
        drop(self.input.take());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_process(self.child.id(), signal);
    }

    /// Whether it stops itself so soon.
    pub(crate) fn stops_within(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while is_running(self.child.id()) {
            if Instant::now() > until {
                return false;
            }
            pass(Duration::from_millis(5));
        }
        true
    }

    /// Whether it ended by itself, without an error, before it was killed.
    pub(crate) fn kill(&mut self) -> Result<bool, String> {
        self.signal(Signal::KILL);
        let ended = self.child.wait().map_err(|e| format!("waiting for {}: {e}", self.name))?;
        Ok(ended.success())
    }
}

/// One that ended by itself is gone already, which is no error.
pub(crate) fn signal_process(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

/// Stops processes at one moment; when this returns none of them does anything more, but for what
/// the kernel was asked before.
pub(crate) fn freeze(pids: &[u32]) -> Result<(), String> {
    pids.iter().for_each(|pid| signal_process(*pid, Signal::STOP));
    let until = Instant::now() + FROZEN_WITHIN;
    for pid in pids {
        while is_running(*pid) {
            if Instant::now() > until {
                return Err(format!("process {pid} cannot be stopped"));
            }
            pass(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// Whether a thread of it runs, or waits and would run on.
fn is_running(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        matches!(state, Some('R' | 'S'))
    })
}

/// Lets time pass: nobody says that it has, so nothing is waited for.
pub(crate) fn pass(time: Duration) {
    std::thread::park_timeout(time);
}
