//! Looking at a SQLite file: tables, columns, keys and indexes.
//!
//! ```text
//!   sqlite_schema ─> table_xinfo ─> columns, key      (no key: the row id, if there is one)
//!                 └> index_list / index_xinfo ─> access paths, unique sets
//! ```
//!
//! Promises: reads only; a table that cannot be served in pages says why; names that look like
//! secrets are left out.
//! Never: trusts a declared type. SQLite checks types only in STRICT tables, so elsewhere a
//! column is `any` unless its declaration gives it INTEGER or REAL affinity, and even then each
//! value comes back as what it is.

use std::mem::take;
use std::path::Path;

use plimsoll::record::{Column, ColumnType, Schema};
use rusqlite::Connection;

use super::beside::Beside;
use super::connection::{Bounds, Role, open};
use super::failure::explain;
use super::fts;
use crate::catalogue::{
    FoundColumn, FoundIndex, FoundTable, Index, IndexColumn, Nulls, Reference, Resource, Searching,
    TableKind, all,
};
use crate::error::Result;

/// The name of the access path that is the table itself.
pub(super) const ROW_ID: &str = "row id";

/// A table that is not served, and why.
type Refused = (Box<str>, &'static str);

/// The tables of a file as read-only resources, and those that cannot be served.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] when the file is no SQLite database.
pub fn introspect(file: &Path) -> Result<(Vec<Resource>, Vec<Refused>)> {
    Ok(all(&survey(file)?))
}

/// Everything in a file that could be served.
///
/// # Errors
/// [`crate::ErrorKind::Corrupt`] when the file is no SQLite database.
pub fn survey(file: &Path) -> Result<Vec<FoundTable>> {
    let beside = Beside::look(file);
    let found = look(file);
    beside.tidy();
    found
}

fn look(file: &Path) -> Result<Vec<FoundTable>> {
    let connection = open(file, Role::Reader, Bounds::SETUP)?;
    let fail = |e| explain(&format!("looking at {}", file.display()), &e);
    let tables = tables(&connection).map_err(fail)?;
    let declared = fts::declared(&connection).map_err(fail)?;
    let found = |table| found(&connection, table, &declared).map_err(fail);
    tables.iter().map(found).collect()
}

/// Fills in the access paths of resources that a pack defined.
pub(super) fn complete(connection: &Connection, resources: &mut [Resource]) -> Result<()> {
    let looking = |e| explain("looking at what is searched", &e);
    let declared = fts::declared(connection).map_err(looking)?;
    for resource in resources {
        let what = format!("looking at {}", resource.name);
        let fail = |e| explain(&what, &e);
        let rowid = rowid_key(connection, resource).map_err(fail)?;
        drop(access_paths(connection, resource, rowid).map_err(fail)?);
        if let Some(search) = &mut resource.search {
            let columns = &resource.schema.columns;
            let of = fts::Of {
                table: &resource.name,
                columns: columns.iter().map(|c| (&*c.name, c.kind)).collect(),
                row_id: rowid.map(|key| &*columns[key].name),
                has_row_ids: rowid.is_some()
                    || has_row_ids(connection, &resource.name).map_err(fail)?,
            };
            *search = fts::searching(&declared, &of).of(take(&mut search.columns));
        }
    }
    Ok(())
}

fn has_row_ids(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let text = "select exists (select 1 from pragma_table_list \
                where schema = 'main' and name = ?1 and type = 'table' and not wr)";
    connection.query_row(text, [table], |r| r.get(0))
}

/// Why a table whose only key looks like a secret is not served unasked.
const SECRET_KEY: &str =
    "its key looks like a secret; name the table in a resources file to serve it";

struct Table {
    name: Box<str>,
    kind: TableKind,
    without_rowid: bool,
    strict: bool,
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut statement = connection.prepare(
        "select name, type, wr, strict from pragma_table_list \
         where schema = 'main' and type in ('table', 'view', 'virtual') \
         and name not like 'sqlite\\_%' escape '\\' \
         and name not like 'plimsoll\\_%' escape '\\' order by name",
    )?;
    let rows = statement.query_map([], |r| {
        Ok(Table {
            name: r.get::<_, String>(0)?.into(),
            kind: match &*r.get::<_, String>(1)? {
                "view" => TableKind::View,
                "virtual" => TableKind::Foreign,
                _ => TableKind::Table,
            },
            without_rowid: r.get(2)?,
            strict: r.get(3)?,
        })
    })?;
    rows.collect()
}

struct Field {
    name: Box<str>,
    declared: String,
    not_null: bool,
    key_place: u32,
    hidden: bool,
}

fn fields(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Field>> {
    let mut statement = connection
        .prepare("select name, type, \"notnull\", pk, hidden from pragma_table_xinfo(?1)")?;
    let rows = statement.query_map([table], |r| {
        Ok(Field {
            name: r.get::<_, String>(0)?.into(),
            declared: r.get::<_, String>(1)?.to_ascii_uppercase(),
            not_null: r.get(2)?,
            key_place: r.get(3)?,
            // 1 is a hidden column of a virtual table; 2 and 3 are generated columns, which read.
            hidden: r.get::<_, i64>(4)? == 1,
        })
    })?;
    rows.collect()
}

fn found(
    connection: &Connection,
    table: &Table,
    declared: &[fts::Declared],
) -> rusqlite::Result<FoundTable> {
    let fields = fields(connection, &table.name)?;
    let mut columns: Vec<FoundColumn> = fields
        .iter()
        .filter(|f| !f.hidden)
        .map(|field| {
            column(&field.name, &field.declared, kind(&field.declared, table.strict), field)
        })
        .collect();
    let in_key = |f: &&Field| f.key_place > 0;
    let mut key: Vec<(u32, usize)> = fields
        .iter()
        .filter(in_key)
        .filter_map(|f| Some((f.key_place, columns.iter().position(|c| c.column.name == f.name)?)))
        .collect();
    key.sort_unstable();
    let mut key: Vec<usize> = key.into_iter().map(|(_, column)| column).collect();
    let is_table = table.kind == TableKind::Table;
    let mut rowid =
        if is_table && is_rowid(connection, &table.name, &fields)? { Some(key[0]) } else { None };
    if let Some(alias) = rowid {
        columns[alias].column.nullable = false;
    }
    // A declared key of an ordinary table may hold NULLs, several of them: not a key to page by.
    let key_has_null = key.iter().any(|&c| columns[c].column.nullable) && !table.without_rowid;
    let is_secret = key.iter().any(|&c| columns[c].is_secret());
    let keyless = key.is_empty() || key_has_null || is_secret;
    let has_row_id = is_table
        && !table.without_rowid
        && !columns.iter().any(|c| c.column.name.eq_ignore_ascii_case("rowid"));
    if keyless && has_row_id && rowid.is_none() {
        let column = Column { name: "rowid".into(), kind: ColumnType::Int, nullable: false };
        columns.push(FoundColumn {
            column,
            declared: "row id".into(),
            comment: None,
            is_readable: true,
            is_collated: false,
            other_kinds: &[],
        });
        key = vec![columns.len() - 1];
        rowid = Some(key[0]);
    }
    let has_key = !key.is_empty() && (!key_has_null || rowid.is_some());
    let why = why_not(table, has_key, key.iter().any(|&c| columns[c].is_secret()));
    let indexes = indexes(connection, table, &columns, &key, rowid)?;
    let searching = searching(table, &columns, rowid, declared);
    Ok(FoundTable {
        name: table.name.clone(),
        qualified: table.name.clone(),
        schema: "".into(),
        kind: table.kind,
        comment: None,
        columns,
        key: why.map_or(Ok(key), Err),
        indexes,
        references: references(connection, &table.name)?,
        notes: None,
        searching,
    })
}

/// Why a table cannot be served unasked.
fn why_not(table: &Table, has_key: bool, is_secret: bool) -> Option<&'static str> {
    match table.kind {
        TableKind::Table if !has_key => {
            Some("it has no key, and a column of its own hides the row id")
        }
        TableKind::Table if is_secret => Some(SECRET_KEY),
        TableKind::Table => None,
        TableKind::Foreign => Some("a virtual table has no index to page by"),
        TableKind::View | TableKind::MaterializedView => {
            Some("a view has no key to page by; name one in a resources file")
        }
    }
}

fn searching(
    table: &Table,
    columns: &[FoundColumn],
    rowid: Option<usize>,
    declared: &[fts::Declared],
) -> Searching {
    let of = fts::Of {
        table: &table.name,
        columns: columns.iter().map(|c| (&*c.column.name, c.column.kind)).collect(),
        row_id: rowid.map(|key| &*columns[key].column.name),
        has_row_ids: table.kind == TableKind::Table && !table.without_rowid,
    };
    fts::searching(declared, &of)
}

fn column(name: &str, declared: &str, kind: ColumnType, field: &Field) -> FoundColumn {
    FoundColumn {
        column: Column { name: name.into(), kind, nullable: !field.not_null },
        declared: if declared.is_empty() { "no type".into() } else { declared.into() },
        comment: None,
        is_readable: true,
        is_collated: false,
        // Each value comes back as what it is.
        other_kinds: if kind == ColumnType::Any { &[] } else { &[ColumnType::Any] },
    }
}

/// The access paths, worked out over all columns.
fn indexes(
    connection: &Connection,
    table: &Table,
    columns: &[FoundColumn],
    key: &[usize],
    rowid: Option<usize>,
) -> rusqlite::Result<Vec<FoundIndex>> {
    let schema = Schema { columns: columns.iter().map(|c| c.column.clone()).collect() };
    let mut whole = Resource::new(&table.name, schema, key.to_vec());
    let widths = access_paths(connection, &mut whole, rowid)?;
    let found = whole.indexes.into_iter().zip(widths).map(|(index, declared)| FoundIndex {
        unique: declared.is_unique,
        width: declared.width,
        name: index.name,
        columns: index.columns,
    });
    Ok(found.collect())
}

fn references(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Reference>> {
    let mut statement = connection.prepare(
        "select id, \"table\", \"from\", \"to\" from pragma_foreign_key_list(?1) order by id, seq",
    )?;
    let mut rows = statement.query([table])?;
    let (mut references, mut last) = (Vec::<Reference>::new(), None);
    while let Some(row) = rows.next()? {
        let (id, theirs): (i64, String) = (row.get(0)?, row.get(1)?);
        if last != Some(id) {
            let table = theirs.into();
            references.push(Reference { columns: Vec::new(), table, their_columns: Vec::new() });
        }
        last = Some(id);
        if let Some(reference) = references.last_mut() {
            reference.columns.push(row.get::<_, String>(2)?.into());
            reference.their_columns.extend(row.get::<_, Option<String>>(3)?.map(Into::into));
        }
    }
    Ok(references)
}

/// SQLite's affinity rules, as far as the value's type can be relied on.
pub(super) fn kind(declared: &str, strict: bool) -> ColumnType {
    if declared.contains("INT") {
        ColumnType::Int
    } else if ["REAL", "FLOA", "DOUB"].iter().any(|word| declared.contains(word)) {
        ColumnType::Float
    } else if ["CHAR", "CLOB", "TEXT"].iter().any(|word| declared.contains(word)) {
        ColumnType::Text
    } else if declared == "BLOB" && strict {
        ColumnType::Bytes
    } else {
        ColumnType::Any
    }
}

/// The column that is the row id, which SQLite appends to every index: the declared key, or one
/// that looking at the table added because there was none.
fn rowid_key(connection: &Connection, resource: &Resource) -> rusqlite::Result<Option<usize>> {
    let fields = fields(connection, &resource.name)?;
    let key = resource.key[0];
    let declared = fields.iter().any(|f| f.name == resource.schema.columns[key].name);
    let is = !declared || is_rowid(connection, &resource.name, &fields)?;
    Ok(is.then_some(key))
}

/// Whether the declared key is the row id itself: then no index of its own stands behind it, as
/// one does for `INTEGER PRIMARY KEY DESC` and in a table without row ids.
fn is_rowid(connection: &Connection, table: &str, fields: &[Field]) -> rusqlite::Result<bool> {
    let mut key = fields.iter().filter(|f| f.key_place > 0);
    if !matches!((key.next(), key.next()), (Some(f), None) if f.declared == "INTEGER") {
        return Ok(false);
    }
    let text = "select count(*) from pragma_index_list(?1) where origin = 'pk'";
    Ok(connection.query_row(text, [table], |r| r.get::<_, i64>(0))? == 0)
}

/// What an index was made with.
struct Declared {
    is_unique: bool,
    width: usize,
}

/// Adds the access paths to the resource; what each was made with, in their order.
fn access_paths(
    connection: &Connection,
    resource: &mut Resource,
    rowid: Option<usize>,
) -> rusqlite::Result<Vec<Declared>> {
    let mut all = Vec::new();
    if let Some(column) = rowid {
        all.push(Declared { is_unique: true, width: 1 });
        let columns = vec![IndexColumn { column, descending: false, nulls: Nulls::Smallest }];
        resource.indexes.push(Index { name: ROW_ID.into(), columns });
    }
    let mut list =
        connection.prepare("select name, \"unique\", partial from pragma_index_list(?1)")?;
    let indexes: Vec<(String, bool, bool)> = list
        .query_map([&*resource.name], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (name, unique, partial) in indexes {
        if partial {
            continue;
        }
        let Some((declared, columns)) = index_columns(connection, resource, rowid, &name)? else {
            continue;
        };
        if unique {
            let set: Vec<usize> = columns[..declared].iter().map(|c| c.column).collect();
            // NULLs do not collide, so only a set without NULL tells rows apart.
            if set.iter().all(|&c| !resource.schema.columns[c].nullable)
                && !resource.unique.contains(&set)
            {
                resource.unique.push(set);
            }
        }
        all.push(Declared { is_unique: unique, width: declared });
        resource.indexes.push(Index { name: name.into(), columns });
    }
    Ok(all)
}

/// The columns of an index, with how many of them were declared; the others are what SQLite
/// appends: the row id, or the key of a table without row ids. `None` when the index cannot be
/// used for order: an expression, a hidden column, or a collation other than its column's own.
fn index_columns(
    connection: &Connection,
    resource: &Resource,
    rowid: Option<usize>,
    index: &str,
) -> rusqlite::Result<Option<(usize, Vec<IndexColumn>)>> {
    let mut statement =
        connection.prepare("select cid, name, \"desc\", coll, key from pragma_index_xinfo(?1)")?;
    let mut rows = statement.query([index])?;
    let (mut declared, mut columns) = (0, Vec::<IndexColumn>::new());
    while let Some(row) = rows.next()? {
        let in_key: bool = row.get("key")?;
        let name: Option<String> = row.get("name")?;
        let column = match &name {
            Some(name) => resource.schema.position(name),
            None if row.get::<_, i64>("cid")? == -1 => rowid,
            None => None,
        };
        let own = match &name {
            Some(name) => {
                collation(connection, &resource.name, name)? == row.get::<_, String>("coll")?
            }
            None => true,
        };
        // In a table without row ids the index of the key lists the other columns too: no order.
        let ordered =
            in_key || column.is_some_and(|c| Some(c) == rowid || resource.key.contains(&c));
        match column {
            Some(column) if own && ordered => {
                declared += usize::from(in_key);
                if !columns.iter().any(|c| c.column == column) {
                    let (descending, nulls) = (row.get("desc")?, Nulls::Smallest);
                    columns.push(IndexColumn { column, descending, nulls });
                }
            }
            _ if in_key => return Ok(None),
            _ => break,
        }
    }
    Ok(Some((declared, columns)))
}

/// The collation a column compares with where nothing else is said.
fn collation(connection: &Connection, table: &str, column: &str) -> rusqlite::Result<String> {
    let (_, collation, ..) = connection.column_metadata(Some("main"), table, column)?;
    Ok(collation.map_or_else(|| "BINARY".to_owned(), |name| name.to_string_lossy().into_owned()))
}
