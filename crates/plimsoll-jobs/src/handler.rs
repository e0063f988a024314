//! What does a job's work.
//!
//! ```text
//!   payload, last checkpoint ─> Handler::run ─┬─ Done { effects, result }   completed with effects
//!                                 │   ^       ├─ Stopped                   handed back
//!                       save(..)  v   │ stop  ├─ Later { after_ms }         tried again then
//!                     effects + checkpoint    └─ Err                        tried again, or failed
//! ```
//!
//! Promises: a handler sees no lease and no state; what it saves stands or falls with them.
//! Never: a result that is larger than its bound.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use plimsoll_store::Write;

use crate::error::{Error, ErrorKind, Result};
use crate::job::{NewJob, RESULT_BYTES_MAX, Trying, check_name};
use crate::run::Run;

/// Taken for what a job needs where nobody says anything.
pub const MEMORY_BYTES_PRESET: u64 = 1 << 20;

/// How a job's work ended well, for now or for good.
#[derive(Debug)]
pub enum Ending {
    /// It is done.
    Done {
        /// What came last; happens in the transaction that completes the job.
        effects: Vec<Write>,
        /// JSON, small: where the result is, not the result.
        result: Option<Box<str>>,
    },
    /// It was asked to stop and has saved where it is.
    Stopped,
    /// It wants to be tried again; that counts as an attempt and not as an error.
    Later {
        /// From now.
        after_ms: u64,
        /// Why.
        why: Box<str>,
    },
}

impl Ending {
    /// Done, with nothing to add.
    #[must_use]
    pub fn done() -> Self {
        Self::Done { effects: Vec::new(), result: None }
    }
}

/// Why a job's work failed.
#[derive(Debug)]
pub struct JobError {
    message: Box<str>,
    /// It is of no use to try again.
    hopeless: bool,
    lease_lost: bool,
}

impl JobError {
    /// To be tried again, if tries are left.
    #[must_use]
    pub fn again(message: impl Into<Box<str>>) -> Self {
        Self { message: message.into(), hopeless: false, lease_lost: false }
    }

    /// Of no use to try again.
    #[must_use]
    pub fn hopeless(message: impl Into<Box<str>>) -> Self {
        Self { message: message.into(), hopeless: true, lease_lost: false }
    }

    /// Whether trying again is of no use.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        self.hopeless
    }

    pub(crate) fn is_lease_lost(&self) -> bool {
        self.lease_lost
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let lease_lost = error.kind() == ErrorKind::LeaseLost;
        Self { message: error.to_string().into(), hopeless: false, lease_lost }
    }
}

impl From<plimsoll_store::Error> for JobError {
    fn from(error: plimsoll_store::Error) -> Self {
        Error::from(error).into()
    }
}

/// Does the work of one kind of job.
pub trait Handler: Send + Sync {
    /// Works until it is done or asked to stop.
    ///
    /// # Errors
    /// Why it failed; see [`JobError`].
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError>;
}

impl<F> Handler for F
where
    F: Fn(&mut Run<'_>) -> Result<Ending, JobError> + Send + Sync,
{
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        self(run)
    }
}

/// What is known of a kind before one of its jobs has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Bytes a job needs.
    pub memory_bytes: u64,
    /// How it is tried.
    pub trying: Trying,
    /// Where its jobs wait.
    pub queue: &'static str,
}

impl Default for Declared {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES_PRESET, trying: Trying::default(), queue: "default" }
    }
}

#[derive(Clone)]
struct Registered {
    handler: Arc<dyn Handler>,
    declared: Declared,
}

/// The kinds of jobs that a process knows.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<Box<str>, Registered>,
    /// Takes every kind that has no handler of its own.
    rest: Option<Registered>,
}

impl Registry {
    /// Adds a kind.
    ///
    /// # Errors
    /// For what is no name, and for a kind that is there.
    pub fn add(
        &mut self,
        kind: &str,
        declared: Declared,
        handler: impl Handler + 'static,
    ) -> Result<()> {
        check_name("kind", kind)?;
        let registered = Registered { handler: Arc::new(handler), declared };
        match self.kinds.insert(kind.into(), registered) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!("the kind {kind} is there already"))),
        }
    }

    /// Adds what takes all other kinds, e.g. a program that knows them.
    pub fn add_rest(&mut self, declared: Declared, handler: impl Handler + 'static) {
        self.rest = Some(Registered { handler: Arc::new(handler), declared });
    }

    fn registered(&self, kind: &str) -> Option<&Registered> {
        self.kinds.get(kind).or(self.rest.as_ref())
    }

    pub(crate) fn handler(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        self.registered(kind).map(|known| Arc::clone(&known.handler))
    }

    /// What is known of a kind.
    #[must_use]
    pub fn declared(&self, kind: &str) -> Option<Declared> {
        self.registered(kind).map(|known| known.declared)
    }

    /// The kinds that have a handler of their own.
    pub(crate) fn named(&self) -> Vec<Box<str>> {
        self.kinds.keys().cloned().collect()
    }

    /// The kinds, or `None` where it takes them all.
    #[must_use]
    pub fn kinds(&self) -> Option<Vec<Box<str>>> {
        self.rest.is_none().then(|| self.kinds.keys().cloned().collect())
    }

    /// A job of a kind, with what is declared for it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] with the known kinds where it is none of them.
    pub fn job(&self, kind: &str, payload: impl Into<Box<str>>) -> Result<NewJob> {
        let Some(declared) = self.declared(kind) else {
            let known: Vec<&str> = self.kinds.keys().map(|kind| &**kind).collect();
            let near = plimsoll_store::nearest(kind, known.iter().copied());
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            return Err(Error::invalid(format!("no kind of job is called {kind:?}{hint}")));
        };
        let job = NewJob::new(kind, payload);
        Ok(NewJob {
            queue: declared.queue.into(),
            trying: declared.trying,
            memory_bytes: declared.memory_bytes,
            ..job
        })
    }
}

/// A result within its bound.
pub(crate) fn check_result(result: Option<&str>) -> Result<(), JobError> {
    match result {
        Some(text) if text.len() > RESULT_BYTES_MAX => Err(JobError::hopeless(format!(
            "a result of {} bytes: at most {RESULT_BYTES_MAX} are kept, so write it to a file",
            text.len()
        ))),
        _ => Ok(()),
    }
}
