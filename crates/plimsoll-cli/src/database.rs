//! Opening Plimsoll's own database, embedded or a PostgreSQL, or somebody's own.
//!
//! ```text
//!   DIR/plimsoll.db   pack tables and control tables      DIR/cursor.key   signs cursors, 0600
//!   DIR/spill/        temporary files
//! ```
//!
//! Promises: page caches are reserved before they are opened; the data directory is the owner's.
//! Never: a byte written into somebody's own file, or beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use plimsoll::budget::{Budget, Reservation};
use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll_store::catalogue::{Catalogue, Pack};
use plimsoll_store::postgres::{
    PostgresConfig, PostgresDatabase, REPLICA_LAG_MS_MAX, complete_own,
};
use plimsoll_store::sqlite::{
    SqliteConfig, SqliteDatabase, migrate, restore_indexes, set_heap_soft_limit,
};
use plimsoll_store::{Resource, Store};

use crate::config::Config;
use crate::presence::Presence;

/// Page cache of one reader at most. Keyset pages touch few pages; more cache only moves the
/// kernel's.
const READER_CACHE_BYTES_MAX: u64 = 1 << 20;
/// Page cache of the writer at most: holds the upper levels of the indexes while importing.
const WRITER_CACHE_BYTES_MAX: u64 = 8 << 20;
const WRITER_CACHE_BYTES_MIN: u64 = 512 << 10;
/// Code, stacks and headroom: what no cache can have.
const PROCESS_BYTES: u64 = 12 << 20;
/// Largest stored value at least, under any limit: every connection can hold one.
const VALUE_BYTES_MIN: u64 = 256 << 10;
/// Readers at most: each is a thread, a connection and a cache.
const READERS_MAX: usize = 4;

/// Connections that read pages of somebody's PostgreSQL: two, so that a page never waits for a
/// slice of an export; with those for reports and snapshots it sees four at most.
const POSTGRES_READERS: usize = 2;

/// A store with what it holds.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// In the data directory. Nobody is in a directory for somebody's own file.
    pub(crate) presence: Presence,
    /// Of what it holds, SQLite's.
    pub(crate) sqlite_bytes: u64,
    _held: Reservation,
}

impl Opened {
    /// One that nobody is alone in.
    pub(crate) fn new(store: Store, held: Reservation, sqlite_bytes: u64) -> Self {
        Self { store, presence: Presence::Behind, sqlite_bytes, _held: held }
    }
}

/// Who opens a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// The server: several readers.
    Server,
    /// A file tool: one.
    Tool,
    /// A file tool that would like to be alone.
    Import,
    /// Whoever reads somebody else's file.
    Foreign,
}

/// Now, microseconds UTC.
pub(crate) fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The embedded database's file in the data directory.
pub(crate) const FILE: &str = "plimsoll.db";

/// The embedded database's file below the data directory, which is made if need be.
pub(crate) fn file(data: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(data)
        .with_context(|| format!("making the data directory {}", data.display()))?;
    Ok(data.join(FILE))
}

/// Brings the embedded database up to date and opens it.
pub(crate) fn open_embedded(
    data: &Path,
    packs: &[Pack],
    role: Use,
    budget: &Budget,
) -> anyhow::Result<Opened> {
    let file = file(data)?;
    let presence = Presence::enter(data, role == Use::Import)?;
    if !presence.is_behind() {
        restore_indexes(&file)?;
    }
    for pack in packs {
        migrate(&file, &pack.migrations, now_micros())?;
    }
    migrate(&file, &plimsoll_jobs::sqlite_migrations(), now_micros())?;
    let mut resources: Vec<Resource> = packs.iter().flat_map(|p| p.resources.clone()).collect();
    let config = config(file, role, budget);
    let held = budget.consumer("database")?.try_reserve(config.connection_bytes())?;
    // Beyond what is reserved the engine recycles pages of its caches instead of taking more.
    set_heap_soft_limit(config.connection_bytes());
    let database = SqliteDatabase::open(&config, &mut resources)?;
    let catalogue = catalogue(packs, resources)?;
    let store = Store::new(Arc::new(database), Arc::new(catalogue));
    Ok(Opened { presence, ..Opened::new(store, held, config.connection_bytes()) })
}

/// Opens somebody's own file for reading.
pub(crate) fn open_foreign(
    file: &Path,
    catalogue: Catalogue,
    budget: &Budget,
) -> anyhow::Result<Opened> {
    let config = config(file.to_owned(), Use::Foreign, budget);
    let held = budget.consumer("database")?.try_reserve(config.connection_bytes())?;
    // Beyond what is reserved the engine recycles pages of its caches instead of taking more.
    set_heap_soft_limit(config.connection_bytes());
    let database = SqliteDatabase::open(&config, &mut [])?;
    let store = Store::new(Arc::new(database), Arc::new(catalogue));
    Ok(Opened::new(store, held, config.connection_bytes()))
}

fn catalogue(packs: &[Pack], resources: Vec<Resource>) -> plimsoll_store::Result<Catalogue> {
    match packs {
        [pack] => pack.catalogue(resources),
        _ => Catalogue::new(resources, None),
    }
}

