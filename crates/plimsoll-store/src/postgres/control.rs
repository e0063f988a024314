//! Plimsoll's own tables, in a schema of their own.
//!
//! ```text
//!   plimsoll.migrations (id, digest, applied_at)       plimsoll.state (kind, key, state)
//!   plimsoll.idempotency (key, fingerprint, tag, body, version, expires_at)
//! ```
//!
//! Promises: made in one transaction, by whoever comes first; nothing outside the schema.
//! Never: a table among the app's.

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::{rows, run};
use super::dialect::Sql;
use super::failure::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::write::{Remember, WriteOutcome, WriteUnit};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Number of the advisory lock under which the schema is made and migrations run: "plimsoll".
pub(super) const LOCK: i64 = i64::from_be_bytes(*b"plimsoll");

/// Lets a pack's own SQL find the tables that are made for it, behind the app's, until the end of
/// the transaction.
pub(super) const FIND_OWN: &str = "
select set_config('search_path', current_setting('search_path') || ', plimsoll', true)
where current_setting('search_path') not like '%, plimsoll'";

/// The tables that are made there whatever is served.
pub(super) const TABLES: [&str; 3] = ["migrations", "state", "idempotency"];

/// Makes what is missing.
pub(super) const CREATE: &str = "
create schema if not exists plimsoll;
create table if not exists plimsoll.migrations (
  id text primary key, digest text not null, applied_at bigint not null
);
create table if not exists plimsoll.state (
  kind text not null, key text not null, state text not null, primary key (kind, key)
);
create table if not exists plimsoll.idempotency (
  key text primary key, fingerprint bytea not null, tag integer not null, body bytea not null,
  version bigint, expires_at bigint not null
);
create index if not exists idempotency_by_expiry on plimsoll.idempotency (expires_at);
";

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn sql(text: &str, params: Vec<Value>) -> Sql {
    Sql { text: text.to_owned(), params }
}

pub(super) async fn put(client: &Client, kind: &str, key: &str, state: &str) -> Result<u64> {
    let sql = sql(
        "insert into plimsoll.state as t (kind, key, state) values ($1::text, $2::text, $3::text) \
         on conflict (kind, key) do update set state = excluded.state",
        vec![text(kind), text(key), text(state)],
    );
    run(client, &sql).await.map_err(|e| explain("keeping state", &e))
}

pub(super) async fn forget(client: &Client, kind: &str, key: &str) -> Result<u64> {
    let sql = sql(
        "delete from plimsoll.state where kind = $1::text and key = $2::text",
        vec![text(kind), text(key)],
    );
    run(client, &sql).await.map_err(|e| explain("keeping state", &e))
}

pub(super) async fn state(client: &Client, kind: &str, key: &str) -> Result<Option<String>> {
    let sql = sql(
        "select state from plimsoll.state where kind = $1::text and key = $2::text",
        vec![text(kind), text(key)],
    );
    let fail = |e: tokio_postgres::Error| explain("reading state", &e);
    let found = rows(client, &sql).await.map_err(fail)?;
    found.first().map(|row| row.try_get(0).map_err(fail)).transpose()
}

/// The outcome that is remembered under a client's key, if it is still kept.
pub(super) async fn recall(
    client: &Client,
    unit: &WriteUnit,
    remember: &Remember,
) -> Result<Option<WriteOutcome>> {
    let fail = |e: tokio_postgres::Error| explain("looking up an idempotency key", &e);
    let expired = sql(
        "delete from plimsoll.idempotency where expires_at <= $1::bigint",
        vec![Value::Int(unit.now_micros)],
    );
    run(client, &expired).await.map_err(fail)?;
    let sought = sql(
        "select fingerprint, tag, body, version from plimsoll.idempotency where key = $1::text",
        vec![text(&remember.key)],
    );
    let found = rows(client, &sought).await.map_err(fail)?;
    let Some(row) = found.first() else { return Ok(None) };
    let fingerprint: Vec<u8> = row.try_get(0).map_err(fail)?;
    if fingerprint != remember.fingerprint {
        return Err(Error::new(
            ErrorKind::KeyReused,
            "this Idempotency-Key was used for a different request: take a new key",
        ));
    }
    let tag = u16::try_from(row.try_get::<_, i32>(1).map_err(fail)?).unwrap_or_default();
    let (body, version) = (row.try_get(2).map_err(fail)?, row.try_get(3).map_err(fail)?);
    let replayed = Some(tag);
    let mut replay = WriteOutcome { body, version, replayed, ..WriteOutcome::default() };
    if unit.read_back.is_none() {
        replay.recall_counts();
    }
    Ok(Some(replay))
}

/// Keeps an outcome under a client's key.
pub(super) async fn remember(
    client: &Client,
    remember: &Remember,
    now_micros: i64,
    reads_back: bool,
    outcome: &mut WriteOutcome,
) -> Result<()> {
    if !reads_back {
        outcome.keep_counts()?;
    }
    let expires = now_micros + i64::from(remember.keep_seconds) * MICROS_PER_SECOND;
    let sql = sql(
        "insert into plimsoll.idempotency (key, fingerprint, tag, body, version, expires_at) \
         values ($1::text, $2::bytea, $3::integer, $4::bytea, $5::bigint, $6::bigint)",
        vec![
            text(&remember.key),
            Value::Bytes(remember.fingerprint.into()),
            Value::Int(remember.tag.into()),
            Value::Bytes(outcome.body.as_slice().into()),
            outcome.version.map_or(Value::Null, Value::Int),
            Value::Int(expires),
        ],
    );
    run(client, &sql).await.map_err(|e| explain("remembering an idempotency key", &e))?;
    if !reads_back {
        outcome.body.clear();
    }
    Ok(())
}
