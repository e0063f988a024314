//! Taking Plimsoll's own schema away.
//!
//! Promises: all of it or nothing, in one transaction; what it did not make there stops it.
//! Never: a table outside the schema, nor anything that depends on one inside.

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::rows;
use super::config::PostgresConfig;
use super::control;
use super::dialect::{Sql, quote};
use super::failure::explain;
use super::migrate::alone;
use super::native::OWN_SCHEMA;
use crate::error::{Error, ErrorKind, Result};

const WHAT: &str = "dropping the schema plimsoll";

/// What is dropped by [`uninstall`], none where there is nothing of Plimsoll's. Reads only.
///
/// # Errors
/// As for [`uninstall`].
pub fn installed(config: &PostgresConfig, staging: &[&str]) -> Result<Vec<Box<str>>> {
    alone(config, async |client| look(client, staging).await)
}

/// Drops the schema `plimsoll` and returns the tables that were in it: the control tables, and
/// those of `staging`, which recipes make. The tables that migrations made stay. With them go
/// `functions`, which are the triggers of such tables.
///
/// # Errors
/// [`crate::ErrorKind::Conflict`] when the schema holds what Plimsoll did not make, or something
/// elsewhere depends on it.
pub fn uninstall(
    config: &PostgresConfig,
    staging: &[&str],
    functions: &[Box<str>],
) -> Result<Vec<Box<str>>> {
    alone(config, async |client| drop_schema(client, staging, functions).await)
}

/// The tables in the schema.
async fn look(client: &Client, staging: &[&str]) -> Result<Vec<Box<str>>> {
    let fail = |e: tokio_postgres::Error| explain(WHAT, &e);
    let sought = Sql {
        text: "select c.relname::text from pg_catalog.pg_class as c \
               join pg_catalog.pg_namespace as n on n.oid = c.relnamespace \
               where n.nspname = $1::text and c.relkind not in ('i', 'I', 't', 'c') \
               and not exists (select from pg_catalog.pg_depend as d where d.objid = c.oid \
               and d.classid = 'pg_catalog.pg_class'::regclass and d.deptype = 'i') order by 1"
            .to_owned(),
        params: vec![Value::Text(OWN_SCHEMA.into())],
    };
    let mut tables: Vec<Box<str>> = Vec::new();
    for row in rows(client, &sought).await.map_err(fail)? {
        let name: &str = row.try_get(0).map_err(fail)?;
        if !control::TABLES.contains(&name) && !staging.contains(&name) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "{WHAT}: {OWN_SCHEMA}.{name} in it was not made by Plimsoll: move it to \
                     another schema first"
                ),
            ));
        }
        tables.push(name.into());
    }
    // Without it the schema is somebody's of the same name.
    if !tables.iter().any(|name| &**name == control::TABLES[0]) {
        tables.clear();
    }
    Ok(tables)
}

/// Drops the tables, then the schema, which must be empty by then.
async fn drop_schema(
    client: &Client,
    staging: &[&str],
    functions: &[Box<str>],
) -> Result<Vec<Box<str>>> {
    let fail = |e: tokio_postgres::Error| explain(WHAT, &e);
    let begin = format!("begin; select pg_advisory_xact_lock({})", control::LOCK);
    client.batch_execute(&begin).await.map_err(fail)?;
    let tables = look(client, staging).await;
    let dropped = match tables {
        Ok(tables) if tables.is_empty() => Ok(tables),
        Ok(tables) => {
            let names: Vec<String> =
                tables.iter().map(|name| format!("{OWN_SCHEMA}.{}", quote(name))).collect();
            let functions: String = functions
                .iter()
                .map(|name| format!("drop function if exists {OWN_SCHEMA}.{}; ", quote(name)))
                .collect();
            let tables_dropped = names.join(", ");
            let text = format!("drop table {tables_dropped}; {functions}drop schema {OWN_SCHEMA}");
            client.batch_execute(&text).await.map(|()| tables).map_err(|e| refused(&e))
        }
        Err(error) => Err(error),
    };
    let end = if dropped.is_ok() { "commit" } else { "rollback" };
    client.batch_execute(end).await.map_err(fail)?;
    dropped
}

/// What depends on the tables is named in a detail, which holds names alone here.
fn refused(error: &tokio_postgres::Error) -> Error {
    let explained = explain(WHAT, error);
    match error.as_db_error().and_then(|told| told.detail()) {
        Some(detail) => Error::new(ErrorKind::Conflict, format!("{explained}: {detail}")),
        None => explained,
    }
}
