//! Groups whose measures need every value: `count(distinct x)`, `median(x)`, `quantile(x, q)`.
//!
//! ```text
//!   row ─┬─> group | 0           state ─> table ─┐ full, or rows
//!        ├─> group | 1 | value   count ─> table ─┤ that pass by     ┌─ fits ──────────┐
//!        └─> group | 2 | value   count ─> table ─┴─> arena ─> sort ─┴─> runs ─> merge ┴─> Walk
//!                                         a table for states, one for values          row by row
//! ```
//!
//! A group is one stretch of the sorted records: first its states, with the count of values that
//! each quantile has to know, then the values of each column in order. So one pass over them with
//! a few numbers a group answers everything, however many values the group has. Grouping ahead of
//! the sort is Larson's and Do, Graefe and Naughton's, as [`crate::group::Bypass`] tells.
//!
//! ```text
//!   key of a record   varint length | group | 0                      states
//!                     varint length | group | column + 1 | value     one value
//! ```
//!
//! Promises: exact; bounded memory for any number of groups and of values in one.
//! Never: a value twice in a table; a byte on disk while one arena holds all.

mod gather;
mod run;
mod sorter;
mod walk;

use super::plan::GroupPlan;
use crate::aggregate::push_length;

/// What stands behind the group in the key of its states.
const STATES: u8 = 0;

/// Appends the beginning of a group's keys.
fn push_group(group: &[u8], out: &mut Vec<u8>) {
    push_length(group.len(), out);
    out.extend_from_slice(group);
}

/// Where the group ends in a record's key, and where it begins.
fn group_range(key: &[u8]) -> Option<std::ops::Range<usize>> {
    let (mut length, mut start) = (0_usize, 0);
    loop {
        let byte = *key.get(start)?;
        length |= usize::from(byte & 0x7f).checked_shl(u32::try_from(7 * start).ok()?)?;
        start += 1;
        if byte < 0x80 {
            break;
        }
    }
    let end = start.checked_add(length)?;
    (end < key.len()).then_some(start..end)
}
