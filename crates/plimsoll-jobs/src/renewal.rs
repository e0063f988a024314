//! Leases that are kept.
//!
//! Promises: ahead of all other writing; what is missing from the answer is another's by now.
//! Never: a look at jobs that the worker does not hold, however many were its own before.

use plimsoll::record::Value;
use plimsoll_store::Priority;

use crate::job::{Fields, JobId, Lease, Wish};
use crate::queue::{Queue, Read, Written, fenced, int, lease_params, own, text, told, wish};
use crate::statements as sql;

impl Queue {
    /// Renews the leases of jobs that a worker holds. Gives them, each with what is wished of it.
    pub fn renew(&self, worker: &str, held: &[JobId]) -> Written<Vec<(Lease, Option<Wish>)>> {
        let ids: Vec<String> = held.iter().map(JobId::to_string).collect();
        let params = vec![text(worker), Value::Text(ids.join(",").into())];
        self.write(vec![own(&sql::RENEW, params)], Priority::Urgent, |outcome| {
            let each = outcome.own.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                let lease = Lease { id: fields.int()?, token: fields.int()? };
                Ok((lease, wish(fields.text_or_null()?)))
            });
            each.collect()
        })
    }

    /// What runs in a worker's name.
    pub(crate) fn of_worker(&self, worker: &str, jobs_max: usize) -> Read<Vec<Lease>> {
        let params = vec![text(worker), int(jobs_max)];
        self.read(&sql::OF_WORKER, params, jobs_max, |rows| {
            let each = rows.into_iter().map(|row| {
                let mut fields = Fields::of(row);
                Ok(Lease { id: fields.int()?, token: fields.int()? })
            });
            each.collect()
        })
    }

    /// Renews one lease, for who holds a single one.
    pub fn renew_one(&self, lease: Lease) -> Written<Option<Wish>> {
        let write = fenced(&sql::RENEW_ONE, lease_params(lease));
        self.write(vec![write], Priority::Urgent, told)
    }
}
