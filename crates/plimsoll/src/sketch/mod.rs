//! Sketches: answers of a stated error from memory that does not grow with the input.
//!
//! Promises: the error is stated, with its source; two sketches of the same kind merge; an
//! encoded sketch is read back only when it is whole.
//! Never: an allocation after construction, or a random number that no seed determines.
//!
//! | sketch | answers | error | bytes |
//! |---|---|---|---|
//! | [`HyperLogLog`] | how many distinct values | 1.04 / sqrt(2^p), one sigma | 2^p |
//! | [`Kll`] | quantiles and ranks | 2.296 / k^0.9723 of the rank, 99 % | about 24 k |
//!
//! Neither holds a reservation: what owns the sketch reserves `bytes_for` first.

mod envelope;
mod hash;
mod hyperloglog;
mod kll;

pub(crate) use hash::xxh64;
pub use hyperloglog::HyperLogLog;
pub use kll::Kll;
