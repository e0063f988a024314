//! Jobs as they are asked for, claimed and shown.
//!
//! Promises: plain data; a name has a bound and an alphabet, so that it can stand in a path.
//! Never: a payload that is looked into; whoever runs it knows its shape.

use plimsoll::record::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::state::State;

/// A job's number.
pub type JobId = i64;

/// Bytes of a payload at most: what is larger is put where the job finds it.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a checkpoint at most: it refers to files and positions and carries no results.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;
/// Bytes of a result at most: the same.
pub const RESULT_BYTES_MAX: usize = 64 << 10;
/// Bytes of memory a job may say to need at most: a pebibyte, so that doubling it is a number.
pub const MEMORY_BYTES_MAX: u64 = 1 << 50;
/// Characters of a name of a kind or queue at most.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a unique key at most.
pub const KEY_BYTES_MAX: usize = 255;
/// Of 0, which goes first, to this.
pub const PRIORITY_MAX: u8 = 9;
/// Bytes of an error's message that are kept.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2_000;

/// How a job is tried, where its kind or its enqueuer says nothing else. As in seed 002.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trying {
    /// Attempts in all.
    pub tries_max: u32,
    /// Attempts that ended with an error; those that asked for another time are not counted.
    pub exceptions_max: u32,
    /// An attempt is asked to stop after this long, and counts as failed.
    pub timeout_ms: u64,
}

impl Default for Trying {
    fn default() -> Self {
        Self { tries_max: 3, exceptions_max: 3, timeout_ms: 120_000 }
    }
}

/// A job to enqueue.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What kind of work.
    pub kind: Box<str>,
    /// Where it waits.
    pub queue: Box<str>,
    /// 0 goes first, 9 last.
    pub priority: u8,
    /// JSON.
    pub payload: Box<str>,
    /// At most one job of the kind with this key is not over.
    pub unique_key: Option<Box<str>>,
    /// Not before this time, microseconds UTC.
    pub not_before_micros: Option<i64>,
    /// How it is tried.
    pub trying: Trying,
    /// Bytes it needs, as far as is known.
    pub memory_bytes: u64,
    /// The batch it belongs to.
    pub batch: Option<Box<str>>,
}

impl NewJob {
    /// A job of the default queue.
    ///
    /// ```
    /// let job = plimsoll_jobs::NewJob::new("mail.send", "{\"to\": 7}");
    /// assert_eq!(&*job.queue, "default");
    /// ```
    #[must_use]
    pub fn new(kind: impl Into<Box<str>>, payload: impl Into<Box<str>>) -> Self {
        Self {
            kind: kind.into(),
            queue: "default".into(),
            priority: 5,
            payload: payload.into(),
            unique_key: None,
            not_before_micros: None,
            trying: Trying::default(),
            memory_bytes: 0,
            batch: None,
        }
    }

    /// Whether the queue takes it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] naming what is wrong.
    pub fn check(&self) -> Result<()> {
        check_name("kind", &self.kind)?;
        check_name("queue", &self.queue)?;
        if self.priority > PRIORITY_MAX {
            let text = format!("a priority is 0 (first) to {PRIORITY_MAX}, not {}", self.priority);
            return Err(Error::invalid(text));
        }
        if self.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the payload of a job of {} has {} bytes of at most {PAYLOAD_BYTES_MAX}: put it \
                 where the job finds it, and name the place",
                self.kind,
                self.payload.len()
            )));
        }
        if serde_json::from_str::<serde::de::IgnoredAny>(&self.payload).is_err()
            || self.payload.contains("\\u0000")
        {
            let text = format!("the payload of a job of {} is no JSON that is kept", self.kind);
            return Err(Error::invalid(text));
        }
        if self.memory_bytes > MEMORY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a job of {} says to need {} bytes of memory: at most {MEMORY_BYTES_MAX}",
                self.kind, self.memory_bytes
            )));
        }
        match &self.unique_key {
            Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0') => {
                Err(Error::invalid(format!("a unique key has 1 to {KEY_BYTES_MAX} bytes")))
            }
            _ if self.trying.tries_max == 0 => {
                Err(Error::invalid("a job is tried once at least: tries is 0"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether it can be the name of a kind or a queue.
///
/// # Errors
/// [`ErrorKind::Invalid`] with the rule.
pub fn check_name(what: &str, name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(fits) {
        return Err(Error::invalid(format!(
            "the {what} {name:?} is not a name: 1 to {NAME_BYTES_MAX} letters, digits, '.', '_', \
             '-' or ':'"
        )));
    }
    Ok(())
}

/// What was enqueued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enqueued {
    /// The job's number.
    pub id: JobId,
    /// A job with the same unique key was there already, and this is it.
    pub existed: bool,
}

/// Whose turn it is: what every write about a claimed job names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub id: JobId,
    /// The fencing token: one more at each claim and each rescue.
    pub token: i64,
}

/// What somebody wishes of a job that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Stop at the next checkpoint, and wait until it is resumed.
    Pause,
    /// Stop, for good.
    Cancel,
}

