//! Looking at a PostgreSQL database: tables, columns, keys and indexes.
//!
//! ```text
//!   pg_class ─> pg_attribute ─> columns        three statements, whatever the number of tables
//!            └> pg_index     ─> key, unique sets, access paths
//! ```
//!
//! Promises: reads only; a table that cannot be served in pages says why; names that look like
//! secrets, and what the role may not read, are left out; the schema `plimsoll` is not looked at.
//! Never: a statement per table.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll::limits::{COLUMNS_MAX, ROW_BYTES_MAX};
use plimsoll::record::{Column, ColumnType, Schema};
use tokio_postgres::Client;

use super::connection::Link;
use super::failure::explain;
use super::hosts::Hosts;
use super::native::{Codec, Extent, NativeColumn, Table};
use super::open::PostgresConfig;
use crate::catalogue::{Index, IndexColumn, Nulls, Resource, looks_secret};
use crate::error::{Error, ErrorKind, Result};
use crate::pending::Pending;

/// Bytes of a `varchar(n)` up to which its length is not asked for.
const TEXT_BYTES_SMALL: u64 = 64 << 10;
/// What a value of any type of fixed size, or a numeric within its limits, has in bytes at most.
const SCALAR_BYTES_MAX: u64 = 256;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The tables that can be served, read-only.
    pub resources: Vec<Resource>,
    /// What the server calls them, by the resource's name.
    pub tables: BTreeMap<Box<str>, Table>,
    /// Tables that cannot, and why.
    pub refused: Vec<(Box<str>, &'static str)>,
}

const TABLES: &str = "
select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       n.nspname = coalesce((select s from unnest(current_schemas(false)) with ordinality as p(s, o)
                             where s <> 'plimsoll' order by o limit 1), 'public')
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  and n.nspname not in ('pg_catalog', 'information_schema', 'plimsoll')
  and n.nspname not like 'pg\\_toast%' and n.nspname not like 'pg\\_temp%'
  and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_class'::regclass
                  and d.objid = c.oid and d.deptype = 'e')
  and has_schema_privilege(n.oid, 'usage')
order by n.nspname, c.relname";

/// A domain is read as the type under it.
const COLUMNS: &str = "
with recursive base as (
  select t.oid as domain, t.oid, t.typtype, t.typbasetype, t.typname, t.typtypmod, t.typnotnull
  from pg_catalog.pg_type t where t.typtype = 'd'
  union all
  select b.domain, t.oid, t.typtype, t.typbasetype, t.typname,
         case when t.typtype = 'd' then t.typtypmod else b.typtypmod end,
         b.typnotnull or t.typnotnull
  from base b join pg_catalog.pg_type t on t.oid = b.typbasetype where b.typtype = 'd'
)
select a.attrelid::bigint, a.attnum::int, a.attname::text,
       coalesce(b.typname, t.typname)::text, coalesce(b.oid, t.oid) < 10000,
       format_type(coalesce(b.oid, t.oid), null),
       case when b.oid is null then a.atttypmod else b.typtypmod end,
       a.attnotnull or coalesce(b.typnotnull, false),
       coalesce(l.collname in ('C', 'POSIX', 'ucs_basic')
                or l.collname = 'default' and d.datcollate in ('C', 'POSIX'), true),
       has_column_privilege(a.attrelid, a.attnum, 'select')
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p')
join pg_catalog.pg_type t on t.oid = a.atttypid
left join base b on b.domain = a.atttypid and b.typtype <> 'd'
left join pg_catalog.pg_collation l on l.oid = a.attcollation
join pg_catalog.pg_database d on d.datname = current_database()
where a.attnum > 0 and not a.attisdropped and c.relnamespace <> 'pg_catalog'::regnamespace
order by a.attrelid, a.attnum";

