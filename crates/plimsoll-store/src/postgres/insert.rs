//! Rows into a table.
//!
//! ```text
//!   insert into "shop"."goods" ("id", "name") values ($1::bigint, $2::text), (..), ..
//!     [on conflict do nothing | on conflict ("id") do update set ..] returning "id"
//!                                            └ of several such sets, the one a row is the same in
//! ```
//!
//! Many rows are copied, see `bulk`; few, and those that the copy did not take, go in statements.
//!
//! Promises: as many rows in one statement as its parameters allow; where conflicts are to be
//! reported, a statement that has one is taken back and its halves are tried each for itself.
//! Never: a row half written.

use plimsoll::record::{Timestamp, Value};
use tokio_postgres::Client;

use super::apply::rows;
use super::bulk;
use super::dialect::{Source, Sql, quote};
use super::failure::{explain, explain_write};
use super::native::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Condition;
use crate::write::{OnConflict, RefusedRow};

/// Parameters of one statement: the protocol counts them in 16 bits; a statement of this many is
/// parsed in a millisecond or two.
const PARAMETERS_MAX: usize = 4_096;

/// Rows of a unit from which on they are copied: fewer are written by one statement before a copy
/// has begun.
const BULK_ROWS_MIN: usize = 64;

/// What is inserted.
pub(super) struct Insert<'a> {
    pub(super) source: Source<'a>,
    pub(super) columns: &'a [usize],
    pub(super) on_conflict: OnConflict,
    pub(super) now_micros: i64,
    /// Whether many may be copied: PostgreSQL copies nothing into a table whose policies hold for
    /// whoever writes.
    pub(super) may_copy: bool,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Made {
    pub(super) rows: u64,
    /// The key of the last row, where it is one integer.
    pub(super) last_key: Option<i64>,
}

/// Inserts the rows. With a list for refused rows, a row that contradicts what is there undoes
/// only itself. `place` counts the unit's rows.
pub(super) async fn insert_rows(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
    mut refused: Option<&mut Vec<RefusedRow>>,
    place: &mut usize,
) -> Result<Made> {
    let width = insert.columns.len();
    let name = &insert.source.resource.name;
    if width == 0 || !values.len().is_multiple_of(width) {
        return Err(Error::invalid(format!(
            "writing {name}: {} values for rows of {width} columns",
            values.len()
        )));
    }
    if insert.may_copy
        && values.len() / width >= BULK_ROWS_MIN
        && let Some(made) = bulk::insert(client, insert, values).await?
    {
        *place += values.len() / width;
        return Ok(made);
    }
    let mut made = Made::default();
    for chunk in values.chunks(rows_of_statement(insert) * width) {
        let count = chunk.len() / width;
        let Some(list) = refused.as_deref_mut() else {
            statement(client, insert, chunk, &mut made).await?;
            *place += count;
            continue;
        };
        apart(client, insert, chunk, &mut made, &mut |at, message| {
            list.push(RefusedRow { row: *place + at, message });
        })
        .await?;
        *place += count;
    }
    Ok(made)
}

/// Inserts the rows that contradict nothing and tells of the others: of rows that were taken back
/// together, each half is tried for itself.
async fn apart(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
    made: &mut Made,
    refuse: &mut dyn FnMut(usize, Box<str>),
) -> Result<()> {
    let what = format!("writing {}", insert.source.resource.name);
    let fail = |e: tokio_postgres::Error| explain(&what, &e);
    let width = insert.columns.len();
    client.batch_execute("savepoint rows").await.map_err(fail)?;
    // Halves of halves: never more than the chunk's rows.
    let mut left = vec![(0, values.len() / width)];
    while let Some((from, until)) = left.pop() {
        let some = &values[from * width..until * width];
        let again = match statement(client, insert, some, made).await {
            Ok(()) => "release rows; savepoint rows",
            Err(error) if error.kind() == ErrorKind::Conflict => {
                if until - from > 1 {
                    let middle = from.midpoint(until);
                    left.extend([(middle, until), (from, middle)]);
                } else {
                    refuse(from, error.to_string().into());
                }
                "rollback to rows"
            }
            Err(error) => return Err(error),
        };
        client.batch_execute(again).await.map_err(fail)?;
    }
    client.batch_execute("release rows").await.map_err(fail)
}

/// Columns the store fills in itself.
pub(super) fn stamps(insert: &Insert<'_>) -> Vec<usize> {
    let resource = insert.source.resource;
    let stamps = [resource.created, resource.updated].into_iter().flatten();
    stamps.filter(|c| !insert.columns.contains(c)).collect()
}

fn rows_of_statement(insert: &Insert<'_>) -> usize {
    let width = insert.columns.len() + stamps(insert).len();
    // One row can hit another of the same statement only once.
    let one = insert.on_conflict == OnConflict::Update;
    if one { 1 } else { (PARAMETERS_MAX / width).max(1) }
}

