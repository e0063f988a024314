//! One unit's statements inside its savepoint.
//!
//! Promises: row counts are checked against what the statement means; the remembered outcome is
//! written in the same transaction as the effect it remembers; rows are written and read back as
//! whoever asked, and what is Plimsoll's own as itself.
//! Never: a value in an SQL text.

use std::fmt::Write as _;

use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll::record::{ColumnType, Timestamp, Value};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::control;
use super::dialect::{self, FIELDS_IN_FRONT, Source, Sql, quote};
use super::failure::{explain, explain_write};
use super::guise::Guise;
use super::insert::{Insert, insert_rows};
use super::native::{Codec, Table};
use super::open::Shared;
use super::own;
use super::row::MessageRow;
use super::value::Bind;
use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::fields::{Bounded, too_large};
use crate::write::{OnConflict, ReadBack, Write, WriteOutcome, WriteUnit};

/// Runs the unit. The caller rolls the savepoint back when this fails.
pub(super) async fn apply(
    client: &Client,
    shared: &Shared,
    unit: WriteUnit,
    guise: Option<&Guise>,
) -> Result<WriteOutcome> {
    if guise.is_some() && !may_be_guised(&unit) {
        let why = "whoever acts under a role of theirs writes rows, and behind them what is \
                   Plimsoll's own, and nothing else";
        return Err(Error::invalid(why));
    }
    if let Some(remember) = &unit.remember
        && let Some(outcome) = control::recall(client, &unit, remember).await?
    {
        return Ok(outcome);
    }
    let mut worn = match guise {
        Some(guise) => Some(guise.put_on(client).await?),
        None => None,
    };
    let mut outcome = WriteOutcome::default();
    let mut place = 0;
    for write in &unit.writes {
        let rows = match write {
            Write::Insert { resource, columns, values, on_conflict } => {
                let table = shared.table(resource)?;
                let insert = Insert {
                    source: Source { resource, table: &table.table },
                    columns,
                    on_conflict: *on_conflict,
                    now_micros: unit.now_micros,
                    may_copy: guise.is_none(),
                };
                let refused = unit.report_conflicts.then_some(&mut outcome.refused);
                let made = insert_rows(client, &insert, values, refused, &mut place).await?;
                // Where a row was there already, no key was made.
                let is_new = made.rows > 0 && *on_conflict == OnConflict::Error;
                outcome.inserted_key = made.last_key.filter(|_| is_new);
                made.rows
            }
            Write::Own { statement, params, rows } => {
                if let Some(worn) = worn.take() {
                    worn.take_off(client).await?;
                }
                own::run(client, statement, params, *rows, &mut outcome.own).await?
            }
            other => statement(client, shared, other, unit.now_micros).await?,
        };
        outcome.rows.push(rows);
    }
    if !outcome.refused.is_empty() {
        outcome.returned = unit.writes;
        return Ok(outcome);
    }
    let reads_back = unit.read_back.is_some();
    if let Some(read_back) = unit.read_back {
        read_row_back(client, shared, read_back, &mut outcome).await?;
    }
    if let Some(worn) = worn {
        worn.take_off(client).await?;
    }
    if let Some(remember) = &unit.remember {
        control::remember(client, remember, unit.now_micros, reads_back, &mut outcome).await?;
    }
    Ok(outcome)
}

/// Rows come first, as whoever asked; what is Plimsoll's own is written as itself.
fn may_be_guised(unit: &WriteUnit) -> bool {
    let mut behind = unit.writes.iter().skip_while(|write| is_of_rows(write)).peekable();
    let reads_rows = unit.read_back.is_some() && behind.peek().is_some();
    !reads_rows && behind.all(|write| matches!(write, Write::Own { .. }))
}

/// What is neither SQL of a pack, nor a table, nor state of Plimsoll's own.
fn is_of_rows(write: &Write) -> bool {
    matches!(
        write,
        Write::Insert { .. } | Write::Update { .. } | Write::Change { .. } | Write::Delete { .. }
    )
}

