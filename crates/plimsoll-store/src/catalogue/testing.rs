//! Resources for tests.
//!
//! Promises: the first column is the key.
//! Never: used outside tests.

use plimsoll::record::{Column, ColumnType, Schema};

use super::{ColumnRole, Index, IndexColumn, Resource};

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
    Resource {
        name: name.into(),
        path: None,
        title: name.into(),
        roles: vec![ColumnRole::Data; columns.len()],
        schema: Schema { columns },
        key: vec![0],
        unique: vec![vec![0]],
        indexes: vec![Index {
            name: "key".into(),
            columns: vec![IndexColumn { column: 0, descending: false }],
        }],
        writable: true,
        version: None,
        created: None,
        updated: None,
        time: None,
        filters: Vec::new(),
        export_csv: Vec::new(),
    }
}
