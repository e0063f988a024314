//! One unit's statements inside its savepoint.
//!
//! Promises: row counts are checked against what the statement means; the remembered outcome is
//! written in the same transaction as the effect it remembers.
//! Never: a value in an SQL text.

use std::fmt::Write as _;

use plimsoll::record::{ColumnType, Timestamp, Value};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::{Connection, OptionalExtension};

use super::aside;
use super::dialect::{self, Sql, quote};
use super::failure::explain;
use super::own;
use super::remembered::{keep, recall};
use super::row::CursorRow;
use super::value::Bind;
use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::fields::Bounded;
use crate::write::{OnConflict, ReadBack, RefusedRow, Write, WriteOutcome, WriteUnit};

/// Runs the unit. The caller rolls the savepoint back when this fails.
pub(super) fn apply(connection: &Connection, unit: WriteUnit) -> Result<WriteOutcome> {
    if let Some(remember) = &unit.remember
        && let Some(outcome) = recall(connection, &unit, remember)?
    {
        return Ok(outcome);
    }
    let mut outcome = WriteOutcome::default();
    let mut place = 0;
    for write in &unit.writes {
        let rows = match write {
            Write::Insert { resource, columns, values, on_conflict } => {
                let insert = Insert { resource, columns, on_conflict: *on_conflict };
                let refused = unit.report_conflicts.then_some(&mut outcome.refused);
                insert_rows(connection, &insert, values, unit.now_micros, refused, &mut place)?
            }
            Write::Own { statement, params, rows } => {
                own::run(connection, statement, params, *rows, &mut outcome.own)?
            }
            other => statement(connection, other, unit.now_micros)?,
        };
        outcome.rows.push(rows);
        if let Write::Insert { resource, columns, values, on_conflict } = write {
            // Where a row was there already, the connection still knows the row made before.
            let made = rows > 0 && *on_conflict == OnConflict::Error;
            let key = || inserted_key(connection, resource, columns, values);
            outcome.inserted_key = if made { key() } else { None };
        }
    }
    if !outcome.refused.is_empty() {
        outcome.returned = unit.writes;
        return Ok(outcome);
    }
    let reads_back = unit.read_back.is_some();
    if let Some(read_back) = unit.read_back {
        read_row_back(connection, read_back, &mut outcome)?;
    }
    if let Some(remember) = &unit.remember {
        keep(connection, remember, unit.now_micros, reads_back, &mut outcome)?;
    }
    Ok(outcome)
}

/// The key of the last row, where it is one integer.
fn inserted_key(
    connection: &Connection,
    resource: &Resource,
    columns: &[usize],
    values: &[Value],
) -> Option<i64> {
    let &[key] = &*resource.key else { return None };
    match columns.iter().rev().position(|c| *c == key) {
        Some(from_end) => match values[values.len() - 1 - from_end] {
            Value::Int(given) => Some(given),
            Value::Null => Some(connection.last_insert_rowid()),
            _ => None,
        },
        None => Some(connection.last_insert_rowid()),
    }
}

fn statement(connection: &Connection, write: &Write, now_micros: i64) -> Result<u64> {
    match write {
        Write::Insert { .. } | Write::Own { .. } => unreachable!("the caller does those"),
        Write::CreateTable(resource) => create_table(connection, resource),
        Write::SetIndexesAside(resource) => aside::set(connection, &resource.name),
        Write::RestoreIndexes(resource) => aside::restore(connection, Some(&resource.name)),
        Write::DropTable(resource) => {
            let text = format!("drop table if exists {}", quote(&resource.name));
            let what = format!("dropping {}", resource.name);
            connection.execute_batch(&text).map(|()| 0).map_err(|e| explain(&what, &e))
        }
        Write::Update { resource, key, set, if_version } => {
            let sql = update(resource, key, set, *if_version, now_micros)?;
            let rows = execute(connection, resource, &sql)?;
            one_row(connection, resource, key, *if_version, rows)
        }
        Write::Change { resource, key, set } => {
            let sql = update(resource, key, set, None, now_micros)?;
            execute(connection, resource, &sql)
        }
        Write::Delete { resource, key, if_version } => {
            let mut sql = Sql::new();
            sql.push("delete from ").name(&resource.name).push(" as t");
            push_guard(&mut sql, resource, key, *if_version)?;
            let rows = execute(connection, resource, &sql)?;
            one_row(connection, resource, key, *if_version, rows)
        }
        Write::Sql { text, params } => run_text(connection, text, params),
        Write::Put { kind, key, state } => control(
            connection,
            "insert into plimsoll_state (kind, key, state) values (?1, ?2, ?3) \
             on conflict (kind, key) do update set state = excluded.state",
            &[kind, key, state],
        ),
        Write::Forget { kind, key } => control(
            connection,
            "delete from plimsoll_state where kind = ?1 and key = ?2",
            &[kind, key],
        ),
    }
}