async fn statement(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
    made: &mut Made,
) -> Result<()> {
    let what = format!("writing {}", insert.source.resource.name);
    let target = target(client, insert, values, &what).await?;
    let returned = rows(client, &text(insert, values, target)?).await;
    let returned = returned.map_err(|e| explain_write(&what, &e))?;
    made.rows += returned.len() as u64;
    made.last_key = returned.last().and_then(|row| row.try_get::<_, i64>(0).ok());
    Ok(())
}

/// The unique set by which the row of an upsert is sought: only one can be named. Of several, the
/// first in which a row is the same.
async fn target<'a>(
    client: &Client,
    insert: &Insert<'a>,
    values: &[Value],
    what: &str,
) -> Result<Option<&'a [usize]>> {
    if insert.on_conflict != OnConflict::Update {
        return Ok(None);
    }
    let source = insert.source;
    let value = |column: &usize| {
        let at = insert.columns.iter().position(|c| c == column)?;
        Some((*column, &values[at])).filter(|(_, value)| **value != Value::Null)
    };
    let given = |set: &'a Vec<usize>| Some((set, set.iter().map(value).collect::<Option<_>>()?));
    let sets: Vec<(_, Vec<_>)> = source.table.unique.iter().filter_map(given).collect();
    let [_, _, ..] = *sets else { return Ok(sets.first().map(|(set, _)| set.as_slice())) };
    let mut sql = Sql::new();
    for (number, (_, fields)) in sets.iter().enumerate() {
        sql.push(if number > 0 { ", exists (select from " } else { "select exists (select from " });
        sql.push(&source.qualified()).push(" as t");
        let mut glue = " where ";
        for &(column, value) in fields {
            sql.push(glue);
            sql.condition(source, &Condition::Same(column, value.clone()));
            glue = " and ";
        }
        sql.push(")");
    }
    let found = rows(client, &sql).await.map_err(|e| explain_write(what, &e))?;
    let is_there = |number: &usize| {
        found.first().is_some_and(|row| row.try_get::<_, bool>(*number).unwrap_or(false))
    };
    let number = (0..sets.len()).find(is_there).unwrap_or(0);
    Ok(Some(sets[number].0))
}

fn text(insert: &Insert<'_>, values: &[Value], target: Option<&[usize]>) -> Result<Sql> {
    let source = insert.source;
    let resource = source.resource;
    let stamps = stamps(insert);
    let all: Vec<usize> = insert.columns.iter().chain(&stamps).copied().collect();
    let names: Vec<String> = all.iter().map(|&c| quote(source.name(c))).collect();
    let mut sql = Sql::new();
    sql.push("insert into ").push(&source.qualified()).push(" as t (").push(&names.join(", "));
    sql.push(") values ");
    let now = Value::Time(Timestamp::from_micros(insert.now_micros));
    for (number, row) in values.chunks(insert.columns.len()).enumerate() {
        sql.push(if number > 0 { ", (" } else { "(" });
        for (place, &column) in all.iter().enumerate() {
            sql.push(if place > 0 { ", " } else { "" });
            match row.get(place).unwrap_or(&now) {
                // A key that the database makes is asked for by leaving it out.
                Value::Null if resource.key.contains(&column) => drop(sql.push("default")),
                value => sql.assign(source, column, value)?,
            }
        }
        sql.push(")");
    }
    push_conflict(&mut sql, insert, &all, target);
    sql.push(" returning ").push(&returned_key(source));
    Ok(sql)
}

fn returned_key(source: Source<'_>) -> String {
    match *source.resource.key {
        [key] if is_int(source.table.columns[key].codec) => {
            format!("t.{}::bigint", quote(source.name(key)))
        }
        _ => "null::bigint".to_owned(),
    }
}

pub(super) fn is_int(codec: Codec) -> bool {
    matches!(codec, Codec::Int2 | Codec::Int4 | Codec::Int8)
}

/// What happens to a row that is there already.
pub(super) fn push_conflict(
    sql: &mut Sql,
    insert: &Insert<'_>,
    all: &[usize],
    target: Option<&[usize]>,
) {
    let source = insert.source;
    let resource = source.resource;
    let target = match (insert.on_conflict, target) {
        (OnConflict::Error, _) | (OnConflict::Update, None) => return,
        (OnConflict::Skip, _) => {
            sql.push(" on conflict do nothing");
            return;
        }
        (OnConflict::Update, Some(target)) => target,
    };
    let kept = |c: &&usize| !resource.key.contains(c) && Some(**c) != resource.created;
    let mut sets: Vec<String> = all
        .iter()
        .filter(kept)
        .map(|&c| format!("{0} = excluded.{0}", quote(source.name(c))))
        .collect();
    if let Some(version) = resource.version {
        let name = quote(source.name(version));
        sets.push(format!("{name} = t.{name} + 1"));
    }
    let names: Vec<String> = target.iter().map(|&c| quote(source.name(c))).collect();
    sql.push(&format!(" on conflict ({}) do ", names.join(", ")));
    if sets.is_empty() {
        sql.push("nothing");
    } else {
        sql.push("update set ").push(&sets.join(", "));
    }
}
