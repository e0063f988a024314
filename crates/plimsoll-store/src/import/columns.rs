//! Which columns of a resource a file may fill, and which a row fills.
//!
//! Promises: a column the database fills by itself may stand in a file, as in an export read back,
//! but need not.
//! Never: NULL written over a value because the file does not have the column.

use plimsoll::record::{Schema, Value};

use crate::catalogue::{ColumnRole, Resource};

/// The resource's schema as a file may bring it: only what the client must give is required.
pub(super) fn file_schema(resource: &Resource, number_column: Option<usize>) -> Schema {
    let mut schema = resource.schema.clone();
    for (at, column) in schema.columns.iter_mut().enumerate() {
        if resource.roles[at] != ColumnRole::Data || number_column == Some(at) {
            column.nullable = true;
        }
    }
    schema
}

/// The columns this row fills: those the file has, but for empty ones the database fills.
pub(super) fn filled(resource: &Resource, fed: &[usize], row: &[Value], out: &mut Vec<usize>) {
    out.clear();
    out.extend(fed.iter().copied().filter(|&column| {
        let own = resource.roles[column] == ColumnRole::Data;
        let version = resource.version == Some(column);
        !version && (own || row[column] != Value::Null)
    }));
}
