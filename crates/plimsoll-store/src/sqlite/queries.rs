//! Named queries in a SQLite file.
//!
//! ```text
//!   load   prepare select * from (the SQL) ─> columns        explain query plan ─> the log
//!   read   select .. from (the SQL) as t, on the thread of the reports, under a time limit
//! ```
//!
//! SQLite makes no estimates: the time limit alone bounds a query, in its first row too.
//!
//! Promises: what is not one statement that reads is refused when it is loaded.
//! Never: a value in the text.

use std::path::Path;
use std::time::{Duration, Instant};

use plimsoll::record::Column;
use rusqlite::Connection;

use super::beside::Beside;
use super::connection::{Bounds, Role, open};
use super::dialect::Sql;
use super::failure::explain;
use super::introspect::kind;
use super::report::STEPS_PER_LOOK;
use super::{reader, snapshot};
use crate::catalogue::{BoundQuery, Described, NamedQuery, Piece, QueryFile, QueryText};
use crate::error::{Error, Result};
use crate::read::{Page, PageRequest};
use crate::snapshot::SnapshotRequest;

/// Looks at queries from files.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] naming the query and what is wrong with it.
pub fn queries(database: &Path, files: Vec<QueryFile>) -> Result<Vec<NamedQuery>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let beside = Beside::look(database);
    let queries = open(database, Role::Reader, Bounds::SETUP)
        .and_then(|connection| files.into_iter().map(|file| query(&connection, file)).collect());
    beside.tidy();
    queries
}

fn query(connection: &Connection, file: QueryFile) -> Result<NamedQuery> {
    let name: Box<str> = file.name().into();
    let about = |e: Error| Error::new(e.kind(), format!("the query {name}: {e}"));
    let described = describe(connection, &file).map_err(about)?;
    file.query(described).map_err(about)
}

fn describe(connection: &Connection, file: &QueryFile) -> Result<Described> {
    let fail = |e: rusqlite::Error| explain("looking at it", &e);
    let text = unbound(file.text());
    // Within a subquery SQLite would give equal names different ones.
    let statement = connection.prepare(&text).map_err(fail)?;
    if !statement.readonly() {
        return Err(Error::invalid("it would write, and a query only reads"));
    }
    let mut columns = Vec::with_capacity(statement.column_count());
    for column in statement.columns() {
        let declared = column.decl_type().unwrap_or_default().to_ascii_uppercase();
        let own = kind(&declared, false);
        let name = column.name();
        columns.push(Column::nullable(name, file.declared(name)?.unwrap_or(own)));
    }
    let text = format!("select * from ({text}) as t");
    let plan = plan(connection, &text, file.text().parameters.len()).map_err(fail)?;
    tracing::info!(query = file.name(), plan, "a named query");
    Ok(Described { columns, collated: Vec::new(), handle: None, cost: None })
}

/// What SQLite would do, a step a word: `SCAN orders; USE TEMP B-TREE FOR GROUP BY`.
fn plan(connection: &Connection, text: &str, parameters: usize) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(&format!("explain query plan {text}"))?;
    let nulls = rusqlite::params_from_iter(vec![rusqlite::types::Null; parameters]);
    let steps = statement.query_map(nulls, |row| row.get::<_, String>(3))?;
    Ok(steps.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
}

/// The SQL with a place for each parameter.
fn unbound(query: &QueryText) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Parameter(at) => format!("?{}", at + 1),
    };
    query.pieces.iter().map(piece).collect()
}

/// The SQL in parentheses, with its values as parameters.
pub(super) fn push_query(sql: &mut Sql, query: &BoundQuery) {
    sql.push("(");
    for piece in &query.text.pieces {
        match piece {
            Piece::Text(text) => sql.push(text),
            Piece::Parameter(at) => sql.bind(query.values[*at].clone()),
        };
    }
    sql.push(")");
}

/// One page.
pub(super) fn page(
    connection: &mut Connection,
    request: PageRequest,
    abandoned: impl Fn() -> bool + Clone + Send + 'static,
) -> Result<Page> {
    let resource = request.resource.clone();
    let time_ms = resource.query.as_ref().map_or(0, BoundQuery::time_ms);
    within(connection, time_ms, abandoned.clone(), |connection| {
        reader::slice(connection, request, &abandoned)
    })
}

/// All of it.
pub(super) fn whole(
    connection: &mut Connection,
    request: SnapshotRequest,
    abandoned: impl Fn() -> bool + Clone + Send + 'static,
) -> Result<u64> {
    let time_ms = request.resource.query.as_ref().map_or(0, BoundQuery::time_ms);
    let request = SnapshotRequest { timeout_ms: time_ms, ..request };
    within(connection, time_ms, abandoned.clone(), |connection| {
        snapshot::snapshot(connection, request, &abandoned)
    })
}

/// Ends what runs when its time is over or nobody waits for it, between any two steps of SQLite's.
fn within<T>(
    connection: &mut Connection,
    time_ms: u64,
    abandoned: impl Fn() -> bool + Send + 'static,
    run: impl FnOnce(&Connection) -> Result<T>,
) -> Result<T> {
    let until = Instant::now() + Duration::from_millis(time_ms);
    let fail = |e| explain("reading a query", &e);
    let stop = move || abandoned() || Instant::now() >= until;
    connection.progress_handler(STEPS_PER_LOOK, Some(stop)).map_err(fail)?;
    let answer = run(connection);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(fail)?;
    answer
}
