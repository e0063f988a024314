//! The SQL texts of reads, in PostgreSQL's words.
//!
//! A window of an index is read first, and only then is anything made of its rows:
//!
//! ```text
//!   select m.plimsoll_bytes, m."id", case when m.plimsoll_bytes <= 4194304 then m."note" end, ..
//!   from (select "id", "note", octet_length("note") as plimsoll_bytes
//!         from "public"."orders" as t where t."id" > $1::bigint order by t."id" limit 512) as m
//! ```
//!
//! With a filter, the window's rows carry whether they are wanted, and its last row always comes,
//! so that a filter that matches nothing still moves forward:
//!
//! ```text
//!   .. from (select t.*, (filter) as plimsoll_wanted, row_number() over () as plimsoll_place,
//!                   lead(true) over () is null as plimsoll_last
//!            from (select .. order by .. limit 2000) as t) as m
//!      where m.plimsoll_wanted or m.plimsoll_last limit 512
//! ```
//!
//! Promises: every value is a parameter; every identifier is quoted; a value beyond the bound is
//! measured where it lies and never sent.
//! Never: a value in the text.

use std::fmt::Write as _;

use plimsoll::expr::Expr;
use plimsoll::record::{ColumnType, Value};

use super::native::{Codec, Extent, NativeColumn, Table};
use super::queries::push_query;
use super::search::Found;
use super::translate::translate;
use crate::catalogue::{Nulls, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Condition, ServedTerm};

/// What is so many times smaller than the bound where it is stored is below it once it is made
/// text: PostgreSQL's own compression makes three bytes of 273 at best.
const SMALLER_WHERE_STORED: u64 = 100;

/// JSON of so many bytes where it is stored is not asked for its length: a number of a few bytes
/// may have 131,072 digits, so what is larger always is.
const JSON_BYTES_SMALL: u64 = 64;

/// Quotes an identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text with its parameters in order.
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) params: Vec<Value>,
}

/// A table as both sides know it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) resource: &'a Resource,
    pub(super) table: &'a Table,
}

impl Source<'_> {
    pub(super) fn name(&self, column: usize) -> &str {
        &self.resource.schema.columns[column].name
    }

    /// `"schema"."table"`
    pub(super) fn qualified(&self) -> String {
        self.table.qualified()
    }

    /// `"schema"."table" as t`, or a query in its place.
    pub(super) fn push(&self, sql: &mut Sql) {
        match &self.resource.query {
            None => drop(sql.push(&self.qualified())),
            Some(query) => push_query(sql, query),
        }
        sql.push(" as t");
    }

    /// Whether a column can hold a value.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] for a value of another type than the column's, and for a text with
    /// a NUL character.
    pub(super) fn check(&self, column: usize, value: &Value) -> Result<()> {
        let kind = self.resource.schema.columns[column].kind;
        let fits = match value {
            Value::Null => true,
            Value::Bool(_) => kind == ColumnType::Bool,
            Value::Int(_) => matches!(kind, ColumnType::Int | ColumnType::Float),
            Value::Float(_) => kind == ColumnType::Float,
            Value::Money(_) => kind == ColumnType::Money,
            Value::Time(_) => kind == ColumnType::Time,
            Value::Text(_) => kind == ColumnType::Text,
            Value::Bytes(_) => kind == ColumnType::Bytes,
        };
        let (table, name) = (&self.resource.name, self.name(column));
        if !fits && kind != ColumnType::Any {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("writing {table}: the value for {table}.{name} is no {kind}"),
            ));
        }
        if matches!(value, Value::Text(text) if text.contains('\0')) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("writing {table}: {table}.{name} cannot hold a text with a NUL character"),
            ));
        }
        Ok(())
    }
}

