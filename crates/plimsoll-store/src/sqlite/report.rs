//! Reports in SQLite's words.
//!
//! Promises: one statement, so one snapshot; sums in integers, so exact or an overflow error;
//! what does not fit the page cache is sorted through files in the spill area.
//! Never: longer than the request's time limit.

use std::time::{Duration, Instant};

use plimsoll::record::{Column, ColumnType, Schema, Value};
use rusqlite::Connection;

use super::dialect::{Sql, quote};
use super::failure::explain;
use super::rollup::rollup;
use super::value::{Bind, typed};
use crate::catalogue::{Analytics, Resource};
use crate::error::Result;
use crate::report::{Report, ReportKind, ReportRequest, TopBy};
use crate::trend::{self, Bucket, TREND_ROWS_MAX};

/// Virtual machine steps between two looks at the clock.
pub(super) const STEPS_PER_LOOK: i32 = 10_000;

/// Makes the report.
pub(super) fn report(
    connection: &mut Connection,
    request: &ReportRequest,
    abandoned: impl Fn() -> bool + Send + 'static,
) -> Result<Report> {
    let (sql, schema) = match request.kind {
        ReportKind::Summary => summary(request),
        ReportKind::Top { by, rows_max } => top(request, by, rows_max),
        ReportKind::Trend { bucket } => trend(request, bucket),
        ReportKind::Rollup => rollup(request)?,
    };
    let until = Instant::now() + Duration::from_millis(request.timeout_ms);
    let stop = move || abandoned() || Instant::now() >= until;
    let fail = |e| explain("making the report", &e);
    connection.progress_handler(STEPS_PER_LOOK, Some(stop)).map_err(fail)?;
    let rows = rows(connection, &sql, &schema);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(fail)?;
    Report { rows: rows?, schema }.finished(request)
}

/// The first rows of a pack's own SQL.
pub(super) fn query(
    connection: &Connection,
    sql: &str,
    rows_max: usize,
) -> Result<Vec<Vec<Value>>> {
    let fail = |e| explain("running a pack's query", &e);
    let mut statement = connection.prepare(sql).map_err(fail)?;
    let width = statement.column_count();
    let mut found = statement.query([]).map_err(fail)?;
    let mut out = Vec::new();
    while let Some(row) = found.next().map_err(fail)?
        && out.len() < rows_max
    {
        let fields = (0..width).map(|at| {
            let stored = row.get_ref(at).map_err(fail)?;
            Ok(typed(ColumnType::Any, stored)?.to_owned())
        });
        out.push(fields.collect::<Result<_>>()?);
    }
    Ok(out)
}

fn rows(connection: &Connection, sql: &Sql, schema: &Schema) -> Result<Vec<Vec<Value>>> {
    let fail = |e| explain("making the report", &e);
    let mut statement = connection.prepare_cached(&sql.text).map_err(fail)?;
    let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
    let mut found = statement.query(params).map_err(fail)?;
    let mut out = Vec::new();
    while let Some(row) = found.next().map_err(fail)? {
        let fields = schema.columns.iter().enumerate().map(|(at, column)| {
            let stored = row.get_ref(at).map_err(fail)?;
            Ok(typed(column.kind, stored)?.to_owned())
        });
        out.push(fields.collect::<Result<_>>()?);
    }
    Ok(out)
}

fn name(resource: &Resource, column: usize) -> String {
    quote(&resource.schema.columns[column].name)
}

fn field(name: &str, kind: ColumnType) -> Column {
    Column { name: name.into(), kind, nullable: false }
}

/// ` from items join orders … where time and channel`
fn push_lines(sql: &mut Sql, request: &ReportRequest) {
    let Analytics { orders, items, .. } = &*request.analytics;
    sql.push(" from ").name(&orders.resource.name).push(" as o cross join ");
    sql.name(&items.resource.name).push(" as i on i.");
    sql.push(&name(&items.resource, items.order)).push(" = o.");
    sql.push(&name(&orders.resource, orders.key));
    push_orders(sql, request);
}

fn push_orders(sql: &mut Sql, request: &ReportRequest) {
    let orders = &request.analytics.orders;
    let time = name(&orders.resource, orders.time);
    let mut glue = " where o.";
    for (bound, operator) in [(request.from, " >= "), (request.until, " < ")] {
        if let Some(instant) = bound {
            sql.push(glue).push(&time).push(operator).bind(Value::Time(instant));
            glue = " and o.";
        }
    }
    if let Some(channel) = &request.channel {
        let column = name(&orders.resource, orders.channel);
        sql.push(glue).push(&column).push(" = ").bind(Value::Text(channel.clone()));
    }
}

