//! One typed expression language for filters, translated to SQL by the store or evaluated here.
//!
//! Promises: what is read here means the same in SQLite, in PostgreSQL and in this engine; money
//! stays exact; NULL is three-valued; every refusal shows the place with a caret and names what
//! is allowed; the memory a filter takes is bounded whatever was sent (see [`parse`]).
//! Never: a panic on a stranger's text, or an implicit conversion between text and numbers.
//!
//! ```text
//!   text ─> lexer ─> parser ─> Node ─> check ─> Expr ─┬─> evaluate / matches    (this module)
//!           tokens   spans,    names    (Schema)      ├─> parameterised SQL     (the store)
//!                    bounds    as text                └─> canonical text, hash  (cursors)
//! ```
//!
//! # Language
//! ```text
//!   or            lowest          a = 1 or b = 2
//!   and                           a = 1 and b = 2
//!   not                           not active
//!   = != <> < <= > >=             price >= 10         they do not chain
//!   is [not] null                 closed_at is null
//!   [not] in (..)                 category in ('toys', 'tea')
//!   [not] between .. and ..       price between 2.5 and 10
//!   + -                           price + 1
//!   *                             price * quantity
//!   - (sign)      highest         -quantity
//! ```
//! Columns are `name` or `"any name"` with `""` for a quote; literals are `10`, `2.55`, `1e3`,
//! `'text'` with `''` for a quote, `x'00ff'`, `true`, `false`, `null`. Keywords and function names
//! ignore case, columns do not. Functions: `contains(text, part)`, `starts_with(text, part)`,
//! `ends_with(text, part)`, `length(text)`, `lower(text)`, `upper(text)`, `coalesce(a, b)`,
//! `abs(number)`.
//!
//! # Types
//! A bare literal takes the type of what stands beside it: `'2010-12-01'` beside a time column is
//! an instant, `2.55` beside money is exactly that amount. Nothing else is converted. Int and
//! float compare by exact value. `any` columns (foreign databases) compare with int, float, text
//! and bytes in the order NULL < numbers < text < bytes, without SQLite's column affinity.
//!
//! # What both readings must do alike
//! - Text compares by bytes: SQLite `BINARY`, PostgreSQL `COLLATE "C"`.
//! - In `and`, `or` and `coalesce`, an error in a side that the other side makes needless may
//!   surface or not.
//! - `+ - *` and `abs` of int and money that leave the range of `i64` are an error, never a float.
//! - `+ - *` of floats: finite operands with an infinite result, or a product of two non-zero
//!   numbers that rounds to zero, are an error, as in PostgreSQL; a NaN result is NULL, as in
//!   SQLite. NaN in a column is the largest number and equals itself, as in PostgreSQL.
//! - `length` counts code points, also beyond a NUL character, where SQLite's own stops.
//! - `lower` and `upper` change ASCII letters alone: SQLite's meaning, and PostgreSQL's under
//!   `COLLATE "C"`; SQLite's own end the text at a NUL character.
//! - `contains`, `starts_with` and `ends_with` compare bytes, so case counts; an empty part is in
//!   every text.
//! - A text literal holds no NUL character, for PostgreSQL takes none.
//!
//! [`arithmetic`] and [`call`] are public so that a store registers the very same functions where
//! its database's own differ.

mod arithmetic;
mod ast;
mod canonical;
mod check;
mod compare_op;
mod eval;
mod function;
mod lexer;
mod literal;
mod parser;
pub mod testing;
mod typed;

pub use arithmetic::{ArithmeticOp, arithmetic};
pub use canonical::Canonical;
pub use compare_op::CompareOp;
pub use eval::{Evaluated, evaluate, matches};
pub use function::{Function, call};
pub use literal::compare;
pub(crate) use parser::{Argument, Call, call_list};
pub use typed::{ColumnCompare, Expr};

use crate::caret::Source;
use crate::error::Result;
use crate::limits::{FILTER_BYTES_MAX, FILTER_LIST_ITEMS_MAX, FILTER_NODES_MAX};
use crate::record::{Schema, Value};

/// Most bytes of a checked filter. A part as written gives at most four checked ones, for a
/// minus adds a zero and `between` doubles its operand, and so its texts.
const CHECKED_BYTES_MAX: usize = 4 * FILTER_NODES_MAX * size_of::<Expr>()
    + FILTER_LIST_ITEMS_MAX * size_of::<Value>()
    + 2 * FILTER_BYTES_MAX;
/// Most bytes of a filter's tree; a growing vector holds twice what is in it.
const TREE_BYTES_MAX: usize = 2 * FILTER_NODES_MAX * size_of::<ast::Node<'_>>()
    + 2 * FILTER_LIST_ITEMS_MAX * size_of::<(crate::caret::Span, ast::Literal<'_>)>()
    + FILTER_BYTES_MAX;
const _: () = assert!(CHECKED_BYTES_MAX <= 96 << 10);
const _: () = assert!(CHECKED_BYTES_MAX + TREE_BYTES_MAX <= 192 << 10);

/// Reads a filter over `schema`'s columns. It takes at most 192 KiB while it is read and 96 KiB
/// once it is checked; a usual one takes a few hundred bytes.
///
/// ```
/// use plimsoll::expr;
/// use plimsoll::record::{Column, ColumnType, Schema, Value, ValueRow};
/// let schema = Schema {
///     columns: vec![
///         Column::nullable("price", ColumnType::Money),
///         Column::nullable("category", ColumnType::Text),
///     ],
/// };
/// let filter = expr::parse("price >= 10 and category = 'toys'", &schema)?;
/// let row = [Value::Money("10".parse()?), Value::Text("toys".into())];
/// assert!(expr::matches(&filter, &ValueRow(&row))?);
///
/// let refused = expr::parse("prise >= 10", &schema).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "filter, character 1: there is no column 'prise'; the columns are price, category\n  \
///      prise >= 10\n  \
///      ^^^^^"
/// );
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with the place and what is allowed there;
/// [`crate::ErrorKind::TooLarge`] beyond a bound of [`crate::limits`] whose name starts with
/// `FILTER_`.
pub fn parse(text: &str, schema: &Schema) -> Result<Expr> {
    let source = Source { text, noun: "filter" };
    let tree = parser::parse(source)?;
    check::check(source, &tree, schema)
}

/// Reads an expression of any type over `schema`'s columns: what is summed or compared, where
/// [`parse`] reads a condition. The bounds are the same.
///
/// ```
/// use plimsoll::expr;
/// use plimsoll::record::{Column, ColumnType, Schema};
/// let schema = Schema {
///     columns: vec![
///         Column::nullable("price", ColumnType::Money),
///         Column::nullable("stock", ColumnType::Int),
///     ],
/// };
/// let value = expr::parse_operand("price * stock", &schema)?;
/// assert_eq!(value.kind(&schema), ColumnType::Money);
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// Those of [`parse`].
pub fn parse_operand(text: &str, schema: &Schema) -> Result<Expr> {
    let source = Source { text, noun: "expression" };
    let tree = parser::parse(source)?;
    Ok(check::check_value(source, &tree, schema)?.0)
}
