//! A merge that gives memory back when its budget is lowered while it runs.
//!
//! ```text
//!   check ─ a byte is refused? ─no─> on
//!             │ yes
//!             ├─ blocks ahead ──> half of them are given up as they are used
//!             └─ none left ─────> what is left of the parts ── merged in twos and more ──> runs
//!                                 that fit ──> a merge of those goes on at the same row
//! ```
//!
//! Promises: the rows are the same, in the same order; where two blocks still fit, so does the
//! rest of the merge.
//! Never: a row given out twice.

use std::sync::Arc;

use super::arena::Sorted;
use super::merge::{Merge, Part};
use super::passes::Passes;
use super::plan::{BLOCK_BYTES_MIN, OUT_BLOCK_BYTES_MIN, SortPlan};
use crate::error::{ErrorKind, Result};

/// A merge with what it needs to become a narrower one.
pub(crate) struct YieldingMerge<'a> {
    /// `None` after a failure.
    merge: Option<Merge>,
    passes: Passes<'a>,
}

impl<'a> YieldingMerge<'a> {
    pub(crate) fn new(merge: Merge, passes: Passes<'a>) -> Self {
        Self { merge: Some(merge), passes }
    }

    /// As [`Merge::next`].
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Sorted<'_>>> {
        self.merge.as_mut().expect("nothing is asked after a failure").next()
    }

    /// Looks whether the budget still has room for what is held, and yields where it has not.
    /// `check` is asked while what is left is merged into fewer runs.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfBudget`] where not even two blocks fit; those of reading and writing
    /// runs.
    pub(crate) fn yield_where_asked(&mut self, check: &dyn Fn(u64) -> Result<()>) -> Result<()> {
        if self.passes.consumer.try_reserve(1).is_ok() {
            return Ok(());
        }
        let merge = self.merge.as_mut().expect("nothing is asked after a failure");
        if merge.give_up_ahead() {
            return Ok(());
        }
        let merge = self.merge.take().expect("seen above");
        let parts = merge.into_parts(self.passes.consumer)?;
        self.merge = Some(self.narrowed(parts, check)?);
        Ok(())
    }

    fn narrowed(&self, mut parts: Vec<Part>, check: &dyn Fn(u64) -> Result<()>) -> Result<Merge> {
        let plan = SortPlan {
            block_bytes: BLOCK_BYTES_MIN,
            out_block_bytes: OUT_BLOCK_BYTES_MIN,
            fan_in: 2,
            ..*self.passes.plan
        };
        let passes = Passes { plan: &plan, ..self.passes };
        let mut width = parts.len();
        loop {
            let outcome = if parts.len() <= width {
                match Merge::start(parts.clone(), 1, passes.consumer) {
                    Ok(merge) => return Ok(merge),
                    Err(error) => Err(error),
                }
            } else {
                let some = width.min(parts.len() - width + 1);
                let order = parts[0].run.order();
                let merged = passes.merge_parts(parts[..some].to_vec(), order, check);
                merged.map(|run| (some, Part::whole(&Arc::new(run))))
            };
            match outcome {
                Ok((some, merged)) => drop(parts.splice(..some, [merged])),
                Err(error) if error.kind() == ErrorKind::OutOfBudget && width > 2 => {
                    width = (width / 2).max(2);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