impl Sql {
    pub(super) fn new() -> Self {
        Self { text: String::with_capacity(512), params: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// A parameter under a type.
    pub(super) fn bind(&mut self, value: Value, cast: &str) -> &mut Self {
        self.params.push(value);
        // Writing to a String cannot fail.
        let _ = write!(self.text, "${}::{cast}", self.params.len());
        self
    }

    /// A value that a column is to hold.
    ///
    /// # Errors
    /// As [`Source::check`].
    pub(super) fn assign(
        &mut self,
        source: Source<'_>,
        column: usize,
        value: &Value,
    ) -> Result<()> {
        source.check(column, value)?;
        self.bind(value.clone(), &source.table.columns[column].cast);
        Ok(())
    }

    /// A column under an alias.
    pub(super) fn column(&mut self, alias: &str, source: Source<'_>, column: usize) -> &mut Self {
        let name = quote(source.name(column));
        self.push(alias).push(".").push(&name)
    }

    /// What a range or a key asks of a column.
    pub(super) fn condition(&mut self, source: Source<'_>, condition: &Condition) {
        let (column, operator, value) = match condition {
            Condition::Same(column, Value::Null) | Condition::Null(column) => {
                (*column, " is null", None)
            }
            Condition::Same(column, value) => (*column, " = ", Some(value)),
            Condition::Above(column, value) => (*column, " > ", Some(value)),
            Condition::Below(column, value) => (*column, " < ", Some(value)),
            Condition::NotNull(column) => (*column, " is not null", None),
        };
        self.column("t", source, column).push(operator);
        if let Some(value) = value {
            self.beside(source, column, value);
        }
    }

    /// A value beside a column, under a type that an index on the column can be searched with.
    fn beside(&mut self, source: Source<'_>, column: usize, value: &Value) {
        let native = &source.table.columns[column];
        if let (Codec::Int2 | Codec::Int4 | Codec::Int8, Value::Float(v)) = (native.codec, value) {
            self.bind(exact(*v), "numeric");
            return;
        }
        self.bind(value.clone(), searched_as(native));
    }
}

/// The type under which a value of a column's own kind searches an index on it.
pub(super) fn searched_as(native: &NativeColumn) -> &str {
    match native.codec {
        Codec::Int2 | Codec::Int4 => "bigint",
        Codec::Float4 => "double precision",
        _ => &native.cast,
    }
}

/// A float whose decimal digits are its value: the shortest digits of a whole number are not.
pub(super) fn exact(value: f64) -> Value {
    // Whole floats below 2^63 are whole numbers of 64 bits.
    #[allow(clippy::cast_possible_truncation)]
    if value.fract() == 0.0 && value.abs() < 9_223_372_036_854_775_808.0 {
        return Value::Int(value as i64);
    }
    Value::Float(value)
}

/// Whether a comparison of a column cuts its range without cutting off rows: a whole number beyond
/// 2^53 is rounded beside a float.
fn cuts(source: Source<'_>, column: usize, literal: &Value) -> bool {
    let float = matches!(source.table.columns[column].codec, Codec::Float4 | Codec::Float8);
    !float || !matches!(literal, Value::Int(v) if v.unsigned_abs() > 1 << 53)
}

/// Which rows of which columns.
pub(super) struct Select<'a> {
    pub(super) source: Source<'a>,
    /// Columns to send.
    pub(super) columns: &'a [usize],
    /// What decides whether a row is wanted.
    pub(super) flag: Option<&'a Expr>,
    /// What is searched for, beside it.
    pub(super) found: Option<&'a Found<'a>>,
    /// Whether each row is asked for that, and not an index.
    pub(super) walks: bool,
    /// Equalities that an index serves.
    pub(super) equal: &'a [(usize, Value)],
    /// Comparisons that cut the index's range.
    pub(super) bounds: &'a [Expr],
    /// What the index runs in, or the order itself where the rows are sorted.
    pub(super) terms: &'a [ServedTerm],
    pub(super) backwards: bool,
}

/// How much of a range one statement reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Rows looked at, where there is a filter.
    pub(super) scanned: u64,
    /// Rows sent.
    pub(super) rows: u64,
}

/// Fields in front of the columns: bytes, wanted, place.
pub(super) const FIELDS_IN_FRONT: usize = 3;

/// A window of a range.
pub(super) fn select(parts: &Select<'_>, range: &[Condition], window: Window) -> Sql {
    let source = parts.source;
    let mut sql = Sql::new();
    push_head(&mut sql, source, parts.columns, parts.is_flagged());
    if !parts.is_flagged() {
        sql.push("(select ");
        push_range(&mut sql, parts, parts.columns, range, parts.flag);
        let _ = write!(sql.text, " limit {}) as m", window.rows);
        return sql;
    }
    let flagged = parts.flag.iter().flat_map(|flag| flag.columns());
    let read = distinct(parts.columns.iter().copied().chain(flagged));
    sql.push("(select ");
    for &column in &read {
        sql.column("t", source, column).push(", ");
    }
    sql.push("t.plimsoll_bytes, ").push(if parts.walks { "t.plimsoll_found" } else { "" });
    if let Some(flag) = parts.flag {
        sql.push(if parts.walks { " and " } else { "" });
        translate(&mut sql, source, flag);
    }
    // Both look one row ahead at most, so the window is not kept anywhere.
    sql.push(" as plimsoll_wanted, row_number() over () as plimsoll_place");
    sql.push(", lead(true) over () is null as plimsoll_last from (select ");
    if let Some(found) = parts.found {
        found.push(&mut sql);
        sql.push(" as plimsoll_found, ");
    }
    push_range(&mut sql, parts, &read, range, None);
    let _ = write!(
        sql.text,
        " limit {}) as t) as m where m.plimsoll_wanted or m.plimsoll_last limit {}",
        window.scanned, window.rows
    );
    sql
}

/// All of a range, and of its rows those that are wanted.
pub(super) fn select_all(parts: &Select<'_>, range: &[Condition]) -> Sql {
    let mut sql = Sql::new();
    push_head(&mut sql, parts.source, parts.columns, false);
    sql.push("(select ");
    push_range(&mut sql, parts, parts.columns, range, parts.flag);
    // Keeps the planner from measuring each value once for each column.
    sql.push(" offset 0) as m");
    sql
}

