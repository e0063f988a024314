//! The expression language's own arithmetic and functions, inside SQLite.
//!
//! SQLite turns an integer that leaves its range into a float, and its text functions stop at a
//! NUL character. Filters therefore call the library's, which are registered here.
//!
//! Promises: the same answer as [`plimsoll::expr`] for the same operands, for it is the same code.
//! Never: a side effect; all are deterministic.

use plimsoll::expr::{ArithmeticOp, Evaluated, Function, arithmetic, call};
use plimsoll::record::{ColumnType, ValueRef as Field};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, Error, Result};

use super::value::typed;

/// The functions that filters call by name.
const CALLED: [Function; 7] = [
    Function::Abs,
    Function::Contains,
    Function::EndsWith,
    Function::Length,
    Function::Lower,
    Function::StartsWith,
    Function::Upper,
];

/// The SQL name of an operator.
pub(super) fn operator_name(op: ArithmeticOp) -> &'static str {
    match op {
        ArithmeticOp::Add => "plimsoll_add",
        ArithmeticOp::Subtract => "plimsoll_subtract",
        ArithmeticOp::Multiply => "plimsoll_multiply",
    }
}

/// The SQL name of a function.
pub(super) fn function_name(function: Function) -> String {
    match function {
        Function::Coalesce => "coalesce".to_owned(),
        other => format!("plimsoll_{}", other.name()),
    }
}

/// Registers all of them on a connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for op in [ArithmeticOp::Add, ArithmeticOp::Subtract, ArithmeticOp::Multiply] {
        connection.create_scalar_function(operator_name(op), 2, flags, move |context| {
            let answer = arithmetic(op, operand(context, 0)?, operand(context, 1)?);
            answer.map(plain).map_err(refuse)
        })?;
    }
    for function in CALLED {
        let arity = function.arity();
        let arguments = i32::try_from(arity).unwrap_or(i32::MAX);
        let name = function_name(function);
        connection.create_scalar_function(&*name, arguments, flags, move |context| {
            let second = if arity == 2 { operand(context, 1)? } else { Field::Null };
            let first = Evaluated::Borrowed(operand(context, 0)?);
            let answer = call(function, first, Evaluated::Borrowed(second));
            answer.map(|value| plain(value.borrow())).map_err(refuse)
        })?;
    }
    Ok(())
}

/// Money and times arrive as their integers, whose arithmetic is the same.
fn operand<'a>(context: &'a Context<'_>, index: usize) -> Result<Field<'a>> {
    typed(ColumnType::Any, context.get_raw(index)).map_err(refuse)
}

fn plain(value: Field<'_>) -> Value {
    match value {
        Field::Null => Value::Null,
        Field::Bool(v) => Value::Integer(i64::from(v)),
        Field::Int(v) => Value::Integer(v),
        Field::Float(v) => Value::Real(v),
        Field::Money(v) => Value::Integer(v.units()),
        Field::Time(v) => Value::Integer(v.micros()),
        Field::Text(v) | Field::Json(v) => Value::Text(v.to_owned()),
        Field::Bytes(v) => Value::Blob(v.to_owned()),
    }
}

/// SQLite hands on a function's error as text alone, so its kind stands in front of it.
pub(super) const REFUSED: &str = "the filter cannot be answered: ";
/// As [`REFUSED`], where the row is at fault and not the filter.
pub(super) const UNREADABLE: &str = "a row cannot be read: ";

fn refuse(error: plimsoll::Error) -> Error {
    let mark = match error.kind() {
        plimsoll::ErrorKind::Corrupt => UNREADABLE,
        _ => REFUSED,
    };
    Error::UserFunctionError(format!("{mark}{error}").into())
}