/// Whole indexes in the order of their columns' own type and collation.
const INDEXES: &str = "
select i.indrelid::bigint, c.relname::text, i.indisunique and i.indimmediate, i.indisprimary,
       i.indnkeyatts::int, k.place::int, k.attnum::int, (i.indoption[k.place - 1])::int,
       o.opcdefault and (a.attcollation = i.indcollation[k.place - 1])
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class r on r.oid = i.indrelid and r.relkind in ('r', 'p')
join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_catalog.pg_opclass o on o.oid = i.indclass[k.place - 1]
left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indisvalid and i.indpred is null and k.place <= i.indnkeyatts
  and r.relnamespace <> 'pg_catalog'::regnamespace
order by i.indrelid, not i.indisprimary, c.relname, k.place";

/// The tables of a database as read-only resources, and those that cannot be served.
///
/// # Errors
/// When there is no connection or the catalogues cannot be read.
pub fn introspect(config: &PostgresConfig) -> Result<Found> {
    let (promise, pending) = Pending::<()>::new();
    let mut link = Link::new(Arc::new(Hosts::of_one(&config.url)?))?;
    let seen = link.run(&promise.watch(), async |client| look(client).await);
    drop(pending);
    let mut found = Found::default();
    for Seen { table, fields, paths } in seen? {
        let name = table.resource_name();
        match resource(&name, &table, fields, &paths) {
            Ok((resource, native)) => {
                found.resources.push(resource);
                found.tables.insert(name, native);
            }
            Err(reason) => found.refused.push((name, reason)),
        }
    }
    Ok(found)
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
        let Some(Seen { table, fields, paths }) = of else {
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
        let place = |number: i32| numbers.iter().position(|&n| n == number);
        for path in paths {
            add_path(resource, path, &place);
        }
        let (schema, name) = ((&*table.schema).into(), (&*table.name).into());
        let unique = unique_sets(paths, &place);
        let row_bytes_max = ROW_BYTES_MAX as u64;
        tables
            .insert(resource.name.clone(), Table { schema, name, columns, unique, row_bytes_max });
    }
    Ok(tables)
}

/// A table with everything that was seen of it.
struct Seen {
    table: Listed,
    fields: Vec<Field>,
    paths: Vec<Path>,
}

impl Listed {
    /// With its schema, unless that is where unqualified names are looked up.
    fn resource_name(&self) -> Box<str> {
        if self.is_default {
            (&*self.name).into()
        } else {
            format!("{}.{}", self.schema, self.name).into()
        }
    }
}

struct Listed {
    schema: String,
    name: String,
    kind: String,
    is_default: bool,
}

struct Field {
    number: i32,
    column: Column,
    native: NativeColumn,
    collated: bool,
}

struct Path {
    name: String,
    unique: bool,
    primary: bool,
    width: usize,
    /// Column number, options, and whether it is in its column's own order.
    columns: Vec<(i32, i32, bool)>,
}

async fn look(client: &Client) -> Result<Vec<Seen>> {
    let fail = |e: tokio_postgres::Error| explain("looking at the database", &e);
    let mut listed = Vec::new();
    for row in client.query_typed(TABLES, &[]).await.map_err(fail)? {
        let (oid, is_default): (i64, bool) = (row.get(0), row.get(4));
        let (schema, name, kind) = (row.get(1), row.get(2), row.get(3));
        listed.push((oid, Listed { schema, name, kind, is_default }));
    }
    let mut fields: BTreeMap<i64, Vec<Field>> = BTreeMap::new();
    for row in client.query_typed(COLUMNS, &[]).await.map_err(fail)? {
        let of = fields.entry(row.get(0)).or_default();
        if row.get(9) {
            of.push(field(&row));
        }
    }
    let mut paths: BTreeMap<i64, Vec<Path>> = BTreeMap::new();
    for row in client.query_typed(INDEXES, &[]).await.map_err(fail)? {
        let of = paths.entry(row.get(0)).or_default();
        let column = (row.get(6), row.get(7), row.get::<_, Option<bool>>(8).unwrap_or(false));
        if row.get::<_, i32>(5) == 1 {
            let width = usize::try_from(row.get::<_, i32>(4)).unwrap_or(0);
            let (name, unique, primary) = (row.get(1), row.get(2), row.get(3));
            of.push(Path { name, unique, primary, width, columns: Vec::new() });
        }
        if let Some(path) = of.last_mut() {
            path.columns.push(column);
        }
    }
    let seen = listed.into_iter().map(|(oid, table)| Seen {
        table,
        fields: fields.remove(&oid).unwrap_or_default(),
        paths: paths.remove(&oid).unwrap_or_default(),
    });
    Ok(seen.collect())
}

