//! Values inside a cursor.
//!
//! ```text
//!   0 NULL │ 1 false │ 2 true │ 3 int, 4 float, 5 money, 6 time: 8 bytes LE
//!   7 text, 8 bytes: length u16 LE, then the bytes
//! ```
//!
//! Promises: what was put is taken back equal; anything else is refused, not guessed.
//! Never: a value of another type than its column's.

use plimsoll::record::{ColumnType, Money, Timestamp, Value};
use plimsoll_store::{Order, Position};

use crate::served::Served;

/// Appends a value; `None` where it is too long.
pub(super) fn put(value: &Value, out: &mut Vec<u8>) -> Option<()> {
    let mut number = |tag: u8, bytes: [u8; 8]| {
        out.push(tag);
        out.extend_from_slice(&bytes);
        Some(())
    };
    match value {
        Value::Int(v) => number(3, v.to_le_bytes()),
        Value::Float(v) => number(4, v.to_le_bytes()),
        Value::Money(v) => number(5, v.units().to_le_bytes()),
        Value::Time(v) => number(6, v.micros().to_le_bytes()),
        Value::Null => {
            out.push(0);
            Some(())
        }
        Value::Bool(v) => {
            out.push(1 + u8::from(*v));
            Some(())
        }
        Value::Text(v) => put_long(7, v.as_bytes(), out),
        Value::Bytes(v) => put_long(8, v, out),
    }
}

fn put_long(tag: u8, bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length = u16::try_from(bytes.len()).ok()?;
    out.push(tag);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

/// The values, if there is exactly one of a fitting type per term.
pub(super) fn take_all(mut bytes: &[u8], order: &Order, served: &Served) -> Option<Position> {
    let mut values = Vec::with_capacity(order.terms().len());
    for term in order.terms() {
        let value = take(&mut bytes)?;
        let kind = served.resource.schema.columns[term.column].kind;
        fits(&value, kind).then(|| values.push(value))?;
    }
    bytes.is_empty().then_some(Position(values))
}

fn take(bytes: &mut &[u8]) -> Option<Value> {
    let (&tag, rest) = bytes.split_first()?;
    *bytes = rest;
    let mut cut = |length: usize| {
        let (head, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(head)
    };
    match tag {
        0 => Some(Value::Null),
        1 | 2 => Some(Value::Bool(tag == 2)),
        3..=6 => {
            let number = i64::from_le_bytes(cut(8)?.try_into().ok()?);
            Some(match tag {
                3 => Value::Int(number),
                4 => Value::Float(f64::from_le_bytes(number.to_le_bytes())),
                5 => Value::Money(Money::from_units(number)),
                _ => Value::Time(Timestamp::from_micros(number)),
            })
        }
        7 | 8 => {
            let length = u16::from_le_bytes(cut(2)?.try_into().ok()?);
            let held = cut(usize::from(length))?;
            if tag == 8 {
                return Some(Value::Bytes(held.into()));
            }
            Some(Value::Text(std::str::from_utf8(held).ok()?.into()))
        }
        _ => None,
    }
}

fn fits(value: &Value, kind: ColumnType) -> bool {
    match value {
        Value::Null => true,
        _ if kind == ColumnType::Any => true,
        Value::Bool(_) => kind == ColumnType::Bool,
        Value::Int(_) => matches!(kind, ColumnType::Int | ColumnType::Float),
        Value::Float(_) => kind == ColumnType::Float,
        Value::Money(_) => kind == ColumnType::Money,
        Value::Time(_) => kind == ColumnType::Time,
        Value::Text(_) => kind == ColumnType::Text,
        Value::Bytes(_) => kind == ColumnType::Bytes,
    }
}
