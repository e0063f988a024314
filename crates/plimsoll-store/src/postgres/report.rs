//! Reports in PostgreSQL's words.
//!
//! Promises: one statement, so one snapshot; sums are exact, or an error where they leave 64 bits;
//! what does not fit the server's `work_mem` it sorts and groups through files of its own.
//! Never: longer than the request's time limit.

use std::sync::Arc;

use plimsoll::record::{Column, ColumnType, Row as _, Schema, Value};

use super::connection::Link;
use super::dialect::{Sql, quote};
use super::failure::explain;
use super::native::Codec;
use super::open::Known;
use super::rollup::rollup;
use super::row::MessageRow;
use super::transaction::{Settings, fetch};
use super::value::Raw;
use crate::catalogue::{Analytics, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Watch;
use crate::report::{Report, ReportKind, ReportRequest, TopBy};
use crate::trend::{self, Bucket, TREND_ROWS_MAX};

/// How a pack's own figures are read: they are small.
const QUERY_TIMEOUT_MS: u64 = 60_000;

/// Finds what the server calls a resource.
type Tables<'a> = dyn Fn(&Resource) -> Result<Arc<Known>> + 'a;

/// Makes the report.
pub(super) fn report(
    link: &mut Link,
    watch: &Watch,
    tables: &Tables<'_>,
    request: &ReportRequest,
) -> Result<Report> {
    let maker = Maker { tables, request };
    let (sql, schema) = match request.kind {
        ReportKind::Summary => maker.summary()?,
        ReportKind::Top { by, rows_max } => maker.top(by, rows_max)?,
        ReportKind::Trend { bucket } => maker.trend(bucket)?,
        ReportKind::Rollup => rollup(request, &|resource| maker.qualified(resource))?,
    };
    let codecs: Vec<Codec> = schema.columns.iter().map(|c| codec(c.kind)).collect();
    let settings = Settings { timeout_ms: request.timeout_ms, sorts: true, finds_own: false };
    let rows = rows(link, watch, &sql, settings, usize::MAX, &|row| fields(row, &codecs))?;
    Report { rows, schema }.finished(request)
}

/// The first rows of a pack's own SQL.
pub(super) fn query(
    link: &mut Link,
    watch: &Watch,
    sql: String,
    rows_max: usize,
) -> Result<Vec<Vec<Value>>> {
    let sql = Sql { text: sql, params: Vec::new() };
    let settings = Settings { timeout_ms: QUERY_TIMEOUT_MS, sorts: true, finds_own: true };
    rows(link, watch, &sql, settings, rows_max, &any)
}

/// How a field of a report is sent: its text is cast by the statement.
pub(super) fn codec(kind: ColumnType) -> Codec {
    match kind {
        ColumnType::Bool => Codec::Bool,
        ColumnType::Int => Codec::Int8,
        ColumnType::Float => Codec::Float8,
        ColumnType::Money => Codec::Numeric,
        ColumnType::Time => Codec::TimestampTz,
        ColumnType::Bytes => Codec::Bytea,
        ColumnType::Text | ColumnType::Any => Codec::Text,
    }
}

fn rows(
    link: &mut Link,
    watch: &Watch,
    sql: &Sql,
    settings: Settings,
    rows_max: usize,
    read: &dyn Fn(&tokio_postgres::Row) -> Result<Vec<Value>>,
) -> Result<Vec<Vec<Value>>> {
    let fail = |e: tokio_postgres::Error| explain("making the report", &e);
    let rows = link.run_anew(watch, async |client| {
        let mut found = fetch(client, sql, settings).await.map_err(fail)?;
        let mut out = Vec::new();
        while out.len() < rows_max
            && let Some(row) = found.next().await.map_err(fail)?
        {
            out.push(read(&row)?);
        }
        Ok(out)
    });
    link.swelled();
    rows
}

fn fields(row: &tokio_postgres::Row, codecs: &[Codec]) -> Result<Vec<Value>> {
    let row = MessageRow { row, codecs, first: 0 };
    (0..codecs.len()).map(|at| Ok(row.value(at)?.to_owned())).collect()
}

/// A row whose types the statement decides.
pub(super) fn any(row: &tokio_postgres::Row) -> Result<Vec<Value>> {
    let one = |(at, column): (usize, &tokio_postgres::Column)| {
        let codec = match column.type_().name() {
            "bool" => Codec::Bool,
            "int2" => Codec::Int2,
            "int4" => Codec::Int4,
            "int8" => Codec::Int8,
            "float4" => Codec::Float4,
            "float8" => Codec::Float8,
            "numeric" => Codec::Numeric,
            "timestamptz" => Codec::TimestampTz,
            "timestamp" => Codec::Timestamp,
            "bytea" => Codec::Bytea,
            "text" | "varchar" | "bpchar" | "name" => Codec::Text,
            other => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("a query gives the type {other}, which has to be cast to text in it"),
                ));
            }
        };
        let field: Option<Raw<'_>> =
            row.try_get(at).map_err(|e| explain("making the report", &e))?;
        Ok(field.map_or(Ok(Value::Null), |Raw(bytes)| {
            super::value::typed(codec, bytes).map(plimsoll::record::ValueRef::to_owned)
        })?)
    };
    row.columns().iter().enumerate().map(one).collect()
}

