//! Which indexes of a table find words, and the statement that makes one.
//!
//! ```text
//!   gin | gist  (column of tsvector)                    words, in the column's own configuration
//!   gin | gist  (to_tsvector('english', expression))    words of the expression's columns
//!   gin | gist  (column gin_trgm_ops)                   parts of each such column
//! ```
//!
//! Promises: of an expression every column is known; a configuration that is not there is not
//! taken.
//! Never: an index over some of the rows only.

use std::sync::Arc;

use plimsoll::record::ColumnType;
use tokio_postgres::Row;

use super::dialect::quote;
use super::native::Codec;
use super::search::Through;
use super::survey::Field;
use crate::catalogue::{Finds, FoundSearch, Handle, SearchIndex, Searching};

/// Indexes of words: the table, the index, whether it finds parts, the column or 0, what it is
/// over, the columns of that, and the configuration that the words were cut by.
pub(super) const SEARCHES: &str = "
select i.indrelid::bigint, c.relname::text, o.opcname <> 'tsvector_ops', k.attnum::int,
       pg_get_indexdef(i.indexrelid, k.place::int, true),
       array(select d.refobjsubid from pg_catalog.pg_depend d
             where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
             and d.refclassid = 'pg_class'::regclass and d.refobjid = i.indrelid
             and d.refobjsubid > 0 order by 1),
       coalesce((select f.oid::regconfig from pg_catalog.pg_ts_config f
                 join pg_catalog.pg_namespace n on n.oid = f.cfgnamespace
                 where w.configuration in (f.oid::regconfig::text, n.nspname || '.' || f.cfgname)
                 limit 1), get_current_ts_config())::text
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_class r on r.oid = i.indrelid and r.relkind in ('r', 'p', 'm')
  and not r.relispartition
join pg_catalog.pg_am m on m.oid = c.relam and m.amname in ('gin', 'gist')
cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_catalog.pg_opclass o on o.oid = i.indclass[k.place - 1]
  and o.opcname in ('tsvector_ops', 'gin_trgm_ops', 'gist_trgm_ops')
cross join lateral (select coalesce(
  replace(substring(coalesce(
      (select pg_get_expr(f.adbin, f.adrelid) from pg_catalog.pg_attrdef f
       where f.adrelid = i.indrelid and f.adnum = k.attnum),
      pg_get_indexdef(i.indexrelid, k.place::int, true))
    from 'to_tsvector\\(''((?:[^'']|'''')+)''::regconfig'), '''''', ''''),
  (select split_part(encode(t.tgargs, 'escape'), '\\000', 2)
   from pg_catalog.pg_trigger t
   join pg_catalog.pg_proc p on p.oid = t.tgfoid and p.proname = 'tsvector_update_trigger'
   where t.tgrelid = i.indrelid and split_part(encode(t.tgargs, 'escape'), '\\000', 1) =
     (select a.attname from pg_catalog.pg_attribute a
      where a.attrelid = i.indrelid and a.attnum = k.attnum)
   limit 1)) as configuration) as w
where i.indisvalid and i.indpred is null and k.place <= i.indnkeyatts
  and (k.attnum > 0 or i.indnkeyatts = 1)
  and r.relnamespace <> 'pg_catalog'::regnamespace
order by i.indrelid, c.relname, k.place";

/// An index of words as it was seen.
pub(super) struct Indexed {
    name: String,
    is_of_parts: bool,
    column: i32,
    definition: String,
    columns: Vec<i32>,
    configuration: String,
}

impl Indexed {
    pub(super) fn of(row: &Row) -> Self {
        Self {
            name: row.get(1),
            is_of_parts: row.get(2),
            column: row.get(3),
            definition: row.get(4),
            columns: row.get(5),
            configuration: row.get(6),
        }
    }
}

/// How a table is searched. `qualified` is its name with its schema, in quotes.
pub(super) fn searching(
    (qualified, name, can_be_indexed): (String, &str, bool),
    fields: &[Field],
    indexed: &[Indexed],
) -> Searching {
    let named = |number: i32| {
        let field = fields.iter().find(|f| f.number == number && f.readable)?;
        Some(Box::<str>::from(&*field.column.name))
    };
    let of_words = indexed.iter().filter(|i| !i.is_of_parts).filter_map(|found| {
        let numbers = if found.column > 0 { vec![found.column] } else { found.columns.clone() };
        let columns: Option<Vec<Box<str>>> = numbers.into_iter().map(named).collect();
        let columns = columns.filter(|columns| !columns.is_empty())?;
        let through = Through::Words {
            expression: found.definition.clone().into(),
            configuration: found.configuration.clone().into(),
        };
        let index = index(&found.name, Finds::Beginnings, through);
        Some(FoundSearch { index, columns, is_divisible: false })
    });
    let mut indexes: Vec<FoundSearch> = of_words.collect();
    let mut parts: Option<FoundSearch> = None;
    for found in indexed.iter().filter(|i| i.is_of_parts && i.column > 0) {
        let Some(column) = named(found.column) else { continue };
        let all = parts.get_or_insert_with(|| FoundSearch {
            index: index(&found.name, Finds::Parts, Through::Parts),
            columns: Vec::new(),
            is_divisible: true,
        });
        if !all.columns.contains(&column) {
            all.columns.push(column);
        }
    }
    indexes.extend(parts);
    let is_text = |f: &&Field| {
        f.readable && f.column.kind == ColumnType::Text && f.native.codec == Codec::Text
    };
    let name: Arc<str> = name.into();
    Searching {
        indexes,
        texts: fields.iter().filter(is_text).map(|f| f.column.name.clone()).collect(),
        remedy: Box::new(move |columns| {
            can_be_indexed.then(|| create_index(&qualified, &name, columns)).flatten()
        }),
    }
}

fn index(name: &str, finds: Finds, through: Through) -> SearchIndex {
    SearchIndex { name: name.into(), finds, handle: Handle::new(through) }
}

/// An index that cuts texts at what is no letter or digit and knows no language, as the one that
/// SQLite is given does.
fn create_index(qualified: &str, table: &str, columns: &[Box<str>]) -> Option<Box<str>> {
    if columns.is_empty() {
        return None;
    }
    let texts: Vec<String> =
        columns.iter().map(|c| format!("coalesce({}, '')", quote(c))).collect();
    // PostgreSQL cuts names at 63 bytes.
    let mut name = table.to_owned();
    while name.len() > 63 - "_search".len() {
        name.pop();
    }
    let name = quote(&format!("{name}_search"));
    let texts = texts.join(" || ' ' || ");
    let sql = format!(
        "CREATE INDEX CONCURRENTLY {name} ON {qualified} USING gin \
         (to_tsvector('simple'::regconfig, {texts}));"
    );
    Some(sql.into())
}
