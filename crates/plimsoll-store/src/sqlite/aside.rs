//! Indexes, of words too, that are out of the way while an empty table is filled.
//!
//! ```text
//!   empty table ─ set ─> no plain indexes, definitions in plimsoll_state ─ restore ─> all built
//!                        no triggers that fill FTS5 tables                             and filled
//!                             │ killed
//!                             └─> the next one to open the file restores
//! ```
//!
//! Promises: an index is either there or its definition is kept, in one transaction.
//! Never: a unique index, which rows are checked against; or a table that holds rows.

use rusqlite::Connection;

use super::dialect::quote;
use super::failure::explain;
use super::fillers::{Filler, fillers};
use crate::error::Result;

/// The kind of state that keeps definitions: the key is `table/index`, the state is the SQL.
const KIND: &str = "index aside";

/// Drops the plain indexes of an empty table and keeps their definitions.
pub(super) fn set(connection: &Connection, table: &str) -> Result<u64> {
    let run = || {
        let rows = format!("select exists (select 1 from {})", quote(table));
        if connection.query_row(&rows, [], |r| r.get::<_, bool>(0))? {
            return Ok(0);
        }
        let mut found = connection.prepare(
            "select name, sql from sqlite_schema where type = 'index' and tbl_name = ?1 \
             and sql is not null and upper(substr(sql, 1, 13)) <> 'CREATE UNIQUE'",
        )?;
        let indexes: Vec<(String, String)> = found
            .query_map([table], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let keep = |name: &str, sql: &str| {
            connection.execute(
                "insert into plimsoll_state (kind, key, state) values (?1, ?2 || '/' || ?3, ?4)",
                [KIND, table, name, sql],
            )
        };
        for (name, sql) in &indexes {
            keep(name, sql)?;
            connection.execute_batch(&format!("drop index {}", quote(name)))?;
        }
        let fillers = fillers(connection, table)?;
        for Filler { name, sql, fts } in &fillers {
            // Triggers have names of their own, which an index may have too.
            keep(&format!("trigger {name}"), sql)?;
            let fts = quote(fts);
            let filled = format!("insert into {fts} ({fts}) values ('rebuild')");
            if !fillers.iter().take_while(|f| f.name != *name).any(|f| quote(&f.fts) == fts) {
                keep(&format!("words {fts}"), &filled)?;
            }
            connection.execute_batch(&format!("drop trigger {}", quote(name)))?;
        }
        Ok((indexes.len() + fillers.len()) as u64)
    };
    run().map_err(|e| explain(&format!("setting the indexes of {table} aside"), &e))
}

/// Builds what was set aside of one table, or of all.
pub(super) fn restore(connection: &Connection, table: Option<&str>) -> Result<u64> {
    let run = || {
        let mut found = connection.prepare(
            "select key, state from plimsoll_state where kind = ?1 \
             and (?2 is null or substr(key, 1, length(?2) + 1) = ?2 || '/')",
        )?;
        let kept: Vec<(String, String)> = found
            .query_map((KIND, table), |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        // One helper sorts a full buffer while the next one fills.
        connection.pragma_update(None, "threads", 1)?;
        for (key, sql) in &kept {
            connection.execute_batch(sql)?;
            connection
                .execute("delete from plimsoll_state where kind = ?1 and key = ?2", [KIND, key])?;
        }
        connection.pragma_update(None, "threads", 0)?;
        Ok(kept.len() as u64)
    };
    run().map_err(|e| explain("building indexes that were set aside", &e))
}
