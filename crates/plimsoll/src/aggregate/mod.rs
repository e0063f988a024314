//! Measures of groups: `sum(qty * price) as revenue, count(*), max(ts)`.
//!
//! ```text
//!   text ─> parse ─> Measure ─> Layout ─> slots in the state of a group   (arena of a Table)
//!           calls    types                update, merge, encode, finish
//! ```
//!
//! Sums and means of int and money are exact in 128 bits; a result that does not fit its type is
//! an error that names the measure, never a float. Sums of float are compensated (Neumaier 1974);
//! in another order of rows, or with more workers, their last digits may differ. Of floats, an
//! infinity among the rows makes the sum one; a NaN makes it NULL, as in the arithmetic of
//! [`crate::expr`]; `min` and `max` know one zero and one NaN, the greatest number.
//!
//! Promises: the result does not hang on which rows met in memory and which were spilled; NULLs
//! are skipped as in SQL; damaged spilled bytes are refused.
//! Never: an allocation per row, or a state that grows with the rows of its group.

mod arena;
mod division;
mod finish;
mod group;
mod input;
mod layout;
mod measure;
mod partial;
mod rank;
mod read;
mod sketched;
mod slot;
mod values;
mod wire;

pub use arena::Full;
pub(crate) use arena::{Arena, Entries, Place};
pub(crate) use division::{Division, GroupValues};
pub use group::{Group, GroupRef};
use input::Input;
pub use layout::{Layout, UpdateError};
pub use measure::{Aggregate, Keeps, Measure, parse};
pub use rank::{Place as QuantilePlace, Rank};
pub(crate) use values::push_length;
