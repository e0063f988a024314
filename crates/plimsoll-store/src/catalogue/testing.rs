//! Resources for tests.
//!
//! Promises: the first column is the key.
//! Never: used outside tests.

use plimsoll::record::{Column, ColumnType, Schema};

use super::{Index, IndexColumn, Nulls, Resource};

/// A resource with these columns, all NOT NULL, and the index of its key.
pub(crate) fn resource(name: &str, columns: &[(&str, &str)]) -> Resource {
    let columns: Vec<Column> = columns
        .iter()
        .map(|(name, kind)| Column {
            name: (*name).into(),
            kind: ColumnType::from_name(kind).expect("a type"),
            nullable: false,
        })
        .collect();
    let mut resource = Resource::new(name, Schema { columns }, vec![0]);
    resource.indexes.push(Index {
        name: "key".into(),
        columns: vec![IndexColumn { column: 0, descending: false, nulls: Nulls::Smallest }],
    });
    resource
}
