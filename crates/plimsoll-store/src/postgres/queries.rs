//! Named queries: looked at when they are loaded, and asked for their cost before they are read.
//!
//! ```text
//!   load   begin read only; prepare .. ─> columns ─ explain execute ─> cost ─ rollback
//!   read   begin read only; explain select .. from (the SQL) as t ─> cost; then the same select
//! ```
//!
//! Promises: nothing is run whose plan costs more than its file allows; what is not a statement
//! that reads is refused when it is loaded.
//! Never: a value in the text, or a name that outlives its transaction.

use std::sync::Arc;

use plimsoll::record::{Column, ColumnType};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement};

use super::config::PostgresConfig;
use super::connection::Link;
use super::dialect::Sql;
use super::failure::explain;
use super::hosts::Hosts;
use super::native::{Codec, NativeColumn, Table};
use super::open::Known;
use super::transaction::{Rows, Settings, rows_of};
use super::types::{MADE, types};
use super::value::Raw;
use crate::catalogue::{
    BoundQuery, Described, Handle, NamedQuery, ParameterKind, Piece, QueryFile, QueryText,
};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Pending;

/// A look at one query; planning takes milliseconds.
const BEGIN: &str = "begin read only; set local plan_cache_mode = force_generic_plan; \
                     set local statement_timeout = '20s'; set local lock_timeout = '20s'";
const PREPARED: &str = "plimsoll_query";
/// A modifier that says nothing: an expression's.
const NO_MODIFIER: i32 = -1;
/// Of `numeric(18, 4)`.
const AMOUNT_MODIFIER: i32 = (18 << 16 | 4) + 4;
/// Below it types are PostgreSQL's own.
const FIRST_OID_OF_OTHERS: u32 = 10_000;

/// Looks at queries from files.
///
/// # Errors
/// [`ErrorKind::Invalid`] naming the query and what is wrong with it, [`ErrorKind::TooCostly`] for
/// one whose plan costs more than its file allows, and when there is no connection.
pub fn queries(config: &PostgresConfig, files: Vec<QueryFile>) -> Result<Vec<NamedQuery>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let (promise, pending) = Pending::<()>::new();
    let mut link = Link::new(Arc::new(Hosts::of_one(&config.url)?))?;
    let row_bytes_max = config.row_bytes_max();
    let mut queries = Vec::with_capacity(files.len());
    for file in files {
        let about = |e: &Error| Error::new(e.kind(), format!("the query {}: {e}", file.name()));
        let seen = link.run(&promise.watch(), async |client| describe(client, &file).await);
        let described = seen.and_then(|seen| described(&file, seen, row_bytes_max));
        let described = described.map_err(|e| about(&e))?;
        let name: Box<str> = file.name().into();
        let query = file.query(described);
        queries.push(query.map_err(|e| Error::new(e.kind(), format!("the query {name}: {e}")))?);
    }
    drop(pending);
    Ok(queries)
}

/// What the server says of a query.
struct Seen {
    statement: Statement,
    /// For each column, what its type is called in a cast.
    casts: Vec<Box<str>>,
    cost: f64,
}

async fn describe(client: &Client, file: &QueryFile) -> Result<Seen> {
    let fail = |e: tokio_postgres::Error| explain("looking at it", &e);
    client.batch_execute(BEGIN).await.map_err(fail)?;
    let seen = plan(client, file.text()).await;
    client.batch_execute("rollback").await.map_err(fail)?;
    seen
}

async fn plan(client: &Client, query: &QueryText) -> Result<Seen> {
    let fail = |e: tokio_postgres::Error| explain("looking at it", &e);
    // Within parentheses nothing but a statement that gives rows is one.
    let text = unbound(query);
    let statement = client.prepare(&format!("select * from {text} as t")).await.map_err(fail)?;
    let casts = type_names(client, &statement).await.map_err(fail)?;
    let types: Vec<&str> = query.parameters.iter().map(|p| cast(p.kind)).collect();
    let (types, nulls) = match types.len() {
        0 => (String::new(), String::new()),
        many => (format!("({})", types.join(", ")), format!("({})", vec!["null"; many].join(", "))),
    };
    let prepare = format!("prepare {PREPARED} {types} as select * from {text} as t");
    client.batch_execute(&prepare).await.map_err(fail)?;
    let sql = Sql {
        text: format!("explain (format json) execute {PREPARED} {nulls}"),
        params: Vec::new(),
    };
    let rows = rows_of(client, &sql).await.map_err(fail)?;
    let cost = cost(rows).await?;
    client.batch_execute(&format!("deallocate {PREPARED}")).await.map_err(fail)?;
    check(cost, query.cost_max)?;
    Ok(Seen { statement, casts, cost })
}

async fn type_names(
    client: &Client,
    statement: &Statement,
) -> Result<Vec<Box<str>>, tokio_postgres::Error> {
    let oids = statement.columns().iter().map(|column| column.type_().oid().to_string());
    let oids: Vec<String> = oids.collect();
    let text = format!(
        "select format_type(t.oid, null) from unnest(array[{}]::oid[]) with ordinality as t(oid, o)
         order by t.o",
        oids.join(", ")
    );
    let mut rows = rows_of(client, &Sql { text, params: Vec::new() }).await?;
    let mut names = Vec::with_capacity(oids.len());
    while let Some(row) = rows.next().await? {
        names.push(row.try_get::<_, String>(0)?.into());
    }
    Ok(names)
}

