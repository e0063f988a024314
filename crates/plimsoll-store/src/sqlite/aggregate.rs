//! Aggregations in SQLite's words.
//!
//! ```text
//!   select t."kind" collate binary, plimsoll_sum(.., 0), count(*)
//!   from "goods" as t where .. group by 1 order by 2 desc, 1 limit 101
//! ```
//!
//! Quantiles take the rows with their places, which SQLite's windows give them:
//!
//! ```text
//!   select .., plimsoll_quantile(t."x", t.plimsoll_place_2, t.plimsoll_count_2, 5 * 10^17, 0, 2)
//!   from (select t.*, row_number() over (partition by t."kind" collate binary
//!                                        order by t."x" is null, t."x") as plimsoll_place_2,
//!                     count(t."x") over (partition by t."kind" collate binary)
//!                                                                      as plimsoll_count_2
//!         from "goods" as t where ..) as t group by 1 ..
//! ```
//!
//! SQLite sorts the rows by their groups, in memory as large as the connection's cache and beyond
//! it in files of the spill area; where an index runs in the order of the groups it sorts nothing.
//! The rows of the answer go through one buffer, and from it into a spool when it is full.
//!
//! Promises: one statement, so one snapshot; memory that the number of groups does not change;
//! texts are grouped and compared by their bytes, whatever collation a column was declared with.
//! Never: longer than the request's time limit, or a name or value in the text that is not quoted
//! or bound.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::{ColumnType, Value};
use rusqlite::Connection;

use super::dialect::Sql;
use super::failure::explain;
use super::functions::REFUSED;
use super::measures::{NOT_A_NUMBER, OUT_OF_RANGE};
use super::report::STEPS_PER_LOOK;
use super::row::CursorRow;
use super::translate::translate;
use super::value::Bind;
use crate::aggregate::{AggregateFunction, AggregateRequest, Aggregated, Aggregation, Measure};
use crate::error::{Error, ErrorKind, Result};
use crate::fields::append;
use crate::spool;

/// Makes the answer.
pub(super) fn aggregate(
    connection: &mut Connection,
    request: AggregateRequest,
    abandoned: impl Fn() -> bool + Send + 'static,
) -> Result<Aggregated> {
    let until = Instant::now() + Duration::from_millis(request.timeout_ms);
    let stop = move || abandoned() || Instant::now() >= until;
    let what = format!("aggregating {}", request.aggregation.resource.name);
    let fail = |e| explain(&what, &e);
    connection.progress_handler(STEPS_PER_LOOK, Some(stop)).map_err(fail)?;
    let answer = run(connection, request, &what);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(fail)?;
    answer
}

fn run(connection: &Connection, request: AggregateRequest, what: &str) -> Result<Aggregated> {
    let sql = select(&request);
    let AggregateRequest { aggregation, rows_max, encoder, out, extra, digest, .. } = request;
    let kinds: Vec<ColumnType> = aggregation.schema().columns.iter().map(|c| c.kind).collect();
    let fail = |e: rusqlite::Error| failed(&aggregation, what, &e);
    let digest = digest.then(blake3::Hasher::new);
    let mut made = Aggregated { spool: None, out, extra, encoder, rows: 0, more: false, digest };
    // Not cached: no two aggregations need be alike, and a sorter goes with its statement.
    let mut statement = connection.prepare(&sql.text).map_err(fail)?;
    let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
    let mut rows = statement.query(params).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        if rows_max == Some(made.rows) {
            made.more = true;
            break;
        }
        let row = CursorRow { row, kinds: &kinds, first: 0 };
        append(&row, what, &mut *made.encoder, &mut made.out, &mut made.extra)?;
        made.rows += 1;
        if made.out.len() >= FRAME_BYTES {
            put_away(connection, &mut made)?;
        }
    }
    Ok(made)
}

/// Moves the buffer's bytes to the spool.
fn put_away(connection: &Connection, made: &mut Aggregated) -> Result<()> {
    let directory = || temporary_directory(connection);
    spool::put_away(made, directory)
}

/// Where SQLite puts its own temporary files.
fn temporary_directory(connection: &Connection) -> Result<PathBuf> {
    let told: rusqlite::Result<String> =
        connection.query_row("pragma temp_store_directory", [], |row| row.get(0));
    match told {
        Ok(directory) if !directory.is_empty() => Ok(directory.into()),
        Ok(_) | Err(rusqlite::Error::QueryReturnedNoRows) => Ok(std::env::temp_dir()),
        Err(e) => Err(explain("asking for the spill directory", &e)),
    }
}

