//! Who works at the queue, and under which limits.
//!
//! Promises: a worker is shown as long as it was heard of lately.
//! Never: a decision about a job; leases alone decide those.

use plimsoll::record::Value;
use plimsoll_store::Priority;

use crate::error::{Error, Result};
use crate::job::{Fields, check_name};
use crate::manage::LIST_MAX;
use crate::queue::{Queue, Read, Written, int, int_or_null, own, text};
use crate::statements as sql;

/// How many jobs of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindLimits {
    /// At a time, in all workers together.
    pub concurrency_max: Option<u32>,
    /// So many in so many milliseconds.
    pub rate: Option<(u32, u64)>,
}

impl Queue {
    /// Sets the limits of a kind. Jobs beyond them wait, and no attempt is counted.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for what is no name, and for a rate in no time.
    pub fn limit_kind(&self, kind: &str, limits: KindLimits) -> Result<Written<()>> {
        check_name("kind", kind)?;
        if limits.rate.is_some_and(|(_, ms)| ms == 0) {
            return Err(Error::invalid(format!("the rate of {kind} has no time")));
        }
        let params = vec![
            text(kind),
            int_or_null(limits.concurrency_max),
            int_or_null(limits.rate.map(|(count, _)| count)),
            int_or_null(limits.rate.map(|(_, ms)| ms)),
        ];
        Ok(self.write(vec![own(&sql::LIMIT_KIND, params)], Priority::Normal, |_| Ok(())))
    }

    /// Kinds that have limits.
    pub(crate) fn limited_kinds(&self) -> Read<Vec<Box<str>>> {
        self.read(&sql::LIMITED_KINDS, Vec::new(), LIST_MAX as usize, |rows| {
            rows.into_iter().map(|row| Fields::of(row).text()).collect()
        })
    }

    /// A worker is there, and says about itself, as a JSON object with `queues` and `kinds` (null
    /// for all). Gives what is wished of it: `quiet` or `stop`.
    pub fn seen(&self, worker: &str, about: &str) -> Written<Option<Box<str>>> {
        let params = vec![text(worker), Value::Int(self.now_micros()), text(about)];
        self.write(vec![own(&sql::SEEN, params)], Priority::Normal, |outcome| {
            let row = outcome.own.into_iter().next();
            Ok(row.map(|row| Fields::of(row).text_or_null()).transpose()?.flatten())
        })
    }

    /// And has gone.
    pub(crate) fn leave(&self, worker: &str) -> Written<()> {
        let write = own(&sql::LEAVE, vec![text(worker)]);
        self.write(vec![write], Priority::Normal, |_| Ok(()))
    }

    /// Forgets workers that were not heard of since.
    pub(crate) fn forget_workers(&self, since_micros: i64) -> Written<()> {
        let write = own(&sql::FORGET_WORKERS, vec![int(since_micros)]);
        self.write(vec![write], Priority::Bulk, |_| Ok(()))
    }
}
