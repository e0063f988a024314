//! A checked expression as text: one spelling for one meaning as far as the checker normalises.
//!
//! Promises: reading the text over the same schema gives an equal expression, as long as the text
//! keeps within the bounds (a time or a `between` can come out longer than it went in). Cursors
//! hash it to tell that they belong to a filter.
//! Never: more parentheses than the grammar needs.

use std::fmt::{self, Write as _};

use super::Expr;
use super::lexer::Keyword;
use crate::record::{Schema, Value};

/// See [`Expr::canonical`].
#[derive(Clone, Copy, Debug)]
pub struct Canonical<'a> {
    expr: &'a Expr,
    schema: &'a Schema,
}

impl Expr {
    /// The expression's canonical text over the schema it was checked against.
    ///
    /// ```
    /// use plimsoll::expr;
    /// use plimsoll::record::{Column, ColumnType, Schema};
    /// let schema = Schema { columns: vec![Column::nullable("price", ColumnType::Money)] };
    /// let filter = expr::parse("(2.50<price) OR NOT price IN (1)", &schema)?;
    /// assert_eq!(filter.canonical(&schema).to_string(), "price > 2.5 or not price = 1");
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    #[must_use]
    pub fn canonical<'a>(&'a self, schema: &'a Schema) -> Canonical<'a> {
        Canonical { expr: self, schema }
    }
}

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const ADD: u8 = 5;
const MULTIPLY: u8 = 6;
const LEAF: u8 = 7;

/// How tightly the expression's own operator binds.
fn power(expr: &Expr) -> u8 {
    match expr {
        Expr::Or(_) => OR,
        Expr::And(_) => AND,
        Expr::Not(_) => NOT,
        Expr::Compare { .. } | Expr::IsNull { .. } | Expr::In { .. } => COMPARE,
        Expr::Arithmetic { op, .. } => match op {
            super::ArithmeticOp::Add | super::ArithmeticOp::Subtract => ADD,
            super::ArithmeticOp::Multiply => MULTIPLY,
        },
        Expr::Column(_) | Expr::Literal(_) | Expr::Call { .. } => LEAF,
    }
}

impl fmt::Display for Canonical<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expr {
            Expr::Column(position) => name(f, &self.schema.columns[*position].name),
            Expr::Literal(value) => literal(f, value),
            Expr::Or(parts) => self.joined(f, parts, " or ", AND),
            Expr::And(parts) => self.joined(f, parts, " and ", NOT),
            Expr::Not(operand) => {
                f.write_str("not ")?;
                self.below(f, operand, NOT)
            }
            Expr::Compare { op, left, right } => {
                self.below(f, left, ADD)?;
                write!(f, " {} ", op.symbol())?;
                self.below(f, right, ADD)
            }
            Expr::IsNull { operand, negated } => {
                self.below(f, operand, ADD)?;
                f.write_str(if *negated { " is not null" } else { " is null" })
            }
            Expr::In { operand, list, negated } => {
                self.below(f, operand, ADD)?;
                f.write_str(if *negated { " not in (" } else { " in (" })?;
                for (index, value) in list.iter().enumerate() {
                    f.write_str(if index == 0 { "" } else { ", " })?;
                    literal(f, value)?;
                }
                f.write_char(')')
            }
            Expr::Arithmetic { op, left, right } => {
                let own = power(self.expr);
                self.below(f, left, own)?;
                write!(f, " {} ", op.symbol())?;
                self.below(f, right, own + 1)
            }
            Expr::Call { function, arguments } => {
                write!(f, "{}(", function.name())?;
                self.joined(f, arguments, ", ", OR)?;
                f.write_char(')')
            }
        }
    }
}

impl Canonical<'_> {
    fn below(&self, f: &mut fmt::Formatter<'_>, expr: &Expr, least: u8) -> fmt::Result {
        let inner = expr.canonical(self.schema);
        if power(expr) < least { write!(f, "({inner})") } else { write!(f, "{inner}") }
    }

    fn joined(
        &self,
        f: &mut fmt::Formatter<'_>,
        parts: &[Expr],
        between: &str,
        least: u8,
    ) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { between })?;
            self.below(f, part, least)?;
        }
        Ok(())
    }
}

fn name(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit())
        && Keyword::from_word(name).is_none();
    if plain {
        return f.write_str(name);
    }
    quoted(f, name, '"')
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for c in text.chars() {
        if c == quote {
            f.write_char(quote)?;
        }
        f.write_char(c)?;
    }
    f.write_char(quote)
}

fn literal(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Int(value) => write!(f, "{value}"),
        // Debug always has a fraction or an exponent, so it is read back as a float.
        Value::Float(value) => write!(f, "{value:?}"),
        Value::Money(value) => write!(f, "{value}"),
        Value::Time(value) => write!(f, "'{value}'"),
        Value::Text(value) => quoted(f, value, '\''),
        Value::Bytes(value) => {
            f.write_str("x'")?;
            for byte in value {
                write!(f, "{byte:02x}")?;
            }
            f.write_char('\'')
        }
    }
}
