//! Schema changes of packs that live in this database, each once.
//!
//! ```text
//!   plimsoll.migrations(id, digest, applied_at)
//!     missing          -> run it and record it, in one transaction
//!     same digest      -> done before
//!     another digest   -> refuse: the file was changed after it ran
//! ```
//!
//! Under an advisory lock: of two servers that start at a time, one runs it.
//!
//! Promises: a migration happened wholly or not at all, also after a kill in the middle.
//! Never: a migration run twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::{rows, run};
use super::connection::Link;
use super::control;
use super::dialect::Sql;
use super::failure::explain;
use super::hosts::Hosts;
use super::introspect::complete;
use super::native::Table;
use super::open::PostgresConfig;
use crate::catalogue::{Migration, Resource};
use crate::error::{Error, Result};
use crate::pending::Pending;

/// Runs what has not run yet, then looks at the tables of `resources` and fills in their access
/// paths.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when a migration's text changed after it ran; otherwise what the
/// database answers, naming the migration.
pub fn migrate(
    config: &PostgresConfig,
    migrations: &[Migration],
    resources: &mut [Resource],
    now_micros: i64,
) -> Result<BTreeMap<Box<str>, Table>> {
    let (stays, _waits) = Pending::<()>::new();
    let mut link = Link::new(Arc::new(Hosts::of_one(&config.url)?))?;
    link.run(&stays.watch(), async |client| {
        for migration in migrations {
            apply(client, migration, now_micros)
                .await
                .map_err(|e| Error::new(e.kind(), format!("migration {}: {e}", migration.id)))?;
        }
        complete(client, resources).await
    })
}

async fn apply(client: &Client, migration: &Migration, now_micros: i64) -> Result<()> {
    let fail = |e: tokio_postgres::Error| explain("changing the schema", &e);
    // A role that is called plimsoll has the schema of that name in front of the others.
    let begin = format!(
        "begin; select pg_advisory_xact_lock({}); select set_config('search_path', (select \
         coalesce(string_agg(quote_ident(s), ', ' order by o), 'public') from \
         unnest(current_schemas(false)) with ordinality as p(s, o) where s <> 'plimsoll'), true)",
        control::LOCK
    );
    client.batch_execute(&begin).await.map_err(fail)?;
    let applied = once(client, migration, now_micros).await;
    let end = if applied.is_ok() { "commit" } else { "rollback" };
    client.batch_execute(end).await.map_err(fail)?;
    applied
}

async fn once(client: &Client, migration: &Migration, now_micros: i64) -> Result<()> {
    let fail = |e: tokio_postgres::Error| explain("changing the schema", &e);
    client.batch_execute(control::CREATE).await.map_err(fail)?;
    let digest = blake3::hash(migration.sql.as_bytes()).to_hex().to_string();
    let id = Value::Text(migration.id.clone());
    let sought = Sql {
        text: "select digest from plimsoll.migrations where id = $1::text".to_owned(),
        params: vec![id.clone()],
    };
    let before = rows(client, &sought).await.map_err(fail)?;
    if let Some(row) = before.first() {
        let ran: String = row.try_get(0).map_err(fail)?;
        if ran == digest {
            return Ok(());
        }
        return Err(Error::invalid(
            "its text was changed after it ran: undo the change, and put what is new into a new \
             migration",
        ));
    }
    client.batch_execute(&migration.sql).await.map_err(fail)?;
    let record = Sql {
        text: "insert into plimsoll.migrations (id, digest, applied_at) \
               values ($1::text, $2::text, $3::bigint)"
            .to_owned(),
        params: vec![id, Value::Text(digest.into()), Value::Int(now_micros)],
    };
    run(client, &record).await.map(drop).map_err(fail)
}