async fn statement(
    client: &Client,
    shared: &Shared,
    write: &Write,
    now_micros: i64,
) -> Result<u64> {
    match write {
        Write::Insert { .. } | Write::Own { .. } => unreachable!("the caller does those"),
        Write::CreateTable(resource) => create_table(client, shared, resource).await,
        // Indexes of a table that others use are theirs.
        Write::SetIndexesAside(_) | Write::RestoreIndexes(_) => Ok(0),
        Write::DropTable(resource) => {
            let table = Table::own(resource);
            let text = format!("drop table if exists {}", table.qualified());
            let what = format!("dropping {}", resource.name);
            client.batch_execute(&text).await.map(|()| 0).map_err(|e| explain(&what, &e))
        }
        Write::Change { resource, key, set } => {
            let table = shared.table(resource)?;
            let source = Source { resource, table: &table.table };
            let sql = update(source, key, set, None, now_micros)?;
            execute(client, resource, &sql).await
        }
        Write::Update { resource, key, set, if_version } => {
            let table = shared.table(resource)?;
            let source = Source { resource, table: &table.table };
            let sql = update(source, key, set, *if_version, now_micros)?;
            let rows = execute(client, resource, &sql).await?;
            one_row(client, source, key, *if_version, rows).await
        }
        Write::Delete { resource, key, if_version } => {
            let table = shared.table(resource)?;
            let source = Source { resource, table: &table.table };
            let mut sql = Sql::new();
            sql.push("delete from ").push(&source.qualified()).push(" as t");
            push_guard(&mut sql, source, key, *if_version)?;
            let rows = execute(client, resource, &sql).await?;
            one_row(client, source, key, *if_version, rows).await
        }
        Write::Sql { text, params } => super::script::run(client, text, params).await,
        Write::Put { kind, key, state } => control::put(client, kind, key, state).await,
        Write::Forget { kind, key } => control::forget(client, kind, key).await,
    }
}

async fn create_table(client: &Client, shared: &Shared, resource: &Resource) -> Result<u64> {
    let table = Table::own(resource);
    let columns: Vec<String> = resource
        .schema
        .columns
        .iter()
        .zip(&table.columns)
        .enumerate()
        .map(|(at, (column, native))| {
            let key = if resource.key == [at] { " primary key" } else { "" };
            let null = if column.nullable { "" } else { " not null" };
            let collate = if column.kind == ColumnType::Text { " collate \"C\"" } else { "" };
            format!("{} {}{collate}{key}{null}", quote(&column.name), native.cast)
        })
        .collect();
    let text = format!("create table if not exists {} ({})", table.qualified(), columns.join(", "));
    let what = format!("making {}", resource.name);
    client.batch_execute(&text).await.map_err(|e| explain(&what, &e))?;
    shared.add(resource, table);
    Ok(0)
}

fn update(
    source: Source<'_>,
    key: &[Value],
    set: &[(usize, Value)],
    if_version: Option<i64>,
    now_micros: i64,
) -> Result<Sql> {
    let resource = source.resource;
    let mut sql = Sql::new();
    sql.push("update ").push(&source.qualified()).push(" as t");
    let mut glue = " set ";
    for (column, value) in set {
        sql.push(glue).push(&quote(source.name(*column))).push(" = ");
        sql.assign(source, *column, value)?;
        glue = ", ";
    }
    if let Some(updated) = resource.updated {
        sql.push(glue).push(&quote(source.name(updated))).push(" = ");
        let now = Value::Time(Timestamp::from_micros(now_micros));
        sql.bind(now, &source.table.columns[updated].cast);
        glue = ", ";
    }
    if let Some(version) = resource.version {
        let name = quote(source.name(version));
        // Writing to a String cannot fail.
        let _ = write!(sql.text, "{glue}{name} = t.{name} + 1");
        glue = ", ";
    }
    if glue == " set " {
        return Err(Error::invalid(format!("a change of {} names no column", resource.name)));
    }
    push_guard(&mut sql, source, key, if_version)?;
    Ok(sql)
}

