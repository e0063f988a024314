//! Measures and groups, by promise: how they are written, what they give, what is refused, how
//! they keep to a workspace.

mod model;
mod refused;
mod results;
mod spilled;
mod workspace;

use plimsoll::aggregate::{self, Layout, Measure};
use plimsoll::group::Table;
use plimsoll::record::{Column, ColumnType, Schema, Value, ValueRow};

/// One column of each type.
fn schema() -> Schema {
    let columns = [
        ("qty", ColumnType::Int),
        ("price", ColumnType::Money),
        ("weight", ColumnType::Float),
        ("ts", ColumnType::Time),
        ("name", ColumnType::Text),
        ("blob", ColumnType::Bytes),
        ("flag", ColumnType::Bool),
        ("misc", ColumnType::Any),
    ];
    Schema { columns: columns.map(|(name, kind)| Column::nullable(name, kind)).into() }
}

/// A row that is NULL but in the columns named.
fn row(fields: &[(&str, Value)]) -> Vec<Value> {
    let schema = schema();
    let mut row = vec![Value::Null; schema.columns.len()];
    for (name, value) in fields {
        row[schema.position(name).expect("a column")] = value.clone();
    }
    row
}

fn measures(text: &str) -> Vec<Measure> {
    aggregate::parse(text, &schema()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn layout(text: &str) -> Layout {
    Layout::new(&measures(text)).unwrap()
}

/// What `text` gives of one group with these rows.
fn measured(text: &str, rows: &[Vec<Value>]) -> plimsoll::Result<Vec<Value>> {
    let layout = layout(text);
    let mut table = Table::new(1 << 20, &layout, 1).unwrap();
    let mut group = table.upsert(b"").unwrap();
    for row in rows {
        layout.update(&mut group, &ValueRow(row)).expect("rows that fit");
    }
    let mut values = Vec::new();
    layout.finish(group.view(), &mut values).map(|()| values)
}

fn money(text: &str) -> Value {
    Value::Money(text.parse().expect("an amount"))
}
