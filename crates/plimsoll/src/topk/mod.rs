//! The k smallest, without a sort: memory for k of them, however long the input.
//!
//! Promises: the first k of a stable sort, in its order; bytes are reserved before they are
//! held; a cutoff that tells a reader what it need not build.
//! Never: spilling. Where k do not fit, the refusal says to sort and take, which spills.
//!
//! | type | keeps | what it costs |
//! |---|---|---|
//! | [`TopK`] | values of a Rust type | k items; a rejected one is one comparison |
//! | [`Rows`] | rows of bytes under normalised keys | a workspace; a rejected one is a memcmp |

mod refused;
mod rows;
mod typed;

pub use refused::{Cause, Refused};
pub use rows::{Rows, SmallestRows};
pub use typed::{Smallest, TopK};