fn field(row: &tokio_postgres::Row) -> Field {
    let (name, base, built_in): (String, String, bool) = (row.get(2), row.get(3), row.get(4));
    let (cast, modifier, not_null): (String, i32, bool) = (row.get(5), row.get(6), row.get(7));
    let by_bytes: bool = row.get(8);
    let (kind, codec, extent) =
        if built_in { types(&base, modifier) } else { (ColumnType::Text, Codec::Cast, MADE) };
    Field {
        number: row.get(1),
        column: Column { name: name.into(), kind, nullable: !not_null },
        native: NativeColumn { cast: cast.into(), codec, extent },
        // Of types served as text, these have the order of their text.
        collated: !by_bytes || codec == Codec::Cast && base != "uuid",
    }
}

const SCALAR: Extent = Extent::Fixed(SCALAR_BYTES_MAX);
const MADE: Extent = Extent::Made;

/// What a type of PostgreSQL's own is served as.
fn types(name: &str, modifier: i32) -> (ColumnType, Codec, Extent) {
    match name {
        "bool" => (ColumnType::Bool, Codec::Bool, SCALAR),
        "int2" => (ColumnType::Int, Codec::Int2, SCALAR),
        "int4" => (ColumnType::Int, Codec::Int4, SCALAR),
        "int8" => (ColumnType::Int, Codec::Int8, SCALAR),
        "float4" => (ColumnType::Float, Codec::Float4, SCALAR),
        "float8" => (ColumnType::Float, Codec::Float8, SCALAR),
        "numeric" if is_amount(modifier) => (ColumnType::Money, Codec::Numeric, SCALAR),
        "timestamptz" => (ColumnType::Time, Codec::TimestampTz, SCALAR),
        "timestamp" => (ColumnType::Time, Codec::Timestamp, SCALAR),
        "bytea" => (ColumnType::Bytes, Codec::Bytea, Extent::Measured),
        "text" => (ColumnType::Text, Codec::Text, Extent::Measured),
        "varchar" | "bpchar" => (ColumnType::Text, Codec::Text, characters(modifier)),
        "uuid" | "date" | "time" | "timetz" | "interval" | "inet" | "cidr" | "macaddr" | "oid"
        | "money" | "name" | "char" | "macaddr8" | "xid" | "tid" | "pg_lsn" | "point" => {
            (ColumnType::Text, Codec::Cast, SCALAR)
        }
        _ => (ColumnType::Text, Codec::Cast, MADE),
    }
}

/// Whether a `numeric(p, s)` is an amount: at most four decimals, and 15 digits in front of them,
/// the largest of which are beyond 64 bits and refused where one is met.
fn is_amount(modifier: i32) -> bool {
    if modifier < 4 {
        return false;
    }
    let packed = modifier - 4;
    let (precision, scale) = (packed >> 16, packed & 0x7ff);
    // A negative scale has its sign in bit 10.
    scale <= 4 && precision - scale <= 15
}

fn characters(modifier: i32) -> Extent {
    match u64::try_from(modifier.saturating_sub(4)) {
        Ok(characters) if modifier >= 4 && characters * 4 <= TEXT_BYTES_SMALL => {
            Extent::Fixed(characters * 4)
        }
        _ => Extent::Measured,
    }
}

