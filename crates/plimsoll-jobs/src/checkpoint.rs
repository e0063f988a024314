//! How far a job is, on its way into its row.
//!
//! ```text
//!   unit { effects, checkpoint, fenced } ─> commit        either all or nothing
//! ```
//!
//! Promises: a checkpoint is written under the lease alone, and within its bound.
//! Never: a result carried in a checkpoint.

use plimsoll::record::Value;
use plimsoll_store::{Own, Priority, Write};

use crate::error::{Error, Result};
use crate::job::{CHECKPOINT_BYTES_MAX, Fields, JobId, Lease, Progress, Wish, cut};
use crate::queue::{
    Queue, Read, Written, fenced, int, int_or_null, lease_params, storable, text, text_or_null,
    told,
};
use crate::statements as sql;

/// Where a job stopped: id.
static CHECKPOINT_OF: Own = Own::new("select checkpoint from ~jobs where id = $1:int");

impl Queue {
    /// The last checkpoint of a job, if it has one.
    pub fn checkpoint_of(&self, id: JobId) -> Read<Option<Box<str>>> {
        self.read(&CHECKPOINT_OF, vec![Value::Int(id)], 1, |rows| {
            let text = rows.into_iter().next().map(|row| Fields::of(row).text_or_null());
            Ok(text.transpose()?.flatten())
        })
    }

    /// How far a job is, without a checkpoint.
    pub fn progress(&self, lease: Lease, progress: &Progress) -> Written<Option<Wish>> {
        let mut params = lease_params(lease);
        params.extend(progress_params(progress));
        self.write(vec![fenced(&sql::PROGRESS, params)], Priority::Normal, told)
    }

    /// Effects and the checkpoint behind them, in one transaction.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a checkpoint that is too large.
    pub fn checkpoint(
        &self,
        lease: Lease,
        mut effects: Vec<Write>,
        checkpoint: &str,
        progress: &Progress,
    ) -> Result<Written<Option<Wish>>> {
        effects.push(checkpoint_write(lease, checkpoint, progress)?);
        Ok(self.write(effects, Priority::Bulk, told))
    }
}

/// The statement that keeps a checkpoint.
pub(crate) fn checkpoint_write(
    lease: Lease,
    checkpoint: &str,
    progress: &Progress,
) -> Result<Write> {
    if checkpoint.len() > CHECKPOINT_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a checkpoint of {} bytes: at most {} are kept, so write what is large into a file \
             and name that",
            checkpoint.len(),
            CHECKPOINT_BYTES_MAX,
        )));
    }
    let mut params = lease_params(lease);
    params.push(text(checkpoint));
    params.extend(progress_params(progress));
    Ok(fenced(&sql::CHECKPOINT, params))
}

fn progress_params(progress: &Progress) -> [Value; 3] {
    let unit = progress.unit.as_deref().map(|unit| storable(cut(unit, 32)));
    [int(progress.done), int_or_null(progress.total), text_or_null(unit.as_deref())]
}
