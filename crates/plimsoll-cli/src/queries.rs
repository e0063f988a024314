//! The files of named queries.
//!
//! Promises: all `*.sql` of one directory, in order of name; a mistake names its file.
//! Never: a directory below it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use plimsoll_server::CatalogueSource;
use plimsoll_store::catalogue::{NamedQuery, QueryFile};
use plimsoll_store::postgres::{self, PostgresConfig};
use plimsoll_store::{Catalogue, Error, ErrorKind, Result, sqlite};

/// Files of one directory at most.
const FILES_MAX: usize = 1_000;
/// One of them at most.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// All of them: as long as they are served they are held.
const ALL_BYTES_MAX: usize = 1 << 20;

/// The queries of Plimsoll's own database, which a reload looks at again. Its tables come with the
/// program.
pub(crate) struct OwnQueries {
    pub(crate) tables: Catalogue,
    /// Name and text of those of packs.
    pub(crate) of_packs: Vec<(Box<str>, Box<str>)>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) database: Own,
}

/// Where they run.
pub(crate) enum Own {
    File(PathBuf),
    Postgres(PostgresConfig),
}

impl CatalogueSource for OwnQueries {
    fn look(&self) -> Result<Catalogue> {
        let of_packs = self.of_packs.iter().map(|(name, text)| QueryFile::parse(name, text));
        let of_packs = of_packs.collect::<Result<_>>()?;
        let queries =
            named_queries(of_packs, self.directory.as_deref(), |files| match &self.database {
                Own::File(file) => sqlite::queries(file, files),
                Own::Postgres(config) => postgres::queries(config, files),
            })?;
        self.tables.clone().with_queries(queries)
    }
}

/// Reads the directory, if there is one, and has the database look at what is there and at those
/// of packs.
pub(crate) fn named_queries(
    mut all: Vec<QueryFile>,
    directory: Option<&Path>,
    look: impl FnOnce(Vec<QueryFile>) -> Result<Vec<NamedQuery>>,
) -> Result<Vec<NamedQuery>> {
    let files = directory.map(files).transpose()?.unwrap_or_default();
    let mut bytes_left = ALL_BYTES_MAX;
    let mut parse = |file: &PathBuf| {
        let about = |e: Error| Error::new(e.kind(), format!("the query {}: {e}", file.display()));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let text = read(file).map_err(about)?;
        bytes_left = bytes_left.checked_sub(text.len()).ok_or_else(|| {
            about(Error::new(ErrorKind::TooLarge, "with those before it has more than 1 MiB"))
        })?;
        QueryFile::parse(&name, &text).map_err(about)
    };
    for file in &files {
        all.push(parse(file)?);
    }
    look(all)
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| {
        let what = format!("reading the directory of queries {}: {e}", directory.display());
        Error::new(ErrorKind::Invalid, what)
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{} has more than {FILES_MAX} queries", directory.display()),
            ));
        }
    }
    files.sort();
    Ok(files)
}

fn read(file: &Path) -> Result<String> {
    let failed = |e: std::io::Error| Error::new(ErrorKind::Invalid, format!("cannot be read: {e}"));
    let mut text = String::new();
    let mut bounded = File::open(file).map_err(failed)?.take(FILE_BYTES_MAX + 1);
    bounded.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "has more than 256 KiB"));
    }
    Ok(text)
}
