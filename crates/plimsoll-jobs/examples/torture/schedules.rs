//! Schedules that fire while their workers are killed and their clocks are off.
//!
//! ```text
//!   first ── fired at T1, when it was N1 ──> the first time behind N1 ── fired at T2, .. ──> next
//!               └ the job's key has T1, the job was enqueued at N1
//! ```
//!
//! Each due time is that which follows from the one before: a time in front of it was there twice,
//! one behind it means that another was left out. What a clock that was an hour ahead did is ended
//! as the documentation says, by a pause and a resume; and not before the times have passed that it
//! fired too early: while such a job is not over, its time is not enqueued again.
//!
//! Promises: a time that was merged with others is told from one that was left out.
//! Never: a schedule that says of itself what it did.

use std::time::{Duration, Instant};

use plimsoll_jobs::{NewJob, NewSchedule, Queue, Timetable, Trying};

use crate::count::{Result, int, rows};

/// Names and lines.
const LINES: [(&str, &str); 2] = [("each-second", "* * * * * *"), ("third", "*/3 * * * * *")];
/// A next time so far ahead is that of a clock that was ahead.
const AHEAD_MICROS: i64 = 60_000_000;
/// Longer than from one due time to the next one.
const PAUSE: Duration = Duration::from_secs(4);

struct Schedule {
    name: &'static str,
    table: Timetable,
    first: i64,
    /// Since when it is paused, and when it would have been due.
    paused: Option<(Instant, i64)>,
    resets: Vec<Reset>,
}

/// Somebody set the next time from one to another.
#[derive(Clone, Copy)]
struct Reset {
    from: i64,
    /// Between these, as the moment of a resume is not told.
    to: (i64, i64),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) times: u64,
    pub(crate) left_out: u64,
    pub(crate) twice: u64,
}

pub(crate) struct Schedules(Vec<Schedule>);

fn told<T>(result: plimsoll_jobs::Result<T>) -> Result<T> {
    result.map_err(|e| format!("a schedule: {e}"))
}

impl Schedules {
    pub(crate) fn set(queue: &Queue) -> Result<Self> {
        let trying = Trying { tries_max: 1_000, exceptions_max: 1_000, timeout_ms: 60_000 };
        let set = |(name, line)| {
            let job = NewJob { trying, ..NewJob::new("steps", "{}") };
            let new = NewSchedule { overlaps: true, ..NewSchedule::new(name, line, job) };
            let first = told(queue.set_schedule(&new).and_then(plimsoll_jobs::Answer::wait))?;
            let table = told(new.check())?;
            Ok(Schedule { name, table, first, paused: None, resets: Vec::new() })
        };
        LINES.into_iter().map(set).collect::<Result<_>>().map(Self)
    }

    /// Ends what a clock did that was ahead.
    pub(crate) fn nudge(&mut self, queue: &Queue) -> Result<()> {
        self.0.iter_mut().try_for_each(|schedule| schedule.nudge(queue))
    }

    /// They fire nothing any more.
    pub(crate) fn stop(&self, queue: &Queue) -> Result<()> {
        self.0.iter().try_for_each(|schedule| told(queue.pause_schedule(schedule.name)))
    }

    /// Compares what was enqueued with what was due, once they are stopped.
    pub(crate) fn count(&self, queue: &Queue, schema: &str) -> Result<Fired> {
        let mut all = Fired::default();
        for schedule in &self.0 {
            let mark = format!("schedule:{}:", schedule.name);
            let sql = format!(
                "select cast(replace(unique_key, '{mark}', '') as bigint), enqueued_at from \
                 {schema}jobs where unique_key like '{mark}%' order by id"
            );
            let fired: Vec<_> =
                rows(queue, &sql)?.iter().map(|row| (int(&row[0]), int(&row[1]))).collect();
            let last = told(queue.show_schedule(schedule.name).wait())?.next_micros;
            let found = schedule.compare(&fired, last);
            all.times += found.times;
            all.left_out += found.left_out;
            all.twice += found.twice;
        }
        Ok(all)
    }
}

