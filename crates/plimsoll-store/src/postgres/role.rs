//! The SQL of a role that may read what is served, and nothing else.
//!
//! Promises: every name is quoted; where a column is hidden only the others are granted.
//! Never: run from here; it is for the owner of the database to read and to run.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::connect::Target;
use super::dialect::quote;
use crate::catalogue::{FoundTable, Resource};
use crate::error::Result;

/// What the role is called; whoever runs the statements may choose another name.
const ROLE: &str = "plimsoll_reader";
/// A server reads over four connections; with replicas it looks at each host over one more, and a
/// reload looks at the database over another. The seventh is one that was lost, until the database
/// notices.
const CONNECTIONS_MAX: u32 = 7;

/// The statements that make a role for exactly the tables and columns of these resources, which
/// were made of these tables.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when the URL, which names the database, cannot be read.
pub fn reading_role(url: &str, tables: &[FoundTable], served: &[Resource]) -> Result<String> {
    let database = quote(Target::new(url)?.database());
    let mut sql = format!(
        "CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT {CONNECTIONS_MAX};\n\
         ALTER ROLE {ROLE} SET default_transaction_read_only = on;\n\
         GRANT CONNECT ON DATABASE {database} TO {ROLE};\n"
    );
    let of = |resource: &Resource| {
        let by_name = tables.iter().find(|t| t.name == resource.name);
        by_name.or_else(|| tables.iter().find(|t| t.qualified == resource.name))
    };
    let served: Vec<_> = served.iter().filter_map(|r| Some((of(r)?, r))).collect();
    let schemas: BTreeSet<&str> = served.iter().map(|(table, _)| &*table.schema).collect();
    for schema in schemas {
        put(&mut sql, format_args!("GRANT USAGE ON SCHEMA {} TO {ROLE};", quote(schema)));
    }
    for (table, resource) in served {
        let name = &table.qualified[table.schema.len() + ".".len()..];
        let name = format!("{}.{}", quote(&table.schema), quote(name));
        let columns = if resource.schema.columns.len() == table.columns.len() {
            String::new()
        } else {
            let mut names: Vec<String> = resource.column_names().into_iter().map(quote).collect();
            let searched = resource.search.iter().filter(|search| search.index.is_some());
            for name in searched.flat_map(|search| &search.columns).map(|name| quote(name)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            format!(" ({})", names.join(", "))
        };
        put(&mut sql, format_args!("GRANT SELECT{columns} ON {name} TO {ROLE};"));
    }
    put(&mut sql, format_args!("-- and a password, typed in psql: \\password {ROLE}"));
    Ok(sql)
}

fn put(sql: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(sql, "{line}");
}
