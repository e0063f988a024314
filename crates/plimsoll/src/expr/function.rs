//! The functions of the language.
//!
//! Promises: only functions that SQLite, PostgreSQL and this engine can agree on to the byte;
//! NULL in, NULL out, but for `coalesce`.
//! Never: a locale, or a regular expression.

use super::Evaluated;
use crate::error::{Error, Result};
use crate::record::{Money, ValueRef};

/// A function; the module's page says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// `abs(number)`
    Abs,
    /// `coalesce(a, b)`: `a`, or `b` where `a` is NULL.
    Coalesce,
    /// `contains(text, part)`
    Contains,
    /// `ends_with(text, part)`
    EndsWith,
    /// `length(text)` in code points.
    Length,
    /// `lower(text)`: ASCII letters alone.
    Lower,
    /// `starts_with(text, part)`
    StartsWith,
    /// `upper(text)`: ASCII letters alone.
    Upper,
}

impl Function {
    /// Every function, by name.
    pub(super) const ALL: [Self; 8] = [
        Self::Abs,
        Self::Coalesce,
        Self::Contains,
        Self::EndsWith,
        Self::Length,
        Self::Lower,
        Self::StartsWith,
        Self::Upper,
    ];

    /// The name as it is written in canonical text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Coalesce => "coalesce",
            Self::Contains => "contains",
            Self::EndsWith => "ends_with",
            Self::Length => "length",
            Self::Lower => "lower",
            Self::StartsWith => "starts_with",
            Self::Upper => "upper",
        }
    }

    /// How many arguments it takes.
    #[must_use]
    pub const fn arity(self) -> usize {
        match self {
            Self::Abs | Self::Length | Self::Lower | Self::Upper => 1,
            Self::Coalesce | Self::Contains | Self::EndsWith | Self::StartsWith => 2,
        }
    }

    /// The name with its parameters, for messages.
    pub(super) const fn usage(self) -> &'static str {
        match self {
            Self::Abs => "abs(number)",
            Self::Coalesce => "coalesce(a, b)",
            Self::Contains => "contains(text, part)",
            Self::EndsWith => "ends_with(text, part)",
            Self::Length => "length(text)",
            Self::Lower => "lower(text)",
            Self::StartsWith => "starts_with(text, part)",
            Self::Upper => "upper(text)",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| name.eq_ignore_ascii_case(function.name()))
    }
}

/// Applies `function`; of a function with one argument, `second` is not looked at.
///
/// ```
/// use plimsoll::expr::{Evaluated, Function, call};
/// use plimsoll::record::ValueRef;
/// let text = Evaluated::Borrowed(ValueRef::Text("thé\0!"));
/// let length = call(Function::Length, text, Evaluated::NULL)?;
/// assert_eq!(length.borrow(), ValueRef::Int(5));
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] for `abs` of the smallest int or amount;
/// [`crate::ErrorKind::Corrupt`] when an argument is not what its column's type says.
pub fn call<'a>(
    function: Function,
    first: Evaluated<'a>,
    second: Evaluated<'a>,
) -> Result<Evaluated<'a>> {
    let null = |value: &Evaluated<'_>| value.borrow().is_null();
    match function {
        Function::Coalesce => Ok(if null(&first) { second } else { first }),
        _ if null(&first) || (function.arity() == 2 && null(&second)) => Ok(Evaluated::NULL),
        Function::Abs => absolute(first.borrow()).map(Evaluated::Borrowed),
        Function::Length => {
            let chars = text(function, &first)?.chars().count();
            // A row is a few MiB at most, so its characters fit any integer.
            let chars = i64::try_from(chars).unwrap_or(i64::MAX);
            Ok(Evaluated::Borrowed(ValueRef::Int(chars)))
        }
        Function::Lower => {
            recase(function, first, |b| b.is_ascii_uppercase(), str::make_ascii_lowercase)
        }
        Function::Upper => {
            recase(function, first, |b| b.is_ascii_lowercase(), str::make_ascii_uppercase)
        }
        Function::Contains | Function::StartsWith | Function::EndsWith => {
            let whole = text(function, &first)?.as_bytes();
            let part = text(function, &second)?.as_bytes();
            let found = match function {
                Function::Contains => memchr::memmem::find(whole, part).is_some(),
                Function::StartsWith => whole.starts_with(part),
                _ => whole.ends_with(part),
            };
            Ok(Evaluated::Borrowed(ValueRef::Bool(found)))
        }
    }
}

fn text<'a>(function: Function, value: &'a Evaluated<'_>) -> Result<&'a str> {
    match value.borrow() {
        ValueRef::Text(text) | ValueRef::Json(text) => Ok(text),
        _ => Err(mismatch(function, "text")),
    }
}

fn mismatch(function: Function, wanted: &str) -> Error {
    Error::corrupt(format!(
        "filter: a row holds something that is not {wanted} as argument of {}; the column's type \
         and its content disagree",
        function.usage()
    ))
}

fn absolute(value: ValueRef<'_>) -> Result<ValueRef<'static>> {
    let out_of_range = || {
        Error::invalid(
            "filter: abs(..) of the smallest value is out of range on a row; exclude that value \
             first",
        )
    };
    match value {
        ValueRef::Int(int) => int.checked_abs().map(ValueRef::Int).ok_or_else(out_of_range),
        ValueRef::Float(float) => Ok(ValueRef::Float(float.abs())),
        ValueRef::Money(money) => money
            .units()
            .checked_abs()
            .map(|units| ValueRef::Money(Money::from_units(units)))
            .ok_or_else(out_of_range),
        _ => Err(mismatch(Function::Abs, "a number")),
    }
}

/// Copies only a text that has a letter to change.
fn recase(
    function: Function,
    value: Evaluated<'_>,
    changes: impl Fn(u8) -> bool,
    change: impl Fn(&mut str),
) -> Result<Evaluated<'_>> {
    if !text(function, &value)?.bytes().any(changes) {
        return Ok(value);
    }
    let mut owned = match value {
        Evaluated::Text(owned) => owned,
        Evaluated::Borrowed(_) => text(function, &value)?.into(),
    };
    change(&mut owned);
    Ok(Evaluated::Text(owned))
}
