//! Which index serves an order under a filter.
//!
//! Promises: an answer in time proportional to the number of indexes; the same on every database.
//! Never: a guess about row counts; an order is served by an index or it is not.

use plimsoll::expr::{CompareOp, Expr};
use plimsoll::record::{ColumnType, Value};

use crate::catalogue::{Index, Nulls, Order, Resource, SortTerm};

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
    /// The terms of the order that the index runs in; those behind them decide nothing.
    pub(crate) terms: Vec<ServedTerm>,
}

/// A term of an order as an index has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ServedTerm {
    pub(crate) term: SortTerm,
    pub(crate) nulls: Nulls,
}

/// The equalities in front of an order, and what of the order an index then runs in.
struct Served {
    prefix: Vec<usize>,
    terms: Vec<ServedTerm>,
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
    let best = best.rev().max_by_key(|(_, served)| served.prefix.len());
    let Some((index, Served { prefix, terms })) = best else { return Access::default() };
    let equal: Vec<(usize, Value)> =
        prefix.into_iter().map(|at| (equalities[at].0, equalities[at].1.clone())).collect();
    let first = order.terms().iter().map(|t| t.column).find(|c| equal.iter().all(|e| e.0 != *c));
    let cuts = |e: &&&Expr| {
        e.as_column_compare().is_some_and(|c| {
            Some(c.column) == first
                && plain(resource, c.column)
                && !resource.collated.contains(&c.column)
                && c.op != CompareOp::NotEqual
        })
    };
    let bounds = conjuncts.iter().filter(cuts).map(|e| (*e).clone()).collect();
    Access { equal, bounds, served: true, index: Some(index.name.clone()), terms }
}

/// The first index that finds the rows with a value in `column`.
pub(crate) fn seek(resource: &Resource, column: usize) -> Option<&Index> {
    resource.indexes.iter().find(|index| index.columns.first().is_some_and(|c| c.column == column))
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
) -> Option<Served> {
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
    let mut terms: Vec<ServedTerm> = Vec::new();
    for column in rest {
        let Some(&&term) = wanted.peek() else { break };
        // NULLs that stand at the other end can be read apart only where they come first or last
        // of all.
        let apart = resource.schema.columns[term.column].nullable
            && column.nulls == Nulls::Largest
            && !terms.is_empty();
        let direction = column.descending != reversed;
        if term.column != column.column || term.descending != direction || apart {
            break;
        }
        seen.push(term.column);
        terms.push(ServedTerm { term, nulls: column.nulls });
        wanted.next();
    }
    // Once the columns so far tell all rows apart, what follows in the order decides nothing.
    let decided = || resource.unique.iter().any(|u| u.iter().all(|c| seen.contains(c)));
    (wanted.peek().is_none() || decided()).then_some(Served { prefix, terms })
}

#[cfg(test)]
mod tests;