/// The SQL with `$1` and so on, each under its type.
fn unbound(query: &QueryText) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.to_string(),
        Piece::Parameter(at) => format!("${}::{}", at + 1, cast(query.parameters[*at].kind)),
    };
    let pieces: String = query.pieces.iter().map(piece).collect();
    format!("({pieces})")
}

/// The SQL in parentheses, with its values as parameters.
pub(super) fn push_query(sql: &mut Sql, query: &BoundQuery) {
    let values = &query.values;
    sql.push("(");
    for piece in &query.text.pieces {
        match piece {
            Piece::Text(text) => sql.push(text),
            Piece::Parameter(at) => {
                sql.bind(values[*at].clone(), cast(query.text.parameters[*at].kind))
            }
        };
    }
    sql.push(")");
}

fn cast(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Date => "date",
        ParameterKind::Plain(kind) => match kind {
            ColumnType::Bool => "boolean",
            ColumnType::Int => "bigint",
            ColumnType::Float => "double precision",
            ColumnType::Money => "numeric",
            ColumnType::Time => "timestamp with time zone",
            ColumnType::Bytes => "bytea",
            ColumnType::Text | ColumnType::Any => "text",
        },
    }
}

/// How a query is read: as its own plan has it.
pub(super) fn settings(query: &BoundQuery) -> Settings {
    Settings { timeout_ms: query.time_ms(), sorts: true, finds_own: false }
}

/// The same statement, asked for its plan.
pub(super) fn explaining(sql: &Sql) -> Sql {
    Sql { text: format!("explain (format json) {}", sql.text), params: sql.params.clone() }
}

/// Refuses a statement whose plan, which `rows` tell, costs too much.
pub(super) async fn refuse_costly(rows: Rows, query: &BoundQuery) -> Result<()> {
    check(cost(rows).await?, query.text.cost_max)
}

fn check(cost: f64, cost_max: f64) -> Result<()> {
    if cost <= cost_max {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::TooCostly,
        format!(
            "its plan costs {cost:.0}, and its file allows {cost_max:.0}: ask for less, or create \
             the index that its plan misses, or raise cost_max in its file"
        ),
    ))
}

async fn cost(mut rows: Rows) -> Result<f64> {
    let fail = |e: tokio_postgres::Error| explain("reading a plan", &e);
    let mut cost = None;
    while let Some(row) = rows.next().await.map_err(fail)? {
        let Raw(bytes) = row.try_get(0).map_err(fail)?;
        let plan: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        cost = plan.pointer("/0/Plan/Total Cost").and_then(serde_json::Value::as_f64);
    }
    cost.ok_or_else(|| Error::new(ErrorKind::Corrupt, "the server's plan says no cost"))
}

fn described(file: &QueryFile, seen: Seen, row_bytes_max: u64) -> Result<Described> {
    let mut columns = Vec::with_capacity(seen.statement.columns().len());
    let (mut natives, mut collated) = (Vec::new(), Vec::new());
    for (at, column) in seen.statement.columns().iter().enumerate() {
        let name = column.name();
        if name == "?column?" {
            let why = format!("its column {} has no name: give it one with AS", at + 1);
            return Err(Error::invalid(why));
        }
        let (own, native) = native(column.type_(), seen.casts[at].clone());
        let kind = file.declared(name)?.unwrap_or(own);
        let native = as_declared(native, column.type_(), own, kind).ok_or_else(|| {
            let money = if *column.type_() == Type::NUMERIC { ", money" } else { "" };
            Error::invalid(format!(
                "the column '{name}' ({}) cannot be served as {kind}; allowed: {own}, text{money}; \
                 for others, cast it in the SQL",
                seen.casts[at]
            ))
        })?;
        // What orders them is the statement's business, not an index's.
        if matches!(kind, ColumnType::Text) {
            collated.push(at);
        }
        columns.push(Column::nullable(name, kind));
        natives.push(native);
    }
    let table = Table {
        schema: "".into(),
        name: file.name().into(),
        columns: natives,
        unique: Vec::new(),
        row_bytes_max,
    };
    let handle = Some(Handle::new(Known::new(table)));
    Ok(Described { columns, collated, handle, cost: Some(seen.cost) })
}

/// What a column of a statement is served as. A type that somebody made is served as its text.
fn native(kind: &Type, cast: Box<str>) -> (ColumnType, NativeColumn) {
    let (served, codec, extent) = match kind.oid() < FIRST_OID_OF_OTHERS {
        true => types(kind.name(), NO_MODIFIER),
        false => (ColumnType::Text, Codec::Cast, MADE),
    };
    (served, NativeColumn { cast, codec, extent })
}

/// The column as its file wants it, where it can be: its own type, text, or of a number without
/// bounds an amount, whose digits are checked one by one as they come.
fn as_declared(
    native: NativeColumn,
    of: &Type,
    own: ColumnType,
    kind: ColumnType,
) -> Option<NativeColumn> {
    match kind {
        _ if kind == own => Some(native),
        ColumnType::Text => Some(native.served_as(kind, own)),
        ColumnType::Money if *of == Type::NUMERIC => {
            let (_, codec, extent) = types("numeric", AMOUNT_MODIFIER);
            Some(NativeColumn { codec, extent, ..native })
        }
        _ => None,
    }
}
