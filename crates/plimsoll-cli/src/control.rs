//! Where Plimsoll's own tables are beside somebody's own database: jobs, queues, batches, events.
//!
//! ```text
//!   database.url   read only ──> resources, reports' rows
//!   control.url    a PostgreSQL's schema plimsoll, or a SQLite file ──> jobs, batches, events
//!                  unset: DIR/control-MARK.db, a file for each database that is read
//! ```
//!
//! Promises: a SQLite file is made and brought up to date by whoever opens it, a PostgreSQL by
//! `plimsoll migrate` alone; no table but those of the jobs.
//! Never: the file that is only read, a file in which somebody else has tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll_store::Store;
use plimsoll_store::catalogue::{Catalogue, MigrationState};
use plimsoll_store::postgres::{self, PostgresDatabase, migration_states};
use plimsoll_store::sqlite::{self, SqliteDatabase, set_heap_soft_limit};

use crate::config::{Config, Database};
use crate::database::{self, Opened, Use};
use crate::exit::Usage;
use crate::mark::mark;
use crate::setup::Setup;
use crate::source::postgres_config;

/// The place of a configuration.
pub(crate) fn place(config: &Config) -> Database {
    let data = config.path("data_dir").unwrap_or(Path::new("."));
    let preset = || Database::File(data.join(format!("{}.db", marked(config, "control"))));
    config.control().cloned().unwrap_or_else(preset)
}

/// A name in the data directory for what belongs to the jobs beside this database: two that are
/// served over one data directory have no number of a job, and no file, in common. Where the place
/// of the jobs is named, it is the name itself.
pub(crate) fn marked(config: &Config, name: &str) -> String {
    match config.database() {
        Some(database) if config.control().is_none() => format!("{name}-{}", mark(database)),
        _ => name.to_owned(),
    }
}

/// Opens it. Beside it this process holds so many bytes of SQLite's.
pub(crate) fn open(setup: &Setup, role: Use, beside_bytes: u64) -> anyhow::Result<Opened> {
    match place(&setup.config) {
        Database::File(file) => open_file(setup, file, beside_bytes),
        Database::Postgres(url) => open_postgres(setup, &url, role),
    }
}

fn open_file(setup: &Setup, file: PathBuf, beside_bytes: u64) -> anyhow::Result<Opened> {
    make_file(&setup.config, &file)?;
    let budget = &setup.memory.budget;
    // Pages of jobs are small, and rows are read elsewhere: one reader is enough.
    let config = database::config(file, Use::Tool, budget);
    let held = budget.consumer("control")?.try_reserve(config.connection_bytes())?;
    set_heap_soft_limit(config.connection_bytes() + beside_bytes);
    let database = SqliteDatabase::open(&config, &mut [])?;
    Ok(Opened::new(Store::new(Arc::new(database), empty()?), held, config.connection_bytes()))
}

fn open_postgres(setup: &Setup, url: &str, role: Use) -> anyhow::Result<Opened> {
    let look = postgres_config(url, database::value_bytes_max(&setup.memory.budget));
    let states = migration_states(&look, &plimsoll_jobs::postgres_migrations())?;
    if let Some(missing) = states.iter().find(|state| state.applied_at.is_none()) {
        bail!(Usage(format!(
            "control.url is {}, from {}, and the migration {} has not run on it: run \
             `plimsoll migrate --control-url URL` first",
            Database::Postgres(url.to_owned()),
            setup.config.origin("control.url"),
            missing.id
        )));
    }
    let config = database::control_postgres(url, &setup.spill()?, role, &setup.memory.budget);
    let held = setup.memory.budget.consumer("control")?.try_reserve(config.connection_bytes())?;
    let database = PostgresDatabase::open(&config, BTreeMap::new())?;
    Ok(Opened::new(Store::new(Arc::new(database), empty()?), held, 0))
}

/// Nothing of it is a resource.
fn empty() -> anyhow::Result<Arc<Catalogue>> {
    Ok(Arc::new(Catalogue::new(Vec::new(), None)?))
}

/// Brings it up to date, unless only its state is asked for; which migrations have run.
pub(crate) fn migrate(config: &Config, status: bool) -> anyhow::Result<Vec<MigrationState>> {
    match place(config) {
        Database::File(file) => {
            if !status {
                make_file(config, &file)?;
            }
            Ok(sqlite::migration_states(&file, &plimsoll_jobs::sqlite_migrations())?)
        }
        Database::Postgres(url) => {
            let (look, jobs) =
                (postgres_config(&url, ROW_BYTES_MAX as u64), plimsoll_jobs::postgres_migrations());
            if !status {
                postgres::migrate(&look, &jobs, &mut [], database::now_micros())?;
            }
            Ok(migration_states(&look, &jobs)?)
        }
    }
}

fn make_file(config: &Config, file: &Path) -> anyhow::Result<()> {
    if let Some(directory) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    expect_ours(config, file)?;
    sqlite::migrate(file, &plimsoll_jobs::sqlite_migrations(), database::now_micros())?;
    Ok(())
}

/// Refuses a file that is somebody else's.
fn expect_ours(config: &Config, file: &Path) -> anyhow::Result<()> {
    if std::fs::metadata(file).map_or(0, |found| found.len()) == 0 {
        return Ok(());
    }
    let same = |other: &Path| match (other.canonicalize(), file.canonicalize()) {
        (Ok(other), Ok(file)) => other == file,
        _ => false,
    };
    let read = matches!(config.database(), Some(Database::File(other)) if same(other));
    let states = sqlite::migration_states(file, &plimsoll_jobs::sqlite_migrations())?;
    if !read && states.iter().any(|state| state.applied_at.is_some()) {
        return Ok(());
    }
    bail!(Usage(format!(
        "control.url is {}, from {}: somebody else's tables are in it, and Plimsoll writes none of \
         its own beside those; name a file that is not there yet, or a PostgreSQL",
        file.display(),
        config.origin("control.url")
    )))
}
