//! Statements about own tables, in PostgreSQL.
//!
//! Promises: one round trip each; no name is left behind for a pooler.
//! Never: a value in the text.

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::{rows, run as execute};
use super::dialect::Sql;
use super::failure::explain;
use super::report::any;
use crate::error::Result;
use crate::own::{Own, fenced};

/// Runs one inside a unit; the rows it changed, or gave.
pub(super) async fn run(
    client: &Client,
    statement: &Own,
    params: &[Value],
    expected: Option<u64>,
    out: &mut Vec<Vec<Value>>,
) -> Result<u64> {
    let fail = |e: tokio_postgres::Error| explain("keeping what is Plimsoll's own", &e);
    let sql = Sql { text: statement.for_postgres().to_owned(), params: params.to_vec() };
    let changed = if statement.gives_rows() {
        let found = rows(client, &sql).await.map_err(fail)?;
        for row in &found {
            out.push(any(row)?);
        }
        found.len() as u64
    } else {
        execute(client, &sql).await.map_err(fail)?
    };
    fenced(changed, expected)
}

/// The first rows of one that reads.
pub(super) async fn read(
    client: &Client,
    statement: &Own,
    params: &[Value],
    rows_max: usize,
) -> Result<Vec<Vec<Value>>> {
    let fail = |e: tokio_postgres::Error| explain("reading what is Plimsoll's own", &e);
    let sql = Sql { text: statement.for_postgres().to_owned(), params: params.to_vec() };
    let found = rows(client, &sql).await.map_err(fail)?;
    found.iter().take(rows_max).map(any).collect()
}
