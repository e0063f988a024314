//! Schema changes, each once.
//!
//! ```text
//!   plimsoll_migrations(id, digest, applied_at)
//!     missing          -> run it and record it, in one transaction
//!     same digest      -> done before
//!     another digest   -> refuse: the file was changed after it ran
//! ```
//!
//! Promises: a migration happened wholly or not at all, also after a kill in the middle.
//! Never: a migration run twice, or out of order.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::aside;
use super::connection::{Bounds, Role, open};
use super::failure::explain;
use crate::catalogue::{Migration, MigrationState};
use crate::error::{Error, Result};

const CONTROL: &str = "
create table if not exists plimsoll_migrations (
  id text primary key, digest text not null, applied_at integer not null
) strict;
create table if not exists plimsoll_state (
  kind text not null, key text not null, state text not null, primary key (kind, key)
) strict, without rowid;
create table if not exists plimsoll_idempotency (
  key text primary key, fingerprint blob not null, tag integer not null, body blob not null,
  version integer, expires_at integer not null
) strict;
create index if not exists plimsoll_idempotency_by_expiry on plimsoll_idempotency (expires_at);
";

/// Runs what has not run yet and returns the names of what it ran. Creates the file if needed.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when a migration's text changed after it ran; otherwise what the
/// database answers, naming the migration.
pub fn migrate(file: &Path, migrations: &[Migration], now_micros: i64) -> Result<Vec<Box<str>>> {
    let mut connection = open(file, Role::Writer, Bounds::SETUP)?;
    connection.execute_batch(CONTROL).map_err(|e| explain("making the control tables", &e))?;
    in_order(&states(&connection, migrations)?)?;
    let mut done = Vec::new();
    for migration in migrations {
        if apply(&mut connection, migration, now_micros)
            .map_err(|e| Error::new(e.kind(), format!("migration {}: {e}", migration.id)))?
        {
            done.push(migration.id.clone());
        }
    }
    Ok(done)
}

/// A migration that came in front of one that ran would meet tables it does not expect.
fn in_order(states: &[MigrationState]) -> Result<()> {
    let behind = states.iter().skip_while(|s| s.applied_at.is_some());
    let mut behind = behind.skip_while(|s| s.applied_at.is_none());
    match (states.iter().find(|s| s.applied_at.is_none()), behind.next()) {
        (Some(missing), Some(ran)) => Err(Error::invalid(format!(
            "migration {} has not run, but {} behind it has: put new migrations at the end",
            missing.id, ran.id
        ))),
        _ => Ok(()),
    }
}

/// Builds the indexes that an import which was killed had set aside, if there are any. Not to be
/// called while an import is at work: it would wait for it.
///
/// # Errors
/// What the database answers.
pub fn restore_indexes(file: &Path) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let mut connection = open(file, Role::Writer, Bounds::SETUP)?;
    let fail = |e| explain("building indexes that were set aside", &e);
    if !connection.table_exists(Some("main"), "plimsoll_state").map_err(fail)? {
        return Ok(());
    }
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    let built = aside::restore(&transaction, None)?;
    transaction.commit().map_err(fail)?;
    if built > 0 {
        tracing::info!(built, "built the indexes that an interrupted import had set aside");
    }
    Ok(())
}

fn apply(connection: &mut Connection, migration: &Migration, now_micros: i64) -> Result<bool> {
    let digest = blake3::hash(migration.sql.as_bytes()).to_hex().to_string();
    let mut run = || -> rusqlite::Result<Option<bool>> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before: Option<String> = transaction
            .query_row(
                "select digest from plimsoll_migrations where id = ?1",
                [&*migration.id],
                |r| r.get(0),
            )
            .optional()?;
        if let Some(before) = before {
            return Ok((before == digest).then_some(false));
        }
        transaction.execute_batch(&migration.sql)?;
        transaction.execute(
            "insert into plimsoll_migrations (id, digest, applied_at) values (?1, ?2, ?3)",
            (&*migration.id, &digest, now_micros),
        )?;
        transaction.commit()?;
        Ok(Some(true))
    };
    run().map_err(|e| explain("running it", &e))?.ok_or_else(|| {
        Error::invalid("its text was changed after it ran; add a new migration instead")
    })
}

/// What has run and what has not. Reads only.
///
/// # Errors
/// When the file cannot be read.
pub fn migration_states(file: &Path, migrations: &[Migration]) -> Result<Vec<MigrationState>> {
    if !file.exists() {
        let states =
            migrations.iter().map(|m| MigrationState { id: m.id.clone(), applied_at: None });
        return Ok(states.collect());
    }
    states(&open(file, Role::Reader, Bounds::SETUP)?, migrations)
}

fn states(connection: &Connection, migrations: &[Migration]) -> Result<Vec<MigrationState>> {
    let fail = |e| explain("reading which migrations have run", &e);
    // A file that was never migrated has no table to ask.
    let asked = connection.table_exists(Some("main"), "plimsoll_migrations").map_err(fail)?;
    let states = migrations.iter().map(|m| {
        let sql = "select applied_at from plimsoll_migrations where id = ?1";
        let applied_at = if asked {
            connection.query_row(sql, [&*m.id], |r| r.get(0)).optional().map_err(fail)?
        } else {
            None
        };
        Ok(MigrationState { id: m.id.clone(), applied_at })
    });
    states.collect()
}