/// Opens somebody's own PostgreSQL database for reading.
pub(crate) fn open_postgres(
    url: &str,
    settings: &Config,
    catalogue: Catalogue,
    spill: &Path,
    role: Use,
    budget: &Budget,
) -> anyhow::Result<Opened> {
    let config = postgres(url, settings, spill, role, budget);
    let held = budget.consumer("database")?.try_reserve(config.connection_bytes())?;
    let database = PostgresDatabase::open(&config, BTreeMap::new())?;
    Ok(Opened::new(Store::new(Arc::new(database), Arc::new(catalogue)), held, 0))
}

/// Opens a PostgreSQL database in which the packs' migrations have run, for writing too.
pub(crate) fn open_own_postgres(
    url: &str,
    settings: &Config,
    packs: &[Pack],
    spill: &Path,
    role: Use,
    budget: &Budget,
) -> anyhow::Result<Opened> {
    let config = PostgresConfig { writable: true, ..postgres(url, settings, spill, role, budget) };
    let held = budget.consumer("database")?.try_reserve(config.connection_bytes())?;
    let mut resources: Vec<Resource> = packs.iter().flat_map(|p| p.resources.clone()).collect();
    let tables = complete_own(&config, &mut resources)?;
    let database = PostgresDatabase::open(&config, tables)?;
    let store = Store::new(Arc::new(database), Arc::new(catalogue(packs, resources)?));
    Ok(Opened::new(store, held, 0))
}

fn postgres(
    url: &str,
    settings: &Config,
    spill: &Path,
    role: Use,
    budget: &Budget,
) -> PostgresConfig {
    PostgresConfig {
        row_bytes_max: value_bytes_max(budget),
        url: url.to_owned(),
        replicas: settings.replicas().to_vec(),
        replica_lag_max_ms: settings.duration_ms("database.replica_lag"),
        makes_way: settings.is_on("database.makes_way"),
        readers: if role == Use::Server { POSTGRES_READERS } else { 1 },
        spill_directory: spill.to_owned(),
        writable: false,
    }
}

/// For the jobs beside a database that is only read: no replica of that is one of theirs.
pub(crate) fn control_postgres(
    url: &str,
    spill: &Path,
    role: Use,
    budget: &Budget,
) -> PostgresConfig {
    PostgresConfig {
        row_bytes_max: value_bytes_max(budget),
        url: url.to_owned(),
        replicas: Vec::new(),
        replica_lag_max_ms: REPLICA_LAG_MS_MAX,
        makes_way: false,
        readers: if role == Use::Server { POSTGRES_READERS } else { 1 },
        spill_directory: spill.to_owned(),
        writable: true,
    }
}

/// The largest stored value or line of a file under a limit.
pub(crate) fn value_bytes_max(budget: &Budget) -> u64 {
    (budget.limit_bytes() / 64).clamp(VALUE_BYTES_MIN, ROW_BYTES_MAX as u64)
}

/// The writer's page cache under a limit: an eighth of what the process itself leaves of it.
fn writer_cache_bytes(budget: &Budget) -> u64 {
    let left = budget.limit_bytes().saturating_sub(PROCESS_BYTES);
    (left / 8).clamp(WRITER_CACHE_BYTES_MIN, WRITER_CACHE_BYTES_MAX)
}

/// What the engine takes beside its page cache while it sorts, to build an index or to run a
/// recipe's steps: a buffer as large as the cache, twice that while it grows.
pub(crate) fn sorting_bytes(budget: &Budget) -> u64 {
    3 * writer_cache_bytes(budget)
}

pub(crate) fn config(file: PathBuf, role: Use, budget: &Budget) -> SqliteConfig {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    SqliteConfig {
        file,
        readers: if matches!(role, Use::Tool | Use::Import) {
            1
        } else {
            cores.clamp(2, READERS_MAX)
        },
        reader_cache_bytes: (budget.limit_bytes() / 64).min(READER_CACHE_BYTES_MAX),
        writer_cache_bytes: writer_cache_bytes(budget),
        value_bytes_max: value_bytes_max(budget),
        writable: role != Use::Foreign,
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random_bytes() -> anyhow::Result<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    let mut random = File::open("/dev/urandom").context("opening /dev/urandom")?;
    std::io::Read::read_exact(&mut random, &mut bytes).context("reading /dev/urandom")?;
    Ok(bytes)
}

/// The key that signs cursors: made on first use, readable by the owner alone.
pub(crate) fn cursor_key(data: &Path) -> anyhow::Result<[u8; 32]> {
    std::fs::create_dir_all(data)
        .with_context(|| format!("making the data directory {}", data.display()))?;
    let path = data.join("cursor.key");
    let what = || format!("reading the key that signs cursors, {}", path.display());
    if !path.exists() {
        let key = random_bytes()?;
        let new = data.join(format!("cursor.key.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)
            .with_context(what)?;
        file.write_all(&key).and_then(|()| file.sync_all()).with_context(what)?;
        // A link fails where another process was first; then its key counts.
        let _other_was_first = std::fs::hard_link(&new, &path);
        std::fs::remove_file(&new).with_context(what)?;
        // Cursors that it signs are to hold behind a power cut.
        std::fs::File::open(data).and_then(|folder| folder.sync_all()).with_context(what)?;
    }
    let bytes = std::fs::read(&path).with_context(what)?;
    bytes.try_into().map_err(|_| {
        anyhow::anyhow!("{} must have 32 bytes: remove it to get a new one", path.display())
    })
}
