//! Schema changes of packs that live in this database, each once.
//!
//! ```text
//!   plimsoll.migrations(id, digest, applied_at)
//!     missing          -> run it and record it, in one transaction
//!     same digest      -> done before
//!     another digest   -> refuse: the file was changed after it ran
//! ```
//!
//! Under an advisory lock: of two servers that start at a time, one runs it. A database in which
//! any of them ran is Plimsoll's own; every other one is somebody's.
//!
//! Promises: a migration happened wholly or not at all, also after a kill in the middle.
//! Never: a migration run twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::{rows, run};
use super::config::PostgresConfig;
use super::connection::Link;
use super::control;
use super::dialect::Sql;
use super::failure::explain;
use super::hosts::Hosts;
use super::introspect::complete;
use super::native::Table;
use crate::catalogue::{Migration, MigrationState, Resource};
use crate::error::{Error, Result};
use crate::pending::Pending;

const CHANGED: &str = "its text was changed after it ran: undo the change, and put what is new \
                       into a new migration";

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
    alone(config, async |client| {
        for migration in migrations {
            apply(client, migration, now_micros)
                .await
                .map_err(|e| Error::new(e.kind(), format!("migration {}: {e}", migration.id)))?;
        }
        complete(client, resources).await
    })
}

/// Which migrations have run; none where the role may not see that. Reads only.
///
/// # Errors
/// When there is no connection, and [`crate::ErrorKind::Invalid`] when a migration's text changed
/// after it ran.
pub fn migration_states(
    config: &PostgresConfig,
    migrations: &[Migration],
) -> Result<Vec<MigrationState>> {
    alone(config, async |client| states(client, migrations).await)
}

/// Looks at the tables of `resources`, which migrations have made, and fills in their access paths.
/// Reads only.
///
/// # Errors
/// When there is no connection, a table is not there, or the catalogues cannot be read.
pub fn complete_own(
    config: &PostgresConfig,
    resources: &mut [Resource],
) -> Result<BTreeMap<Box<str>, Table>> {
    alone(config, async |client| complete(client, resources).await)
}

/// Works on a connection of its own, which ends with it.
pub(super) fn alone<T>(
    config: &PostgresConfig,
    work: impl AsyncFnOnce(&Client) -> Result<T>,
) -> Result<T> {
    let (stays, _waits) = Pending::<()>::new();
    let mut link = Link::new(Arc::new(Hosts::of_one(&config.url)?))?;
    link.run(&stays.watch(), async |client| work(client).await)
}

async fn states(client: &Client, migrations: &[Migration]) -> Result<Vec<MigrationState>> {
    let fail = |e: tokio_postgres::Error| explain("reading which migrations have run", &e);
    // Also the role of a database that is only read may look; what it may not see is not its own.
    let visible = Sql {
        text: "select from pg_catalog.pg_class as c \
               join pg_catalog.pg_namespace as n on n.oid = c.relnamespace \
               where n.nspname = 'plimsoll' and c.relname = 'migrations' and c.relkind = 'r' \
               and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')"
            .to_owned(),
        params: Vec::new(),
    };
    let ran = if rows(client, &visible).await.map_err(fail)?.is_empty() {
        Vec::new()
    } else {
        let text = "select id, digest, applied_at from plimsoll.migrations".to_owned();
        rows(client, &Sql { text, params: Vec::new() }).await.map_err(fail)?
    };
    let mut states = Vec::with_capacity(migrations.len());
    for migration in migrations {
        let mut applied_at = None;
        for row in &ran {
            let (id, digest): (&str, &str) =
                (row.try_get(0).map_err(fail)?, row.try_get(1).map_err(fail)?);
            if id == &*migration.id {
                if digest != hash(migration) {
                    return Err(Error::invalid(format!("migration {id}: {CHANGED}")));
                }
                applied_at = Some(row.try_get(2).map_err(fail)?);
            }
        }
        states.push(MigrationState { id: migration.id.clone(), applied_at });
    }
    Ok(states)
}

fn hash(migration: &Migration) -> String {
    blake3::hash(migration.sql.as_bytes()).to_hex().to_string()
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
    let digest = hash(migration);
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
        return Err(Error::invalid(CHANGED));
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
