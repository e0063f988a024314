//! Where the catalogue of somebody's own database comes from: the database, and the file that says
//! what of it is served.
//!
//! ```text
//!   survey of the database ─┬─ no file: every table with a key, nothing that looks secret
//!                           └─ database.resources: exactly what it names
//! ```
//!
//! Promises: looks anew each time; what is not served unasked is told with its reason; the bytes of
//! the newest catalogue are reserved.
//! Never: kept open; a look ends with its connection.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use plimsoll::budget::{Budget, Consumer, Reservation};
use plimsoll_server::CatalogueSource;
use plimsoll_store::catalogue::{Catalogue, FoundTable, resources};
use plimsoll_store::postgres::{self, PostgresConfig, REPLICA_LAG_MS_MAX};
use plimsoll_store::{Error, ErrorKind, Resource, Result, sqlite};

use crate::config::Database;
use crate::database::value_bytes_max;
use crate::queries::named_queries;

/// A file for 2,000 tables has one MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a table takes in a catalogue and in the server's routes, and a column of it: measured over
/// 2,000 tables as 1.7 KiB for a table of six columns.
const TABLE_BYTES: u64 = 1 << 10;
const COLUMN_BYTES: u64 = 160;

/// Somebody's own database, and perhaps a file about it.
pub(crate) struct Source {
    pub(crate) database: Database,
    resources: Option<PathBuf>,
    /// Where named queries are.
    queries: Option<PathBuf>,
    consumer: Consumer,
    held: Mutex<Option<Reservation>>,
    /// Largest row that is read.
    row_bytes_max: u64,
}

impl Source {
    pub(crate) fn new(
        database: Database,
        (resources, queries): (Option<PathBuf>, Option<PathBuf>),
        budget: &Budget,
    ) -> anyhow::Result<Self> {
        let consumer = budget.consumer("catalogue")?;
        let row_bytes_max = value_bytes_max(budget);
        Ok(Self { database, resources, queries, consumer, held: Mutex::default(), row_bytes_max })
    }

    fn catalogue(&self, found: &[FoundTable]) -> Result<Catalogue> {
        match &self.resources {
            None => whole(found),
            Some(file) => Catalogue::new(named(file, found)?, None).map_err(|e| about(file, &e)),
        }
    }
}

/// Everything in a database that could be served, in rows of this size at most.
pub(crate) fn survey(database: &Database, row_bytes_max: u64) -> Result<Vec<FoundTable>> {
    match database {
        Database::File(file) if !file.is_file() => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no database file {}", file.display()),
        )),
        Database::File(file) => sqlite::survey(file),
        Database::Postgres(url) => postgres::survey(&postgres_config(url, row_bytes_max)),
    }
}

/// For a look at a database, in rows of this size at most.
pub(crate) fn postgres_config(url: &str, row_bytes_max: u64) -> PostgresConfig {
    PostgresConfig {
        url: url.to_owned(),
        readers: 0,
        spill_directory: PathBuf::new(),
        writable: false,
        replicas: Vec::new(),
        replica_lag_max_ms: REPLICA_LAG_MS_MAX,
        makes_way: true,
        row_bytes_max,
    }
}

impl CatalogueSource for Source {
    fn look(&self) -> Result<Catalogue> {
        let found = survey(&self.database, self.row_bytes_max)?;
        let bytes = found.iter().map(|t| TABLE_BYTES + COLUMN_BYTES * t.columns.len() as u64).sum();
        let reserved = self.consumer.try_reserve(bytes).map_err(plimsoll::Error::from)?;
        let queries =
            named_queries(Vec::new(), self.queries.as_deref(), |files| match &self.database {
                Database::File(file) => sqlite::queries(file, files),
                Database::Postgres(url) => {
                    postgres::queries(&postgres_config(url, self.row_bytes_max), files)
                }
            })?;
        let catalogue = self.catalogue(&found)?.with_queries(queries)?;
        // What requests still hold of the one before goes with them.
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(reserved);
        Ok(catalogue)
    }
}

/// The resources that a file names.
pub(crate) fn named(file: &Path, found: &[FoundTable]) -> Result<Vec<Resource>> {
    resources(&read(file)?, found).map_err(|e| about(file, &e))
}

fn about(file: &Path, error: &Error) -> Error {
    Error::new(error.kind(), format!("the resources file {}: {error}", file.display()))
}

/// Every table with a key.
fn whole(found: &[FoundTable]) -> Result<Catalogue> {
    let mut resources = Vec::with_capacity(found.len());
    for table in found {
        match table.whole() {
            Ok(resource) => resources.push(resource),
            Err(reason) => tracing::warn!(table = %table.name, "not served: {reason}"),
        }
    }
    Catalogue::new(resources, None)
}

fn read(file: &Path) -> Result<String> {
    let failed = |e: std::io::Error| {
        let text = format!("reading the resources file {}: {e}", file.display());
        Error::new(ErrorKind::Invalid, text)
    };
    let mut text = String::new();
    let mut bounded = File::open(file).map_err(failed)?.take(FILE_BYTES_MAX + 1);
    bounded.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("the resources file {} has more than 16 MiB", file.display()),
        ));
    }
    Ok(text)
}