fn control(connection: &Connection, text: &str, params: &[&str]) -> Result<u64> {
    let run = || connection.prepare_cached(text)?.execute(rusqlite::params_from_iter(params));
    run().map(|n| n as u64).map_err(|e| explain("keeping state", &e))
}

struct Insert<'a> {
    resource: &'a Resource,
    columns: &'a [usize],
    on_conflict: OnConflict,
}

/// Inserts row by row. With a list for refused rows, a row that contradicts what is there undoes
/// only itself: SQLite takes a failed statement back by itself.
fn insert_rows(
    connection: &Connection,
    insert: &Insert<'_>,
    values: &[Value],
    now_micros: i64,
    mut refused: Option<&mut Vec<RefusedRow>>,
    place: &mut usize,
) -> Result<u64> {
    let Insert { resource, columns, on_conflict } = *insert;
    if columns.is_empty() || !values.len().is_multiple_of(columns.len()) {
        return Err(Error::invalid(format!(
            "writing {}: {} values for rows of {} columns",
            resource.name,
            values.len(),
            columns.len()
        )));
    }
    let now = Value::Time(Timestamp::from_micros(now_micros));
    let stamps: Vec<usize> = [resource.created, resource.updated]
        .into_iter()
        .flatten()
        .filter(|c| !columns.contains(c))
        .collect();
    let text = insert_text(resource, columns, &stamps, on_conflict);
    let what = format!("writing {}", resource.name);
    let mut statement = connection.prepare_cached(&text).map_err(|e| explain(&what, &e))?;
    let mut rows = 0;
    for row in values.chunks_exact(columns.len()) {
        let stamped = stamps.iter().map(|_| &now);
        let params = rusqlite::params_from_iter(row.iter().chain(stamped).map(Bind));
        match (statement.execute(params).map_err(|e| explain(&what, &e)), &mut refused) {
            (Ok(inserted), _) => rows += inserted as u64,
            (Err(error), Some(list)) if error.kind() == ErrorKind::Conflict => {
                list.push(RefusedRow { row: *place, message: error.to_string().into() });
            }
            (Err(error), _) => return Err(error),
        }
        *place += 1;
    }
    Ok(rows)
}

fn create_table(connection: &Connection, resource: &Resource) -> Result<u64> {
    let columns: Vec<String> = resource
        .schema
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let kind = match column.kind {
                ColumnType::Float => "REAL",
                ColumnType::Text => "TEXT",
                ColumnType::Bytes => "BLOB",
                ColumnType::Any => "ANY",
                ColumnType::Bool | ColumnType::Int | ColumnType::Money | ColumnType::Time => {
                    "INTEGER"
                }
            };
            let key = if resource.key == [at] { " PRIMARY KEY" } else { "" };
            let null = if column.nullable { "" } else { " NOT NULL" };
            format!("{} {kind}{key}{null}", quote(&column.name))
        })
        .collect();
    let text = format!(
        "create table if not exists {} ({}) strict",
        quote(&resource.name),
        columns.join(", ")
    );
    let what = format!("making {}", resource.name);
    connection.execute_batch(&text).map(|()| 0).map_err(|e| explain(&what, &e))
}

fn insert_text(
    resource: &Resource,
    columns: &[usize],
    stamps: &[usize],
    on_conflict: OnConflict,
) -> String {
    let all: Vec<usize> = columns.iter().chain(stamps).copied().collect();
    let names: Vec<String> = all.iter().map(|&c| column_name(resource, c)).collect();
    let marks: Vec<String> = (1..=all.len()).map(|n| format!("?{n}")).collect();
    let mut text = format!(
        "insert into {} ({}) values ({})",
        quote(&resource.name),
        names.join(", "),
        marks.join(", ")
    );
    match on_conflict {
        OnConflict::Error => {}
        OnConflict::Skip => text.push_str(" on conflict do nothing"),
        OnConflict::Update => {
            // Whichever unique set was hit, the row there takes every value but its key and birth.
            let kept = |c: &&usize| !resource.key.contains(c) && Some(**c) != resource.created;
            let mut sets: Vec<String> = all
                .iter()
                .filter(kept)
                .map(|&c| format!("{0} = excluded.{0}", column_name(resource, c)))
                .collect();
            if let Some(version) = resource.version {
                let name = column_name(resource, version);
                sets.push(format!("{name} = {name} + 1"));
            }
            if sets.is_empty() {
                text.push_str(" on conflict do nothing");
            } else {
                text.push_str(" on conflict do update set ");
                text.push_str(&sets.join(", "));
            }
        }
    }
    text
}

fn column_name(resource: &Resource, column: usize) -> String {
    quote(&resource.schema.columns[column].name)
}

