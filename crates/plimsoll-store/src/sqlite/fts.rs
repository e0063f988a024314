//! FTS5 tables that stand beside a table, and the statements that make one.
//!
//! ```text
//!   create virtual table goods_search using fts5(name, note, content='goods', content_rowid='id')
//!                        index              columns          whose rows     by which number
//! ```
//!
//! Promises: an index is taken whose rows are those of the table by their row ids, and that keeps
//! the places of words, which phrases need.
//! Never: a tokenizer that SQLite does not have of itself.

use std::fmt::Write as _;

use plimsoll::record::ColumnType;
use rusqlite::Connection;

use super::dialect::quote;
use crate::catalogue::{Finds, FoundSearch, Handle, SearchIndex, Searching};

/// Names that no column of an FTS5 table may have.
const RESERVED: [&str; 2] = ["rank", "rowid"];
/// What a row id is called where no column hides it.
const ROW_ID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// What is kept about an index.
pub(super) struct Fts {
    /// The virtual table.
    pub(super) table: Box<str>,
    /// What the row id of the table that is searched is called.
    pub(super) row_id: Box<str>,
}

/// An FTS5 table as it was declared.
pub(super) struct Declared {
    pub(super) name: Box<str>,
    pub(super) content: Box<str>,
    content_row_id: Box<str>,
    columns: Vec<Box<str>>,
    tokenizer: Box<str>,
}

/// A table whose search is asked for.
pub(super) struct Of<'a> {
    pub(super) table: &'a str,
    pub(super) columns: Vec<(&'a str, ColumnType)>,
    /// The column that is the row id.
    pub(super) row_id: Option<&'a str>,
    /// Whether it has row ids at all.
    pub(super) has_row_ids: bool,
}

