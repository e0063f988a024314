//! `plimsoll jobs watch`: a job to its end.
//!
//! Promises: one line that changes in a terminal, a line for each change elsewhere; the exit
//! status says whether the job completed.
//! Never: a look more often than four times a second.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::Context as _;
use plimsoll_jobs::{Queue, State, state_document};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::line;
use crate::exit::{Outcome, stdout};

const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) fn watch(queue: &Queue, id: i64, as_json: bool) -> anyhow::Result<Outcome> {
    let (tell, told) = sync_channel(1);
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("listening for signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
        .spawn(move || {
            // Who watched may have ended.
            signals.forever().next().map(|_| tell.send(()))
        })
        .context("starting the thread that waits for signals")?;
    let one_line = std::io::stdout().is_terminal() && !as_json;
    let mut before = String::new();
    let mut out = stdout();
    loop {
        let job = queue.show(id).wait()?;
        let over = job.state.is_over();
        let now = if as_json {
            state_document(&job, queue.now_micros()).to_string()
        } else {
            format!("job {id} {} {}", job.kind, line(&job))
        };
        if now != before {
            match one_line {
                // Back to the line's begin, and away with what stands behind.
                true => write!(out, "\r{now}\x1b[K")?,
                false => writeln!(out, "{now}")?,
            }
            out.flush()?;
            before = now;
        }
        if over {
            if one_line {
                writeln!(out)?;
            }
            let completed = job.state == State::Completed;
            return Ok(if completed { Outcome::Done } else { Outcome::Failed });
        }
        match told.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            // The job goes on without anybody who watches.
            _ => return Ok(Outcome::Done),
        }
    }
}
