//! What every command does first: settings, log, limit, budget, directories.
//!
//! ```text
//!   flags, environment, files ─> Config ─> log ─> limit ─> budget ─> spill directory
//! ```
//!
//! Promises: nothing is opened before the limit is known; a mistake in the settings is a usage
//! error that names the setting and its origin.
//! Never: a setting read from anywhere else.

use std::borrow::Cow;
use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{anyhow, bail};
use plimsoll_server::{CatalogueSource as _, Logs};
use plimsoll_store::Store;
use plimsoll_store::catalogue::{Pack, Words};
use plimsoll_store::postgres::migration_states;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::Global;
use crate::config::{Config, Database, Sources};
use crate::database::{self, Opened, Use};
use crate::exit::Usage;
use crate::log_ring::LogRing;
use crate::memory::{self, Memory};
use crate::queries::{Own, OwnQueries};
use crate::source::{Source, postgres_config};
use crate::{control, packs, spill};

/// A process that is ready to open its database.
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) memory: Memory,
}

/// Reads the settings.
pub(crate) fn config(global: &Global) -> anyhow::Result<Config> {
    let own = [("memory.limit", &global.memory), ("data_dir", &global.data)];
    let own = own.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
    let given = own.chain(global.settings.iter().cloned()).collect();
    let file = global.config.clone();
    let sources = Sources::gather(given, file, std::env::vars_os(), Path::new(""));
    let config = sources.and_then(|sources| Config::load(&sources));
    config.map_err(|e| anyhow!(Usage(e.to_string())))
}

/// As [`start`], and with the log's level raised to debug where that is wanted.
pub(crate) fn start_saying(
    global: &Global,
    minimum_bytes: u64,
    verbose: bool,
) -> anyhow::Result<Setup> {
    let config = config(global)?;
    let level = if verbose { "debug" } else { config.text("log.level") };
    log(&config, level, None);
    let memory = memory::start(&config, minimum_bytes)?;
    Ok(Setup { config, memory })
}

/// Settings, log, limit and budget for a command that needs at least `minimum_bytes`.
pub(crate) fn start(global: &Global, minimum_bytes: u64) -> anyhow::Result<Setup> {
    start_saying(global, minimum_bytes, false)
}

/// As [`start`], with the log's last lines kept for whoever asks the server.
pub(crate) fn start_serving(
    global: &Global,
    minimum_bytes: u64,
) -> anyhow::Result<(Setup, Arc<Logs>)> {
    let config = config(global)?;
    let logs = Arc::new(Logs::default());
    log(&config, config.text("log.level"), Some(LogRing(Arc::clone(&logs))));
    let memory = memory::start(&config, minimum_bytes)?;
    Ok((Setup { config, memory }, logs))
}

impl Setup {
    /// The data directory.
    pub(crate) fn data(&self) -> &Path {
        self.config.path("data_dir").unwrap_or(Path::new("."))
    }

    /// The spill directory, made and found fit.
    pub(crate) fn spill(&self) -> anyhow::Result<PathBuf> {
        let directory = self.config.path("spill.dir").unwrap_or(Path::new("."));
        spill::prepare(directory)?;
        Ok(directory.canonicalize()?)
    }

