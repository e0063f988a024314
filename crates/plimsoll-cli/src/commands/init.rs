//! `plimsoll init`: looks at somebody's own database and writes a resources file to review.
//!
//! ```text
//!   survey ─> FILE (partial, fsync, rename)
//!          └> standard output: what was found, the SQL of a role, the next command
//! ```
//!
//! Promises: the file appears whole or not at all, and never over another unless --force says so;
//! for PostgreSQL the output is SQL that psql can run, with everything else in comments.
//! Never: a change in the database, or a password in the output.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll_store::catalogue::{FoundTable, resources_text};
use plimsoll_store::postgres::reading_role;

use crate::args::{Global, InitArgs};
use crate::config::Database;
use crate::database::value_bytes_max;
use crate::exit::{Outcome, Usage};
use crate::{setup, source};

/// Names that are listed of each sort; the file has all.
const LISTED_MAX: usize = 100;

pub(crate) fn run(global: &Global, args: &InitArgs) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let Some(database) = setup.config.database() else {
        bail!(Usage("init looks at your own database: name it with --database".to_owned()));
    };
    if let Some(file) = &args.role_for {
        return role_for(database, file, value_bytes_max(&setup.memory.budget));
    }
    if args.out.exists() && !args.force {
        bail!(Usage(format!(
            "{} is there already: name another with --out, or write over it with --force",
            args.out.display()
        )));
    }
    let found = source::survey(database, value_bytes_max(&setup.memory.budget))?;
    let tables = chosen(found, &args.schemas)?;
    write(&args.out, &resources_text(&tables), args.force)?;
    let told = report(database, &tables, &args.out)?;
    crate::exit::stdout().write_all(told.as_bytes())?;
    Ok(Outcome::Done)
}

/// The role of a file that was reviewed.
fn role_for(database: &Database, file: &Path, row_bytes_max: u64) -> anyhow::Result<Outcome> {
    let Database::Postgres(url) = database else {
        bail!(Usage("a SQLite file has no roles: --role-for is for PostgreSQL".to_owned()));
    };
    let tables = source::survey(database, row_bytes_max)?;
    let served = source::named(file, &tables)?;
    crate::exit::stdout().write_all(reading_role(url, &tables, &served)?.as_bytes())?;
    Ok(Outcome::Done)
}

/// The tables of these schemas, or all.
fn chosen(tables: Vec<FoundTable>, schemas: &[String]) -> anyhow::Result<Vec<FoundTable>> {
    if schemas.is_empty() {
        return Ok(tables);
    }
    for name in schemas {
        if !tables.iter().any(|table| *table.schema == **name) {
            let mut there: Vec<&str> = tables.iter().map(|table| &*table.schema).collect();
            there.dedup();
            let there = listed(there.into_iter().filter(|s| !s.is_empty()).map(str::to_owned));
            bail!(Usage(format!("no table is in a schema '{name}'; schemas with tables: {there}")));
        }
    }
    let is_chosen = |table: &FoundTable| schemas.iter().any(|name| **name == *table.schema);
    Ok(tables.into_iter().filter(is_chosen).collect())
}

fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let what = || format!("writing {}", path.display());
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(name);
    let mut file = File::create_new(&partial).with_context(what)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| {
        if force {
            return std::fs::rename(&partial, path);
        }
        // A link fails where another process was first; a rename would not.
        std::fs::hard_link(&partial, path)?;
        std::fs::remove_file(&partial)
    });
    if written.is_err() {
        // The first error is the one to tell; a leftover has a name that says what it is.
        let _left_behind = std::fs::remove_file(&partial);
    }
    written.with_context(what)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).with_context(what)
}

/// What was found, and what to do next.
fn report(database: &Database, tables: &[FoundTable], file: &Path) -> anyhow::Result<String> {
    let (mut served, mut refused, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
    let mut whole = Vec::new();
    for table in tables {
        match table.whole() {
            Ok(resource) => {
                served.push(table.name.to_string());
                let names = table.columns.iter().filter(|c| c.is_readable && c.is_secret());
                let names = names.map(|c| &*c.column.name);
                let names = names.filter(|name| resource.schema.position(name).is_none());
                hidden.extend(names.map(|name| format!("{}.{name}", table.name)));
                whole.push(resource);
            }
            Err(reason) => refused.push(format!("{}: {reason}", table.name)),
        }
    }
    let (mark, file) = (comment(database), file.display());
    let mut text = String::new();
    let mut say = |line: &str| {
        // Writing to a String cannot fail. A name may hold the end of a line.
        let _ = writeln!(text, "{mark}{}", line.replace(char::is_control, " "));
    };
    say(&format!("{file} has {} tables to review: {}", served.len(), listed(served.into_iter())));
    if !hidden.is_empty() {
        say(&format!("hidden, their names look like secrets: {}", listed(hidden.into_iter())));
    }
    if !refused.is_empty() {
        say(&format!("{} not served; the file has them as comments:", refused.len()));
        for line in refused.iter().take(LISTED_MAX) {
            say(&format!("  {line}"));
        }
    }
    if let Database::Postgres(url) = database {
        say("a role that may read exactly these tables and columns:");
        text.push_str(&reading_role(url, tables, &whole)?);
    }
    let then = match database {
        Database::Postgres(_) => "then, with that role in the URL:",
        Database::File(_) => "then:",
    };
    let _ = writeln!(
        text,
        "{mark}{then}\n{mark}  plimsoll serve --database '{database}' --resources '{file}'"
    );
    Ok(text)
}

/// What stands in front of a line that is no SQL.
fn comment(database: &Database) -> &'static str {
    match database {
        Database::Postgres(_) => "-- ",
        Database::File(_) => "",
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = names.collect();
    let shown = all[..all.len().min(LISTED_MAX)].join(", ");
    match all.len().saturating_sub(LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
