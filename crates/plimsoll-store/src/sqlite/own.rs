//! Statements about own tables, in SQLite.
//!
//! Promises: prepared once a connection; rows that come are taken to the end, so that the statement
//! has happened as a whole.
//! Never: a value in the text.

use plimsoll::record::{ColumnType, Value};
use rusqlite::Connection;

use super::failure::explain;
use super::value::{Bind, typed};
use crate::error::Result;
use crate::own::{Own, fenced};

/// Runs one inside a unit; the rows it changed, or gave.
pub(super) fn run(
    connection: &Connection,
    statement: &Own,
    params: &[Value],
    expected: Option<u64>,
    out: &mut Vec<Vec<Value>>,
) -> Result<u64> {
    let before = out.len();
    let fail = |e| explain("keeping what is Plimsoll's own", &e);
    let mut prepared = connection.prepare_cached(statement.for_sqlite()).map_err(fail)?;
    let rows = if prepared.column_count() == 0 {
        let bound = rusqlite::params_from_iter(params.iter().map(Bind));
        prepared.execute(bound).map_err(fail)? as u64
    } else {
        take(&mut prepared, params, usize::MAX, out)?;
        (out.len() - before) as u64
    };
    fenced(rows, expected)
}

/// The first rows of one that reads.
pub(super) fn read(
    connection: &Connection,
    statement: &Own,
    params: &[Value],
    rows_max: usize,
) -> Result<Vec<Vec<Value>>> {
    let fail = |e| explain("reading what is Plimsoll's own", &e);
    let mut prepared = connection.prepare_cached(statement.for_sqlite()).map_err(fail)?;
    let mut out = Vec::new();
    take(&mut prepared, params, rows_max, &mut out)?;
    Ok(out)
}

fn take(
    prepared: &mut rusqlite::Statement<'_>,
    params: &[Value],
    rows_max: usize,
    out: &mut Vec<Vec<Value>>,
) -> Result<()> {
    let fail = |e| explain("keeping what is Plimsoll's own", &e);
    let width = prepared.column_count();
    let bound = rusqlite::params_from_iter(params.iter().map(Bind));
    let mut found = prepared.query(bound).map_err(fail)?;
    let until = out.len().saturating_add(rows_max);
    while out.len() < until
        && let Some(row) = found.next().map_err(fail)?
    {
        let fields = (0..width).map(|at| {
            let stored = row.get_ref(at).map_err(fail)?;
            Ok(typed(ColumnType::Any, stored)?.to_owned())
        });
        out.push(fields.collect::<Result<_>>()?);
    }
    Ok(())
}
