//! Looking at a PostgreSQL database: tables, columns, keys and indexes.
//!
//! ```text
//!   survey ─> FoundTable ─┬─ introspect: all that may be shown, as resources
//!                         └─ complete: what packs defined gets its access paths
//! ```
//!
//! Promises: reads only; a table that cannot be served in pages says why; names that look like
//! secrets, and what the role may not read, are not shown.
//! Never: a statement of its own; see `survey`.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;

use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll::record::{Column, ColumnType};
use tokio_postgres::Client;

use super::config::PostgresConfig;
use super::connection::Link;
use super::dialect::quote;
use super::hosts::Hosts;
use super::native::Table;
use super::open::Known;
use super::searching::{Indexed, searching};
use super::survey::{Field, Listed, Path, Seen, look};
use super::types::other_kinds;
use crate::catalogue::{
    FoundColumn, FoundIndex, FoundTable, Handle, IndexColumn, Notes, Nulls, Resource, Searching,
    TableKind, all, looks_secret,
};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Pending;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The tables that can be served, read-only.
    pub resources: Vec<Resource>,
    /// Tables that cannot, and why.
    pub refused: Vec<(Box<str>, &'static str)>,
}

/// The tables of a database as read-only resources, and those that cannot be served.
///
/// # Errors
/// When there is no connection or the catalogues cannot be read.
pub fn introspect(config: &PostgresConfig) -> Result<Found> {
    let (resources, refused) = all(&survey(config)?);
    Ok(Found { resources, refused })
}

/// Everything in a database that could be served.
///
/// # Errors
/// When there is no connection or the catalogues cannot be read.
pub fn survey(config: &PostgresConfig) -> Result<Vec<FoundTable>> {
    let (promise, pending) = Pending::<()>::new();
    let mut link = Link::new(Arc::new(Hosts::of_one(&config.url)?))?;
    let seen = link.run(&promise.watch(), async |client| look(client).await);
    drop(pending);
    let row_bytes_max = config.row_bytes_max();
    Ok(seen?.into_iter().map(|seen| found(seen, row_bytes_max)).collect())
}

/// Fills in the access paths of resources that a pack defined, and says what the server calls
/// their tables.
pub(super) async fn complete(
    client: &Client,
    resources: &mut [Resource],
) -> Result<BTreeMap<Box<str>, Table>> {
    let mut tables = BTreeMap::new();
    let seen = look(client).await?;
    for resource in resources {
        let of = seen.iter().find(|seen| seen.table.resource_name() == resource.name);
        let Some(Seen { table, fields, paths, searches, .. }) = of else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("the database has no table {}: run plimsoll migrate", resource.name),
            ));
        };
        let field = |column: &Column| {
            fields.iter().find(|f| f.column.name == column.name).ok_or_else(|| {
                let name = &resource.name;
                Error::invalid(format!("the table {name} has no column {}", column.name))
            })
        };
        let of: Vec<&Field> = resource.schema.columns.iter().map(field).collect::<Result<_>>()?;
        let columns = of.iter().map(|f| f.native.clone()).collect();
        let numbers: Vec<i32> = of.iter().map(|f| f.number).collect();
        resource.collated = (0..of.len()).filter(|&at| of[at].collated).collect();
        let place = |number| numbers.iter().position(|&n| n == number);
        for index in paths.iter().filter_map(|path| index(path, &place)) {
            index.add_to(resource, &Some);
        }
        if let Some(search) = &mut resource.search {
            *search = searches_of(table, fields, searches).of(take(&mut search.columns));
        }
        let (schema, name) = ((&*table.schema).into(), (&*table.name).into());
        let unique = unique_sets(paths, &place);
        let row_bytes_max = ROW_BYTES_MAX as u64;
        tables
            .insert(resource.name.clone(), Table { schema, name, columns, unique, row_bytes_max });
    }
    Ok(tables)
}

