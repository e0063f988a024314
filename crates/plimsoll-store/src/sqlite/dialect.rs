//! The SQL texts of reads, in SQLite's words.
//!
//! Promises: every value is a parameter; every identifier is quoted; one shape of request gives
//! one text, so that prepared statements are found again.
//! Never: a value in the text.

use std::fmt::Write as _;

use plimsoll::expr::Expr;
use plimsoll::record::Value;

use super::introspect::ROW_ID;
use super::queries::push_query;
use super::translate::translate;
use crate::catalogue::{Order, Resource};
use crate::error::{Error, Result};
use crate::plan::Condition;

/// A text with its parameters in order.
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<Value>,
}

/// Quotes an identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Sql {
    pub(super) fn new() -> Self {
        Self { text: String::with_capacity(256), params: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.text.push('"');
        for (place, part) in name.split('"').enumerate() {
            if place > 0 {
                self.text.push_str("\"\"");
            }
            self.text.push_str(part);
        }
        self.text.push('"');
        self
    }

    /// The index to take.
    fn indexed(&mut self, index: Option<&str>) -> &mut Self {
        match index {
            Some(ROW_ID) => self.push(" not indexed"),
            Some(index) => self.push(" indexed by ").name(index),
            None => self,
        }
    }

    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        self.params.push(value);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "?{}", self.params.len());
        self
    }

    /// `"table" as t`, or a query in its place.
    pub(super) fn source(&mut self, resource: &Resource) -> &mut Self {
        match &resource.query {
            None => drop(self.name(&resource.name)),
            Some(query) => push_query(self, query),
        }
        self.push(" as t")
    }

    /// A column of the table that is read, under the alias `t`.
    pub(super) fn column(&mut self, resource: &Resource, column: usize) -> &mut Self {
        self.push("t.").name(&resource.schema.columns[column].name)
    }

    pub(super) fn condition(&mut self, resource: &Resource, condition: &Condition) {
        let (column, operator, value) = match condition {
            Condition::Same(column, value) => (*column, " is ", Some(value)),
            Condition::Above(column, value) => (*column, " > ", Some(value)),
            Condition::Below(column, value) => (*column, " < ", Some(value)),
            Condition::Null(column) => (*column, " is null", None),
            Condition::NotNull(column) => (*column, " is not null", None),
        };
        // A NOT NULL column compares with `=`, which every version's planner seeks with.
        let nullable = resource.schema.columns[column].nullable;
        let operator = if operator == " is " && !nullable { " = " } else { operator };
        self.column(resource, column).push(operator);
        if let Some(value) = value {
            self.bind(value.clone());
        }
    }
}

/// What a range read selects.
pub(super) struct Select<'a> {
    pub(super) resource: &'a Resource,
    /// The index to take; SQLite's own choice may be one it then has to sort.
    pub(super) index: Option<&'a str>,
    /// Columns to encode, then those only the position needs.
    pub(super) columns: &'a [usize],
    /// What decides whether a row is wanted.
    pub(super) flag: Option<&'a Expr>,
    /// Equalities that an index serves.
    pub(super) equal: &'a [(usize, Value)],
    /// Comparisons that cut the index's range.
    pub(super) bounds: &'a [Expr],
    pub(super) order: &'a Order,
    pub(super) backwards: bool,
}

/// `select flag, columns from table where equal and phase order by …`
pub(super) fn select(parts: &Select<'_>, phase: &[Condition]) -> Sql {
    let mut sql = Sql::new();
    sql.push("select ");
    match parts.flag {
        Some(expr) => translate(&mut sql, parts.resource, expr),
        None => {
            sql.push("1");
        }
    }
    for &column in parts.columns {
        sql.push(", ").column(parts.resource, column);
    }
    push_ranged(&mut sql, parts, phase);
    sql
}

/// ` from table where equal and phase order by …`
pub(super) fn push_ranged(sql: &mut Sql, parts: &Select<'_>, phase: &[Condition]) {
    sql.push(" from ").source(parts.resource);
    if parts.resource.query.is_none() {
        sql.indexed(parts.index);
    }
    let glue = push_narrowed(sql, parts, " where ");
    push_conditions(sql, parts.resource, phase, glue);
    push_order(sql, parts);
}

