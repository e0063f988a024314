//! `plimsoll migrate`: makes Plimsoll's own database, or brings it up to date; with control.url the
//! tables of the jobs alone, there.
//!
//! Promises: what ran is listed, with control.url also where; running it again does nothing.
//! Never: touches somebody's own SQLite file; makes a table of its own among an app's.

use std::io::Write as _;
use std::path::Path;

use anyhow::bail;
use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll::record::Timestamp;
use plimsoll_store::catalogue::{MigrationState, Pack, Words};
use plimsoll_store::{postgres, sqlite};

use crate::args::{Global, MigrateArgs};
use crate::config::{Config, Database};
use crate::exit::{Outcome, Usage};
use crate::source::postgres_config;
use crate::{control, database, packs, setup};

/// Under which Plimsoll's own migrations stand among those of the packs.
const JOBS: &str = "jobs";

/// Each pack's name with what has run of it.
type States = Vec<(Box<str>, Vec<MigrationState>)>;

pub(crate) fn run(global: &Global, args: &MigrateArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let config = setup::config(global)?;
    let states = match config.database() {
        _ if config.control().is_some() => {
            vec![(JOBS.into(), control::migrate(&config, args.status)?)]
        }
        None => embedded(&config, packs, args.status)?,
        Some(Database::Postgres(url)) => on_postgres(url, args.status)?,
        Some(file @ Database::File(_)) => bail!(Usage(format!(
            "database.url is {file}, from {}: somebody's own SQLite file is only read; take the \
             setting away to migrate the embedded database",
            config.origin("database.url")
        ))),
    };
    let mut out = crate::exit::stdout();
    if let Some(control) = config.control().filter(|_| !args.json) {
        let origin = config.origin("control.url");
        writeln!(out, "the database is {control}, from {origin}: the tables of the jobs alone")?;
    }
    let mut rows = Vec::new();
    for (pack, states) in states {
        for state in states {
            let applied = state.applied_at.map(|at| Timestamp::from_micros(at).to_string());
            rows.push(serde_json::json!({
                "pack": pack, "migration": state.id, "applied_at": applied,
            }));
            if !args.json {
                let when = applied.as_deref().unwrap_or("not yet");
                writeln!(out, "{pack:<10} {:<24} {when}", state.id)?;
            }
        }
    }
    if args.json {
        writeln!(out, "{}", serde_json::Value::Array(rows))?;
    }
    Ok(Outcome::Done)
}

fn embedded(config: &Config, packs: &[Pack], status: bool) -> anyhow::Result<States> {
    let data = config.path("data_dir").unwrap_or(Path::new("."));
    if !status {
        let file = database::file(data)?;
        for pack in packs {
            sqlite::migrate(&file, &pack.migrations, database::now_micros())?;
        }
        sqlite::migrate(&file, &plimsoll_jobs::sqlite_migrations(), database::now_micros())?;
    }
    let file = data.join("plimsoll.db");
    let states =
        |pack: &Pack| Ok((pack.name.clone(), sqlite::migration_states(&file, &pack.migrations)?));
    let mut all = packs.iter().map(states).collect::<anyhow::Result<States>>()?;
    let jobs = sqlite::migration_states(&file, &plimsoll_jobs::sqlite_migrations())?;
    all.push((JOBS.into(), jobs));
    Ok(all)
}

fn on_postgres(url: &str, status: bool) -> anyhow::Result<States> {
    let packs = packs::all(Words::Postgres)?;
    let config = postgres_config(url, ROW_BYTES_MAX as u64);
    if !status {
        for pack in &packs {
            let mut resources = pack.resources.clone();
            postgres::migrate(&config, &pack.migrations, &mut resources, database::now_micros())?;
        }
        let jobs = plimsoll_jobs::postgres_migrations();
        postgres::migrate(&config, &jobs, &mut [], database::now_micros())?;
    }
    let states = |pack: &Pack| {
        Ok((pack.name.clone(), postgres::migration_states(&config, &pack.migrations)?))
    };
    let mut all = packs.iter().map(states).collect::<anyhow::Result<States>>()?;
    let jobs = postgres::migration_states(&config, &plimsoll_jobs::postgres_migrations())?;
    all.push((JOBS.into(), jobs));
    Ok(all)
}
