//! What `plimsoll run` says in the end.
//!
//! Promises: one line, the last one on standard error; the same as JSON where a file is named.
//! Never: a line of its own before the command has ended.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;

use anyhow::Context as _;
use plimsoll::units::ByteSize;
use serde_json::json;

use super::course::{Bounds, Why};
use super::watch::Seen;
use super::{STATUS_MEMORY, STATUS_STUCK, STATUS_TIME};

/// A shell's code for a command that a signal ended, less the signal's number.
const SIGNALLED: u8 = 128;

/// How its memory was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Cgroup,
    Sampling,
}

/// What happened.
pub(super) struct Report<'a> {
    pub(super) bounds: &'a Bounds,
    pub(super) seen: &'a Seen,
    pub(super) watched: Watched,
    pub(super) command: &'a [OsString],
}

impl Report<'_> {
    /// The exit code.
    pub(super) fn status(&self) -> u8 {
        match (self.seen.why, self.seen.status) {
            (_, None) => STATUS_STUCK,
            (Some(Why::Memory), _) => STATUS_MEMORY,
            (Some(Why::Time), _) => STATUS_TIME,
            (Some(Why::Left) | None, Some(status)) => {
                let signal = status.terminating_signal().map(|n| i32::from(SIGNALLED) + n);
                let code = status.exit_status().or(signal).unwrap_or_default();
                u8::try_from(code).unwrap_or(u8::MAX)
            }
        }
    }

    /// The line.
    pub(super) fn say(&self) {
        let limit = self.bounds.memory_bytes.map_or_else(
            || "no limit".to_owned(),
            |bytes| format!("limit {}", ByteSize::new(bytes)),
        );
        let peak = ByteSize::new(self.seen.peak_bytes);
        let read = match self.watched {
            Watched::Cgroup => "with page cache, by cgroup",
            Watched::Sampling => "by sampling",
        };
        let seconds = self.seen.time.as_secs_f64();
        tell(&format!("peak {peak} ({read}), {limit}, {seconds:.2} s: {}", self.ending()));
    }

    /// The same as JSON.
    pub(super) fn write(&self, mut file: File) -> anyhow::Result<()> {
        let seen = self.seen;
        let words: Vec<_> = self.command.iter().map(|word| word.to_string_lossy()).collect();
        let summary = json!({
            "command": words,
            "status": self.status(),
            "exit_code": seen.status.and_then(|s| s.exit_status()),
            "signal": seen.status.and_then(|s| s.terminating_signal()),
            "stopped_for": seen.why.map(name),
            "killed": seen.killed,
            "memory_limit_bytes": self.bounds.memory_bytes,
            "memory_peak_bytes": seen.peak_bytes,
            "memory_read_by": match self.watched {
                Watched::Cgroup => "cgroup",
                Watched::Sampling => "sampling",
            },
            "processes_max": seen.processes_max,
            "looks": seen.looks,
            "seconds": seen.time.as_secs_f64(),
        });
        writeln!(file, "{summary}").context("writing the summary")
    }

    fn ending(&self) -> String {
        let seen = self.seen;
        let own = match seen.status {
            None => return "SIGKILL did not end it; something of it still runs".to_owned(),
            Some(status) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, signal) => format!("signal {}", signal.unwrap_or_default()),
            },
        };
        let how = if seen.killed { "SIGKILL" } else { "SIGTERM" };
        match seen.why {
            None => own,
            Some(Why::Memory) => format!("stopped at the memory limit by {how}, {own}"),
            Some(Why::Time) => format!("stopped at the time limit by {how}, {own}"),
            Some(Why::Left) => format!("{own}; what it left behind was stopped by {how}"),
        }
    }
}

fn name(why: Why) -> &'static str {
    match why {
        Why::Memory => "memory",
        Why::Time => "time",
        Why::Left => "left-behind",
    }
}

/// A line on standard error.
pub(super) fn tell(text: &str) {
    // Nobody reads a closed standard error.
    let _closed = writeln!(std::io::stderr(), "plimsoll run: {text}");
}
