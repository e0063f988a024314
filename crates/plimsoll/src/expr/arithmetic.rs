//! `+ - *` on two fields, exactly as a filter means them.
//!
//! Promises: a result outside its type's range is an error on every database; NULL in, NULL out.
//! Never: an int that silently becomes a float, or a float on the way of money.

use crate::error::{Error, Result};
use crate::record::{Money, ValueRef};

/// An operator between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithmeticOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
}

impl ArithmeticOp {
    /// The operator as it is written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
        }
    }
}

/// Applies `op`. Int with int is int; int with float is float; money with money, added or
/// subtracted, and money times int are money. A database that counts money in units may pass
/// the units as int: the results agree.
///
/// ```
/// use plimsoll::expr::{ArithmeticOp, arithmetic};
/// use plimsoll::record::ValueRef;
/// let sum = arithmetic(ArithmeticOp::Add, ValueRef::Int(2), ValueRef::Int(3))?;
/// assert_eq!(sum, ValueRef::Int(5));
/// assert!(arithmetic(ArithmeticOp::Add, ValueRef::Int(i64::MAX), ValueRef::Int(1)).is_err());
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when the result leaves the range of its type;
/// [`crate::ErrorKind::Corrupt`] when an operand is not what its column's type says.
pub fn arithmetic(
    op: ArithmeticOp,
    left: ValueRef<'_>,
    right: ValueRef<'_>,
) -> Result<ValueRef<'static>> {
    let out_of_range = |kind: &str| {
        Error::invalid(format!(
            "filter: {kind} {} {kind} is out of range on a row; narrow the filter to smaller \
             values or compare without the arithmetic",
            op.symbol()
        ))
    };
    match (left, right) {
        (ValueRef::Null, _) | (_, ValueRef::Null) => Ok(ValueRef::Null),
        (ValueRef::Int(a), ValueRef::Int(b)) => {
            ints(op, a, b).map(ValueRef::Int).ok_or_else(|| out_of_range("int"))
        }
        (ValueRef::Float(a), ValueRef::Float(b)) => floats(op, a, b, out_of_range),
        (ValueRef::Int(a), ValueRef::Float(b)) => floats(op, as_float(a), b, out_of_range),
        (ValueRef::Float(a), ValueRef::Int(b)) => floats(op, a, as_float(b), out_of_range),
        // Units add like ints, and an amount times a whole number is its units times that.
        (ValueRef::Money(a), ValueRef::Money(b)) if op != ArithmeticOp::Multiply => {
            ints(op, a.units(), b.units())
                .map(|units| ValueRef::Money(Money::from_units(units)))
                .ok_or_else(|| out_of_range("money"))
        }
        (ValueRef::Money(money), ValueRef::Int(factor))
        | (ValueRef::Int(factor), ValueRef::Money(money))
            if op == ArithmeticOp::Multiply =>
        {
            money.checked_mul(factor).map(ValueRef::Money).ok_or_else(|| out_of_range("money"))
        }
        _ => Err(Error::corrupt(format!(
            "filter: a row holds something that is no number on one side of '{}'; the column's \
             type and its content disagree",
            op.symbol()
        ))),
    }
}

fn ints(op: ArithmeticOp, a: i64, b: i64) -> Option<i64> {
    match op {
        ArithmeticOp::Add => a.checked_add(b),
        ArithmeticOp::Subtract => a.checked_sub(b),
        ArithmeticOp::Multiply => a.checked_mul(b),
    }
}

/// Both databases round an int to the nearest float when it meets one in arithmetic.
#[allow(clippy::cast_precision_loss)]
fn as_float(int: i64) -> f64 {
    int as f64
}

/// PostgreSQL's `float8pl`, `float8mi` and `float8mul`, with SQLite's NULL for NaN.
fn floats(
    op: ArithmeticOp,
    a: f64,
    b: f64,
    out_of_range: impl Fn(&str) -> Error,
) -> Result<ValueRef<'static>> {
    let result = match op {
        ArithmeticOp::Add => a + b,
        ArithmeticOp::Subtract => a - b,
        ArithmeticOp::Multiply => a * b,
    };
    let overflow = result.is_infinite() && a.is_finite() && b.is_finite();
    let underflow = op == ArithmeticOp::Multiply && result == 0.0 && a != 0.0 && b != 0.0;
    if overflow || underflow {
        return Err(out_of_range("float"));
    }
    Ok(if result.is_nan() { ValueRef::Null } else { ValueRef::Float(result) })
}
