//! A literal takes the type of what stands beside it.
//!
//! ```text
//!   beside   number literal                       text literal      other literals
//!   int      10, 10.0 -> Int, 2.5 -> Float        refused           refused
//!   float    Float; Int where a float rounds it   refused           refused
//!   money    exactly that amount                  refused           refused
//!   time     refused                              Timestamp         refused
//!   text     refused                              Text              refused
//!   any      10 -> Int, 10.0 -> Float             Text              bytes only
//!   bool     refused                              refused           true, false
//!   bytes    refused                              refused           x'00ff'
//! ```
//!
//! Promises: nothing is rounded, but for a decimal literal to the nearest float.
//! Never: a guess; what does not fit is refused with what would.

use super::ast::Literal;
use super::{CompareOp, Expr};
use crate::error::{Error, Result, excerpt};
use crate::record::{self, ColumnType, Money, Schema, Timestamp, Value, ValueRef};

/// A filter of one comparison, from what stands in `?category=toys` or `filter[price][gte]=10`.
/// The raw text is read as [`record::Column::parse`] reads a field; for a column of type any, a
/// raw text that is a number is that number.
///
/// ```
/// use plimsoll::expr::{self, CompareOp};
/// use plimsoll::record::{Column, ColumnType, Schema};
/// let schema = Schema { columns: vec![Column::nullable("price", ColumnType::Money)] };
/// let filter = expr::compare(&schema, "price", CompareOp::GreaterOrEqual, "10")?;
/// assert_eq!(filter, expr::parse("price >= 10", &schema)?);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] naming the columns there are, or what the column takes;
/// [`crate::ErrorKind::TooLarge`] for a text longer than a filter may be.
pub fn compare(schema: &Schema, column: &str, op: CompareOp, raw: &str) -> Result<Expr> {
    let Some(position) = schema.position(column) else {
        return Err(Error::invalid(format!("filter: {}", no_column(schema, column))));
    };
    if raw.len() > crate::limits::FILTER_BYTES_MAX {
        return Err(Error::too_large(format!(
            "filter: column '{column}': the value has {} bytes; at most {} are read",
            raw.len(),
            crate::limits::FILTER_BYTES_MAX
        )));
    }
    if raw.contains('\0') {
        return Err(Error::invalid(format!(
            "filter: column '{column}': a value cannot hold the character NUL"
        )));
    }
    let declared = &schema.columns[position];
    let number = (declared.kind == ColumnType::Any).then(|| any_number(raw)).flatten();
    let value = match number {
        Some(number) => number,
        None => declared.parse(raw).map_err(|e| Error::invalid(format!("filter: {e}")))?,
    };
    Ok(Expr::Compare {
        op,
        left: Box::new(Expr::Column(position)),
        right: Box::new(Expr::Literal(value)),
    })
}

fn any_number(raw: &str) -> Option<Value> {
    let float = || raw.parse().ok().filter(|f: &f64| f.is_finite());
    raw.parse().ok().map(Value::Int).or_else(|| float().map(Value::Float))
}

/// The sentence for a name that is none of the columns'.
pub(super) fn no_column(schema: &Schema, name: &str) -> String {
    const NAMES_MAX: usize = 20;
    let mut names: Vec<&str> = schema.columns.iter().map(|c| &*c.name).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    names.truncate(NAMES_MAX);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("there is no column '{}'; the columns are {}{more}", excerpt(name), names.join(", "))
}

/// A literal that stands alone, or the reason why it is none.
pub(super) fn alone(literal: &Literal<'_>) -> Result<Value, String> {
    Ok(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => Value::Bool(*value),
        Literal::Text(text) => Value::Text(text.as_ref().into()),
        Literal::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
        Literal::Number { negative, digits } => {
            let text = signed(*negative, digits);
            if digits.bytes().all(|b| b.is_ascii_digit()) {
                Value::Int(int(&text)?)
            } else {
                Value::Float(float(&text)?)
            }
        }
    })
}

/// A literal beside something of type `kind`, or the reason why it does not fit.
pub(super) fn beside(literal: &Literal<'_>, kind: ColumnType) -> Result<Value, String> {
    match (kind, literal) {
        (_, Literal::Null) => {
            Err("nothing compares with null: write is null or is not null".to_owned())
        }
        (ColumnType::Int, Literal::Number { negative, digits }) => match whole(digits) {
            Some(digits) => int(&signed(*negative, digits)).map(Value::Int),
            None => float(&signed(*negative, digits)).map(Value::Float),
        },
        (ColumnType::Float, Literal::Number { negative, digits }) => {
            let text = signed(*negative, digits);
            let float = float(&text)?;
            // An int beyond 2^53 that no float equals stays one, for the two compare exactly.
            Ok(match text.parse() {
                Ok(int) if record::compare(ValueRef::Int(int), ValueRef::Float(float)).is_ne() => {
                    Value::Int(int)
                }
                _ => Value::Float(float),
            })
        }
        (ColumnType::Money, Literal::Number { negative, digits }) => {
            signed(*negative, digits).parse::<Money>().map(Value::Money).map_err(|e| e.to_string())
        }
        (ColumnType::Time, Literal::Text(text)) => {
            text.parse::<Timestamp>().map(Value::Time).map_err(|e| e.to_string())
        }
        (ColumnType::Text, Literal::Text(_)) | (ColumnType::Bytes, Literal::Bytes(_)) => {
            alone(literal)
        }
        (ColumnType::Bool, Literal::Bool(_)) => alone(literal),
        (ColumnType::Any, Literal::Number { .. } | Literal::Text(_) | Literal::Bytes(_)) => {
            alone(literal)
        }
        _ => Err(wanted(kind).to_owned()),
    }
}

/// How a literal for `kind` is written.
pub(super) fn wanted(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "write true or false",
        ColumnType::Int => "write a whole number without quotes, as 10",
        ColumnType::Float => "write a number without quotes, as 2.5",
        ColumnType::Money => "write an amount without quotes, as 2.55",
        ColumnType::Time => "write a time in single quotes, as '2010-12-01 08:26:00'",
        ColumnType::Text => "write text in single quotes, as 'toys'",
        ColumnType::Bytes => "write bytes in hexadecimal, as x'00ff'",
        ColumnType::Any => "write a number, text in single quotes or x'00ff'",
    }
}

fn signed(negative: bool, digits: &str) -> String {
    format!("{}{digits}", if negative { "-" } else { "" })
}

/// The digits before the point where nothing but zeros stands behind it.
fn whole(digits: &str) -> Option<&str> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_whole = !whole.is_empty()
        && whole.bytes().all(|b| b.is_ascii_digit())
        && fraction.bytes().all(|b| b == b'0');
    is_whole.then_some(whole)
}

fn int(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "the number is out of range: an int lies between -2^63 and 2^63-1".to_owned())
}

fn float(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(float),
        _ => Err("the number is out of range: a float lies within ±1.7976931348623157e308".into()),
    }
}
