//! The rows with some words, through an FTS5 table.
//!
//! ```text
//!   by the row id     the index gives its rows in that order: read from it     Followed
//!   by anything else  few rows match: gather and sort them                     Gathered
//!                     many do: walk the order's index and ask the other        Walked
//! ```
//!
//! Promises: what was searched for is a parameter, of quoted texts; memory does not grow with the
//! rows that match.
//! Never: a sort of more rows than an unindexed list may sort.

use std::fmt::Write as _;
use std::sync::Arc;

use plimsoll::limits::{PAGE_ROWS_MAX, UNINDEXED_SORT_ROWS_MAX};
use plimsoll::record::Value;
use rusqlite::Connection;

use super::dialect::{Select, Sql, push_conditions, push_narrowed, push_order, push_ranged, quote};
use super::failure::explain;
use super::fts::Fts;
use super::introspect::ROW_ID;
use super::reader::unindexed;
use super::translate::translate;
use crate::catalogue::{Order, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Access, Condition};
use crate::search::Search;

/// Rows of a statement that sorts what it gathers, so that few wide ones are sorted at a time.
pub(super) const GATHERED_ROWS_MAX: u64 = PAGE_ROWS_MAX;

/// How the rows are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// In the order of the index of words. The column is the row id.
    Followed(usize),
    /// All that match are gathered and sorted.
    Gathered,
    /// All rows are looked at in the order of an index.
    Walked,
}

/// Rows that are searched for.
pub(super) struct Found {
    fts: Arc<Fts>,
    expression: Value,
    way: Way,
}

/// Chooses how the rows are found.
///
/// # Errors
/// As [`Resource::searched`]; [`ErrorKind::Unindexed`] where many rows match and no index has the
/// order.
pub(super) fn found(
    connection: &Connection,
    resource: &Resource,
    search: &Search,
    order: &Order,
    access: &Access,
) -> Result<Found> {
    let (index, _) = resource.searched(search)?;
    let Some(fts) = index.handle.get::<Fts>() else {
        return Err(Error::new(ErrorKind::Unsearchable, "the index is another database's"));
    };
    let first = order.terms().first().map(|term| term.column);
    let row_id = resource.indexes.first().filter(|index| &*index.name == ROW_ID);
    let mut found = Found { fts, expression: expression(search), way: Way::Gathered };
    if let Some(column) = row_id.map(|index| index.columns[0].column).filter(|c| Some(*c) == first)
    {
        found.way = Way::Followed(column);
    } else if search.is_slow() || !found.is_few(connection, resource)? {
        search.was_slow();
        if !access.served {
            return Err(unindexed(resource, order));
        }
        found.way = Way::Walked;
    }
    Ok(found)
}

/// `("tea" AND "green leaf") NOT ("bags")`
fn expression(search: &Search) -> Value {
    let joined = |is_absent: bool, glue: &str| {
        let terms = search.terms().iter().filter(|term| term.is_absent == is_absent);
        let terms: Vec<String> = terms.map(|term| quote(&term.text)).collect();
        terms.join(glue)
    };
    let (there, absent) = (joined(false, " AND "), joined(true, " OR "));
    let text = if absent.is_empty() { there } else { format!("({there}) NOT ({absent})") };
    Value::Text(text.into())
}

impl Found {
    /// Whether so few rows match that they may be sorted.
    fn is_few(&self, connection: &Connection, resource: &Resource) -> Result<bool> {
        let mut sql = Sql::new();
        sql.push("select count(*) from (select 1 from ").name(&self.fts.table).push(" as f where ");
        self.push_match(&mut sql);
        let _ = write!(sql.text, " limit {})", UNINDEXED_SORT_ROWS_MAX + 1);
        let counted: rusqlite::Result<i64> =
            connection.prepare_cached(&sql.text).and_then(|mut s| {
                let params = rusqlite::params_from_iter(sql.params.iter().map(super::value::Bind));
                s.query_row(params, |r| r.get(0))
            });
        let rows = counted.map_err(|e| explain(&format!("searching {}", resource.name), &e))?;
        Ok(rows.cast_unsigned() <= UNINDEXED_SORT_ROWS_MAX)
    }

    /// Rows that one statement gives at most.
    pub(super) fn rows_max(&self) -> u64 {
        if self.way == Way::Gathered { GATHERED_ROWS_MAX } else { u64::MAX }
    }

