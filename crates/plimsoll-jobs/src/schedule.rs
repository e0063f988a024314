//! Jobs that are enqueued at the times of a cron line.
//!
//! ```text
//!   set ─> next_at ── its time ──> unit { next_at moves on, if it is what was read;     ─┐
//!            ^                            the job, unless the last one is not over;      │
//!            │                            which job it is                            }   │
//!            └────── the first time behind now ──────────────────────────────────────────┘
//! ```
//!
//! Promises: of all who find a schedule due one enqueues its job, in the transaction that moves it;
//! times that passed while nobody looked are made up by one job; a clock that is set back fires
//! nothing twice.
//! Never: a timer; whoever tends the queue looks once a second.

use plimsoll::record::Value;
use plimsoll_store::Priority;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{Fields, JobId, MESSAGE_BYTES_MAX, NewJob, Trying, check_name, cut};
use crate::manage::LIST_MAX;
use crate::queue::{Queue, Read, Written, fenced, int, own, text};
use crate::statements::schedules as sql;
use crate::timetable::Timetable;

/// Schedules that fire in one go: their units are on their way to the store at once.
pub const FIRED_MAX: u32 = 100;

/// A schedule to set.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    /// What it is called.
    pub name: Box<str>,
    /// See [`Timetable::parse`].
    pub cron: Box<str>,
    /// A time zone of the IANA database.
    pub zone: Box<str>,
    /// What is enqueued; without a unique key, a time or a batch.
    pub job: NewJob,
    /// A job is enqueued though the last one is not over.
    pub overlaps: bool,
}

impl NewSchedule {
    /// In UTC, and one job at a time.
    ///
    /// ```
    /// use plimsoll_jobs::{NewJob, NewSchedule};
    ///
    /// let nightly = NewSchedule::new("report", "0 3 * * *", NewJob::new("report.daily", "{}"));
    /// assert!(!nightly.overlaps);
    /// assert!(nightly.check().is_ok());
    /// ```
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, cron: impl Into<Box<str>>, job: NewJob) -> Self {
        Self { name: name.into(), cron: cron.into(), zone: "UTC".into(), job, overlaps: false }
    }

    /// Whether it can be set.
    ///
    /// # Errors
    /// Those of [`Timetable::parse`] and [`NewJob::check`], and [`ErrorKind::Invalid`] for what is
    /// no name and for a job with a key, a time or a batch of its own.
    pub fn check(&self) -> Result<Timetable> {
        check_name("schedule", &self.name)?;
        self.job.check()?;
        let of_its_own = [
            ("unique key", self.job.unique_key.is_some()),
            ("time", self.job.not_before_micros.is_some()),
            ("batch", self.job.batch.is_some()),
        ];
        if let Some((what, _)) = of_its_own.iter().find(|(_, has)| *has) {
            return Err(Error::invalid(format!(
                "the job of the schedule {} has a {what} of its own: leave it out, the schedule \
                 gives its jobs their keys and times",
                self.name
            )));
        }
        Timetable::parse(&self.cron, &self.zone)
    }
}

/// A schedule as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What it is called.
    pub name: Box<str>,
    /// Its cron line.
    pub cron: Box<str>,
    /// The time zone of the line.
    pub zone: Box<str>,
    /// What kind of job.
    pub kind: Box<str>,
    /// Where the job waits.
    pub queue: Box<str>,
    /// 0 goes first.
    pub priority: u8,
    /// JSON; empty in a list where it has more than 1 KiB.
    pub payload: Box<str>,
    /// How the job is tried.
    pub trying: Trying,
    /// Bytes the job needs, as far as is known.
    pub memory_bytes: u64,
    /// A job is enqueued though the last one is not over.
    pub overlaps: bool,
    /// Since when it fires nothing, microseconds UTC.
    pub paused_micros: Option<i64>,
    /// When it is due next, microseconds UTC; while it is paused, when it would have been.
    pub next_micros: i64,
    /// When it was due and somebody saw to it last.
    pub last_micros: Option<i64>,
    /// The job of that time; that of an earlier one, if it was not over.
    pub last_job: Option<JobId>,
    /// Times at which the last job was not over, so that none was enqueued.
    pub skipped: u64,
    /// Why it was stopped, where its line cannot be followed any more.
    pub error: Option<Box<str>>,
}