fn name(resource: &Resource, column: usize) -> String {
    quote(&resource.schema.columns[column].name)
}

fn field(name: &str, kind: ColumnType) -> Column {
    Column { name: name.into(), kind, nullable: false }
}

/// Writes the statements of one request.
struct Maker<'a> {
    tables: &'a Tables<'a>,
    request: &'a ReportRequest,
}

impl Maker<'_> {
    fn qualified(&self, resource: &Resource) -> Result<String> {
        Ok((self.tables)(resource)?.table.qualified())
    }

    /// The column under the alias, as the language's type.
    fn operand(&self, alias: &str, resource: &Resource, column: usize) -> Result<String> {
        let known = (self.tables)(resource)?;
        let native = &known.table.columns[column];
        let name = format!("{alias}.{}", name(resource, column));
        Ok(match native.codec {
            Codec::Int2 | Codec::Int4 => format!("{name}::bigint"),
            Codec::Timestamp => format!("({name} at time zone 'UTC')"),
            Codec::Cast => format!("{name}::text"),
            Codec::Json => format!("to_json({name})::text"),
            _ => name,
        })
    }

    /// ` from orders join items … where time and channel`
    fn push_lines(&self, sql: &mut Sql) -> Result<()> {
        let Analytics { orders, items, .. } = &*self.request.analytics;
        sql.push(" from ").push(&self.qualified(&orders.resource)?).push(" as o join ");
        sql.push(&self.qualified(&items.resource)?).push(" as i on i.");
        sql.push(&name(&items.resource, items.order)).push(" = o.");
        sql.push(&name(&orders.resource, orders.key));
        self.push_orders(sql)
    }

    fn push_orders(&self, sql: &mut Sql) -> Result<()> {
        let orders = &self.request.analytics.orders;
        let known = (self.tables)(&orders.resource)?;
        let native = &known.table.columns;
        let time = name(&orders.resource, orders.time);
        let mut glue = " where o.";
        for (bound, operator) in [(self.request.from, " >= "), (self.request.until, " < ")] {
            if let Some(instant) = bound {
                sql.push(glue).push(&time).push(operator);
                sql.bind(Value::Time(instant), &native[orders.time].cast);
                glue = " and o.";
            }
        }
        if let Some(channel) = &self.request.channel {
            let column = name(&orders.resource, orders.channel);
            sql.push(glue).push(&column).push(" = ");
            sql.bind(Value::Text(channel.clone()), &native[orders.channel].cast);
        }
        Ok(())
    }

    fn summary(&self) -> Result<(Sql, Schema)> {
        let Analytics { orders, items, .. } = &*self.request.analytics;
        let mut sql = Sql::new();
        let (amount, quantity) =
            (name(&items.resource, items.amount), name(&items.resource, items.quantity));
        let customers = orders.customer.map_or_else(
            || "0::bigint".to_owned(),
            |c| format!("count(distinct o.{})", name(&orders.resource, c)),
        );
        sql.push("select l.revenue, h.orders, l.items, l.quantity, h.customers from (select ");
        sql.push(&format!(
            "coalesce(sum(i.{amount}), 0)::numeric as revenue, count(*) as items, \
             coalesce(sum(i.{quantity}), 0)::bigint as quantity"
        ));
        self.push_lines(&mut sql)?;
        sql.push(&format!(") as l, (select count(*) as orders, {customers} as customers from "));
        sql.push(&self.qualified(&orders.resource)?).push(" as o");
        self.push_orders(&mut sql)?;
        sql.push(") as h");
        let columns = vec![
            field("revenue", ColumnType::Money),
            field("orders", ColumnType::Int),
            field("items", ColumnType::Int),
            field("quantity", ColumnType::Int),
            field("customers", ColumnType::Int),
        ];
        Ok((sql, Schema { columns }))
    }

    /// Sums by spans of a fixed length, in order; orders without a line count as well.
    fn trend(&self, bucket: Bucket) -> Result<(Sql, Schema)> {
        let Analytics { orders, items, .. } = &*self.request.analytics;
        let unit = if bucket == Bucket::Hour { "hour" } else { "day" };
        let time = self.operand("o", &orders.resource, orders.time)?;
        let start = format!("date_trunc('{unit}', {time}, 'UTC')");
        let mut sql = Sql::new();
        sql.push("select h.start, coalesce(l.revenue, 0), h.orders, coalesce(l.items, 0), ");
        sql.push(&format!(
            "coalesce(l.quantity, 0) from (select {start} as start, count(*) as orders from "
        ));
        sql.push(&self.qualified(&orders.resource)?).push(" as o");
        self.push_orders(&mut sql)?;
        sql.push(&format!(
            " group by 1) as h left join (select {start} as start, sum(i.{})::numeric as revenue, \
             count(*) as items, sum(i.{})::bigint as quantity",
            name(&items.resource, items.amount),
            name(&items.resource, items.quantity)
        ));
        self.push_lines(&mut sql)?;
        let most = i64::try_from(TREND_ROWS_MAX).unwrap_or(i64::MAX).saturating_add(1);
        sql.push(" group by 1) as l on l.start = h.start order by 1 limit ");
        sql.bind(Value::Int(most), "bigint");
        Ok((sql, trend::schema()))
    }

    fn top(&self, by: TopBy, rows_max: u64) -> Result<(Sql, Schema)> {
        let Analytics { items, subject, .. } = &*self.request.analytics;
        let (line, key) =
            (name(&items.resource, items.subject), name(&subject.resource, subject.key));
        let mut sql = Sql::new();
        sql.push("select s.").push(&key).push("::bigint");
        let mut columns = vec![field("id", ColumnType::Int)];
        for &label in &subject.label {
            sql.push(", ").push(&self.operand("s", &subject.resource, label)?);
            columns.push(subject.resource.schema.columns[label].clone());
        }
        sql.push(", g.revenue, g.quantity, g.orders from (select i.").push(&line);
        sql.push(&format!(
            " as subject, sum(i.{})::numeric as revenue, sum(i.{})::bigint as quantity, \
             count(distinct i.{}) as orders",
            name(&items.resource, items.amount),
            name(&items.resource, items.quantity),
            name(&items.resource, items.order)
        ));
        self.push_lines(&mut sql)?;
        let measure = match by {
            TopBy::Revenue => "revenue",
            TopBy::Quantity => "quantity",
            TopBy::Orders => "orders",
        };
        // Ties go to the smaller key, so that the ranking is the same every time.
        sql.push(" group by 1 order by ").push(measure).push(" desc, 1 limit ");
        sql.bind(Value::Int(i64::try_from(rows_max).unwrap_or(i64::MAX)), "bigint");
        sql.push(") as g join ").push(&self.qualified(&subject.resource)?).push(" as s on s.");
        sql.push(&key).push(" = g.subject order by g.").push(measure).push(" desc, g.subject");
        columns.push(field("revenue", ColumnType::Money));
        columns.push(field("quantity", ColumnType::Int));
        columns.push(field("orders", ColumnType::Int));
        Ok((sql, Schema { columns }))
    }
}