fn found(seen: Seen, row_bytes_max: u64) -> FoundTable {
    let Seen { table, fields, paths, references, searches } = seen;
    let kind = match &*table.kind {
        "v" => TableKind::View,
        "m" => TableKind::MaterializedView,
        "f" => TableKind::Foreign,
        _ => TableKind::Table,
    };
    let place = |number: i32| fields.iter().position(|f| f.number == number);
    let key = match kind {
        TableKind::Table => key(&fields, &paths),
        TableKind::Foreign => Err("a foreign table has no index to page by"),
        TableKind::View | TableKind::MaterializedView => {
            Err("a view has no key to page by; name one in a resources file")
        }
    };
    let key = key.map(|numbers| numbers.into_iter().filter_map(place).collect());
    let indexes = paths.iter().filter_map(|path| index(path, &place)).collect();
    let native = Table {
        schema: (&*table.schema).into(),
        name: (&*table.name).into(),
        columns: fields.iter().map(|f| f.native.clone()).collect(),
        unique: unique_sets(&paths, &place),
        row_bytes_max,
    };
    let searching = searches_of(&table, &fields, &searches);
    let notes = notes(native, fields.iter().map(|f| f.column.kind).collect());
    FoundTable {
        name: table.resource_name(),
        qualified: format!("{}.{}", table.schema, table.name).into(),
        schema: table.schema.into(),
        kind,
        comment: table.comment.map(Into::into),
        columns: fields.into_iter().map(column).collect(),
        key,
        indexes,
        references,
        notes: Some(notes),
        searching,
    }
}

fn searches_of(table: &Listed, fields: &[Field], indexed: &[Indexed]) -> Searching {
    let qualified = format!("{}.{}", quote(&table.schema), quote(&table.name));
    let can_be_indexed = matches!(&*table.kind, "r" | "p" | "m");
    searching((qualified, &table.name, can_be_indexed), fields, indexed)
}

fn column(field: Field) -> FoundColumn {
    FoundColumn {
        other_kinds: other_kinds(field.column.kind),
        column: field.column,
        declared: field.declared.into(),
        comment: field.comment.map(Into::into),
        is_readable: field.readable,
        is_collated: field.collated,
    }
}

/// The sets of columns that unique indexes are over, the primary key's first.
fn unique_sets(paths: &[Path], place: &dyn Fn(i32) -> Option<usize>) -> Vec<Vec<usize>> {
    let whole = |path: &Path| -> Option<Vec<usize>> {
        path.columns.iter().map(|&(number, _, own)| place(number).filter(|_| own)).collect()
    };
    paths.iter().filter(|path| path.unique).filter_map(whole).collect()
}

/// What the server calls the columns that are served, of a table with all it has.
fn notes(whole: Table, kinds: Vec<ColumnType>) -> Notes {
    Box::new(move |columns| Handle::new(Known::new(whole.served_as(columns, &kinds))))
}

/// The column numbers of the primary key, else of the narrowest unique index without NULLs; one
/// that may be shown unasked.
fn key(fields: &[Field], paths: &[Path]) -> Result<Vec<i32>, &'static str> {
    let readable = |number: i32| fields.iter().find(|f| f.number == number && f.readable);
    let fit = |path: &&Path| {
        path.unique
            && path.columns.iter().all(|(number, _, own)| {
                *own && readable(*number).is_some_and(|f| path.primary || !f.column.nullable)
            })
    };
    let shown = |path: &&Path| {
        let is_secret = |f: &Field| looks_secret(&f.column.name);
        path.columns.iter().all(|(number, ..)| readable(*number).is_some_and(|f| !is_secret(f)))
    };
    let fitting = || paths.iter().filter(fit);
    let best = fitting().filter(shown).min_by_key(|path| (!path.primary, path.width));
    match best {
        Some(best) => Ok(best.columns.iter().map(|(number, ..)| *number).collect()),
        None if fitting().next().is_some() => {
            Err("its key looks like a secret; name the table in a resources file to serve it")
        }
        None => Err(
            "it has no primary key, nor a unique index over columns that are NOT NULL, that the \
             role may read",
        ),
    }
}

/// A path up to the first column that has no order here: an expression, or one with an order of
/// the index's own.
fn index(path: &Path, place: &dyn Fn(i32) -> Option<usize>) -> Option<FoundIndex> {
    let known = path.columns.iter().map_while(|&(number, options, own)| {
        let column = place(number).filter(|_| own)?;
        let (descending, nulls_first) = (options & 1 != 0, options & 2 != 0);
        let nulls = if nulls_first == descending { Nulls::Largest } else { Nulls::Smallest };
        Some(IndexColumn { column, descending, nulls })
    });
    let columns: Vec<IndexColumn> = known.collect();
    let (name, unique, width) = ((&*path.name).into(), path.unique, path.width);
    (!columns.is_empty()).then_some(FoundIndex { name, unique, width, columns })
}