impl Schedule {
    /// `active`, `paused`, or `stopped` where its line cannot be followed any more.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (self.paused_micros, &self.error) {
            (_, Some(_)) => "stopped",
            (Some(_), None) => "paused",
            (None, None) => "active",
        }
    }
}

/// A schedule whose time has come.
struct Due {
    name: Box<str>,
    cron: Box<str>,
    zone: Box<str>,
    at_micros: i64,
}

impl Queue {
    /// Sets a schedule, or changes the one of that name; gives its next time, microseconds UTC.
    ///
    /// One that keeps its line and zone keeps its next time, so that a program may set its
    /// schedules whenever it starts and misses none; one that is paused stays so.
    ///
    /// # Errors
    /// Those of [`NewSchedule::check`]; the answer has what the store gives.
    pub fn set_schedule(&self, new: &NewSchedule) -> Result<Written<i64>> {
        let table = new.check()?;
        let next = next_behind(&table, &new.name, self.now_micros())?;
        let params = vec![
            text(&new.name),
            text(table.line()),
            text(table.zone()),
            text(&new.job.kind),
            text(&new.job.queue),
            int(new.job.priority),
            text(&new.job.payload),
            int(new.job.trying.tries_max),
            int(new.job.trying.exceptions_max),
            int(new.job.trying.timeout_ms),
            int(new.job.memory_bytes),
            int(i64::from(new.overlaps)),
            Value::Int(next),
        ];
        Ok(self.write(vec![own(&sql::SET, params)], Priority::Normal, |outcome| {
            Fields::of(outcome.own.into_iter().next().unwrap_or_default()).int()
        }))
    }

    /// Schedules by their names, behind one or from the first on.
    pub fn schedules(&self, behind: Option<&str>, rows_max: u32) -> Read<Vec<Schedule>> {
        let rows_max = rows_max.min(LIST_MAX);
        let params = vec![text(behind.unwrap_or_default()), int(rows_max)];
        self.read(&sql::LIST, params, rows_max as usize, |rows| {
            rows.into_iter().map(shown).collect()
        })
    }

    /// One schedule.
    pub fn show_schedule(&self, name: &str) -> Read<Schedule> {
        let wanted = name.to_owned();
        self.read(&sql::SHOW, vec![text(name)], 1, move |rows| {
            shown(rows.into_iter().next().ok_or_else(|| unknown(&wanted))?)
        })
    }

    /// It fires nothing until it is resumed; a job that it enqueued goes on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that name.
    pub fn pause_schedule(&self, name: &str) -> Result<()> {
        let write = own(&sql::PAUSE, vec![text(name), Value::Int(self.now_micros())]);
        let met = self.write(vec![write], Priority::Normal, |o| Ok(!o.own.is_empty())).wait()?;
        met.then_some(()).ok_or_else(|| unknown(name))
    }

    /// It goes on with the first time behind now: what passed meanwhile is not made up for.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], [`ErrorKind::Invalid`] where its line cannot be followed, and
    /// [`ErrorKind::Conflict`] where somebody changes it at the same moment.
    pub fn resume_schedule(&self, name: &str) -> Result<()> {
        let is = self.show_schedule(name).wait()?;
        if is.paused_micros.is_none() {
            return Ok(());
        }
        let table = Timetable::parse(&is.cron, &is.zone)?;
        let next = next_behind(&table, name, self.now_micros())?;
        let params = vec![text(name), text(&is.cron), text(&is.zone), Value::Int(next)];
        let write = own(&sql::RESUME, params);
        let met = self.write(vec![write], Priority::Normal, |o| Ok(!o.own.is_empty())).wait()?;
        let changed = || {
            let text = format!("the schedule {name} was changed a moment ago: look, and try again");
            Error::new(ErrorKind::Conflict, text)
        };
        met.then_some(()).ok_or_else(changed)
    }

