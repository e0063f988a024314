//! How large the next window of a table is, from how its rows have been so far.
//!
//! ```text
//!   rows_of(bytes) = bytes / average bytes of a row    one statement is about one frame
//!   window_rows    = rows looked at in 25 ms           what matches nothing stops in time
//! ```
//!
//! Promises: bounded at both ends, whatever was measured.
//! Never: a lock; a stale figure only makes one window too large or too small.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Rows of a statement at least: below it the statement costs more than its rows.
const ROWS_MIN: u64 = 16;
/// Rows of a statement at most: they all lie in the server's and the kernel's buffers.
const ROWS_MAX: u64 = 4_096;
/// Rows looked at in the first filtered window of a table, and at least.
const WINDOW_ROWS_MIN: u64 = 512;
/// Rows looked at in a window at most.
const WINDOW_ROWS_MAX: u64 = 65_536;
/// How long a filtered window should take: half of a slice.
const WINDOW_MICROS: u64 = 25_000;
/// Taken for a row's bytes before one was seen.
const ROW_BYTES_GUESSED: u64 = 128;

/// What is known of a table's rows.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes of an encoded row, a moving average in sixteenths.
    row_bytes_16: AtomicU64,
    window_rows: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            row_bytes_16: AtomicU64::new(ROW_BYTES_GUESSED * 16),
            window_rows: AtomicU64::new(WINDOW_ROWS_MIN),
        }
    }
}

impl Pace {
    /// Rows that fill so many bytes.
    pub(super) fn rows_of(&self, bytes: usize) -> u64 {
        let row_16 = self.row_bytes_16.load(Relaxed).max(16);
        (bytes as u64 * 16 / row_16 + 1).clamp(ROWS_MIN, ROWS_MAX)
    }

    /// Rows to look at in one filtered window.
    pub(super) fn window_rows(&self) -> u64 {
        self.window_rows.load(Relaxed)
    }

    /// So many rows took so many bytes.
    pub(super) fn wrote(&self, rows: u64, bytes: usize) {
        if let Some(now_16) = (bytes as u64 * 16).checked_div(rows) {
            let before_16 = self.row_bytes_16.load(Relaxed);
            self.row_bytes_16.store((before_16 * 3 + now_16) / 4, Relaxed);
        }
    }

    /// So many rows were looked at in so much time.
    pub(super) fn scanned(&self, rows: u64, took: Duration) {
        if rows < WINDOW_ROWS_MIN {
            return;
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let in_time = rows.saturating_mul(WINDOW_MICROS) / micros;
        // At most four times as many at once: the first rows may have been in memory.
        let next = in_time.min(rows * 4).clamp(WINDOW_ROWS_MIN, WINDOW_ROWS_MAX);
        self.window_rows.store(next, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_follows_the_rows_and_keeps_its_bounds() {
        let pace = Pace::default();
        for _ in 0..64 {
            pace.wrote(10, 10_000);
        }
        assert!((60..=70).contains(&pace.rows_of(64 << 10)), "{}", pace.rows_of(64 << 10));
        pace.wrote(1, usize::MAX >> 8);
        assert_eq!(pace.rows_of(64 << 10), ROWS_MIN);
        for _ in 0..64 {
            pace.wrote(1_000, 0);
        }
        assert_eq!(pace.rows_of(usize::MAX >> 8), ROWS_MAX);
    }

    #[test]
    fn a_filtered_window_takes_about_half_a_slice() {
        let pace = Pace::default();
        for _ in 0..8 {
            pace.scanned(pace.window_rows(), Duration::from_micros(pace.window_rows()));
        }
        assert_eq!(pace.window_rows(), WINDOW_MICROS);
        pace.scanned(100_000, Duration::from_secs(100));
        assert_eq!(pace.window_rows(), WINDOW_ROWS_MIN);
        pace.scanned(WINDOW_ROWS_MIN, Duration::ZERO);
        assert_eq!(pace.window_rows(), 4 * WINDOW_ROWS_MIN);
    }
}