/// Each column once: a name that is there twice is no name.
fn distinct(columns: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut columns: Vec<usize> = columns.collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// `select bytes, wanted, place, columns from `
fn push_head(sql: &mut Sql, source: Source<'_>, columns: &[usize], flagged: bool) {
    sql.push("select m.plimsoll_bytes, ");
    sql.push(if flagged { "m.plimsoll_wanted, m.plimsoll_place" } else { "true, 0::bigint" });
    for &column in columns {
        sql.push(", ");
        push_field(sql, source, column);
    }
    sql.push(" from ");
}

/// A column as it is sent: nothing of a row that is too large.
pub(super) fn push_field(sql: &mut Sql, source: Source<'_>, column: usize) {
    let native = &source.table.columns[column];
    let measured = !matches!(native.extent, Extent::Fixed(_));
    if measured {
        let _ =
            write!(sql.text, "case when m.plimsoll_bytes <= {} then ", source.table.row_bytes_max);
    }
    if native.codec == Codec::Json {
        sql.push("to_json(").column("m", source, column).push(")");
    } else {
        sql.column("m", source, column);
    }
    if matches!(native.codec, Codec::Cast | Codec::Json) {
        sql.push("::text");
    }
    if measured {
        sql.push(" end");
    }
}

/// `columns, bytes from table where range and wanted order by terms`
fn push_range(
    sql: &mut Sql,
    parts: &Select<'_>,
    columns: &[usize],
    range: &[Condition],
    wanted: Option<&Expr>,
) {
    let source = parts.source;
    push_columns(sql, source, columns, parts.columns);
    let mut glue = " where ";
    for (column, value) in parts.equal {
        sql.push(glue);
        sql.condition(source, &Condition::Same(*column, value.clone()));
        glue = " and ";
    }
    for compare in parts.bounds.iter().filter_map(Expr::as_column_compare) {
        if cuts(source, compare.column, compare.literal) {
            sql.push(glue).column("t", source, compare.column);
            sql.push(" ").push(compare.op.symbol()).push(" ");
            sql.beside(source, compare.column, compare.literal);
            glue = " and ";
        }
    }
    for condition in range {
        sql.push(glue);
        sql.condition(source, condition);
        glue = " and ";
    }
    if let Some(found) = parts.gathered() {
        sql.push(glue);
        found.push(sql);
        glue = " and ";
    }
    if let Some(wanted) = wanted {
        sql.push(glue);
        translate(sql, source, wanted);
    }
    let mut glue = " order by ";
    for served in parts.terms {
        sql.push(glue).column("t", source, served.term.column);
        let descending = served.term.descending != parts.backwards;
        let nulls_first = descending == (served.nulls == Nulls::Largest);
        sql.push(if descending { " desc" } else { " asc" });
        sql.push(if nulls_first { " nulls first" } else { " nulls last" });
        glue = ", ";
    }
}

/// `columns, bytes from table as t`, the bytes being those of the columns that are sent.
pub(super) fn push_columns(sql: &mut Sql, source: Source<'_>, columns: &[usize], sent: &[usize]) {
    for column in distinct(columns.iter().copied()) {
        sql.column("t", source, column).push(", ");
    }
    let mut glue = "(";
    for &column in sent {
        let name = quote(source.name(column));
        let length = match source.table.columns[column].extent {
            Extent::Fixed(_) => continue,
            Extent::Measured => format!("coalesce(octet_length(t.{name}), 0)::bigint"),
            Extent::Made if source.table.columns[column].codec == Codec::Json => format!(
                "case when pg_column_size(t.{name}) > {JSON_BYTES_SMALL} \
                 then octet_length(to_json(t.{name})::text) else 0 end::bigint"
            ),
            Extent::Made => format!(
                "case when pg_column_size(t.{name}) > {} \
                 then octet_length(t.{name}::text) else 0 end::bigint",
                source.table.row_bytes_max / SMALLER_WHERE_STORED
            ),
        };
        sql.push(glue).push(&length);
        glue = " + ";
    }
    sql.push(if glue == "(" { "0::bigint" } else { ")" });
    sql.push(" as plimsoll_bytes from ");
    source.push(sql);
}

/// The row with a key.
pub(super) fn select_key(source: Source<'_>, columns: &[usize], key: &[Value]) -> Result<Sql> {
    let mut sql = Sql::new();
    push_head(&mut sql, source, columns, false);
    sql.push("(select ");
    push_columns(&mut sql, source, columns, columns);
    push_key(&mut sql, source, key)?;
    sql.push(") as m");
    Ok(sql)
}

/// ` where key = …`
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] for a key of another width: half a key would name many rows.
pub(super) fn push_key(sql: &mut Sql, source: Source<'_>, key: &[Value]) -> Result<()> {
    let resource = source.resource;
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
        sql.condition(source, &Condition::Same(column, value.clone()));
        glue = " and ";
    }
    Ok(())
}