fn push_guard(
    sql: &mut Sql,
    source: Source<'_>,
    key: &[Value],
    if_version: Option<i64>,
) -> Result<()> {
    dialect::push_key(sql, source, key)?;
    if let (Some(version), Some(column)) = (if_version, source.resource.version) {
        sql.push(" and ").column("t", source, column).push(" = ");
        sql.bind(Value::Int(version), "bigint");
    }
    Ok(())
}

async fn execute(client: &Client, resource: &Resource, sql: &Sql) -> Result<u64> {
    run(client, sql).await.map_err(|e| explain_write(&format!("writing {}", resource.name), &e))
}

/// Executes a text whose result has no rows.
pub(super) async fn run(client: &Client, sql: &Sql) -> Result<u64, tokio_postgres::Error> {
    let binds: Vec<Bind<'_>> = sql.params.iter().map(Bind).collect();
    let params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
        binds.iter().map(|bind| (bind as _, Type::UNKNOWN)).collect();
    client.execute_typed(&sql.text, &params).await
}

/// Runs a text and gives its rows, which are few.
pub(super) async fn rows(
    client: &Client,
    sql: &Sql,
) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    let binds: Vec<Bind<'_>> = sql.params.iter().map(Bind).collect();
    let params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
        binds.iter().map(|bind| (bind as _, Type::UNKNOWN)).collect();
    client.query_typed(&sql.text, &params).await
}

/// Exactly one row must have changed; says whether it was missing or at another version.
async fn one_row(
    client: &Client,
    source: Source<'_>,
    key: &[Value],
    if_version: Option<i64>,
    changed: u64,
) -> Result<u64> {
    let name = &source.resource.name;
    assert!(changed <= 1, "a key names one row, {changed} rows of {name} changed");
    if changed == 1 {
        return Ok(1);
    }
    let sql = dialect::select_key(source, &[], key)?;
    let there = rows(client, &sql).await.map_err(|e| explain(&format!("reading {name}"), &e))?;
    Err(match (there.is_empty(), if_version) {
        (false, Some(version)) => Error::new(
            ErrorKind::Stale,
            format!("the row of {name} is no longer at version {version}: read it again"),
        ),
        _ => Error::new(ErrorKind::NotFound, format!("{name} has no row with this key")),
    })
}

async fn read_row_back(
    client: &Client,
    shared: &Shared,
    mut read_back: ReadBack,
    outcome: &mut WriteOutcome,
) -> Result<()> {
    let resource = &read_back.resource;
    let made = outcome.inserted_key.map(Value::Int);
    let Some(key) = read_back.key.or(made.map(|k| vec![k])) else { return Ok(()) };
    let table = shared.table(resource)?;
    let source = Source { resource, table: &table.table };
    let mut columns = read_back.columns.to_vec();
    columns.extend(resource.version);
    let sql = dialect::select_key(source, &columns, &key)?;
    let what = format!("reading {} back", resource.name);
    let fail = |e: tokio_postgres::Error| explain(&what, &e);
    let found = rows(client, &sql).await.map_err(fail)?;
    let Some(row) = found.first() else { return Ok(()) };
    let bytes: i64 = row.try_get(0).map_err(fail)?;
    let bound = table.table.row_bytes_max;
    if bytes.cast_unsigned() > bound {
        return Err(too_large(&what, bytes.cast_unsigned(), bound));
    }
    let codecs: Vec<Codec> = columns.iter().map(|&c| table.table.columns[c].codec).collect();
    let width = read_back.columns.len();
    let written = MessageRow { row, codecs: &codecs[..width], first: FIELDS_IN_FRONT };
    read_back.encoder.row(&Bounded::new(&written, ROW_BYTES_MAX), &mut outcome.body)?;
    if resource.version.is_some() {
        let all = MessageRow { row, codecs: &codecs, first: FIELDS_IN_FRONT };
        outcome.version = match plimsoll::record::Row::value(&all, width)? {
            plimsoll::record::ValueRef::Int(version) => Some(version),
            _ => None,
        };
    }
    Ok(())
}
