//! One job in one child.
//!
//! ```text
//!   Working ── too much memory, or told to stop ──> Asked ── grace ──> Termed ── grace ─> killed
//!      │          {"stop":..}                         │   SIGTERM         │
//!      └─ done, failed ─> Done, Failed                └─ failed with retry, exit: HandedBack
//! ```
//!
//! Promises: ends, whatever the child does: each wait has a deadline.
//! Never: a message of one job handled as another's; a checkpoint called durable that is not.

use std::process::ExitStatus;
use std::time::Instant;

use rustix::process::Signal;

use super::handler::{Handler, Job, Progress, Stop};
use super::limits::{
    ENDED_WITHIN, LOOK_EVERY, LOOK_FAR_EVERY, LOOK_PART, LOOKS_OVER, Limits, MESSAGES_MAX,
    MESSAGES_WITHIN, MORE_PART, UNSENT_BYTES_MAX,
};
use super::message::{CHECKPOINT_OK, Message, Said, job_line, stop_line};
use super::outcome::{Broken, Outcome};
use super::reader::Heard;
use super::running::Running;

/// What runs takes more than this; what is being started may not yet.
const STARTED_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, Debug)]
enum Stage {
    Working,
    Asked { stop: Stop, until: Instant, bytes: u64 },
    Termed { stop: Stop, until: Instant },
}

