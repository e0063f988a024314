//! Where the checkpoints of an import are kept.
//!
//! ```text
//!   unit { rows, write(checkpoint) } ─> commit        either both or neither
//! ```
//!
//! Promises: what keeps a checkpoint stands in the unit of the rows it counts, behind them.
//! Never: a place of its own on the disk.

use super::checkpoint::Checkpoint;
use crate::error::Result;
use crate::write::Write;

/// Keeps checkpoints, e.g. in the row of a job.
pub trait Keep {
    /// The one statement that keeps this checkpoint.
    ///
    /// # Errors
    /// What cannot be written.
    fn write(&self, checkpoint: &Checkpoint) -> Result<Write>;

    /// What whoever asked for the import does about a wrong row, said behind what is wrong.
    fn advice(&self) -> &str;
}

/// Says what to do at the shell.
pub(super) const ADVICE: &str =
    "correct the file and run again with --on-conflict skip, or take --on-error continue";

/// Under the name of its input.
pub(super) struct Named(pub(super) Box<str>);

impl Keep for Named {
    fn write(&self, checkpoint: &Checkpoint) -> Result<Write> {
        let state = checkpoint.to_json()?;
        Ok(Write::Put { kind: Checkpoint::KIND, key: self.0.clone(), state })
    }

    fn advice(&self) -> &str {
        ADVICE
    }
}
