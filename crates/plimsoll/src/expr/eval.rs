//! The engine's reading of a checked expression: one row in, one field out.
//!
//! ```text
//!   and    true   false  null      or     true  false  null      not
//!   true   true   false  null      true   true  true   true      true   false
//!   false  false  false  false     false  true  false  null      false  true
//!   null   null   false  null      null   true  null   null      null   null
//! ```
//!
//! Promises: a row costs no allocation, but where `lower` or `upper` has a letter to change;
//! `and` and `or` stop at the first side that decides.
//! Never: an error from a row whose fields have their columns' types, but a number out of range.

use std::cmp::Ordering;

use super::{CompareOp, Expr, Function, arithmetic, call};
use crate::error::{Error, Result};
use crate::record::{self, Row, Value, ValueRef};

/// The result of an expression: borrowed from the row or the expression wherever that is possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluated<'a> {
    /// A field of the row, a literal, or a value without heap bytes.
    Borrowed(ValueRef<'a>),
    /// A text that stands nowhere yet: `lower` or `upper` of one.
    Text(Box<str>),
}

impl Evaluated<'_> {
    /// NULL.
    pub const NULL: Self = Self::Borrowed(ValueRef::Null);

    /// The field.
    #[must_use]
    pub fn borrow(&self) -> ValueRef<'_> {
        match self {
            Self::Borrowed(value) => *value,
            Self::Text(text) => ValueRef::Text(text),
        }
    }
}

/// Whether `filter` is true of `row`: neither false nor NULL.
///
/// ```
/// use plimsoll::expr;
/// use plimsoll::record::{Column, ColumnType, Schema, Value, ValueRow};
/// let schema = Schema { columns: vec![Column::nullable("n", ColumnType::Int)] };
/// let filter = expr::parse("not n = 1", &schema)?;
/// assert!(expr::matches(&filter, &ValueRow(&[Value::Int(2)]))?);
/// assert!(!expr::matches(&filter, &ValueRow(&[Value::Null]))?);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// As [`evaluate`].
pub fn matches<R: Row + ?Sized>(filter: &Expr, row: &R) -> Result<bool> {
    Ok(truth(filter, row)? == Some(true))
}

/// The value of `expr` over `row`, whose fields stand as in the schema it was checked against.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] when arithmetic leaves its type's range;
/// [`crate::ErrorKind::Corrupt`] when a field is not what its column's type says.
pub fn evaluate<'a, R: Row + ?Sized>(expr: &'a Expr, row: &'a R) -> Result<Evaluated<'a>> {
    Ok(Evaluated::Borrowed(match expr {
        Expr::Column(position) => row.value(*position)?,
        Expr::Literal(value) => value.borrow(),
        Expr::Arithmetic { op, left, right } => {
            let (left, right) = (evaluate(left, row)?, evaluate(right, row)?);
            arithmetic(*op, left.borrow(), right.borrow())?
        }
        Expr::Call { function, arguments } => {
            let first = evaluate(&arguments[0], row)?;
            let decided = *function == Function::Coalesce && !first.borrow().is_null();
            let second = match arguments.get(1) {
                Some(argument) if !decided => evaluate(argument, row)?,
                _ => Evaluated::NULL,
            };
            return call(*function, first, second);
        }
        _ => truth(expr, row)?.map_or(ValueRef::Null, ValueRef::Bool),
    }))
}

/// A condition's value; `None` is NULL.
fn truth<R: Row + ?Sized>(expr: &Expr, row: &R) -> Result<Option<bool>> {
    match expr {
        Expr::And(parts) => chain(parts, row, false),
        Expr::Or(parts) => chain(parts, row, true),
        Expr::Not(operand) => Ok(truth(operand, row)?.map(|value| !value)),
        Expr::Compare { op, left, right } => compare(*op, left, right, row),
        Expr::IsNull { operand, negated } => {
            let null = evaluate(operand, row)?.borrow().is_null();
            Ok(Some(null != *negated))
        }
        Expr::In { operand, list, negated } => {
            let sought = evaluate(operand, row)?;
            Ok(find(list, sought.borrow()).map(|found| found != *negated))
        }
        Expr::Column(_) | Expr::Literal(_) | Expr::Call { .. } | Expr::Arithmetic { .. } => {
            match evaluate(expr, row)?.borrow() {
                ValueRef::Null => Ok(None),
                ValueRef::Bool(value) => Ok(Some(value)),
                _ => Err(Error::corrupt(
                    "filter: a row holds something that is not true, false or null where a \
                     condition stands; the column's type and its content disagree",
                )),
            }
        }
    }
}

/// `and` is decided by the first false, `or` by the first true.
fn chain<R: Row + ?Sized>(parts: &[Expr], row: &R, decides: bool) -> Result<Option<bool>> {
    let mut known = true;
    for part in parts {
        match truth(part, row)? {
            Some(value) if value == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => known = false,
        }
    }
    Ok(known.then_some(!decides))
}

fn compare<R: Row + ?Sized>(
    op: CompareOp,
    left: &Expr,
    right: &Expr,
    row: &R,
) -> Result<Option<bool>> {
    // The usual filter is a column beside a literal: no temporary for either.
    if let (Expr::Column(position), Expr::Literal(literal)) = (left, right) {
        return Ok(ordering(row.value(*position)?, literal.borrow()).map(|order| op.holds(order)));
    }
    let (left, right) = (evaluate(left, row)?, evaluate(right, row)?);
    Ok(ordering(left.borrow(), right.borrow()).map(|order| op.holds(order)))
}

fn ordering(left: ValueRef<'_>, right: ValueRef<'_>) -> Option<Ordering> {
    (!left.is_null() && !right.is_null()).then(|| record::compare(left, right))
}

/// Whether the sorted `list` holds `sought`; `None` for NULL.
fn find(list: &[Value], sought: ValueRef<'_>) -> Option<bool> {
    if sought.is_null() {
        return None;
    }
    let found = list.binary_search_by(|value| record::compare(value.borrow(), sought));
    Some(found.is_ok())
}
