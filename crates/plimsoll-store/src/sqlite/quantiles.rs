//! Quantiles of rows that know their places.
//!
//! ```text
//!   plimsoll_quantile(x, place from 1, count, parts of the rank, is money, measure)
//!       int -> float      money (its units) -> integer, half to even      float -> float
//! ```
//!
//! Promises: the two values around the rank are all that is kept of a group; between ints or
//! amounts the arithmetic is [`plimsoll::aggregate::Rank`]'s, without a float.
//! Never: text or bytes taken for a number.

use plimsoll::aggregate::{QuantilePlace, Rank};
use plimsoll::quantile::OrderKey;
use plimsoll::record::{ColumnType, Value as Field};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

use super::measures::{NOT_A_NUMBER, refuse};

const ARGUMENTS: i32 = 6;

/// Registers it on a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_aggregate_function("plimsoll_quantile", ARGUMENTS, flags, Quantile)
}

struct Quantile;

/// What is known of a group.
#[derive(Default)]
struct Around {
    place: Option<QuantilePlace>,
    is_money: bool,
    lower: Option<Number>,
    upper: Option<Number>,
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Float(f64),
}

impl Number {
    fn float(self) -> f64 {
        match self {
            // To the nearest, as SQLite does.
            Self::Whole(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl Aggregate<Around, Value> for Quantile {
    fn init(&self, _: &mut Context<'_>) -> Result<Around> {
        Ok(Around::default())
    }

    fn step(&self, context: &mut Context<'_>, around: &mut Around) -> Result<()> {
        let number = match context.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(value) => Number::Whole(value),
            ValueRef::Real(value) => Number::Float(value),
            ValueRef::Text(_) | ValueRef::Blob(_) => {
                return Err(refuse(NOT_A_NUMBER, context.get(5)?));
            }
        };
        let place = match around.place {
            Some(place) => place,
            None => {
                let unsound = |e: plimsoll::Error| Error::UserFunctionError(e.into());
                let rank =
                    Rank::from_parts(context.get::<i64>(3)?.cast_unsigned()).map_err(unsound)?;
                around.is_money = context.get(4)?;
                let count: i64 = context.get(2)?;
                *around.place.insert(rank.place(count.cast_unsigned()))
            }
        };
        // Places of rows are counted from 1.
        let row: i64 = context.get(1)?;
        if row.cast_unsigned() == place.lower() + 1 {
            around.lower = Some(number);
        } else if row.cast_unsigned() == place.lower() + 2 {
            around.upper = Some(number);
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, around: Option<Around>) -> Result<Value> {
        Ok(around.and_then(|around| around.value()).unwrap_or(Value::Null))
    }
}

impl Around {
    fn value(&self) -> Option<Value> {
        let (place, lower) = (self.place?, self.lower?);
        let upper = self.upper.unwrap_or(lower);
        let field = match (lower, upper) {
            (Number::Whole(lower), Number::Whole(upper)) => {
                let kind = if self.is_money { ColumnType::Money } else { ColumnType::Int };
                place.value(kind, lower.to_key(), upper.to_key())
            }
            // An amount of a foreign file may be a float; money never is.
            (lower, upper) => {
                place.value(ColumnType::Float, lower.float().to_key(), upper.float().to_key())
            }
        };
        Some(match field {
            Field::Float(value) => Value::Real(value),
            Field::Money(value) => Value::Integer(value.units()),
            _ => Value::Null,
        })
    }
}