fn update(
    resource: &Resource,
    key: &[Value],
    set: &[(usize, Value)],
    if_version: Option<i64>,
    now_micros: i64,
) -> Result<Sql> {
    let mut sql = Sql::new();
    sql.push("update ").name(&resource.name).push(" as t");
    let mut glue = " set ";
    for (column, value) in set {
        sql.push(glue).name(&resource.schema.columns[*column].name).push(" = ");
        sql.bind(value.clone());
        glue = ", ";
    }
    if let Some(updated) = resource.updated {
        sql.push(glue).name(&resource.schema.columns[updated].name).push(" = ");
        sql.bind(Value::Time(Timestamp::from_micros(now_micros)));
        glue = ", ";
    }
    if let Some(version) = resource.version {
        let name = column_name(resource, version);
        let _ = write!(sql.text, "{glue}{name} = {name} + 1");
        glue = ", ";
    }
    if glue == " set " {
        return Err(Error::invalid(format!("a change of {} names no column", resource.name)));
    }
    push_guard(&mut sql, resource, key, if_version)?;
    Ok(sql)
}

fn push_guard(
    sql: &mut Sql,
    resource: &Resource,
    key: &[Value],
    if_version: Option<i64>,
) -> Result<()> {
    dialect::push_key(sql, resource, key)?;
    if let (Some(version), Some(column)) = (if_version, resource.version) {
        sql.push(" and ").column(resource, column).push(" = ").bind(Value::Int(version));
    }
    Ok(())
}

fn execute(connection: &Connection, resource: &Resource, sql: &Sql) -> Result<u64> {
    let run = || {
        let mut statement = connection.prepare_cached(&sql.text)?;
        statement.execute(rusqlite::params_from_iter(sql.params.iter().map(Bind)))
    };
    run().map(|n| n as u64).map_err(|e| explain(&format!("writing {}", resource.name), &e))
}

/// Exactly one row must have changed; says whether it was missing or at another version.
fn one_row(
    connection: &Connection,
    resource: &Resource,
    key: &[Value],
    if_version: Option<i64>,
    rows: u64,
) -> Result<u64> {
    assert!(rows <= 1, "a key names one row, {rows} rows of {} changed", resource.name);
    if rows == 1 {
        return Ok(1);
    }
    let sql = dialect::select_key(resource, &[], key)?;
    let params = rusqlite::params_from_iter(sql.params.iter().map(Bind));
    let there = connection
        .query_row(&sql.text, params, |_| Ok(()))
        .optional()
        .map_err(|e| explain(&format!("reading {}", resource.name), &e))?;
    Err(match (there, if_version) {
        (Some(()), Some(version)) => Error::new(
            ErrorKind::Stale,
            format!(
                "the row of {} is no longer at version {version}: read it again",
                resource.name
            ),
        ),
        _ => Error::new(ErrorKind::NotFound, format!("{} has no row with this key", resource.name)),
    })
}

/// Several statements of a pack; each binds the named parameters it mentions.
fn run_text(connection: &Connection, text: &str, params: &[(Box<str>, Value)]) -> Result<u64> {
    let fail = |e| explain("running a step", &e);
    let mut rows = 0;
    let mut batch = rusqlite::Batch::new(connection, text);
    while let Some(mut statement) = FallibleIterator::next(&mut batch).map_err(fail)? {
        for (name, value) in params {
            if let Some(index) = statement.parameter_index(&format!(":{name}")).map_err(fail)? {
                statement.raw_bind_parameter(index, Bind(value)).map_err(fail)?;
            }
        }
        if statement.column_count() == 0 {
            rows += statement.raw_execute().map_err(fail)? as u64;
        } else {
            let mut returned = statement.raw_query();
            while returned.next().map_err(fail)?.is_some() {
                rows += 1;
            }
        }
    }
    Ok(rows)
}

fn read_row_back(
    connection: &Connection,
    mut read_back: ReadBack,
    outcome: &mut WriteOutcome,
) -> Result<()> {
    let resource = &read_back.resource;
    let made = outcome.inserted_key.map(Value::Int);
    let Some(key) = read_back.key.or(made.map(|k| vec![k])) else { return Ok(()) };
    let mut columns = read_back.columns.to_vec();
    columns.extend(resource.version);
    let sql = dialect::select_key(resource, &columns, &key)?;
    let kinds: Vec<_> =
        read_back.columns.iter().map(|&c| resource.schema.columns[c].kind).collect();
    let fail = |e| explain(&format!("reading {} back", resource.name), &e);
    let mut statement = connection.prepare_cached(&sql.text).map_err(fail)?;
    let mut rows =
        statement.query(rusqlite::params_from_iter(sql.params.iter().map(Bind))).map_err(fail)?;
    if let Some(row) = rows.next().map_err(fail)? {
        let cursor = CursorRow { row, kinds: &kinds, first: 1 };
        let bounded = Bounded::new(&cursor, plimsoll::limits::ROW_BYTES_MAX);
        read_back.encoder.row(&bounded, &mut outcome.body)?;
        if resource.version.is_some() {
            outcome.version = row.get(1 + kinds.len()).map_err(fail)?;
        }
    }
    Ok(())
}
