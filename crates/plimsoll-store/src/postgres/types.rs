//! What each type of PostgreSQL's own is served as, and how its values come over the wire.
//!
//! Promises: a type that has no form of its own is served as the server's text for it.
//! Never: a number that loses digits.

use plimsoll::record::ColumnType;

use super::native::{Codec, Extent, NativeColumn};

/// Bytes of a `varchar(n)` up to which its length is not asked for.
const TEXT_BYTES_SMALL: u64 = 64 << 10;
/// What a value of any type of fixed size, or a numeric within its limits, has in bytes at most.
const SCALAR_BYTES_MAX: u64 = 256;

const SCALAR: Extent = Extent::Fixed(SCALAR_BYTES_MAX);
pub(super) const MADE: Extent = Extent::Made;

/// What a type of PostgreSQL's own is served as.
pub(super) fn types(name: &str, modifier: i32) -> (ColumnType, Codec, Extent) {
    match name {
        "bool" => (ColumnType::Bool, Codec::Bool, SCALAR),
        "int2" => (ColumnType::Int, Codec::Int2, SCALAR),
        "int4" => (ColumnType::Int, Codec::Int4, SCALAR),
        "int8" => (ColumnType::Int, Codec::Int8, SCALAR),
        "float4" => (ColumnType::Float, Codec::Float4, SCALAR),
        "float8" => (ColumnType::Float, Codec::Float8, SCALAR),
        "numeric" if is_amount(modifier) => (ColumnType::Money, Codec::Numeric, SCALAR),
        "timestamptz" => (ColumnType::Time, Codec::TimestampTz, SCALAR),
        "timestamp" => (ColumnType::Time, Codec::Timestamp, SCALAR),
        "bytea" => (ColumnType::Bytes, Codec::Bytea, Extent::Measured),
        "text" => (ColumnType::Text, Codec::Text, Extent::Measured),
        "varchar" | "bpchar" => (ColumnType::Text, Codec::Text, characters(modifier)),
        "uuid" | "date" | "time" | "timetz" | "interval" | "inet" | "cidr" | "macaddr" | "oid"
        | "money" | "name" | "char" | "macaddr8" | "xid" | "tid" | "pg_lsn" | "point" => {
            (ColumnType::Text, Codec::Cast, SCALAR)
        }
        // An array is made JSON too.
        "json" | "jsonb" => (ColumnType::Text, Codec::Json, MADE),
        array if array.starts_with('_') => (ColumnType::Text, Codec::Json, MADE),
        _ => (ColumnType::Text, Codec::Cast, MADE),
    }
}

/// Whether a `numeric(p, s)` is an amount: at most four decimals, and 15 digits in front of them,
/// the largest of which are beyond 64 bits and refused where one is met.
fn is_amount(modifier: i32) -> bool {
    if modifier < 4 {
        return false;
    }
    let packed = modifier - 4;
    let (precision, scale) = (packed >> 16, packed & 0x7ff);
    // A negative scale has its sign in bit 10.
    scale <= 4 && precision - scale <= 15
}

fn characters(modifier: i32) -> Extent {
    match u64::try_from(modifier.saturating_sub(4)) {
        Ok(characters) if modifier >= 4 && characters * 4 <= TEXT_BYTES_SMALL => {
            Extent::Fixed(characters * 4)
        }
        _ => Extent::Measured,
    }
}

/// Types that a column may be served as instead: the exact digits as text, for readers whose
/// numbers are floats. A time has no such form, because its text follows the session's zone.
pub(super) fn other_kinds(kind: ColumnType) -> &'static [ColumnType] {
    match kind {
        ColumnType::Int | ColumnType::Money => &[ColumnType::Text],
        _ => &[],
    }
}

impl NativeColumn {
    /// The column where it is served as `kind`, which is its own or one of [`other_kinds`].
    pub(super) fn served_as(&self, kind: ColumnType, own: ColumnType) -> Self {
        if kind == own {
            return self.clone();
        }
        Self { cast: self.cast.clone(), codec: Codec::Cast, extent: SCALAR }
    }
}