fn summary(request: &ReportRequest) -> (Sql, Schema) {
    let Analytics { orders, items, .. } = &*request.analytics;
    let mut sql = Sql::new();
    let (amount, quantity) =
        (name(&items.resource, items.amount), name(&items.resource, items.quantity));
    let customers = orders.customer.map_or_else(
        || "0".to_owned(),
        |c| format!("count(distinct o.{})", name(&orders.resource, c)),
    );
    sql.push("select l.revenue, h.orders, l.items, l.quantity, h.customers from (select ");
    sql.push(&format!(
        "coalesce(sum(i.{amount}), 0) as revenue, count(*) as items, \
         coalesce(sum(i.{quantity}), 0) as quantity"
    ));
    push_lines(&mut sql, request);
    sql.push(&format!(") as l, (select count(*) as orders, {customers} as customers from "));
    sql.name(&orders.resource.name).push(" as o");
    push_orders(&mut sql, request);
    sql.push(") as h");
    let columns = vec![
        field("revenue", ColumnType::Money),
        field("orders", ColumnType::Int),
        field("items", ColumnType::Int),
        field("quantity", ColumnType::Int),
        field("customers", ColumnType::Int),
    ];
    (sql, Schema { columns })
}

/// Sums by spans of a fixed length, in order; orders without a line count as well.
fn trend(request: &ReportRequest, bucket: Bucket) -> (Sql, Schema) {
    let Analytics { orders, items, .. } = &*request.analytics;
    let (time, span) = (name(&orders.resource, orders.time), bucket.base_micros());
    // SQLite's remainder has the sign of what is divided.
    let start = format!("o.{time} - (o.{time} % {span} + {span}) % {span}");
    let mut sql = Sql::new();
    sql.push("select h.start, coalesce(l.revenue, 0), h.orders, coalesce(l.items, 0), ");
    sql.push(&format!(
        "coalesce(l.quantity, 0) from (select {start} as start, count(*) as orders from "
    ));
    sql.name(&orders.resource.name).push(" as o");
    push_orders(&mut sql, request);
    sql.push(&format!(
        " group by 1) as h left join (select {start} as start, sum(i.{}) as revenue, \
         count(*) as items, sum(i.{}) as quantity",
        name(&items.resource, items.amount),
        name(&items.resource, items.quantity)
    ));
    push_lines(&mut sql, request);
    let most = i64::try_from(TREND_ROWS_MAX).unwrap_or(i64::MAX).saturating_add(1);
    sql.push(" group by 1) as l on l.start = h.start order by 1 limit ").bind(Value::Int(most));
    (sql, trend::schema())
}

fn top(request: &ReportRequest, by: TopBy, rows_max: u64) -> (Sql, Schema) {
    let Analytics { items, subject, .. } = &*request.analytics;
    let (line, key) = (name(&items.resource, items.subject), name(&subject.resource, subject.key));
    let mut sql = Sql::new();
    sql.push("select s.").push(&key);
    let mut columns = vec![field("id", ColumnType::Int)];
    for &label in &subject.label {
        sql.push(", s.").push(&name(&subject.resource, label));
        columns.push(subject.resource.schema.columns[label].clone());
    }
    sql.push(", g.revenue, g.quantity, g.orders from (select i.").push(&line);
    sql.push(&format!(
        " as subject, sum(i.{}) as revenue, sum(i.{}) as quantity, count(distinct i.{}) as orders",
        name(&items.resource, items.amount),
        name(&items.resource, items.quantity),
        name(&items.resource, items.order)
    ));
    push_lines(&mut sql, request);
    let measure = match by {
        TopBy::Revenue => "revenue",
        TopBy::Quantity => "quantity",
        TopBy::Orders => "orders",
    };
    // Ties go to the smaller key, so that the ranking is the same every time.
    sql.push(" group by 1 order by ").push(measure).push(" desc, 1 limit ");
    sql.bind(Value::Int(i64::try_from(rows_max).unwrap_or(i64::MAX)));
    sql.push(") as g join ").name(&subject.resource.name).push(" as s on s.").push(&key);
    sql.push(" = g.subject order by g.").push(measure).push(" desc, g.subject");
    columns.push(field("revenue", ColumnType::Money));
    columns.push(field("quantity", ColumnType::Int));
    columns.push(field("orders", ColumnType::Int));
    (sql, Schema { columns })
}
