//! What PostgreSQL's own catalogues say of a database's tables.
//!
//! ```text
//!   pg_class ─> pg_attribute  ─> columns       five statements, whatever the number of tables
//!            ├> pg_index      ─> key, unique sets, access paths, what is searched
//!            └> pg_constraint ─> foreign keys
//! ```
//!
//! Promises: one snapshot and a time limit for all of them; what the role may not read is marked;
//! the schema `plimsoll` is not looked at.
//! Never: a statement per table.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt as _;
use plimsoll::record::{Column, ColumnType};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::failure::explain;
use super::native::{Codec, NativeColumn};
use super::searching::{Indexed, SEARCHES};
use super::types::{MADE, types};
use crate::catalogue::Reference;
use crate::error::Result;

/// All five together; a database that does not answer by then is not waited for.
const BEGIN: &str = "begin isolation level repeatable read read only; \
                     set local statement_timeout = '20s'; set local lock_timeout = '20s'";

const TABLES: &str = "
select c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text,
       n.nspname = coalesce((select s from unnest(current_schemas(false)) with ordinality as p(s, o)
                             where s <> 'plimsoll' order by o limit 1), 'public'),
       left(obj_description(c.oid, 'pg_class'), 201)
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
       has_column_privilege(a.attrelid, a.attnum, 'select'),
       format_type(a.atttypid, a.atttypmod), left(m.description, 201)
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and not c.relispartition
join pg_catalog.pg_type t on t.oid = a.atttypid
left join base b on b.domain = a.atttypid and b.typtype <> 'd'
left join pg_catalog.pg_collation l on l.oid = a.attcollation
join pg_catalog.pg_database d on d.datname = current_database()
left join pg_catalog.pg_description m
  on m.objoid = a.attrelid and m.classoid = 'pg_class'::regclass and m.objsubid = a.attnum
where a.attnum > 0 and not a.attisdropped and c.relnamespace <> 'pg_catalog'::regnamespace
order by a.attrelid, a.attnum";

/// Whole indexes in the order of their columns' own type and collation.
const INDEXES: &str = "
select i.indrelid::bigint, c.relname::text, i.indisunique and i.indimmediate, i.indisprimary,
       i.indnkeyatts::int, k.place::int, k.attnum::int, (i.indoption[k.place - 1])::int,
       o.opcdefault and (a.attcollation = i.indcollation[k.place - 1])
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class r on r.oid = i.indrelid and r.relkind in ('r', 'p', 'm')
  and not r.relispartition
join pg_catalog.pg_am m on m.oid = c.relam and m.amname = 'btree'
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_catalog.pg_opclass o on o.oid = i.indclass[k.place - 1]
left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indisvalid and i.indpred is null and k.place <= i.indnkeyatts
  and r.relnamespace <> 'pg_catalog'::regnamespace
order by i.indrelid, not i.indisprimary, c.relname, k.place";

const REFERENCES: &str = "
select k.conrelid::bigint, tn.nspname || '.' || t.relname,
       array(select a.attname::text from unnest(k.conkey) with ordinality as c(n, o)
             join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.n
             order by o),
       array(select a.attname::text from unnest(k.confkey) with ordinality as c(n, o)
             join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.n
             order by o)
from pg_catalog.pg_constraint k
join pg_catalog.pg_class t on t.oid = k.confrelid
join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
where k.contype = 'f' and k.conparentid = 0
order by k.conrelid, k.conname";

/// A table with everything that was seen of it.
pub(super) struct Seen {
    pub(super) table: Listed,
    pub(super) fields: Vec<Field>,
    pub(super) paths: Vec<Path>,
    pub(super) references: Vec<Reference>,
    pub(super) searches: Vec<Indexed>,
}

impl Listed {
    /// With its schema, unless that is where unqualified names are looked up.
    pub(super) fn resource_name(&self) -> Box<str> {
        if self.is_default {
            (&*self.name).into()
        } else {
            format!("{}.{}", self.schema, self.name).into()
        }
    }
}

