//! The database that is tortured, as each process opens it.
//!
//! Promises: durable as in production: SQLite flushes every commit.
//! Never: a table of anybody else's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_jobs::{Clock, Queue, SystemClock, postgres_migrations, sqlite_migrations};
use plimsoll_store::catalogue::{Catalogue, Migration};
use plimsoll_store::postgres::{self, PostgresConfig, PostgresDatabase, REPLICA_LAG_MS_MAX};
use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase};
use plimsoll_store::{Database, Store};

use crate::Options;

/// What the jobs do: a row for a step, one for the end of a batch, one for a file.
const TABLES: &str = "create table SCHEMAeffects (job bigint not null, step bigint not null);
create table SCHEMAfinals (batch text not null);
create table SCHEMAfiles (job bigint not null);";

/// A wall clock that is off.
struct Off {
    inner: SystemClock,
    micros: i64,
}

impl Clock for Off {
    fn now_micros(&self) -> i64 {
        self.inner.now_micros() + self.micros
    }

    fn steady(&self) -> Duration {
        self.inner.steady()
    }
}

pub(crate) fn open(options: &Options) -> plimsoll_store::Result<Queue> {
    let folder = Path::new(&options.folder);
    let now = SystemClock::default().now_micros();
    let tables = |schema: &str| {
        let sql = TABLES.replace("SCHEMA", schema);
        Migration { id: "torture".into(), sql: sql.into() }
    };
    let database: Arc<dyn Database> = match &options.database {
        None => {
            let file = folder.join("jobs.db");
            let mut migrations = sqlite_migrations();
            migrations.push(tables(""));
            sqlite::migrate(&file, &migrations, now)?;
            let config = SqliteConfig {
                file,
                readers: 2,
                reader_cache_bytes: 1 << 20,
                writer_cache_bytes: 1 << 20,
                value_bytes_max: 1 << 20,
                writable: true,
            };
            Arc::new(SqliteDatabase::open(&config, &mut [])?)
        }
        Some(url) => {
            let mut migrations = postgres_migrations();
            migrations.push(tables("public."));
            let config = PostgresConfig {
                url: url.clone(),
                readers: 2,
                spill_directory: folder.to_owned(),
                writable: true,
                replicas: Vec::new(),
                replica_lag_max_ms: REPLICA_LAG_MS_MAX,
                makes_way: true,
                row_bytes_max: 1 << 20,
            };
            postgres::migrate(&config, &migrations, &mut [], now)?;
            Arc::new(PostgresDatabase::open(&config, BTreeMap::new())?)
        }
    };
    let store = Store::new(database, Arc::new(Catalogue::new(Vec::new(), None)?));
    let micros = options.clock_seconds * 1_000_000;
    Ok(Queue::new(store, Arc::new(Off { inner: SystemClock::default(), micros })))
}
