//! The text of a resources file for what was found: something to review, not to write from nothing.
//!
//! ```text
//!   # orders of customers                        the table's own comment
//!   [[resource]]
//!   table = "orders"
//!   key = ["id"]
//!   # sorted by an index: id; -placed_at, id
//!   # refers to: customer_id -> customers (id)
//!   # referred to by: order_items (order_id) -> id
//!   column = [
//!     { name = "id", type = "int" },  # bigint
//!     # hidden, its name looks like a secret; to show it take away the # of:
//!     # { name = "token", type = "text" },  # text
//!   ]
//! ```
//!
//! Promises: [`super::resources`] reads it and gives what [`FoundTable::whole`] does; names and
//! comments of the database cannot end the line or the text they stand in.
//! Never: a column that looks like a secret outside of a comment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Searchable;
use super::found::{FoundColumn, FoundIndex, FoundTable, Reference, TableKind};

/// Characters of a comment that are copied.
const COMMENT_CHARACTERS_MAX: usize = 200;
/// Relations and indexes that a table's comments list.
const LISTED_MAX: usize = 20;

const HEAD: &str = "\
# What `plimsoll serve --resources` serves of this database, made by `plimsoll init` to be reviewed.
#
# Each [[resource]] is a table, and exactly the columns named here. Put a # in front of a line, or
# take it out, and it is not served. Columns may be put in another order. A resource may also have:
#
#   path = \"orders\"                 it is served at /orders too
#   title = \"Orders\"                for people
#   time = \"placed_at\"              the column that says when
#   filters = [\"status\"]            /orders?status=open
#   search = [\"title\", \"body\"]     /orders/search?q=tea, by an index over these columns
#   export_csv.columns = [{ column = \"id\", title = \"Number\" }]
";

/// The text of a file that serves what may be shown of these tables.
#[must_use]
pub fn resources_text(tables: &[FoundTable]) -> String {
    let mut referring: BTreeMap<&str, Vec<(&FoundTable, &Reference)>> = BTreeMap::new();
    for table in tables {
        for reference in &table.references {
            referring.entry(&reference.table).or_default().push((table, reference));
        }
    }
    let mut text = HEAD.to_owned();
    for table in tables {
        let none = Vec::new();
        let from = referring.get(&*table.qualified).unwrap_or(&none);
        let lines = resource(table, tables, from);
        text.push('\n');
        match table.whole() {
            Ok(_) => text.push_str(&lines),
            Err(reason) => {
                put(&mut text, format_args!("# NOT SERVED: {}: {reason}", line(&table.name)));
                for line in lines.lines() {
                    put(&mut text, format_args!("# {line}"));
                }
            }
        }
    }
    text
}

fn resource(
    table: &FoundTable,
    tables: &[FoundTable],
    referring: &[(&FoundTable, &Reference)],
) -> String {
    let mut text = String::new();
    let out = &mut text;
    if let Some(comment) = &table.comment {
        put(out, format_args!("# {}", line(comment)));
    }
    put(out, format_args!("[[resource]]\ntable = {}", quoted(&table.name)));
    match &table.key {
        Ok(key) => {
            let names: Vec<String> =
                key.iter().map(|&at| quoted(&table.columns[at].column.name)).collect();
            put(out, format_args!("key = [{}]", names.join(", ")));
        }
        Err(_) => put(out, format_args!("key = []  # columns that tell its rows apart")),
    }
    if table.kind == TableKind::View {
        put(out, format_args!("# a view has no index: it is served while it has few rows"));
    }
    let sorts = table.indexes.iter().take(LISTED_MAX).map(|index| sort(table, index));
    let sorts: Vec<String> = sorts.collect();
    if !sorts.is_empty() {
        put(out, format_args!("# sorted by an index: {}", sorts.join("; ")));
    }
    for reference in table.references.iter().take(LISTED_MAX) {
        let name = |t: &&FoundTable| t.qualified == reference.table;
        let theirs = tables.iter().find(name).map_or(&*reference.table, |t| &t.name);
        let (own, their) = (listed(&reference.columns), listed(&reference.their_columns));
        put(out, format_args!("# refers to: {own} -> {} ({their})", line(theirs)));
    }
    for (other, reference) in referring.iter().take(LISTED_MAX) {
        let (theirs, own) = (listed(&reference.columns), listed(&reference.their_columns));
        put(out, format_args!("# referred to by: {} ({theirs}) -> {own}", line(&other.name)));
    }
    let shown = |name: &str| table.position(name).is_some_and(|at| is_shown(table, at));
    if let Some(Searchable { columns, index: Some(index), .. }) = table.searching.of_shown(shown) {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let by = line(&index.name);
        put(out, format_args!("search = [{}]  # by the index {by}", names.join(", ")));
    }
    put(out, format_args!("column = ["));
    let key = table.key.as_deref().unwrap_or_default();
    for (at, found) in table.columns.iter().enumerate() {
        column(out, found, key.contains(&at));
    }
    put(out, format_args!("]"));
    text
}

/// Whether a column is served where nobody named it.
fn is_shown(table: &FoundTable, at: usize) -> bool {
    table.columns[at].is_shown() || table.key.as_ref().is_ok_and(|key| key.contains(&at))
}

fn column(out: &mut String, found: &FoundColumn, is_key: bool) {
    let name = quoted(&found.column.name);
    let entry = format!("{{ name = {name}, type = \"{}\" }},", found.column.kind);
    let comment = found.comment.as_deref().map(|c| format!(": {}", line(c))).unwrap_or_default();
    let declared = line(&found.declared);
    if !found.is_readable {
        put(out, format_args!("  # the role may not read {}", line(&found.column.name)));
    } else if found.is_secret() && !is_key {
        put(
            out,
            format_args!(
                "  # hidden, its name looks like a secret; to show it take away the # of:"
            ),
        );
        put(out, format_args!("  # {entry}  # {declared}{comment}"));
    } else {
        put(out, format_args!("  {entry}  # {declared}{comment}"));
    }
}

/// `-placed_at, id`
fn sort(table: &FoundTable, index: &FoundIndex) -> String {
    let terms = index.columns.iter().map(|c| {
        let sign = if c.descending { "-" } else { "" };
        format!("{sign}{}", line(&table.columns[c.column].column.name))
    });
    terms.collect::<Vec<_>>().join(", ")
}

fn listed(names: &[Box<str>]) -> String {
    let names: Vec<String> = names.iter().map(|name| line(name)).collect();
    if names.is_empty() { "its key".to_owned() } else { names.join(", ") }
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{line}");
}

/// On one line, without what a comment may not hold.
fn line(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(COMMENT_CHARACTERS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(COMMENT_CHARACTERS_MAX).is_some() {
        short.push_str("...");
    }
    short
}

/// As a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