fn next_behind(table: &Timetable, micros: i64) -> i64 {
    table.next_after(micros).unwrap_or(i64::MAX)
}

impl Schedule {
    fn nudge(&mut self, queue: &Queue) -> Result<()> {
        match self.paused {
            None => {
                let next = told(queue.show_schedule(self.name).wait())?.next_micros;
                if next > queue.now_micros() + AHEAD_MICROS {
                    told(queue.pause_schedule(self.name))?;
                    // Nobody moves it now.
                    let next = told(queue.show_schedule(self.name).wait())?.next_micros;
                    self.paused = Some((Instant::now(), next));
                }
            }
            Some((since, from)) if since.elapsed() > PAUSE => {
                let before = next_behind(&self.table, queue.now_micros());
                told(queue.resume_schedule(self.name))?;
                let to = (before, next_behind(&self.table, queue.now_micros()));
                self.resets.push(Reset { from, to });
                self.paused = None;
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// `fired` are the due times and when each was seen to, in the order of their jobs; `last` is
    /// when it is due next.
    fn compare(&self, fired: &[(i64, i64)], last: i64) -> Fired {
        let mut found = Fired { times: fired.len() as u64, ..Fired::default() };
        let (mut due, mut resets) = ((self.first, self.first), self.resets.iter().peekable());
        let mut look = |due: &mut (i64, i64), at: i64| {
            while let Some(reset) = resets.next_if(|r| (due.0..=due.1).contains(&r.from)) {
                *due = reset.to;
            }
            found.twice += u64::from(at < due.0);
            found.left_out += u64::from(at > due.1);
            if !(due.0..=due.1).contains(&at) {
                // The seed does not give it: what is known stands here.
                crate::say(&format!("{} was due at {due:?}, and fired at {at}", self.name));
            }
        };
        for (at, now) in fired {
            look(&mut due, *at);
            let next = next_behind(&self.table, *now);
            due = (next, next);
        }
        look(&mut due, last);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Due at second 10 first, then each second, and each seen to half a second late.
    fn compare(fired: &[i64], last: i64, resets: Vec<Reset>) -> Fired {
        let table = Timetable::parse("* * * * * *", "UTC").expect("a line");
        let first = 10 * SECOND;
        let schedule = Schedule { name: "each-second", table, first, paused: None, resets };
        let fired: Vec<_> =
            fired.iter().map(|at| (at * SECOND, at * SECOND + SECOND / 2)).collect();
        schedule.compare(&fired, last * SECOND)
    }

    #[test]
    fn a_due_time_that_was_left_out_or_fired_twice_is_found() {
        let well = Fired { times: 3, left_out: 0, twice: 0 };
        assert_eq!(compare(&[10, 11, 12], 13, Vec::new()), well);
        assert_eq!(compare(&[10, 12, 13], 14, Vec::new()), Fired { left_out: 1, ..well });
        assert_eq!(compare(&[10, 11, 12], 14, Vec::new()), Fired { left_out: 1, ..well });
        assert_eq!(compare(&[10, 11, 11], 12, Vec::new()), Fired { twice: 1, ..well });
        assert_eq!(compare(&[11, 12, 13], 14, Vec::new()), Fired { left_out: 1, ..well });
    }

    #[test]
    fn what_a_resume_sets_back_is_no_time_that_fired_twice() {
        let reset = Reset { from: 3_612 * SECOND, to: (12 * SECOND, 13 * SECOND) };
        let well = Fired { times: 4, left_out: 0, twice: 0 };
        assert_eq!(compare(&[10, 3_611, 13, 14], 15, vec![reset]), Fired { left_out: 1, ..well });
        let ahead = Reset { from: 11 * SECOND, ..reset };
        assert_eq!(compare(&[10, 12, 13, 14], 15, vec![ahead]), well);
        assert_eq!(compare(&[10, 14, 15, 16], 17, vec![ahead]), Fired { left_out: 1, ..well });
    }
}
