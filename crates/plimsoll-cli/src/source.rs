//! Where the catalogue of somebody's own database comes from: the database, and the file that says
//! what of it is served.
//!
//! ```text
//!   survey of the database ─┬─ no file: every table with a key, nothing that looks secret
//!                           └─ database.resources: exactly what it names
//! ```
//!
//! Promises: looks anew each time; what is not served unasked is told with its reason.
//! Never: kept open; a look ends with its connection.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use plimsoll_server::CatalogueSource;
use plimsoll_store::catalogue::{Catalogue, FoundTable, resources};
use plimsoll_store::postgres::{self, PostgresConfig, REPLICA_LAG_MS_MAX};
use plimsoll_store::{Error, ErrorKind, Result, sqlite};

use crate::config::Database;

/// A file for 2,000 tables has one MiB.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Somebody's own database, and perhaps a file about it.
pub(crate) struct Source {
    pub(crate) database: Database,
    pub(crate) resources: Option<PathBuf>,
    /// Largest row that is read.
    pub(crate) row_bytes_max: u64,
}

/// Everything in a database that could be served, in rows of this size at most.
pub(crate) fn survey(database: &Database, row_bytes_max: u64) -> Result<Vec<FoundTable>> {
    match database {
        Database::File(file) if !file.is_file() => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no database file {}", file.display()),
        )),
        Database::File(file) => sqlite::survey(file),
        Database::Postgres(url) => postgres::survey(&PostgresConfig {
            url: url.clone(),
            readers: 0,
            spill_directory: PathBuf::new(),
            writable: false,
            replicas: Vec::new(),
            replica_lag_max_ms: REPLICA_LAG_MS_MAX,
            row_bytes_max,
        }),
    }
}

impl CatalogueSource for Source {
    fn look(&self) -> Result<Catalogue> {
        let found = survey(&self.database, self.row_bytes_max)?;
        let Some(file) = &self.resources else { return whole(&found) };
        let named =
            |e: Error| Error::new(e.kind(), format!("the resources file {}: {e}", file.display()));
        let resources = resources(&read(file)?, &found).map_err(named)?;
        Catalogue::new(resources, None).map_err(named)
    }
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
        Error::new(
            if e.kind() == std::io::ErrorKind::InvalidData {
                ErrorKind::Invalid
            } else {
                ErrorKind::Io
            },
            text,
        )
    };
    let mut text = String::new();
    let read = File::open(file).map_err(failed)?.take(FILE_BYTES_MAX + 1);
    { read }.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::TooLarge,
            format!("the resources file {} has more than 16 MiB", file.display()),
        ));
    }
    Ok(text)
}