impl Wish {
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "pause" => Some(Self::Pause),
            "cancel" => Some(Self::Cancel),
            _ => None,
        }
    }
}

/// A job that a worker has.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The lease.
    pub lease: Lease,
    /// What kind of work.
    pub kind: Box<str>,
    /// Where it waited.
    pub queue: Box<str>,
    /// JSON.
    pub payload: Box<str>,
    /// How it is tried.
    pub trying: Trying,
    /// Attempts before this one that count.
    pub attempts: u32,
    /// Of those, with an error.
    pub exceptions: u32,
    /// Times its worker was not heard of.
    pub crashes: u32,
    /// Bytes it needs, as far as is known.
    pub memory_bytes: u64,
    /// The batch it belongs to.
    pub batch: Option<Box<str>>,
    /// Where an earlier attempt stopped.
    pub checkpoint: Option<Box<str>>,
    /// Where it stands among the ready ones of its priority.
    pub(crate) place: i64,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Of how many, where that is known.
    pub total: Option<u64>,
    /// Of what, e.g. `rows`.
    pub unit: Option<Box<str>>,
}

/// A job as it is shown.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What kind of work.
    pub kind: Box<str>,
    /// Where it waits.
    pub queue: Box<str>,
    /// 0 goes first.
    pub priority: u8,
    /// What it is.
    pub state: State,
    /// What somebody wishes of it while it runs.
    pub wish: Option<Wish>,
    /// JSON; empty in a list where it has more than 1 KiB, and the result is missing there.
    pub payload: Box<str>,
    /// See [`NewJob::unique_key`].
    pub unique_key: Option<Box<str>>,
    /// Its time, while it waits for that.
    pub place_micros: i64,
    /// Fencing token of the last claim.
    pub token: i64,
    /// Who has it.
    pub worker: Option<Box<str>>,
    /// How it is tried.
    pub trying: Trying,
    /// Times it was handed to a worker.
    pub deliveries: u32,
    /// Attempts that count.
    pub attempts: u32,
    /// Of those, with an error.
    pub exceptions: u32,
    /// Times its worker was not heard of.
    pub crashes: u32,
    /// Bytes it needs, as far as is known.
    pub memory_bytes: u64,
    /// The most it was seen to take.
    pub peak_bytes: u64,
    /// The batch it belongs to.
    pub batch: Option<Box<str>>,
    /// Checkpoints written.
    pub checkpoints: u64,
    /// How far it is.
    pub progress: Progress,
    /// JSON.
    pub result: Option<Box<str>>,
    /// Of the last attempt that failed.
    pub error: Option<Box<str>>,
    /// When it came, microseconds UTC.
    pub enqueued_micros: i64,
    /// When it was claimed last.
    pub claimed_micros: Option<i64>,
    /// When it was over.
    pub finished_micros: Option<i64>,
}

/// One failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, microseconds UTC.
    pub at_micros: i64,
    /// `error`, `timeout`, `crash` or `memory`.
    pub what: Box<str>,
    /// Its message.
    pub message: Box<str>,
}

/// A text cut to `bytes_max` at a character.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Fields of a row in order.
pub(crate) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    pub(crate) fn of(row: Vec<Value>) -> Self {
        Self(row.into_iter())
    }

    fn wrong(what: &str, value: &Value) -> Error {
        let kind = ErrorKind::Store(plimsoll_store::ErrorKind::Corrupt);
        Error::new(kind, format!("the queue's table has {value:?} where {what} is expected"))
    }

    pub(crate) fn int_or_null(&mut self) -> Result<Option<i64>> {
        match self.0.next().unwrap_or(Value::Null) {
            Value::Int(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            other => Err(Self::wrong("a number", &other)),
        }
    }

    pub(crate) fn int(&mut self) -> Result<i64> {
        self.int_or_null()?.ok_or_else(|| Self::wrong("a number", &Value::Null))
    }

    pub(crate) fn count(&mut self) -> Result<u64> {
        Ok(u64::try_from(self.int()?).unwrap_or_default())
    }

    pub(crate) fn small(&mut self) -> Result<u32> {
        Ok(u32::try_from(self.int()?).unwrap_or(u32::MAX))
    }

    pub(crate) fn text_or_null(&mut self) -> Result<Option<Box<str>>> {
        match self.0.next().unwrap_or(Value::Null) {
            Value::Text(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            other => Err(Self::wrong("a text", &other)),
        }
    }

    pub(crate) fn text(&mut self) -> Result<Box<str>> {
        self.text_or_null()?.ok_or_else(|| Self::wrong("a text", &Value::Null))
    }

    pub(crate) fn state(&mut self) -> Result<State> {
        let name = self.text()?;
        State::named(&name).ok_or_else(|| Self::wrong("a state", &Value::Text(name)))
    }

    pub(crate) fn trying(&mut self) -> Result<Trying> {
        Ok(Trying {
            tries_max: self.small()?,
            exceptions_max: self.small()?,
            timeout_ms: self.count()?,
        })
    }
}
