//! What happens to a command that is watched.
//!
//! ```text
//!   thread "signals"   SIGINT SIGTERM SIGHUP SIGQUIT ─┐
//!   thread "reap"      wait(any child) ───────────────┴─> channel ─> watch
//! ```
//!
//! Promises: no signal that comes after [`Events::listen`] is lost; every orphan is reaped.
//! Never: work in a signal handler.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Events that wait; whoever has more to tell waits itself, and the kernel keeps it.
const WAITING_MAX: usize = 16;

/// Something happened.
#[derive(Debug)]
pub(super) enum Event {
    /// This process got a signal of this number.
    Signal(i32),
    /// A child ended: the command, or an orphan of it.
    Ended(Pid, WaitStatus),
    /// There is no child left, and so no descendant.
    Alone,
}

/// Where events come out.
pub(super) struct Events {
    pub(super) happened: Receiver<Event>,
    tell: SyncSender<Event>,
}

impl Events {
    /// From now on signals are events.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let (tell, happened) = sync_channel(WAITING_MAX);
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT]).context("listening for signals")?;
        let told = tell.clone();
        start("signals", move || {
            for signal in signals.forever() {
                if told.send(Event::Signal(signal)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { happened, tell })
    }

    /// From now on ended children are events; there is one at least.
    pub(super) fn reap(&self) -> anyhow::Result<()> {
        let told = self.tell.clone();
        start("reap", move || {
            loop {
                let event = match wait(WaitOptions::empty()) {
                    Ok(Some((pid, status))) => Event::Ended(pid, status),
                    Ok(None) | Err(Errno::INTR) => continue,
                    Err(_) => Event::Alone,
                };
                let alone = matches!(event, Event::Alone);
                if told.send(event).is_err() || alone {
                    break;
                }
            }
        })
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
        .spawn(work)
        .with_context(|| format!("starting the thread {name}"))?;
    Ok(())
}