/// What of the filter cuts a range of the index; the glue for what follows.
pub(super) fn push_narrowed(
    sql: &mut Sql,
    parts: &Select<'_>,
    mut glue: &'static str,
) -> &'static str {
    for (column, value) in parts.equal {
        sql.push(glue);
        sql.condition(parts.resource, &Condition::Same(*column, value.clone()));
        glue = " and ";
    }
    for bound in parts.bounds {
        sql.push(glue);
        translate(sql, parts.resource, bound);
        glue = " and ";
    }
    glue
}

pub(super) fn push_conditions(
    sql: &mut Sql,
    resource: &Resource,
    conditions: &[Condition],
    mut glue: &str,
) {
    for condition in conditions {
        sql.push(glue);
        sql.condition(resource, condition);
        glue = " and ";
    }
}

pub(super) fn push_order(sql: &mut Sql, parts: &Select<'_>) {
    let mut glue = " order by ";
    for term in parts.order.terms() {
        sql.push(glue).column(parts.resource, term.column);
        sql.push(if term.descending == parts.backwards { " asc" } else { " desc" });
        glue = ", ";
    }
}

/// `select columns from table where key`
pub(super) fn select_key(resource: &Resource, columns: &[usize], key: &[Value]) -> Result<Sql> {
    let mut sql = Sql::new();
    sql.push("select 1");
    for &column in columns {
        sql.push(", ").column(resource, column);
    }
    sql.push(" from ").name(&resource.name).push(" as t");
    push_key(&mut sql, resource, key)?;
    Ok(sql)
}

/// The rows with a value, its first parameter, in a column: so many at most, by the key.
pub(super) fn select_among(
    resource: &Resource,
    columns: &[usize],
    column: usize,
    index: Option<&str>,
) -> Sql {
    let mut sql = Sql::new();
    sql.push("select 1");
    for place in 0..columns.len() {
        let _ = write!(sql.text, ", m.c{place}");
    }
    let mut glue = " from (select ";
    for (place, &column) in columns.iter().chain(&resource.key).enumerate() {
        sql.push(glue).column(resource, column);
        let _ = write!(sql.text, " as c{place}");
        glue = ", ";
    }
    sql.push(" from ").name(&resource.name).push(" as t");
    sql.indexed(index).push(" where ").column(resource, column);
    sql.push(" = ?1 limit ?2) as m");
    let mut glue = " order by ";
    for place in columns.len()..columns.len() + resource.key.len() {
        let _ = write!(sql.text, "{glue}m.c{place}");
        glue = ", ";
    }
    sql
}

/// ` where key = …`
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] for a key of another width: half a key would name many rows.
pub(super) fn push_key(sql: &mut Sql, resource: &Resource, key: &[Value]) -> Result<()> {
    if key.len() != resource.key.len() {
        return Err(Error::invalid(format!(
            "a key of {} has {} values, this one has {}",
            resource.name,
            resource.key.len(),
            key.len()
        )));
    }
    let mut glue = " where ";
    for (&column, value) in resource.key.iter().zip(key) {
        sql.push(glue);
        sql.condition(resource, &Condition::Same(column, value.clone()));
        glue = " and ";
    }
    Ok(())
}

/// `create index … on table (columns)` that would serve `order`.
///
/// SQLite appends the row id to every index by itself, ascending, and a row id without a column
/// has no name an index could use. Where the order comes to it, the index ends, and runs the way
/// that makes the row id ascend.
pub(super) fn create_index(resource: &Resource, order: &Order) -> String {
    let rowid =
        resource.indexes.first().filter(|i| &*i.name == ROW_ID).map(|i| i.columns[0].column);
    let terms = order.terms();
    let end = terms.iter().position(|t| Some(t.column) == rowid).unwrap_or(terms.len());
    let turned = terms.get(end).is_some_and(|t| t.descending);
    let (mut names, mut words) = (String::new(), String::new());
    for term in &terms[..end] {
        let name = &resource.schema.columns[term.column].name;
        let descending = term.descending != turned;
        let glue = if names.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = write!(names, "{glue}{}{}", quote(name), if descending { " DESC" } else { "" });
        let _ = write!(words, "_{name}{}", if descending { "_desc" } else { "" });
    }
    let index = quote(&format!("{}_by{words}", resource.name));
    format!("CREATE INDEX {index} ON {} ({names});", quote(&resource.name))
}

#[cfg(test)]
mod tests;
