//! What PostgreSQL calls a table and its columns, beside the resource that stands for it.
//!
//! Promises: as many columns as the resource's schema, in its order.
//! Never: rows.

use plimsoll::limits::ROW_BYTES_MAX;
use plimsoll::record::ColumnType;

use super::dialect::quote;
use crate::catalogue::Resource;

/// How a column's values come over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// `numeric(p, s)` that fits an amount.
    Numeric,
    TimestampTz,
    /// Without a zone: taken as UTC.
    Timestamp,
    Bytea,
    /// A type whose own binary form is its text.
    Text,
    /// JSON, or what the server makes JSON of: its text.
    Json,
    /// Any other type, cast to text by the server.
    Cast,
}

/// How many bytes a value can have, and how the server is asked before it sends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// At most this many.
    Fixed(u64),
    /// Any number; the length stands in front of the value.
    Measured,
    /// Any number, known only once the value is made text. What is small where it is stored cannot
    /// become large, so only what is not small is.
    Made,
}

/// A column as PostgreSQL knows it.
#[derive(Clone, Debug)]
pub(super) struct NativeColumn {
    /// The type that parameters beside the column are cast to, e.g. `bigint` or `"shop"."mood"`.
    pub(super) cast: Box<str>,
    pub(super) codec: Codec,
    pub(super) extent: Extent,
}

/// A table as PostgreSQL knows it.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) schema: Box<str>,
    pub(super) name: Box<str>,
    pub(super) columns: Vec<NativeColumn>,
    /// Sets of columns in which no two rows may be the same, also such that may be NULL; the key
    /// first.
    pub(super) unique: Vec<Vec<usize>>,
    /// Largest row that is sent.
    pub(super) row_bytes_max: u64,
}

/// The schema of tables that are nobody's but Plimsoll's.
pub(super) const OWN_SCHEMA: &str = "plimsoll";

impl Table {
    /// A table that is made for a resource, e.g. a recipe's staging table.
    pub(super) fn own(resource: &Resource) -> Self {
        let column = |kind| {
            let (cast, codec, extent) = match kind {
                ColumnType::Bool => ("boolean", Codec::Bool, Extent::Fixed(1)),
                ColumnType::Int => ("bigint", Codec::Int8, Extent::Fixed(8)),
                ColumnType::Float => ("double precision", Codec::Float8, Extent::Fixed(8)),
                ColumnType::Money => ("numeric(19,4)", Codec::Numeric, Extent::Fixed(32)),
                ColumnType::Time => {
                    ("timestamp with time zone", Codec::TimestampTz, Extent::Fixed(8))
                }
                ColumnType::Bytes => ("bytea", Codec::Bytea, Extent::Measured),
                ColumnType::Text | ColumnType::Any => ("text", Codec::Text, Extent::Measured),
            };
            NativeColumn { cast: cast.into(), codec, extent }
        };
        Self {
            schema: OWN_SCHEMA.into(),
            name: resource.name.clone(),
            columns: resource.schema.columns.iter().map(|c| column(c.kind)).collect(),
            row_bytes_max: ROW_BYTES_MAX as u64,
            unique: resource.unique.clone(),
        }
    }

    /// Some of its columns, as these types, where `kinds` are their own.
    pub(super) fn served_as(&self, columns: &[(usize, ColumnType)], kinds: &[ColumnType]) -> Self {
        let native =
            |&(at, kind): &(usize, ColumnType)| self.columns[at].served_as(kind, kinds[at]);
        let place = |found: &usize| columns.iter().position(|(at, _)| at == found);
        let whole = |set: &Vec<usize>| set.iter().map(place).collect();
        Self {
            columns: columns.iter().map(native).collect(),
            unique: self.unique.iter().filter_map(whole).collect(),
            ..self.clone()
        }
    }

    /// `"schema"."table"`
    pub(super) fn qualified(&self) -> String {
        format!("{}.{}", quote(&self.schema), quote(&self.name))
    }
}