/// All FTS5 tables of a database that stand beside another table.
pub(super) fn declared(connection: &Connection) -> rusqlite::Result<Vec<Declared>> {
    let mut statement = connection.prepare(
        "select name, sql from sqlite_schema where type = 'table' \
         and sql like 'create virtual table%fts5%' order by name",
    )?;
    let rows = statement.query_map([], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?;
    let mut all = Vec::new();
    for row in rows {
        let (name, sql) = row?;
        all.extend(parse(&name, &sql).filter(|found| is_as_read(connection, found)));
    }
    Ok(all)
}

/// Whether SQLite reads the same columns. An index it cannot open is not taken.
fn is_as_read(connection: &Connection, found: &Declared) -> bool {
    let text = "select name from pragma_table_xinfo(?1) where hidden = 0";
    let names: rusqlite::Result<Vec<String>> = connection
        .prepare(text)
        .and_then(|mut s| s.query_map([&*found.name], |r| r.get(0))?.collect());
    names.is_ok_and(|names| found.columns.iter().all(|c| names.iter().any(|n| **n == **c)))
}

/// How a table is searched.
pub(super) fn searching(declared: &[Declared], of: &Of<'_>) -> Searching {
    let is_column = |name: &str| of.columns.iter().any(|(c, _)| c.eq_ignore_ascii_case(name));
    let free = || ROW_ID_NAMES.into_iter().find(|name| !is_column(name));
    let Some(row_id) = of.row_id.or_else(free).filter(|_| of.has_row_ids) else {
        return Searching::none();
    };
    let is_row_id = |name: &str| {
        of.row_id.is_some_and(|key| key.eq_ignore_ascii_case(name))
            || ROW_ID_NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
    };
    let own = |found: &&Declared| {
        found.content.eq_ignore_ascii_case(of.table) && is_row_id(&found.content_row_id)
    };
    let index = |found: &Declared| {
        let columns: Option<Vec<Box<str>>> =
            found.columns.iter().map(|name| own_name(of, name)).collect();
        let handle = Handle::new(Fts { table: found.name.clone(), row_id: row_id.into() });
        let finds = if &*found.tokenizer == "trigram" { Finds::Parts } else { Finds::Words };
        let index = SearchIndex { name: found.name.clone(), finds, handle };
        Some(FoundSearch { index, columns: columns?, is_divisible: false })
    };
    let (table, row_id, is_key): (Box<str>, Box<str>, bool) =
        (of.table.into(), row_id.into(), of.row_id.is_some());
    let is_text = |(name, kind): &&(&str, ColumnType)| {
        *kind == ColumnType::Text && !RESERVED.iter().any(|r| r.eq_ignore_ascii_case(name))
    };
    Searching {
        indexes: declared.iter().filter(own).filter_map(index).collect(),
        texts: of.columns.iter().filter(is_text).map(|&(name, _)| name.into()).collect(),
        remedy: Box::new(move |columns| remedy(&table, (&row_id, is_key), columns)),
    }
}

/// The table's own spelling of a column.
fn own_name(of: &Of<'_>, name: &str) -> Option<Box<str>> {
    let same = |(own, _): &&(&str, ColumnType)| own.eq_ignore_ascii_case(name);
    of.columns.iter().find(same).map(|&(own, _)| own.into())
}

/// The statements that make an index, fill it, and keep it right from then on.
fn remedy(table: &str, (row_id, is_key): (&str, bool), columns: &[Box<str>]) -> Option<Box<str>> {
    if columns.is_empty() {
        return None;
    }
    let text = |value: &str| format!("'{}'", value.replace('\'', "''"));
    let listed = |before: &str| {
        let names: Vec<String> = columns.iter().map(|c| format!("{before}{}", quote(c))).collect();
        names.join(", ")
    };
    let name = |tail: &str| quote(&format!("{table}_search{tail}"));
    let (fts, of, names, key) = (name(""), quote(table), listed(""), quote(row_id));
    let add = format!(
        "INSERT INTO {fts} (rowid, {names}) VALUES (new.{key}, {new});",
        new = listed("new.")
    );
    let remove = format!(
        "INSERT INTO {fts} ({fts}, rowid, {names}) VALUES ('delete', old.{key}, {old});",
        old = listed("old.")
    );
    let mut sql = format!(
        "CREATE VIRTUAL TABLE {fts} USING fts5({names}, content={content}, \
         content_rowid={row});\n\
         INSERT INTO {fts} ({fts}) VALUES ('rebuild');\n",
        content = text(table),
        row = text(row_id),
    );
    // A row id that is no column cannot be named as what changes.
    let of_columns = if is_key { format!(" OF {key}, {names}") } else { String::new() };
    for (tail, event, body) in [
        ("_insert", "INSERT".to_owned(), add.clone()),
        ("_delete", "DELETE".to_owned(), remove.clone()),
        ("_update", format!("UPDATE{of_columns}"), format!("{remove} {add}")),
    ] {
        let trigger = name(tail);
        // Writing to a String cannot fail.
        let _ = writeln!(sql, "CREATE TRIGGER {trigger} AFTER {event} ON {of} BEGIN {body} END;");
    }
    Some(sql.trim_end().into())
}

/// A declaration that can be used: beside a table, with the places of words, by a tokenizer of
/// SQLite's own.
fn parse(name: &str, sql: &str) -> Option<Declared> {
    let mut columns = Vec::new();
    let (mut content, mut row_id, mut tokenizer) = (None, "rowid".to_owned(), "unicode61".into());
    for argument in arguments(sql)? {
        let Some((option, value)) = option(argument) else {
            let (column, behind) = first_name(argument)?;
            if !behind.to_ascii_lowercase().contains("unindexed") {
                columns.push(column.into());
            }
            continue;
        };
        match &*option {
            "content" => content = Some(value),
            "content_rowid" => row_id = value,
            "detail" if !value.eq_ignore_ascii_case("full") => return None,
            "tokenize" => tokenizer = value,
            _ => {}
        }
    }
    let tokenizer = first_name(&tokenizer)?.0.to_ascii_lowercase();
    let is_known = ["unicode61", "ascii", "porter", "trigram"].contains(&&*tokenizer);
    let content = content.filter(|table| !table.is_empty())?;
    (is_known && !columns.is_empty()).then(|| Declared {
        name: name.into(),
        content: content.into(),
        content_row_id: row_id.into(),
        columns,
        tokenizer: tokenizer.into(),
    })
}

/// What stands between the parentheses behind `fts5`, cut at its commas.
fn arguments(sql: &str) -> Option<Vec<&str>> {
    let (mut quoted, mut start, mut depth) = (None, None, 0);
    let mut all = Vec::new();
    for (at, c) in sql.char_indices() {
        match (quoted, c) {
            (Some(end), _) if c == end => quoted = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quoted = Some(c),
            (None, '[') => quoted = Some(']'),
            (None, '(') if depth == 0 => {
                let module = sql[..at].trim_end();
                let is_fts = module.len() > 4
                    && module.is_char_boundary(module.len() - 4)
                    && module[module.len() - 4..].eq_ignore_ascii_case("fts5");
                if !is_fts {
                    return None;
                }
                (start, depth) = (Some(at + 1), 1);
            }
            (None, '(') => depth += 1,
            (None, ',') if depth == 1 => {
                all.push(sql[start?..at].trim());
                start = Some(at + 1);
            }
            (None, ')') if depth == 1 => {
                all.push(sql[start?..at].trim());
                return Some(all);
            }
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `content = 'goods'`
fn option(argument: &str) -> Option<(String, String)> {
    let (name, value) = argument.split_once('=')?;
    let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let name = name.trim();
    if name.is_empty() || !is_word(name) {
        return None;
    }
    let value = value.trim();
    let value = match first_name(value) {
        Some((inner, "")) => inner,
        _ => value.to_owned(),
    };
    Some((name.to_ascii_lowercase(), value))
}

/// The name that a text begins with, without its quotes, and what stands behind it.
fn first_name(text: &str) -> Option<(String, &str)> {
    let first = text.chars().next()?;
    let end = match first {
        '\'' | '"' | '`' => first,
        '[' => ']',
        _ => {
            let end = text.find(char::is_whitespace).unwrap_or(text.len());
            return Some((text[..end].to_owned(), text[end..].trim()));
        }
    };
    let mut name = String::new();
    let mut rest = &text[1..];
    loop {
        let at = rest.find(end)?;
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        // A quote within is written twice.
        if end == ']' || !rest.starts_with(end) {
            return Some((name, rest.trim()));
        }
        name.push(end);
        rest = &rest[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Option<String> {
        parse("f", sql).map(|d| {
            let columns = d.columns.join(",");
            format!("{}/{}/{columns}/{}", d.content, d.content_row_id, d.tokenizer)
        })
    }

    #[test]
    fn a_declaration_is_read_whatever_its_quotes() {
        for (sql, found) in [
            ("create virtual table f using fts5(a, b, content=t)", Some("t/rowid/a,b/unicode61")),
            (
                "CREATE VIRTUAL TABLE \"f(5\" USING FTS5 (\"a, b\", [c] UNINDEXED, 'd''e', \
                 content = 'it''s (t)', content_rowid=\"id\", tokenize='porter unicode61')",
                Some("it's (t)/id/a, b,d'e/porter"),
            ),
            (
                "create virtual table f using fts5(a, content=`t`, tokenize=\"trigram\", \
                 prefix='2 3', detail=full)",
                Some("t/rowid/a/trigram"),
            ),
            ("create virtual table f using fts5(a)", None),
            ("create virtual table f using fts5(a, content='')", None),
            ("create virtual table f using fts5(a, content=t, detail=none)", None),
            ("create virtual table f using fts5(a, content=t, tokenize='mine')", None),
            ("create virtual table f using fts4(a, content=t)", None),
            ("create virtual table f using fts5(a, content=t", None),
        ] {
            assert_eq!(read(sql).as_deref(), found, "{sql}");
        }
    }
}
