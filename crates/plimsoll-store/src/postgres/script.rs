//! A pack's own SQL: several statements with named parameters.
//!
//! ```text
//!   insert .. values (:from, ':no'); update ..      ──>  insert .. values ($1, ':no') │ update ..
//! ```
//!
//! Promises: what stands in quotes, dollar quotes and comments is left alone; `::` is a cast.
//! Never: a value in the text.

use plimsoll::record::Value;
use tokio_postgres::Client;

use super::apply::run as execute;
use super::control::FIND_OWN;
use super::dialect::Sql;
use super::failure::explain;
use crate::error::Result;

/// Runs all statements; the rows they changed.
pub(super) async fn run(client: &Client, text: &str, params: &[(Box<str>, Value)]) -> Result<u64> {
    let fail = |e: tokio_postgres::Error| explain("running a step", &e);
    client.batch_execute(FIND_OWN).await.map_err(fail)?;
    let mut rows = 0;
    for sql in statements(text, params) {
        rows += execute(client, &sql).await.map_err(fail)?;
    }
    Ok(rows)
}

/// The statements of a text, each with the parameters it names.
fn statements(text: &str, params: &[(Box<str>, Value)]) -> Vec<Sql> {
    let mut all = Vec::new();
    let mut current = Sql::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            ';' => {
                push_statement(&mut all, std::mem::replace(&mut current, Sql::new()));
                rest = &rest[1..];
                continue;
            }
            ':' if rest.starts_with("::") => 2,
            ':' => match named(rest, params) {
                Some((length, value)) => {
                    current.bind(value.clone(), cast(value));
                    rest = &rest[length..];
                    continue;
                }
                None => 1,
            },
            _ => literal_bytes(rest).unwrap_or(first.len_utf8()),
        };
        current.push(&rest[..taken]);
        rest = &rest[taken..];
    }
    push_statement(&mut all, current);
    all
}

fn push_statement(all: &mut Vec<Sql>, sql: Sql) {
    if !sql.text.trim().is_empty() {
        all.push(sql);
    }
}

fn named<'a>(rest: &str, params: &'a [(Box<str>, Value)]) -> Option<(usize, &'a Value)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &rest[1..];
    let end = name.find(|c| !is_name(c)).unwrap_or(name.len());
    let value = params.iter().find(|(known, _)| **known == name[..end])?;
    Some((end + 1, &value.1))
}

fn cast(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Text(_) => "text",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "bigint",
        Value::Float(_) => "double precision",
        Value::Money(_) => "numeric",
        Value::Time(_) => "timestamp with time zone",
        Value::Bytes(_) => "bytea",
    }
}

/// Length of the quoted text or comment that `rest` begins with.
fn literal_bytes(rest: &str) -> Option<usize> {
    let until = |end: &str, from: usize| {
        Some(rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len()))
    };
    match rest.as_bytes() {
        [b'\'', ..] => until("'", 1),
        [b'"', ..] => until("\"", 1),
        [b'-', b'-', ..] => until("\n", 2),
        [b'/', b'*', ..] => until("*/", 2),
        [b'$', ..] => {
            let tag = rest[1..].find('$')? + 2;
            let is_tag = rest[1..tag - 1].chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_tag.then(|| until(&rest[..tag], tag))?
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_parameters_and_quoted_ones_do_not() {
        let params = [("a".into(), Value::Int(1)), ("ab".into(), Value::Text("x".into()))];
        let text = "select :a, :ab::text, ':a', \":a\", $$ :a; $$, $t$;$t$ -- :a ;\n, /* ; */ 1;
                    update t set x = :a where b = :missing; ";
        let made = statements(text, &params);
        assert_eq!(made.len(), 2);
        assert!(
            made[0].text.starts_with("select $1::bigint, $2::text::text, ':a', \":a\", $$ :a; $$")
        );
        assert!(made[0].text.ends_with("/* ; */ 1"));
        assert_eq!(made[0].params, [Value::Int(1), Value::Text("x".into())]);
        assert!(made[1].text.contains("x = $1::bigint where b = :missing"));
    }
}