/// A job while it runs.
pub(super) struct Turn<'a> {
    running: &'a mut Running,
    limits: &'a Limits,
    job: &'a Job<'a>,
    handler: &'a mut dyn Handler,
    stage: Stage,
    /// The last progress that the handler was not told of.
    progress: Option<Progress>,
    heard_at: Instant,
    /// Looks, one after the other, that found too much.
    over: u32,
    bytes: u64,
    weighed_next: Instant,
    /// Messages since when.
    messages: (Instant, u32),
    /// It has ended; what it said before may still come.
    ended: Option<ExitStatus>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        running: &'a mut Running,
        limits: &'a Limits,
        job: &'a Job<'a>,
        handler: &'a mut dyn Handler,
    ) -> Self {
        let now = Instant::now();
        Self {
            running,
            limits,
            job,
            handler,
            stage: Stage::Working,
            progress: None,
            heard_at: now,
            over: 0,
            bytes: 0,
            weighed_next: now,
            messages: (now, 0),
            ended: None,
        }
    }

    /// Gives the child the job and hears it out.
    pub(super) fn run(mut self) -> Outcome {
        match job_line(self.job) {
            Ok(line) => self.running.say(&line),
            Err(message) => return Outcome::Failed { message: message.into(), retry: false },
        }
        let mut next = Instant::now();
        let outcome = loop {
            let now = Instant::now();
            if now >= next {
                if let Some(outcome) = self.look(now) {
                    break outcome;
                }
                next = Instant::now() + LOOK_EVERY;
            }
            let heard = self.running.hear(next.saturating_duration_since(Instant::now()));
            let outcome = match (heard, self.ended) {
                (Some(heard), _) => self.handle(heard),
                (None, Some(status)) => Some(self.gone(Some(status))),
                (None, None) => None,
            };
            if let Some(outcome) = outcome {
                break outcome;
            }
        };
        if self.bytes < STARTED_BYTES {
            // It was looked at while it was being started, and was over before the next look.
            let _forks = self.weigh(Instant::now());
        }
        self.tell_progress();
        outcome
    }

    fn handle(&mut self, heard: Heard) -> Option<Outcome> {
        match heard {
            Heard::Garbage(line) => Some(Outcome::Broken(Broken::Garbage(line))),
            Heard::TooLong => Some(Outcome::Broken(Broken::LineTooLong)),
            Heard::End => {
                let status = self.running.ends_within(ENDED_WITHIN);
                Some(self.gone(status))
            }
            Heard::Said(said) => {
                let outcome = self.hear(said);
                self.heard_at = Instant::now();
                outcome.or_else(|| self.flooded())
            }
        }
    }

    fn hear(&mut self, said: Said) -> Option<Outcome> {
        if let Some(id) = said.id.filter(|id| *id != self.job.id) {
            return Some(Outcome::Broken(Broken::OtherJob(id)));
        }
        match said.message {
            Message::Progress(progress) => self.progress = Some(progress),
            Message::Log(line) => self.handler.log(&line),
            Message::Checkpoint(state) => {
                self.tell_progress();
                if self.handler.checkpoint(&state) {
                    self.running.say(CHECKPOINT_OK);
                } else if matches!(self.stage, Stage::Working) {
                    self.ask(Stop::Cancel);
                }
            }
            Message::Done(result) => return Some(Outcome::Done(result)),
            Message::Failed { message, retry } => {
                return Some(match self.stage {
                    Stage::Asked { stop, .. } | Stage::Termed { stop, .. } if retry => {
                        Outcome::HandedBack(stop)
                    }
                    _ => Outcome::Failed { message, retry },
                });
            }
        }
        None
    }

    fn flooded(&mut self) -> Option<Outcome> {
        let (since, count) = &mut self.messages;
        if self.heard_at.duration_since(*since) > MESSAGES_WITHIN {
            (*since, *count) = (self.heard_at, 0);
        }
        *count += 1;
        let flood = *count > MESSAGES_MAX || self.running.unsent_bytes() > UNSENT_BYTES_MAX;
        flood.then_some(Outcome::Broken(Broken::Flood))
    }

    /// It ended, or closed its output.
    fn gone(&self, status: Option<ExitStatus>) -> Outcome {
        match self.stage {
            Stage::Working => Outcome::Broken(Broken::Died(status)),
            Stage::Asked { stop, .. } | Stage::Termed { stop, .. } => Outcome::HandedBack(stop),
        }
    }

    fn look(&mut self, now: Instant) -> Option<Outcome> {
        self.running.flush();
        self.tell_progress();
        if now >= self.weighed_next
            && let Some(outcome) = self.weigh(now)
        {
            return Some(outcome);
        }
        self.ended = self.running.ended();
        match self.stage {
            Stage::Working => {
                let memory = (self.over >= LOOKS_OVER).then_some(Stop::Memory);
                if let Some(stop) = memory.or_else(|| self.handler.stop()) {
                    self.ask(stop);
                } else if now.saturating_duration_since(self.heard_at) > self.limits.silence {
                    return Some(Outcome::Broken(Broken::Hung(self.limits.silence)));
                }
            }
            Stage::Asked { stop, bytes, .. } if self.grew(bytes) => {
                return Some(Outcome::HandedBack(stop));
            }
            Stage::Asked { stop, until, .. } if now >= until => {
                self.running.signal(Signal::TERM);
                self.stage = Stage::Termed { stop, until: now + self.limits.grace };
            }
            Stage::Termed { stop, until } if now >= until => {
                return Some(Outcome::HandedBack(stop));
            }
            Stage::Asked { .. } | Stage::Termed { .. } => {}
        }
        None
    }

    /// Looks at its memory, less often while that is far from its share.
    fn weigh(&mut self, now: Instant) -> Option<Outcome> {
        let share = self.limits.memory_bytes.unwrap_or(u64::MAX);
        let usage = self.running.look(share);
        let pause = if usage.bytes > share / 2 { LOOK_EVERY } else { LOOK_FAR_EVERY };
        self.weighed_next = now + pause.max(now.elapsed() * LOOK_PART);
        self.bytes = usage.bytes;
        self.handler.memory(usage.bytes);
        self.over = if usage.bytes > share { self.over + 1 } else { 0 };
        let forks = usage.processes > self.limits.processes_max;
        forks.then_some(Outcome::Broken(Broken::Forked(usage.processes)))
    }

    fn ask(&mut self, stop: Stop) {
        self.running.say(&stop_line(stop));
        let until = Instant::now() + self.limits.grace;
        self.stage = Stage::Asked { stop, until, bytes: self.bytes };
    }

    /// It was asked, and takes a quarter of its share more: there is no time for its grace.
    fn grew(&self, then: u64) -> bool {
        let more = self.limits.memory_bytes.map(|share| (share, share / MORE_PART));
        more.is_some_and(|(share, more)| self.bytes > then.max(share).saturating_add(more))
    }

    fn tell_progress(&mut self) {
        if let Some(progress) = self.progress.take() {
            self.handler.progress(&progress);
        }
    }
}

/// Whether a child that ended a job so can have another one.
pub(super) fn stays(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(_) | Outcome::Failed { .. } => true,
        // Its memory, or the worker's end, is why; and one that was killed is no more.
        Outcome::HandedBack(_) | Outcome::Broken(_) => false,
    }
}
