//! Exact quantiles in bounded memory, by reading the input more than once.
//!
//! Promises: the values a sort would give; a workspace that does not grow; one pass for an input
//! that fits half of it, two when the candidates fit after the first, and never more than
//! [`ExactQuantiles::passes_max`].
//! Never: a sort of the input, or an estimate.
//!
//! The quantile q of n sorted values, counted from 0, stands at q (n - 1). Where that is no whole
//! number, the one at the place below is the nearest rank lower, and `lower + (upper - lower) *
//! fraction` is the continuous quantile: for q = 0.5 and an even n the mean of the two middle
//! values, as DuckDB's `median` and `quantile_cont` define it.
//!
//! | file | its noun |
//! |---|---|
//! | `key` | numbers as keys of the same order |
//! | `exact` | the state machine over passes |
//! | `first` | the first pass: two histograms and a sample |
//! | `later` | a pass over the regions that are left |
//! | `walk` | from a place to a cell of a histogram |

mod exact;
mod first;
mod key;
mod later;
mod walk;

pub use exact::{ExactQuantiles, Next, Quantile};
pub use key::OrderKey;

/// The place floor(q (count - 1)) in sorted values counted from 0; `count` is not 0.
pub(crate) fn lower_rank(q: f64, count: u64) -> u64 {
    place(q, count).0
}

/// The place of the quantile and what is missing to the next one, 0 to 1.
fn place(q: f64, count: u64) -> (u64, f64) {
    let last = count - 1;
    #[allow(clippy::cast_precision_loss)] // beyond 2^53 values the place is off by a few
    let exact = q * last as f64;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // q is 0 to 1
    let whole = (exact.floor() as u64).min(last);
    (whole, if whole == last { 0.0 } else { exact.fract() })
}

#[cfg(test)]
mod tests;