/// The statement. One row more than is wanted tells whether there are more.
fn select(request: &AggregateRequest) -> Sql {
    let aggregation = &request.aggregation;
    let resource = &aggregation.resource;
    let mut sql = Sql::new();
    let mut glue = "select ";
    for &column in &aggregation.group_by {
        sql.push(glue).column(resource, column);
        sql.push(by_bytes(resource.schema.columns[column].kind));
        glue = ", ";
    }
    for (place, measure) in aggregation.measures.iter().enumerate() {
        sql.push(glue);
        push_measure(&mut sql, aggregation, place, measure);
        glue = ", ";
    }
    let placed = aggregation.measures.iter().any(is_quantile);
    if placed {
        sql.push(" from (select t.*");
        for (place, measure) in aggregation.measures.iter().enumerate() {
            push_place(&mut sql, aggregation, place, measure);
        }
    }
    sql.push(" from ").source(resource);
    if let Some(filter) = &request.filter {
        sql.push(" where ");
        translate(&mut sql, resource, filter);
    }
    sql.push(if placed { ") as t" } else { "" });
    if aggregation.group_by.is_empty() {
        return sql;
    }
    let mut glue = " group by ";
    for place in 1..=aggregation.group_by.len() {
        sql.push(glue).push(&place.to_string());
        glue = ", ";
    }
    let mut glue = " order by ";
    for term in aggregation.terms() {
        sql.push(glue).push(&(term.field + 1).to_string());
        sql.push(if term.descending { " desc" } else { "" });
        glue = ", ";
    }
    if let Some(rows_max) = request.rows_max {
        let looked_at = i64::try_from(rows_max).unwrap_or(i64::MAX).saturating_add(1);
        sql.push(" limit ").bind(Value::Int(looked_at));
    }
    sql
}

/// A text column may have been declared with a collation to which two texts are one.
fn by_bytes(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text | ColumnType::Any => " collate binary",
        _ => "",
    }
}

fn is_quantile(measure: &Measure) -> bool {
    matches!(measure.function, AggregateFunction::Quantile(_))
}

/// For a quantile, the place of each row among the values of its group, and how many these are.
fn push_place(sql: &mut Sql, aggregation: &Aggregation, place: usize, measure: &Measure) {
    let Some(argument) = measure.argument.as_ref().filter(|_| is_quantile(measure)) else { return };
    let resource = &aggregation.resource;
    let partition = |sql: &mut Sql| {
        let mut glue = "partition by ";
        for &column in &aggregation.group_by {
            sql.push(glue).column(resource, column);
            sql.push(by_bytes(resource.schema.columns[column].kind));
            glue = ", ";
        }
    };
    sql.push(", row_number() over (");
    partition(sql);
    sql.push(" order by ");
    translate(sql, resource, argument);
    sql.push(" is null, ");
    translate(sql, resource, argument);
    sql.push(&format!(") as plimsoll_place_{place}, count("));
    translate(sql, resource, argument);
    sql.push(") over (");
    partition(sql);
    sql.push(&format!(") as plimsoll_count_{place}"));
}

fn push_measure(sql: &mut Sql, aggregation: &Aggregation, place: usize, measure: &Measure) {
    let resource = &aggregation.resource;
    let Some(argument) = &measure.argument else {
        sql.push("count(*)");
        return;
    };
    let kind = argument.kind(&resource.schema);
    let (before, after) = match measure.function {
        AggregateFunction::CountAll | AggregateFunction::Count => ("count(", ")".to_owned()),
        AggregateFunction::CountDistinct => ("count(distinct ", format!("{})", by_bytes(kind))),
        AggregateFunction::Min => ("min(", format!("{})", by_bytes(kind))),
        AggregateFunction::Max => ("max(", format!("{})", by_bytes(kind))),
        AggregateFunction::Sum => ("plimsoll_sum(", format!(", {place})")),
        AggregateFunction::Avg if kind == ColumnType::Money => {
            ("plimsoll_avg_units(", format!(", {place})"))
        }
        AggregateFunction::Avg => ("plimsoll_avg(", format!(", {place})")),
        AggregateFunction::Quantile(rank) => {
            let money = u8::from(kind == ColumnType::Money);
            sql.push("plimsoll_quantile(");
            translate(sql, resource, argument);
            sql.push(&format!(", t.plimsoll_place_{place}, t.plimsoll_count_{place}, "));
            sql.bind(Value::Int(rank.parts().cast_signed())).push(&format!(", {money}, {place})"));
            return;
        }
    };
    sql.push(before);
    translate(sql, resource, argument);
    sql.push(&after);
}

/// The failure, with the measure's name where one is at fault.
fn failed(aggregation: &Aggregation, what: &str, error: &rusqlite::Error) -> Error {
    if let rusqlite::Error::SqliteFailure(_, Some(text)) = error {
        if let Some(measure) = named(aggregation, text, OUT_OF_RANGE) {
            return Error::new(
                ErrorKind::TooLarge,
                format!(
                    "{what}: the measure {measure} leaves the range of its type in one group, and \
                     is not rounded: group by more, or filter for fewer rows"
                ),
            );
        }
        if let Some(measure) = named(aggregation, text, NOT_A_NUMBER) {
            return Error::invalid(format!(
                "{what}: the measure {measure} meets a text or bytes where it takes numbers: \
                 filter such rows out"
            ));
        }
        // The same functions serve filters and measures, and cannot know which called them.
        if let Some(reason) = text.strip_prefix(REFUSED) {
            let reason = reason.trim_start_matches("filter: ");
            return Error::invalid(format!(
                "{what}: the filter or a measure's expression cannot be answered: {reason}"
            ));
        }
    }
    explain(what, error)
}

/// `'value' (sum)` for the measure whose number stands behind the mark.
fn named(aggregation: &Aggregation, text: &str, mark: &str) -> Option<String> {
    let place: usize = text.strip_prefix(mark)?.parse().ok()?;
    let measure = aggregation.measures.get(place)?;
    Some(format!("'{}' ({})", plimsoll::error::excerpt(&measure.name), measure.function.name()))
}

#[cfg(test)]
mod tests;