    /// As [`super::dialect::select`], of the rows that are searched for. `is_page` keeps a
    /// statement that sorts to [`Found::rows_max`] rows and one.
    pub(super) fn select(&self, parts: &Select<'_>, phase: &[Condition], is_page: bool) -> Sql {
        let mut sql = Sql::new();
        match self.way {
            Way::Followed(row_id) => self.push_followed(&mut sql, parts, phase, row_id),
            Way::Gathered => self.push_gathered(&mut sql, parts, phase, is_page),
            Way::Walked => self.push_walked(&mut sql, parts, phase),
        }
        sql
    }

    /// `f."goods_search" match ?`
    fn push_match(&self, sql: &mut Sql) {
        sql.push("f.").name(&self.fts.table).push(" match ").bind(self.expression.clone());
    }

    /// ` from "goods_search" as f cross join "goods" as t not indexed on t."id" = f.rowid where ..`
    fn push_joined(&self, sql: &mut Sql, resource: &Resource) {
        // A cross join is made in the order it is written in.
        sql.push(" from ").name(&self.fts.table).push(" as f cross join ").name(&resource.name);
        sql.push(" as t not indexed on t.").name(&self.fts.row_id).push(" = f.rowid where ");
        self.push_match(sql);
    }

    fn push_followed(&self, sql: &mut Sql, parts: &Select<'_>, phase: &[Condition], row_id: usize) {
        sql.push("select ");
        push_flag(sql, parts);
        push_columns(sql, parts, parts.columns);
        self.push_joined(sql, parts.resource);
        push_narrowed(sql, parts, " and ");
        for condition in phase {
            let (operator, value) = match condition {
                Condition::Same(column, value) if *column == row_id => (" = ", value),
                Condition::Above(column, value) if *column == row_id => (" > ", value),
                Condition::Below(column, value) if *column == row_id => (" < ", value),
                other => {
                    push_conditions(sql, parts.resource, std::slice::from_ref(other), " and ");
                    continue;
                }
            };
            sql.push(" and f.rowid").push(operator).bind(value.clone());
        }
        // Behind the row id nothing is left to decide.
        let descending = parts.order.terms()[0].descending != parts.backwards;
        sql.push(" order by f.rowid").push(if descending { " desc" } else { " asc" });
    }

    /// The row ids of so many rows in order, and only then the rows themselves.
    fn push_gathered(&self, sql: &mut Sql, parts: &Select<'_>, phase: &[Condition], is_page: bool) {
        sql.push("select 1");
        push_columns(sql, parts, parts.columns);
        sql.push(" from (select t.").name(&self.fts.row_id).push(" as plimsoll_row");
        self.push_joined(sql, parts.resource);
        let glue = push_narrowed(sql, parts, " and ");
        push_conditions(sql, parts.resource, phase, glue);
        if let Some(wanted) = parts.flag {
            sql.push(" and ");
            translate(sql, parts.resource, wanted);
        }
        push_order(sql, parts);
        let rows = if is_page { GATHERED_ROWS_MAX } else { UNINDEXED_SORT_ROWS_MAX };
        let _ = write!(sql.text, " limit {}) as m cross join ", rows + 1);
        sql.name(&parts.resource.name).push(" as t not indexed on t.").name(&self.fts.row_id);
        sql.push(" = m.plimsoll_row");
        push_order(sql, parts);
    }

    /// Rows in the order of an index, each with whether it is among those that match.
    fn push_walked(&self, sql: &mut Sql, parts: &Select<'_>, phase: &[Condition]) {
        sql.push("select case when ");
        push_flag(sql, parts);
        sql.push(" then exists (select 1 from ").name(&self.fts.table).push(" as f where ");
        self.push_match(sql);
        sql.push(" and f.rowid = t.").name(&self.fts.row_id).push(") else 0 end");
        push_columns(sql, parts, parts.columns);
        push_ranged(sql, parts, phase);
    }
}

fn push_flag(sql: &mut Sql, parts: &Select<'_>) {
    match parts.flag {
        Some(expr) => translate(sql, parts.resource, expr),
        None => {
            sql.push("1");
        }
    }
}

fn push_columns(sql: &mut Sql, parts: &Select<'_>, columns: &[usize]) {
    for &column in columns {
        sql.push(", ").column(parts.resource, column);
    }
}

#[cfg(test)]
mod tests;