    /// The packs in the words of the database that is configured, for a command that may write.
    pub(crate) fn packs<'a>(&self, embedded: &'a [Pack]) -> anyhow::Result<Cow<'a, [Pack]>> {
        Ok(match self.config.database() {
            Some(Database::Postgres(_)) => Cow::Owned(packs::all(Words::Postgres)?),
            _ => Cow::Borrowed(embedded),
        })
    }

    /// Plimsoll's own database, for a command that writes.
    pub(crate) fn open_own(&self, packs: &[Pack], role: Use) -> anyhow::Result<Opened> {
        let budget = &self.memory.budget;
        let postgres = match self.config.database() {
            None => {
                self.expect_no_replicas()?;
                return database::open_embedded(self.data(), packs, role, budget);
            }
            Some(Database::Postgres(url)) if self.is_own(packs)? => url,
            Some(database) => bail!(Usage(self.only_read(database))),
        };
        let spill = self.spill()?;
        database::open_own_postgres(postgres, &self.config, packs, &spill, role, budget)
    }

    /// The database with the jobs, for a command about those: Plimsoll's own, or the one beside
    /// somebody's own.
    pub(crate) fn open_jobs(&self, packs: &[Pack], role: Use) -> anyhow::Result<Opened> {
        let database = self.config.database();
        let beside =
            self.config.control().is_some() || database.is_some() && !self.is_own(packs)?;
        if beside { control::open(self, role, 0) } else { self.open_own(packs, role) }
    }

    /// Refuses a place for the jobs where they have one in the database that is served.
    fn expect_no_control(&self) -> anyhow::Result<()> {
        let Some(control) = self.config.control() else { return Ok(()) };
        bail!(Usage(format!(
            "control.url is {control}, from {}: it is for the jobs beside somebody's own database, \
             and database.url names none; take one away, or name the other",
            self.config.origin("control.url")
        )));
    }

    fn only_read(&self, database: &Database) -> String {
        let mend = match database {
            Database::Postgres(_) if self.config.path("database.resources").is_some() => {
                "take database.resources away, which says what is read of it"
            }
            Database::Postgres(_) => {
                "run `plimsoll migrate --database URL` first if it is to be Plimsoll's own, or \
                 take the setting away to use the embedded one"
            }
            Database::File(_) => "take the setting away to use the embedded one",
        };
        let origin = self.config.origin("database.url");
        format!(
            "database.url is {database}, from {origin}: somebody's own database is only read; \
             {mend}"
        )
    }

    /// Whether the PostgreSQL database that is configured is Plimsoll's own: the packs' migrations
    /// made its tables. With a resources file it is read as anybody's.
    fn is_own(&self, packs: &[Pack]) -> anyhow::Result<bool> {
        let Some(Database::Postgres(url)) = self.config.database() else { return Ok(false) };
        // With either of these it is somebody's own.
        if self.config.path("database.resources").is_some() || self.config.control().is_some() {
            return Ok(false);
        }
        let config = postgres_config(url, database::value_bytes_max(&self.memory.budget));
        let mut states = Vec::new();
        for pack in packs {
            states.extend(migration_states(&config, &pack.migrations)?);
        }
        // Tables of jobs alone are beside somebody's own.
        if !states.is_empty() && states.iter().all(|state| state.applied_at.is_none()) {
            return Ok(false);
        }
        states.extend(migration_states(&config, &plimsoll_jobs::postgres_migrations())?);
        let missing = states.iter().find(|s| s.applied_at.is_none());
        match missing {
            Some(missing) if states.iter().any(|s| s.applied_at.is_some()) => bail!(
                "the migration {} has not run on the database, which is older than this program: \
                 run `plimsoll migrate --database URL` first",
                missing.id
            ),
            missing => Ok(missing.is_none() && !states.is_empty()),
        }
    }

    fn expect_no_replicas(&self) -> anyhow::Result<()> {
        if self.config.replicas().is_empty() {
            return Ok(());
        }
        bail!(Usage(format!(
            "database.replicas, from {}, are copies of a PostgreSQL database, and database.url \
             names none: set it to the primary's URL, or take database.replicas away",
            self.config.origin("database.replicas")
        )));
    }

    /// Where somebody's own database is looked at, where one is configured.
    pub(crate) fn source(&self, packs: &[Pack]) -> anyhow::Result<Option<Source>> {
        if !matches!(self.config.database(), Some(Database::Postgres(_))) {
            self.expect_no_replicas()?;
        }
        if self.is_own(packs)? {
            return Ok(None);
        }
        let resources = self.config.path("database.resources").map(Path::to_owned);
        let queries = self.config.path("database.queries").map(Path::to_owned);
        match (self.config.database(), resources) {
            (Some(database), resources) => {
                Source::new(database.clone(), (resources, queries), &self.memory.budget).map(Some)
            }
            (None, None) => {
                self.expect_no_control()?;
                Ok(None)
            }
            (None, Some(file)) => bail!(Usage(format!(
                "database.resources is {}, from {}, but database.url names no database that it is \
                 about",
                file.display(),
                self.config.origin("database.resources")
            ))),
        }
    }

    /// The queries of Plimsoll's own database: those of its packs and those that are configured.
    pub(crate) fn own_queries(&self, store: &Store, packs: &[Pack]) -> OwnQueries {
        let row_bytes_max = database::value_bytes_max(&self.memory.budget);
        OwnQueries {
            tables: store.catalogue().without_queries(),
            of_packs: packs.iter().flat_map(|pack| pack.queries.clone()).collect(),
            directory: self.config.path("database.queries").map(Path::to_owned),
            database: match self.config.database() {
                Some(Database::Postgres(url)) => Own::Postgres(postgres_config(url, row_bytes_max)),
                _ => Own::File(self.data().join(database::FILE)),
            },
        }
    }

    /// Whichever database is configured. With a source it is somebody's own, and only read.
    pub(crate) fn open(
        &self,
        source: Option<&Source>,
        packs: &[Pack],
        role: Use,
    ) -> anyhow::Result<Opened> {
        let budget = &self.memory.budget;
        let Some(source) = source else {
            let mut opened = self.open_own(packs, role)?;
            if role != Use::Server {
                return Ok(opened);
            }
            let catalogue = self.own_queries(&opened.store, packs).look()?;
            opened.store = opened.store.with_catalogue(Arc::new(catalogue));
            return Ok(opened);
        };
        let catalogue = source.look()?;
        match &source.database {
            Database::File(file) => database::open_foreign(file, catalogue, budget),
            Database::Postgres(url) => {
                let (settings, spill) = (&self.config, &self.spill()?);
                database::open_postgres(url, settings, catalogue, spill, role, budget)
            }
        }
    }
}

fn log(config: &Config, level: &str, ring: Option<LogRing>) {
    // The setting has these words alone.
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    let access = if config.is_on("log.access") { level } else { LevelFilter::OFF };
    let filter = Targets::new().with_default(level).with_target("access", access);
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(stderr);
    let pretty = match config.text("log.format") {
        "json" => false,
        "pretty" => true,
        _ => stderr().is_terminal(),
    };
    // A second call in one process, as tests make, keeps the first subscriber.
    let _already_set = if pretty {
        builder.compact().finish().with(ring).with(filter).try_init()
    } else {
        let json = builder.json().flatten_event(true).with_current_span(false);
        json.finish().with(ring).with(filter).try_init()
    };
}
