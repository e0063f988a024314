//! What SQLite makes of the statement: sorted through files, or not sorted at all.
//!
//! Promises: the plan is SQLite's own.
//! Never: a row.

use std::sync::Arc;

use plimsoll::expr;
use plimsoll::format::Ndjson;
use rusqlite::Connection;

use super::select;
use crate::aggregate::{AggregateFunction, AggregateRequest, AggregateTerm, Aggregation, Measure};
use crate::catalogue::testing::resource;
use crate::sqlite::{functions, measures};

/// The plan's steps for groups by `columns`, in the order of the first field.
fn plan(columns: &[&str], descending: bool, filter: &str) -> String {
    let connection = Connection::open_in_memory().expect("a database");
    functions::register(&connection).and_then(|()| measures::register(&connection)).expect("ours");
    let ddl = "create table rows (id integer primary key, kind text, n integer);
        create index rows_by_kind on rows (kind, n);";
    connection.execute_batch(ddl).expect("a table");
    let table = Arc::new(resource("rows", &[("id", "int"), ("kind", "text"), ("n", "int")]));
    let group_by = columns.iter().map(|name| table.column(name).expect("a column")).collect();
    let sum = Measure {
        function: AggregateFunction::Sum,
        argument: Some(expr::parse_operand("n * 2", &table.schema).expect("an expression")),
        name: "sum".into(),
    };
    let aggregation = Aggregation::new(&table, group_by, vec![sum]).expect("an aggregation");
    let order = vec![AggregateTerm { field: 0, descending }];
    let request = AggregateRequest {
        aggregation: aggregation.ordered(order).expect("an order"),
        filter: (!filter.is_empty())
            .then(|| Arc::new(expr::parse(filter, &table.schema).expect("a filter"))),
        rows_max: Some(10),
        encoder: Box::new(Ndjson::new(["kind"])),
        out: Vec::new(),
        extra: None,
        digest: false,
        timeout_ms: 1,
        horizon: None,
    };
    let text = format!("explain query plan {}", select(&request).text);
    let mut statement = connection.prepare(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    for at in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(at, 1).expect("bound");
    }
    let mut rows = statement.raw_query();
    let mut steps = String::new();
    while let Some(row) = rows.next().expect("a step") {
        steps.push_str(&row.get::<_, String>("detail").expect("text"));
        steps.push('\n');
    }
    steps
}

#[test]
fn groups_over_an_index_are_not_sorted_and_others_are() {
    for (columns, descending) in [(["kind"], false), (["kind"], true), (["id"], false)] {
        let steps = plan(&columns, descending, "");
        assert!(!steps.contains("TEMP B-TREE"), "{steps}");
    }
    assert!(!plan(&["kind", "n"], false, "").contains("TEMP B-TREE"));
    let steps = plan(&["n"], false, "");
    assert!(steps.contains("TEMP B-TREE FOR GROUP BY"), "{steps}");
    let steps = plan(&["n"], false, "kind = 'a'");
    assert!(steps.contains("SEARCH") && !steps.contains("TEMP B-TREE"), "{steps}");
}
