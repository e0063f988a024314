//! The last lines of the log, for whoever asks over HTTP.
//!
//! ```text
//!   event ─> push ─> ring: the last 1,000 lines, 256 KiB together ─> read: behind a number
//!              └──── wakes those who wait for the next line ───────────┘
//! ```
//!
//! Promises: numbers grow by one, so that a gap shows what was forgotten; a bound in lines and
//! bytes, whatever is logged.
//! Never: a line about a request (the target `access`): whoever follows would follow themselves.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};
use tracing::Level;

/// Lines that are kept.
const LINES_MAX: usize = 1_000;
/// Bytes of their texts together.
pub const LOG_BYTES_MAX: usize = 256 << 10;
/// Questions that wait for a line at one time.
const SEATS: usize = 16;
/// Bytes of one line's text.
const LINE_BYTES_MAX: usize = 4 << 10;

/// A line of the log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When, microseconds UTC.
    pub at_micros: i64,
    /// How grave.
    pub level: Level,
    /// Which part of the server.
    pub target: Box<str>,
    /// What happened.
    pub message: Box<str>,
    /// Further fields as a JSON object.
    pub fields: Box<str>,
}

impl LogLine {
    fn bytes(&self) -> usize {
        self.target.len() + self.message.len() + self.fields.len()
    }

    /// Within its bound: fields that are too many are left out, a long message is cut.
    fn bounded(mut self) -> Self {
        if self.bytes() > LINE_BYTES_MAX {
            self.fields = "{}".into();
            let cut = self.message.floor_char_boundary(LINE_BYTES_MAX / 2);
            self.message = self.message[..cut].into();
            let cut = self.target.floor_char_boundary(LINE_BYTES_MAX / 4);
            self.target = self.target[..cut].into();
        }
        self
    }
}

/// See the module.
#[derive(Debug)]
pub struct Logs {
    ring: Mutex<Ring>,
    /// The number of the last line.
    last: watch::Sender<u64>,
    /// Of those who wait.
    pub(crate) seats: Semaphore,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// The number of the last line.
    last: u64,
}

impl Default for Logs {
    fn default() -> Self {
        let seats = Semaphore::new(SEATS);
        Self { ring: Mutex::default(), last: watch::Sender::new(0), seats }
    }
}

impl Logs {
    /// How many requests wait for a line.
    #[must_use]
    pub fn waiting(&self) -> usize {
        SEATS.saturating_sub(self.seats.available_permits())
    }

    /// Keeps a line, and forgets the oldest ones for it.
    pub fn push(&self, line: LogLine) {
        let line = line.bounded();
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += line.bytes();
        ring.lines.push_back(line);
        ring.last += 1;
        while ring.lines.len() > LINES_MAX || ring.bytes > LOG_BYTES_MAX {
            let oldest = ring.lines.pop_front().map_or(0, |line| line.bytes());
            ring.bytes = ring.bytes.saturating_sub(oldest);
        }
        let last = ring.last;
        drop(ring);
        self.last.send_replace(last);
    }

    /// Lines behind a number that `wanted` takes, with their numbers, the oldest first; of many
    /// the newest `lines_max`. And the number of the last line that was looked at.
    pub(crate) fn read(
        &self,
        after: u64,
        lines_max: usize,
        wanted: impl Fn(&LogLine) -> bool,
    ) -> (Vec<(u64, LogLine)>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = (0..).zip(ring.lines.iter().rev());
        let mut found: Vec<(u64, LogLine)> = newest
            .map(|(back, line)| (ring.last - back, line))
            .filter(|(number, line)| *number > after && wanted(line))
            .take(lines_max)
            .map(|(number, line)| (number, line.clone()))
            .collect();
        found.reverse();
        (found, ring.last)
    }

    /// Waits for a line behind a number.
    pub(crate) async fn behind(&self, number: u64) {
        let mut last = self.last.subscribe();
        // The sender lives as long as this.
        let _last = last.wait_for(|last| *last > number).await;
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::{LINE_BYTES_MAX, LINES_MAX, LOG_BYTES_MAX, LogLine, Logs};

    fn line(level: Level, message: String) -> LogLine {
        let [target, fields] = ["jobs", "{}"].map(Into::into);
        LogLine { at_micros: 0, level, target, message: message.into(), fields }
    }

    #[test]
    fn the_newest_lines_are_kept_within_their_bounds_under_numbers_that_grow() {
        let logs = Logs::default();
        for number in 1..=2_500 {
            logs.push(line(Level::INFO, format!("line {number}")));
        }
        let (all, last) = logs.read(0, usize::MAX, |_| true);
        assert_eq!((all.len(), last, all[0].0), (LINES_MAX, 2_500, 1_501));
        assert!(all.iter().all(|(number, line)| *line.message == *format!("line {number}")));
        let (newest, _) = logs.read(2_490, 3, |line| !line.message.ends_with('9'));
        let numbers: Vec<u64> = newest.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [2_497, 2_498, 2_500], "of many the newest, in their order");
        assert!(logs.read(2_500, 3, |_| true).0.is_empty());
        for _ in 0..200 {
            logs.push(line(Level::WARN, "\u{e9}".repeat(3 * LINE_BYTES_MAX)));
        }
        let (large, _) = logs.read(0, usize::MAX, |_| true);
        let bytes: usize = large.iter().map(|(_, line)| line.bytes()).sum();
        assert!(large.len() < LINES_MAX && bytes <= LOG_BYTES_MAX, "{bytes}");
        assert!(large.iter().all(|(_, line)| line.bytes() <= LINE_BYTES_MAX));
    }
}
