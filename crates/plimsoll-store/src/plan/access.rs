//! Which index serves an order under a filter.
//!
//! Promises: an answer in time proportional to the number of indexes; the same on every database.
//! Never: a guess about row counts; an order is served by an index or it is not.

use plimsoll::expr::{CompareOp, Expr};
use plimsoll::record::{ColumnType, Value};

use crate::catalogue::{Index, Order, Resource};

/// How a range is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Access {
    /// Equalities that go into the WHERE clause: a prefix of the index.
    pub(crate) equal: Vec<(usize, Value)>,
    /// Comparisons of the order's first column that only cut its range.
    pub(crate) bounds: Vec<Expr>,
    /// Whether an index yields the rows in order.
    pub(crate) served: bool,
    /// That index's name: a database that might take another one is told.
    pub(crate) index: Option<Box<str>>,
}

/// Chooses the index that serves `order` with the most equalities in front of it.
pub(crate) fn access(resource: &Resource, order: &Order, filter: Option<&Expr>) -> Access {
    let conjuncts = filter.map(Expr::conjuncts).unwrap_or_default();
    let equalities: Vec<(usize, &Value)> = conjuncts
        .iter()
        .filter_map(|e| e.as_column_compare())
        .filter(|c| c.op == CompareOp::Equal && plain(resource, c.column))
        .map(|c| (c.column, c.literal))
        .collect();
    let indexes = resource.indexes.iter();
    let best = indexes.filter_map(|i| Some((i, prefix_served(resource, i, order, &equalities)?)));
    // Of equally long prefixes the first index wins: the key's own path stands in front.
    let best = best.rev().max_by_key(|(_, prefix)| prefix.len());
    let Some((index, prefix)) = best else { return Access::default() };
    let equal: Vec<(usize, Value)> =
        prefix.into_iter().map(|at| (equalities[at].0, equalities[at].1.clone())).collect();
    let first = order.terms().iter().map(|t| t.column).find(|c| equal.iter().all(|e| e.0 != *c));
    let cuts = |e: &&&Expr| {
        e.as_column_compare().is_some_and(|c| {
            Some(c.column) == first && plain(resource, c.column) && c.op != CompareOp::NotEqual
        })
    };
    let bounds = conjuncts.iter().filter(cuts).map(|e| (*e).clone()).collect();
    Access { equal, bounds, served: true, index: Some(index.name.clone()) }
}

/// A column whose comparisons an index answers just as the language means them.
fn plain(resource: &Resource, column: usize) -> bool {
    resource.schema.columns[column].kind != ColumnType::Any
}

/// The equalities that form a prefix of `index` such that the rest of it runs in `order`.
fn prefix_served(
    resource: &Resource,
    index: &Index,
    order: &Order,
    equalities: &[(usize, &Value)],
) -> Option<Vec<usize>> {
    let mut prefix = Vec::new();
    for column in &index.columns {
        match equalities.iter().position(|(c, _)| *c == column.column) {
            Some(at) => prefix.push(at),
            None => break,
        }
    }
    // An equality column of the prefix is constant, so the order may leave it out.
    let mut seen: Vec<usize> = prefix.iter().map(|at| equalities[*at].0).collect();
    let fixed = seen.clone();
    let mut wanted = order.terms().iter().filter(|t| !fixed.contains(&t.column)).peekable();
    let rest = &index.columns[prefix.len()..];
    let reversed = match (wanted.peek(), rest.first()) {
        (Some(term), Some(column)) => term.descending != column.descending,
        _ => false,
    };
    for column in rest {
        let Some(term) = wanted.peek() else { break };
        if term.column != column.column || term.descending != (column.descending != reversed) {
            break;
        }
        seen.push(term.column);
        wanted.next();
    }
    // Once the columns so far tell all rows apart, what follows in the order decides nothing.
    let decided = || resource.unique.iter().any(|u| u.iter().all(|c| seen.contains(c)));
    (wanted.peek().is_none() || decided()).then_some(prefix)
}

#[cfg(test)]
mod tests;
