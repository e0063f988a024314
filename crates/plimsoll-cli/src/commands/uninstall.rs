//! `plimsoll uninstall`: takes the schema `plimsoll` away from a PostgreSQL.
//!
//! Promises: says what is dropped, from where, and what stays; without --yes nothing is.
//! Never: a table outside that schema; a guess which of two databases is meant.

use std::io::Write as _;

use anyhow::bail;
use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll_store::catalogue::{Pack, Words};
use plimsoll_store::postgres::{installed, uninstall};

use crate::args::{Global, UninstallArgs};
use crate::config::{Config, Database};
use crate::exit::{Outcome, Usage};
use crate::mark::mark;
use crate::source::postgres_config;
use crate::{packs, setup};

pub(crate) fn run(global: &Global, args: &UninstallArgs) -> anyhow::Result<Outcome> {
    let config = setup::config(global)?;
    let (key, database) = meant(&config)?;
    let Some(database @ Database::Postgres(url)) = database else {
        bail!(Usage(
            "uninstall takes Plimsoll's schema out of a PostgreSQL: name it with --database URL, \
             or --control-url URL; an embedded database goes with its directory"
                .to_owned()
        ));
    };
    let packs = packs::all(Words::Postgres)?;
    let recipes = packs.iter().flat_map(|pack| &pack.recipes);
    let staging = recipes.map(|recipe| &*recipe.staging.name);
    let jobs = plimsoll_jobs::tables_on_postgres();
    let staging: Vec<&str> = staging.chain(jobs.iter().map(|name| &**name)).collect();
    let postgres = postgres_config(url, ROW_BYTES_MAX as u64);
    let tables = if args.yes {
        uninstall(&postgres, &staging, &plimsoll_jobs::functions_on_postgres())?
    } else {
        installed(&postgres, &staging)?
    };
    let mut out = crate::exit::stdout();
    writeln!(out, "the database is {database}, from {}", config.origin(key))?;
    if tables.is_empty() {
        writeln!(out, "there is no schema plimsoll of Plimsoll's; nothing is dropped")?;
        return Ok(Outcome::Done);
    }
    let done = if args.yes { "dropped" } else { "would be dropped" };
    writeln!(out, "{done}: the schema plimsoll with its tables {}", tables.join(", "))?;
    writeln!(out, "not touched: everything else{}", stays(&packs))?;
    if !args.yes {
        bail!(Usage("nothing was dropped: add --yes to do it".to_owned()));
    }
    Ok(Outcome::Done)
}

/// The database whose schema goes, with the setting that names it.
fn meant(config: &Config) -> anyhow::Result<(&'static str, Option<&Database>)> {
    match (config.control(), config.database()) {
        (Some(control), Some(served @ Database::Postgres(_))) if mark(control) != mark(served) => {
            bail!(Usage(format!(
                "uninstall may mean {served}, from {}, or {control}, from {}: take one of them \
                 away, or give --database and --control-url the one that is meant",
                config.origin("database.url"),
                config.origin("control.url")
            )))
        }
        (Some(control), _) => Ok(("control.url", Some(control))),
        (None, served) => Ok(("database.url", served)),
    }
}

/// The packs' tables, which from then on are somebody's own.
fn stays(packs: &[Pack]) -> String {
    let names: Vec<&str> = packs.iter().flat_map(|p| &p.resources).map(|r| &*r.name).collect();
    if names.is_empty() { String::new() } else { format!(", {} too", names.join(", ")) }
}
