//! When rows pass by the table of groups.
//!
//! ```text
//!              a table was written out, and saved
//!              less than a quarter of its rows
//!   grouping ────────────────────────────────────> passing
//!            <────────────────────────────────────
//!              eight times that table's rows passed
//! ```
//!
//! A table that is full before keys come again saves nothing: each row is looked up, kept and
//! written out as a group of one. Then a row is better written out at once, as the state of one
//! row. Grouping early and giving it up where it does not reduce: Larson, "Data reduction by
//! partial preaggregation", ICDE 2002; Do, Graefe and Naughton, "Efficient sorting, duplicate
//! removal, grouping, and aggregation", ACM TODS 47(4), 2022.
//!
//! Promises: rows whose keys never repeat are looked up one time in nine; rows whose keys begin
//! to repeat are grouped again after eight tables' worth at most.
//! Never: another result; only where the work is done differs.

/// Rows in for one group out, in hundredths, below which a table saves too little: 133 is three
/// groups out of four rows.
pub const REDUCTION_PERCENT_MIN: u64 = 133;
/// How many times a table's rows pass by before the next is tried.
pub const PASSING_FACTOR: u64 = 8;

/// Whether rows go into the table, by what the last one saved.
///
/// ```
/// use plimsoll::group::Bypass;
/// let mut bypass = Bypass::default();
/// assert!(!bypass.passes());
/// bypass.written_out(1_000, 990);
/// assert!(bypass.passes());
/// bypass.passed(8_000);
/// assert!(!bypass.passes());
/// bypass.written_out(1_000, 400);
/// assert!(!bypass.passes());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bypass {
    rows_left: u64,
}

impl Bypass {
    /// Whether the next rows pass by the table.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.rows_left > 0
    }

    /// A full table was written out: `rows` had come in since it was empty, `groups` went out.
    pub fn written_out(&mut self, rows: u64, groups: u64) {
        let little = rows.saturating_mul(100) < groups.saturating_mul(REDUCTION_PERCENT_MIN);
        self.rows_left = if little { rows.saturating_mul(PASSING_FACTOR) } else { 0 };
    }

    /// That many rows passed by.
    pub fn passed(&mut self, rows: u64) {
        self.rows_left = self.rows_left.saturating_sub(rows);
    }
}

#[cfg(test)]
mod tests;
