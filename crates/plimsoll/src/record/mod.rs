//! Values, column types and rows: the one vocabulary between database, formats and expressions.
//!
//! Promises: money is exact, time is microseconds UTC, and one total order holds everywhere.
//! Never: a float on the way of a money value, or a copy of text a reader only wants to look at.
//!
//! ```text
//!   database row ─┐                       ┌─> NDJSON / JSON / CSV bytes   (format)
//!   CSV record   ─┼─> ValueRef (borrowed) ┼─> bool / Value                (expr)
//!   JSON object  ─┘                       └─> Value (owned) in a WriteUnit (store)
//! ```

pub mod key;
mod money;
mod order;
mod row;
mod schema;
mod time;
mod value;

pub use money::Money;
pub use order::compare;
pub use row::{Row, ValueRow};
pub use schema::{Column, ColumnType, Schema};
pub use time::Timestamp;
pub use value::{Value, ValueRef};