fn resource(
    name: &str,
    table: &Listed,
    fields: Vec<Field>,
    paths: &[Path],
) -> Result<(Resource, Table), &'static str> {
    match &*table.kind {
        "v" | "m" => return Err("a view has no key to page by; name one in a resources file"),
        "f" => return Err("a foreign table has no index to page by"),
        _ => {}
    }
    if fields.is_empty() {
        return Err("the role may not read it: grant it SELECT");
    }
    if fields.len() > COLUMNS_MAX {
        return Err("it has more than 512 columns");
    }
    let key = key(&fields, paths).ok_or(
        "it has no primary key, nor a unique index over columns that are NOT NULL, that the role \
         may read",
    )?;
    let hidden = |f: &Field| looks_secret(&f.column.name) && !key.contains(&f.number);
    let fields: Vec<Field> = fields.into_iter().filter(|f| !hidden(f)).collect();
    let place = |number: i32| fields.iter().position(|f| f.number == number);
    let positions: Vec<usize> = key.iter().filter_map(|&number| place(number)).collect();
    let schema = Schema { columns: fields.iter().map(|f| f.column.clone()).collect() };
    let mut resource = Resource::new(name, schema, positions);
    resource.collated = (0..fields.len()).filter(|&at| fields[at].collated).collect();
    for path in paths {
        add_path(&mut resource, path, &place);
    }
    let unique = unique_sets(paths, &place);
    let columns = fields.iter().map(|f| f.native.clone()).collect();
    let (schema, name) = ((&*table.schema).into(), (&*table.name).into());
    let row_bytes_max = ROW_BYTES_MAX as u64;
    Ok((resource, Table { schema, name, columns, unique, row_bytes_max }))
}

/// The sets of columns that unique indexes are over, the primary key's first.
fn unique_sets(paths: &[Path], place: &dyn Fn(i32) -> Option<usize>) -> Vec<Vec<usize>> {
    let whole = |path: &Path| -> Option<Vec<usize>> {
        path.columns.iter().map(|&(number, _, own)| place(number).filter(|_| own)).collect()
    };
    paths.iter().filter(|path| path.unique).filter_map(whole).collect()
}

/// The column numbers of the primary key, else of the narrowest unique index without NULLs.
fn key(fields: &[Field], paths: &[Path]) -> Option<Vec<i32>> {
    let readable = |number: i32| fields.iter().find(|f| f.number == number);
    let fit = paths.iter().filter(|path| {
        path.unique
            && path.columns.iter().all(|(number, _, own)| {
                *own && readable(*number).is_some_and(|f| path.primary || !f.column.nullable)
            })
    });
    let best = fit.min_by_key(|path| (!path.primary, path.width))?;
    Some(best.columns.iter().map(|(number, ..)| *number).collect())
}

fn add_path(resource: &mut Resource, path: &Path, place: &dyn Fn(i32) -> Option<usize>) {
    // The columns up to the first that has no order here: an expression, one that is hidden, or
    // one with an order of the index's own.
    let known = path.columns.iter().map_while(|&(number, options, own)| {
        let column = place(number).filter(|_| own)?;
        let (descending, nulls_first) = (options & 1 != 0, options & 2 != 0);
        let nulls = if nulls_first == descending { Nulls::Largest } else { Nulls::Smallest };
        Some(IndexColumn { column, descending, nulls })
    });
    let columns: Vec<IndexColumn> = known.collect();
    if columns.is_empty() {
        return;
    }
    if path.unique && columns.len() == path.width {
        let set: Vec<usize> = columns.iter().map(|c| c.column).collect();
        let null_free = set.iter().all(|&c| !resource.schema.columns[c].nullable);
        if null_free && !resource.unique.contains(&set) {
            resource.unique.push(set);
        }
    }
    resource.indexes.push(Index { name: (&*path.name).into(), columns });
}
