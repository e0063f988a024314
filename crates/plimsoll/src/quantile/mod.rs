//! Exact quantiles in bounded memory, by reading the input more than once.
//!
//! Promises: the values a sort would give; a workspace that does not grow; one pass for an input
//! that fits half of it, two when the candidates fit after the first, and never more than
//! [`ExactQuantiles::passes_max`].
//! Never: a sort of the input, or an estimate.
//!
//! The quantile q of n sorted values, counted from 0, stands at q (n - 1). Where that is no whole
//! number, the one at the place below is the nearest rank lower, and `lower + (upper - lower) *
//! weight` is the continuous quantile: for q = 0.5 and an even n the mean of the two middle
//! values, as DuckDB's `median` and `quantile_cont` define it.
//!
//! | file | its noun |
//! |---|---|
//! | `key` | numbers as keys of the same order |
//! | `exact` | the state machine over passes |
//! | `decimal` | numbers of any size between two others |
//! | `first` | the first pass: two histograms and a sample |
//! | `fraction` | which part of the values lies below |
//! | `later` | a pass over the regions that are left |
//! | `walk` | from a place to a cell of a histogram |

mod decimal;
mod exact;
mod first;
mod fraction;
mod key;
mod later;
mod walk;

pub(crate) use decimal::{Number, too_long};
pub(crate) use exact::changed;
pub use exact::{ExactQuantiles, Next, Quantile};
pub use fraction::Fraction;
pub use key::OrderKey;

/// The place floor(q (count - 1)) in sorted values counted from 0; `count` is not 0. For sketches,
/// whose places are off by more than a float is.
pub(crate) fn lower_rank(q: f64, count: u64) -> u64 {
    let last = count - 1;
    #[allow(clippy::cast_precision_loss)] // beyond 2^53 values the place is off by a few
    let exact = q * last as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // q is 0 to 1
    let whole = exact.floor() as u64;
    whole.min(last)
}

#[cfg(test)]
mod tests;
