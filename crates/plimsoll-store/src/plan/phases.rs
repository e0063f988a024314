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

use crate::catalogue::{Order, Resource, SortTerm};
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

impl Condition {
    /// The column that is compared.
    fn column(&self) -> usize {
        match self {
            Self::Same(column, _)
            | Self::Above(column, _)
            | Self::Below(column, _)
            | Self::Null(column)
            | Self::NotNull(column) => *column,
        }
    }
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

/// The same ranges where an index has the NULLs of `first`, the first column it is read by, at the
/// other end: a range that has NULLs and values is read as two.
///
/// ```text
///   order:  NULL 1 2 3        index:  1 2 3 NULL   ──>  first is null, then first is not null
/// ```
pub(crate) fn with_nulls_apart(
    ranges: Vec<Vec<Condition>>,
    first: SortTerm,
    backwards: bool,
) -> Vec<Vec<Condition>> {
    let mut apart = [Condition::Null(first.column), Condition::NotNull(first.column)];
    if first.descending != backwards {
        apart.reverse();
    }
    let split = |range: Vec<Condition>| {
        if range.iter().any(|condition| condition.column() == first.column) {
            return vec![range];
        }
        apart.iter().map(|c| range.iter().cloned().chain([c.clone()]).collect()).collect()
    };
    ranges.into_iter().flat_map(split).collect()
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