pub(super) struct Listed {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) comment: Option<String>,
    is_default: bool,
}

pub(super) struct Field {
    pub(super) number: i32,
    pub(super) column: Column,
    pub(super) native: NativeColumn,
    pub(super) collated: bool,
    pub(super) declared: String,
    pub(super) comment: Option<String>,
    pub(super) readable: bool,
}

pub(super) struct Path {
    pub(super) name: String,
    pub(super) unique: bool,
    pub(super) primary: bool,
    pub(super) width: usize,
    /// Column number, options, and whether it is in its column's own order.
    pub(super) columns: Vec<(i32, i32, bool)>,
}

/// Everything, from one snapshot.
pub(super) async fn look(client: &Client) -> Result<Vec<Seen>> {
    let fail = |e: tokio_postgres::Error| explain("looking at the database", &e);
    client.batch_execute(BEGIN).await.map_err(fail)?;
    let seen = tables(client).await;
    let ended = client.batch_execute("commit").await.map_err(fail);
    let seen = seen?;
    ended?;
    Ok(seen)
}

/// Hands over each row as it comes: thousands of tables have tens of thousands of rows.
async fn each(client: &Client, sql: &str, mut take: impl FnMut(&Row)) -> Result<()> {
    let fail = |e: tokio_postgres::Error| explain("looking at the database", &e);
    let none = std::iter::empty::<(&(dyn ToSql + Sync), Type)>();
    let mut rows = pin!(client.query_typed_raw(sql, none).await.map_err(fail)?);
    while let Some(row) = rows.try_next().await.map_err(fail)? {
        take(&row);
    }
    Ok(())
}

async fn tables(client: &Client) -> Result<Vec<Seen>> {
    let mut listed = Vec::new();
    let listing = |row: &Row| {
        let (oid, is_default): (i64, bool) = (row.get(0), row.get(4));
        let (schema, name, kind) = (row.get(1), row.get(2), row.get(3));
        let comment = row.get(5);
        listed.push((oid, Listed { schema, name, kind, comment, is_default }));
    };
    each(client, TABLES, listing).await?;
    let mut fields: BTreeMap<i64, Vec<Field>> = BTreeMap::new();
    let columns = |row: &Row| fields.entry(row.get(0)).or_default().push(field(row));
    each(client, COLUMNS, columns).await?;
    let mut paths: BTreeMap<i64, Vec<Path>> = BTreeMap::new();
    each(client, INDEXES, |row| path(paths.entry(row.get(0)).or_default(), row)).await?;
    let mut references: BTreeMap<i64, Vec<Reference>> = BTreeMap::new();
    let refers = |row: &Row| {
        let names = |at: usize| row.get::<_, Vec<String>>(at).into_iter().map(Into::into).collect();
        let table = row.get::<_, String>(1).into();
        let reference = Reference { columns: names(2), table, their_columns: names(3) };
        references.entry(row.get(0)).or_default().push(reference);
    };
    each(client, REFERENCES, refers).await?;
    let mut searches: BTreeMap<i64, Vec<Indexed>> = BTreeMap::new();
    let indexed = |row: &Row| searches.entry(row.get(0)).or_default().push(Indexed::of(row));
    each(client, SEARCHES, indexed).await?;
    let seen = listed.into_iter().map(|(oid, table)| Seen {
        table,
        fields: fields.remove(&oid).unwrap_or_default(),
        paths: paths.remove(&oid).unwrap_or_default(),
        references: references.remove(&oid).unwrap_or_default(),
        searches: searches.remove(&oid).unwrap_or_default(),
    });
    Ok(seen.collect())
}

/// One column of an index; the first makes the index.
fn path(of: &mut Vec<Path>, row: &Row) {
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

fn field(row: &Row) -> Field {
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
        collated: !by_bytes || matches!(codec, Codec::Cast | Codec::Json) && base != "uuid",
        readable: row.get(9),
        declared: row.get(10),
        comment: row.get(11),
    }
}
