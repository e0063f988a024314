//! The rows after a position, as ranges an index can seek to.
//!
//! For the order (a, b, id) and a position (1, 2, 3) the rows that follow are, in this order:
//!
//! ```text
//!   a = 1 and b = 2 and id > 3      the rest of the innermost group
//!   a = 1 and b > 2                 the rest of the next one
//!   a > 1                           everything after it
//! ```
//!
//! Each is one contiguous range of an index on (a, b, id). A single condition with OR would say
//! the same, but would make the database walk the whole group `a = 1` again for every page.
//!
//! Promises: the ranges are disjoint, in order, and together exactly the rows after the position,
//! NULLs included (smallest: first ascending, last descending).
//! Never: row-value comparison, which has no meaning for mixed directions or NULL.

use plimsoll::record::Value;

use crate::catalogue::{Order, Resource};
use crate::error::{Error, Result};
use crate::read::Position;

/// One comparison of a column with a constant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// Equal, NULL being equal to NULL.
    Same(usize, Value),
    /// Greater than a value that is not NULL.
    Above(usize, Value),
    /// Less than a value that is not NULL.
    Below(usize, Value),
    /// Is NULL.
    Null(usize),
    /// Is not NULL.
    NotNull(usize),
}

/// The ranges that follow `from` in `order`, or the one range of everything.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when the position was made for another order.
pub(crate) fn phases(
    resource: &Resource,
    order: &Order,
    from: Option<&Position>,
    backwards: bool,
) -> Result<Vec<Vec<Condition>>> {
    let Some(Position(values)) = from else { return Ok(vec![Vec::new()]) };
    let terms = order.terms();
    if values.len() != terms.len() {
        return Err(Error::invalid(format!(
            "the position has {} values, the order {} columns: start again without a cursor",
            values.len(),
            terms.len()
        )));
    }
    let mut out = Vec::with_capacity(terms.len() + 1);
    for level in (0..terms.len()).rev() {
        let same = terms[..level].iter().zip(values);
        let prefix: Vec<Condition> =
            same.map(|(term, value)| Condition::Same(term.column, value.clone())).collect();
        let (column, value) = (terms[level].column, &values[level]);
        let nullable = resource.schema.columns[column].nullable;
        for last in beyond(column, value, terms[level].descending != backwards, nullable) {
            out.push(prefix.iter().cloned().chain([last]).collect());
        }
    }
    Ok(out)
}

/// The ranges of one column beyond `value`, in order.
fn beyond(column: usize, value: &Value, descending: bool, nullable: bool) -> Vec<Condition> {
    match (value, descending) {
        (Value::Null, false) => vec![Condition::NotNull(column)],
        (Value::Null, true) => Vec::new(),
        (value, false) => vec![Condition::Above(column, value.clone())],
        (value, true) if nullable => {
            vec![Condition::Below(column, value.clone()), Condition::Null(column)]
        }
        (value, true) => vec![Condition::Below(column, value.clone())],
    }
}

#[cfg(test)]
mod tests;
