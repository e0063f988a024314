//! The loop around a command that runs.
//!
//! Promises: looks every 25 ms, or less often where a look takes long: watching takes a tenth of
//! one core at most; ends when the command and all it started have ended.
//! Never: a sleep; a signal that came is handed on before the next look.

use std::process::Child;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rustix::process::{Pid, Signal, WaitStatus};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use super::course::{Act, Bounds, Course, Why};
use super::events::{Event, Events};
use super::gauge::Gauge;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// To the second look at what is too much.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A look takes this part of the time at most.
const LOOK_PART: u32 = 10;

/// What there was to see.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) peak_bytes: u64,
    pub(super) processes_max: usize,
    pub(super) looks: u64,
    pub(super) time: Duration,
    /// How the command itself ended; `None` where it could not be ended.
    pub(super) status: Option<WaitStatus>,
    /// Why it was stopped, if it was.
    pub(super) why: Option<Why>,
    pub(super) killed: bool,
}

/// Watches until nothing of the command is left.
pub(super) fn until_over(
    bounds: &Bounds,
    gauge: &mut Gauge,
    events: &Events,
    child: &Child,
    began: Instant,
) -> anyhow::Result<Seen> {
    let limit_bytes = gauge.limit_bytes(bounds);
    let mut course = Course::new(*bounds, limit_bytes);
    let root = Pid::from_child(child);
    let (mut peak_bytes, mut processes_max, mut looks) = (0, 0, 0);
    let mut status = None;
    let mut next = Duration::ZERO;
    let stuck = loop {
        let due = course.due().map_or(next, |due| next.min(due));
        match events.happened.recv_timeout(due.saturating_sub(began.elapsed())) {
            Ok(Event::Signal(number)) => forward(number, gauge),
            Ok(Event::Ended(pid, how)) if pid == root => status = Some(how),
            Ok(Event::Ended(..)) => {}
            Ok(Event::Alone) => break false,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(anyhow!("the threads that watch the command have gone"));
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = began.elapsed();
                let usage = gauge.look(limit_bytes);
                let took = began.elapsed() - now;
                peak_bytes = usage.bytes.max(usage.single_peak_bytes).max(peak_bytes);
                processes_max = usage.processes.max(processes_max);
                looks += 1;
                match course.decide(now, usage.bytes, status.is_some()) {
                    Act::Nothing => {}
                    Act::Ask => drop(gauge.signal(Signal::TERM)),
                    Act::Kill => drop(gauge.signal(Signal::KILL)),
                    Act::GiveUp => break true,
                }
                let pause = if course.is_in_doubt() { LOOK_AGAIN } else { LOOK_EVERY };
                next = began.elapsed() + pause.max(took * LOOK_PART);
            }
        }
    };
    let killed_at_limit = gauge.is_killed_at_limit();
    Ok(Seen {
        peak_bytes: gauge.peak_bytes().unwrap_or(peak_bytes),
        processes_max,
        looks,
        time: began.elapsed(),
        status: status.filter(|_| !stuck),
        why: if killed_at_limit { Some(Why::Memory) } else { course.why() },
        killed: course.is_killed() || killed_at_limit,
    })
}

/// Hands a signal on to the whole tree. Those of its keys a terminal has sent there itself.
fn forward(number: i32, gauge: &mut Gauge) {
    use std::io::IsTerminal as _;
    let signal = match number {
        SIGINT | SIGQUIT if std::io::stdin().is_terminal() => return,
        SIGINT => Signal::INT,
        SIGQUIT => Signal::QUIT,
        SIGHUP => Signal::HUP,
        SIGTERM => Signal::TERM,
        _ => return,
    };
    gauge.signal(signal);
}