    /// Removes a schedule; a job that it enqueued goes on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that name.
    pub fn remove_schedule(&self, name: &str) -> Result<()> {
        let write = own(&sql::REMOVE, vec![text(name)]);
        let met = self.write(vec![write], Priority::Normal, |o| Ok(!o.own.is_empty())).wait()?;
        met.then_some(()).ok_or_else(|| unknown(name))
    }

    /// Enqueues the jobs of up to [`FIRED_MAX`] schedules whose time has come, each in the
    /// transaction that moves its schedule to the first time behind now. Gives how many it saw to;
    /// a worker that tends does this once a second.
    ///
    /// # Errors
    /// What the store gives; the schedules that it does not concern have fired.
    pub fn fire_schedules(&self) -> Result<u64> {
        let now = self.now_micros();
        let params = vec![Value::Int(now), int(FIRED_MAX)];
        let due = self.read(&sql::DUE, params, FIRED_MAX as usize, |rows| {
            rows.into_iter().map(due).collect::<Result<Vec<Due>>>()
        });
        // All on their way before the first is waited for, so that they may share a commit.
        let fired: Vec<_> = due.wait()?.iter().map(|due| self.fire(due, now)).collect();
        let (mut moved, mut failed) = (0, None);
        for answer in fired {
            match answer.wait() {
                Ok(()) => moved += 1,
                // Another was first, or it was changed.
                Err(error) if error.kind() == ErrorKind::LeaseLost => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if moved > 0 {
            self.bell.ring();
        }
        failed.map_or(Ok(moved), Err)
    }

    fn fire(&self, due: &Due, now: i64) -> Written<()> {
        let Due { name, cron, zone, at_micros } = due;
        let table = Timetable::parse(cron, zone);
        let next = table.and_then(|table| next_behind(&table, name, now));
        let (name, at) = (text(name), Value::Int(*at_micros));
        let writes = match next {
            Ok(next) => {
                let (next, now) = (Value::Int(next), Value::Int(now));
                let read = [name.clone(), at.clone(), text(cron), text(zone), next, now.clone()];
                vec![
                    fenced(&sql::MOVE, read.to_vec()),
                    own(&sql::FIRE, vec![name.clone(), at.clone(), now]),
                    own(&sql::NOTE, vec![name, at]),
                ]
            }
            Err(error) => {
                tracing::error!(schedule = &*due.name, %error, "stopping a schedule");
                let why = text(cut(&error.to_string(), MESSAGE_BYTES_MAX));
                vec![fenced(&sql::STOP, vec![name, at, text(cron), Value::Int(now), why])]
            }
        };
        self.write(writes, Priority::Normal, |_| Ok(()))
    }
}

fn next_behind(table: &Timetable, name: &str, now: i64) -> Result<i64> {
    table.next_after(now).ok_or_else(|| {
        Error::invalid(format!(
            "no next time of the schedule {name} can be found: {:?} in {}",
            table.line(),
            table.zone()
        ))
    })
}

fn unknown(name: &str) -> Error {
    let shown = cut(name, crate::job::NAME_BYTES_MAX);
    Error::new(ErrorKind::NotFound, format!("there is no schedule {shown:?}"))
}

fn due(row: Vec<Value>) -> Result<Due> {
    let mut fields = Fields::of(row);
    Ok(Due {
        name: fields.text()?,
        cron: fields.text()?,
        zone: fields.text()?,
        at_micros: fields.int()?,
    })
}

fn shown(row: Vec<Value>) -> Result<Schedule> {
    let mut fields = Fields::of(row);
    Ok(Schedule {
        name: fields.text()?,
        cron: fields.text()?,
        zone: fields.text()?,
        kind: fields.text()?,
        queue: fields.text()?,
        priority: u8::try_from(fields.int()?).unwrap_or(u8::MAX),
        payload: fields.text()?,
        trying: fields.trying()?,
        memory_bytes: fields.count()?,
        overlaps: fields.int()? == 1,
        paused_micros: fields.int_or_null()?,
        next_micros: fields.int()?,
        last_micros: fields.int_or_null()?,
        last_job: fields.int_or_null()?,
        skipped: fields.count()?,
        error: fields.text_or_null()?,
    })
}
