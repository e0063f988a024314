//! Sums and averages as SQLite's own functions are not: exact over integers in any order, and an
//! error that says which measure where a result has no place in its type.
//!
//! ```text
//!   plimsoll_sum(x, measure)          int, money (their units)  -> integer      floats -> float
//!   plimsoll_avg(x, measure)          int, float                -> float
//!   plimsoll_avg_units(x, measure)    money (its units)         -> integer, half to even
//! ```
//!
//! `sqlite/quantiles.rs` has the quantiles.
//!
//! Promises: 128 bits for whole numbers, so that no order of rows overflows what their sum does
//! not; compensated summation for floats (Neumaier 1974).
//! Never: text or bytes taken for a number.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, Result};

/// What stands before the number of the measure in an error's text.
pub(super) const OUT_OF_RANGE: &str = "a measure leaves its range: ";
/// As [`OUT_OF_RANGE`], for a row that holds what cannot be added.
pub(super) const NOT_A_NUMBER: &str = "a measure adds what is no number: ";

/// Registers all of them on a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let functions = [
        ("plimsoll_sum", Adder(Total::sum)),
        ("plimsoll_avg", Adder(Total::average)),
        ("plimsoll_avg_units", Adder(Total::average_units)),
    ];
    for (name, function) in functions {
        connection.create_aggregate_function(name, 2, flags, function)?;
    }
    super::quantiles::register(connection)
}

/// A function by how it ends.
struct Adder(fn(&Total) -> Option<Value>);

/// What has been added so far.
#[derive(Default)]
struct Total {
    measure: i64,
    count: u64,
    whole: i128,
    float: f64,
    /// What the float's rounding lost.
    lost: f64,
    has_floats: bool,
    has_infinities: bool,
}

impl Aggregate<Total, Value> for Adder {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        total.measure = context.get(1)?;
        match context.get_raw(0) {
            ValueRef::Null => return Ok(()),
            ValueRef::Integer(value) => total.whole += i128::from(value),
            ValueRef::Real(value) => total.add(value),
            ValueRef::Text(_) | ValueRef::Blob(_) => {
                return Err(refuse(NOT_A_NUMBER, total.measure));
            }
        }
        total.count += 1;
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Value> {
        match total {
            Some(total) if total.count > 0 => {
                (self.0)(&total).ok_or_else(|| refuse(OUT_OF_RANGE, total.measure))
            }
            _ => Ok(Value::Null),
        }
    }
}

pub(super) fn refuse(mark: &str, measure: i64) -> Error {
    Error::UserFunctionError(format!("{mark}{measure}").into())
}

impl Total {
    fn add(&mut self, value: f64) {
        self.has_floats = true;
        self.has_infinities |= value.is_infinite();
        let sum = self.float + value;
        self.lost += if self.float.abs() >= value.abs() {
            (self.float - sum) + value
        } else {
            (value - sum) + self.float
        };
        self.float = sum;
    }

    /// The sum as a float.
    fn real(&self) -> f64 {
        let whole = self.whole as f64;
        if self.float.is_finite() { self.float + self.lost + whole } else { self.float + whole }
    }

    /// A float whose being infinite is the rows' own doing.
    fn sound(&self, value: f64) -> Option<Value> {
        (value.is_finite() || self.has_infinities).then_some(Value::Real(value))
    }

    fn sum(&self) -> Option<Value> {
        if self.has_floats {
            return self.sound(self.real());
        }
        i64::try_from(self.whole).ok().map(Value::Integer)
    }

    fn average(&self) -> Option<Value> {
        self.sound(self.real() / self.count as f64)
    }

    fn average_units(&self) -> Option<Value> {
        // An amount of a foreign file may be a float; money never is.
        if self.has_floats {
            return self.average();
        }
        let units = half_to_even(self.whole, i128::from(self.count));
        i64::try_from(units).ok().map(Value::Integer)
    }
}

/// `sum / count`, to the nearest whole number, to the even one of two that are equally near.
fn half_to_even(sum: i128, count: i128) -> i128 {
    let (quotient, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    match (rest * 2).cmp(&count) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
        std::cmp::Ordering::Greater => quotient + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::half_to_even;

    #[test]
    fn an_average_of_amounts_is_rounded_half_to_even() {
        let cases = [(5, 2, 2), (7, 2, 4), (-5, 2, -2), (-7, 2, -4), (1, 3, 0), (2, 3, 1)];
        for (sum, count, expected) in cases {
            assert_eq!(half_to_even(sum, count), expected, "{sum} / {count}");
        }
        let least = i128::from(i64::MIN);
        assert_eq!(half_to_even(least * 3, 3), least);
    }
}
