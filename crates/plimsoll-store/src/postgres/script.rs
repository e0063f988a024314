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
use crate::catalogue::{Token, tokens};
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
pub(super) fn statements(text: &str, params: &[(Box<str>, Value)]) -> Vec<Sql> {
    let mut all = Vec::new();
    let mut current = Sql::new();
    for token in tokens(text) {
        match token {
            Token::Semicolon => {
                push_statement(&mut all, std::mem::replace(&mut current, Sql::new()))
            }
            Token::Text(text) | Token::Quoted(text) => drop(current.push(text)),
            Token::Name(name) => match params.iter().find(|(known, _)| **known == *name) {
                Some((_, value)) => drop(current.bind(value.clone(), cast(value))),
                None => drop(current.push(":").push(name)),
            },
        }
    }
    push_statement(&mut all, current);
    all
}

fn push_statement(all: &mut Vec<Sql>, sql: Sql) {
    if !sql.text.trim().is_empty() {
        all.push(sql);
    }
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
