//! What a measure knows of some rows, apart from where it is kept.
//!
//! ```text
//!   field of a row ──┐
//!   slot of a group ─┼─> Partial ──┬─> added to a slot      (layout)
//!   spilled bytes ───┘             ├─> bytes                (wire)
//!                                  └─> Value                (finish)
//! ```
//!
//! Promises: adding partials in any order gives the same exact sums, counts and extremes; float
//! sums differ in their last digits at most.
//! Never: an allocation.

use std::cmp::Ordering;

use super::sketched::Sketched;
use crate::record::{self, ColumnType, Money, Timestamp, ValueRef};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Partial<'a> {
    Count(u64),
    /// Int, or money in its units. `count` matters to a mean; a sum tells 0 from more.
    Exact {
        sum: i128,
        count: u64,
    },
    Float {
        sum: FloatSum,
        count: u64,
    },
    Extreme(Extreme<'a>),
    Sketched(Sketched<'a>),
}

/// A sum with the sum of what rounding lost: Neumaier, "Rundungsfehleranalyse einiger Verfahren
/// zur Summation endlicher Summen", ZAMM 54, 1974.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct FloatSum {
    pub(super) sum: f64,
    pub(super) lost: f64,
    /// An infinity or a NaN was among the rows, so that the sum is one without an overflow.
    pub(super) strange: bool,
}

impl FloatSum {
    pub(super) fn of(value: f64) -> Self {
        Self { sum: value, lost: 0.0, strange: !value.is_finite() }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let sum = self.sum + other.sum;
        let lost = if self.sum.abs() >= other.sum.abs() {
            (self.sum - sum) + other.sum
        } else {
            (other.sum - sum) + self.sum
        };
        let lost = self.lost + other.lost + lost;
        Self { sum, lost, strange: self.strange || other.strange }
    }

    /// The sum, or `None` when finite numbers left the range.
    pub(super) fn total(self) -> Option<f64> {
        if self.strange {
            return Some(self.sum);
        }
        Some(self.sum + self.lost).filter(|total| total.is_finite())
    }
}

/// The least or greatest value so far. Text is bytes here: it was text when it came, is compared
/// by bytes, and is checked when it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extreme<'a> {
    None,
    /// Anything of at most eight bytes.
    Fixed(ValueRef<'static>),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> Extreme<'a> {
    /// One zero and one NaN, so that the result does not hang on the order of the rows.
    #[inline]
    pub(super) fn of(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::None,
            ValueRef::Float(v) if v.is_nan() => Self::Fixed(ValueRef::Float(f64::NAN)),
            ValueRef::Float(v) => Self::Fixed(ValueRef::Float(v + 0.0)),
            ValueRef::Bool(v) => Self::Fixed(ValueRef::Bool(v)),
            ValueRef::Int(v) => Self::Fixed(ValueRef::Int(v)),
            ValueRef::Money(v) => Self::Fixed(ValueRef::Money(v)),
            ValueRef::Time(v) => Self::Fixed(ValueRef::Time(v)),
            ValueRef::Text(v) | ValueRef::Json(v) => Self::Text(v.as_bytes()),
            ValueRef::Bytes(v) => Self::Bytes(v),
        }
    }

    /// Whether this takes the place of `old`; NULL never does. Of an int and a float that are
    /// equal the int stays, whichever came first.
    #[inline]
    pub(super) fn beats(self, old: Self, greatest: bool) -> bool {
        let order = match (self, old) {
            (Self::None, _) => return false,
            (_, Self::None) => return true,
            (Self::Text(new), Self::Text(old)) | (Self::Bytes(new), Self::Bytes(old)) => {
                new.cmp(old)
            }
            (new, old) => record::compare(new.stand_in(), old.stand_in()),
        };
        match order {
            Ordering::Equal => {
                matches!(self, Self::Fixed(ValueRef::Int(_)))
                    && matches!(old, Self::Fixed(ValueRef::Float(_)))
            }
            order => (order == Ordering::Greater) == greatest,
        }
    }

    /// The value, or of text and bytes the rank alone.
    fn stand_in(self) -> ValueRef<'static> {
        match self {
            Self::None => ValueRef::Null,
            Self::Fixed(value) => value,
            Self::Text(_) => ValueRef::Text(""),
            Self::Bytes(_) => ValueRef::Bytes(b""),
        }
    }

    /// What stands for the type where the value is kept; 0 is none.
    #[inline]
    pub(super) fn tag(self) -> u8 {
        match self {
            Self::Fixed(ValueRef::Bool(_)) => TAG_BOOL,
            Self::Fixed(ValueRef::Int(_)) => TAG_INT,
            Self::Fixed(ValueRef::Float(_)) => TAG_FLOAT,
            Self::Fixed(ValueRef::Money(_)) => TAG_MONEY,
            Self::Fixed(ValueRef::Time(_)) => TAG_TIME,
            Self::Fixed(_) | Self::None => TAG_NONE,
            Self::Text(_) => TAG_TEXT,
            Self::Bytes(_) => TAG_BYTES,
        }
    }

    /// The eight bytes of a fixed value.
    #[inline]
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::Fixed(ValueRef::Bool(v)) => u64::from(v),
            Self::Fixed(ValueRef::Int(v)) => v.cast_unsigned(),
            Self::Fixed(ValueRef::Float(v)) => v.to_bits(),
            Self::Fixed(ValueRef::Money(v)) => v.units().cast_unsigned(),
            Self::Fixed(ValueRef::Time(v)) => v.micros().cast_unsigned(),
            _ => 0,
        }
    }

    /// A fixed value from its tag and bytes; `None` for a tag that has none.
    #[inline]
    pub(super) fn from_bits(tag: u8, bits: u64) -> Option<Self> {
        Some(match tag {
            TAG_NONE => Self::None,
            TAG_BOOL => Self::Fixed(ValueRef::Bool(bits != 0)),
            TAG_INT => Self::Fixed(ValueRef::Int(bits.cast_signed())),
            TAG_FLOAT => Self::of(ValueRef::Float(f64::from_bits(bits))),
            TAG_MONEY => Self::Fixed(ValueRef::Money(Money::from_units(bits.cast_signed()))),
            TAG_TIME => Self::Fixed(ValueRef::Time(Timestamp::from_micros(bits.cast_signed()))),
            _ => return None,
        })
    }
}

/// The tag of what a column of type `kind` holds; `None` where each row decides.
#[inline]
pub(super) fn tag_of(kind: ColumnType) -> Option<u8> {
    Some(match kind {
        ColumnType::Bool => TAG_BOOL,
        ColumnType::Int => TAG_INT,
        ColumnType::Float => TAG_FLOAT,
        ColumnType::Money => TAG_MONEY,
        ColumnType::Time => TAG_TIME,
        ColumnType::Text => TAG_TEXT,
        ColumnType::Bytes => TAG_BYTES,
        ColumnType::Any => return None,
    })
}

pub(super) const TAG_NONE: u8 = 0;
pub(super) const TAG_BOOL: u8 = 1;
pub(super) const TAG_INT: u8 = 2;
pub(super) const TAG_FLOAT: u8 = 3;
pub(super) const TAG_MONEY: u8 = 4;
pub(super) const TAG_TIME: u8 = 5;
pub(super) const TAG_TEXT: u8 = 6;
pub(super) const TAG_BYTES: u8 = 7;
