//! `plimsoll migrate`: brings the embedded database up to date.
//!
//! Promises: what ran is listed; running it again does nothing.
//! Never: touches a file that is not the embedded database.

use std::io::Write as _;
use std::path::Path;

use plimsoll::record::Timestamp;
use plimsoll_store::catalogue::Pack;
use plimsoll_store::sqlite::{migrate, migration_states};

use crate::args::{Global, MigrateArgs};
use crate::exit::Outcome;
use crate::{database, setup};

pub(crate) fn run(global: &Global, args: &MigrateArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let config = setup::config(global)?;
    let data = config.path("data_dir").unwrap_or(Path::new("."));
    let file = data.join("plimsoll.db");
    if !args.status {
        let file = database::file(data)?;
        for pack in packs {
            migrate(&file, &pack.migrations, database::now_micros())?;
        }
    }
    let mut out = crate::exit::stdout();
    let mut rows = Vec::new();
    for pack in packs {
        for state in migration_states(&file, &pack.migrations)? {
            let applied = state.applied_at.map(|at| Timestamp::from_micros(at).to_string());
            rows.push(serde_json::json!({
                "pack": pack.name, "migration": state.id, "applied_at": applied,
            }));
            if !args.json {
                let when = applied.as_deref().unwrap_or("not yet");
                writeln!(out, "{:<10} {:<24} {when}", pack.name, state.id)?;
            }
        }
    }
    if args.json {
        writeln!(out, "{}", serde_json::Value::Array(rows))?;
    }
    Ok(Outcome::Done)
}
