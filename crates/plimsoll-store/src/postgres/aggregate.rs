//! Aggregations in PostgreSQL's words.
//!
//! ```text
//!   select (t."kind"::text collate "C"), sum(..)::bigint, count(*)
//!   from "public"."goods" as t where .. group by 1
//!   order by 2 desc nulls last, 1 nulls first limit 101
//! ```
//!
//! The server groups in its `work_mem` and beyond it through files of its own. The rows of the
//! answer go through one buffer, and from it into a spool when it is full.
//!
//! Promises: one statement, so one snapshot; memory here that the number of groups does not change;
//! texts are grouped and compared by their bytes, whatever collation a column has.
//! Never: longer than the request's time limit, or a name or value in the text that is not quoted
//! or bound.

use std::path::Path;

use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::{ColumnType, Value};
use tokio_postgres::error::{DbError, SqlState};

use super::connection::Link;
use super::dialect::{Source, Sql};
use super::failure::explain;
use super::measures;
use super::native::{Codec, Table};
use super::quantiles;
use super::queries::{explaining, refuse_costly};
use super::report::codec;
use super::row::MessageRow;
use super::transaction::{Settings, fetch};
use super::translate::column_operand;
use crate::aggregate::{AggregateFunction, AggregateRequest, Aggregated, Aggregation, Measure};
use crate::error::{Error, ErrorKind, Result};
use crate::fields::append;
use crate::pending::Watch;
use crate::spool;

/// Makes the answer.
pub(super) fn aggregate(
    link: &mut Link,
    watch: &Watch,
    table: &Table,
    spill_directory: &Path,
    request: AggregateRequest,
) -> Result<Aggregated> {
    let source = Source { resource: &request.aggregation.resource, table };
    let sql = select(source, &request);
    let settings = Settings { timeout_ms: request.timeout_ms, sorts: true, finds_own: false };
    let AggregateRequest { aggregation, rows_max, encoder, out, extra, digest, .. } = request;
    let what = format!("aggregating {}", aggregation.resource.name);
    let codecs: Vec<Codec> =
        aggregation.schema().columns.iter().map(|column| codec(column.kind)).collect();
    let digest = digest.then(blake3::Hasher::new);
    let mut made = Aggregated { spool: None, out, extra, encoder, rows: 0, more: false, digest };
    let done = link.run_anew(watch, async |client| {
        if made.rows > 0 {
            let lost = "the connection was lost in the middle; try again";
            return Err(Error::new(ErrorKind::Busy, format!("{what}: {lost}")));
        }
        let fail = |e: tokio_postgres::Error| failed(&aggregation, &what, &e);
        if let Some(query) = &aggregation.resource.query {
            let plan = fetch(client, &explaining(&sql), settings).await.map_err(fail)?;
            refuse_costly(plan, query).await?;
        }
        let mut rows = fetch(client, &sql, settings).await.map_err(fail)?;
        while let Some(row) = rows.next().await.map_err(fail)? {
            if rows_max == Some(made.rows) {
                made.more = true;
                break;
            }
            let row = MessageRow { row: &row, codecs: &codecs, first: 0 };
            append(&row, &what, &mut *made.encoder, &mut made.out, &mut made.extra)?;
            made.rows += 1;
            if made.out.len() >= FRAME_BYTES {
                spool::put_away(&mut made, || Ok(spill_directory.to_owned()))?;
            }
        }
        Ok(())
    });
    link.swelled();
    done.map(|()| made)
}

/// The statement. One row more than is wanted tells whether there are more.
fn select(source: Source<'_>, request: &AggregateRequest) -> Sql {
    let aggregation = &request.aggregation;
    let mut sql = Sql::new();
    let mut glue = "select ";
    for &column in &aggregation.group_by {
        sql.push(glue);
        column_operand(&mut sql, source, column);
        glue = ", ";
    }
    for (place, measure) in aggregation.measures.iter().enumerate() {
        sql.push(glue);
        measures::push(&mut sql, source, place, measure);
        glue = ", ";
    }
    sql.push(" from ");
    quantiles::push_rows(&mut sql, source, request);
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
        sql.push(if term.descending { " desc nulls last" } else { " nulls first" });
        glue = ", ";
    }
    if let Some(rows_max) = request.rows_max {
        let looked_at = i64::try_from(rows_max).unwrap_or(i64::MAX).saturating_add(1);
        sql.push(" limit ").bind(Value::Int(looked_at), "bigint");
    }
    sql
}

/// The failure, with the measure's name where one is at fault. A sum of floats that is none fails
/// as an expression does.
fn failed(aggregation: &Aggregation, what: &str, error: &tokio_postgres::Error) -> Error {
    let names = |measures: &[&Measure]| {
        let name = |m: &&Measure| {
            format!("'{}' ({})", plimsoll::error::excerpt(&m.name), m.function.name())
        };
        measures.iter().map(name).collect::<Vec<_>>().join(" or ")
    };
    let told = error.as_db_error().map(DbError::message).unwrap_or_default();
    let number = told
        .split_once(measures::OUT_OF_RANGE)
        .and_then(|(_, behind)| behind.split(' ').next()?.parse::<usize>().ok());
    let measures: Vec<&Measure> = match number {
        Some(number) => aggregation.measures.get(number).into_iter().collect(),
        None if error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
            aggregation.measures.iter().filter(|m| adds_floats(aggregation, m)).collect()
        }
        None => return explain(what, error),
    };
    if measures.is_empty() {
        return Error::invalid(format!(
            "{what}: the filter or a measure's expression cannot be answered: a number leaves the \
             range of its type"
        ));
    }
    Error::new(
        ErrorKind::TooLarge,
        format!(
            "{what}: the measure {} leaves the range of its type in one group, and is not rounded: \
             group by more, or filter for fewer rows",
            names(&measures)
        ),
    )
}

fn adds_floats(aggregation: &Aggregation, measure: &Measure) -> bool {
    let schema = &aggregation.resource.schema;
    matches!(measure.function, AggregateFunction::Sum | AggregateFunction::Avg)
        && measure.argument.as_ref().is_some_and(|a| a.kind(schema) == ColumnType::Float)
}
