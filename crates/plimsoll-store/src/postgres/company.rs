//! Whether others are at work on the server, for whom a stream makes way.
//!
//! ```text
//!   once a second, in front of a slice of a stream:   where the counter of transactions stands
//!   (the second look 100 ms behind the first)
//!     others = transactions since the last look - those of this process's writer
//!     10 and more a second ──> a slice is one window, then a rest until 50 ms have passed
//!     fewer ───────────────> as fast as the client takes it
//! ```
//!
//! The counter is that of transactions that write: every role may read it, and reading does not
//! move it. What others feel of a stream goes with the number of its windows, each of which has one
//! of the server's processors for a moment (`bench/run pg-guest` measures it).
//!
//! Promises: a list page is never held up; without others nothing rests.
//! Never: a connection or a thread of its own.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::connection::Link;
use crate::pending::Watch;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Behind a first look, so that a stream knows early.
const LOOK_SOON: Duration = Duration::from_millis(100);
/// A look at an older one says nothing about now.
const LOOK_AGE_MAX: Duration = Duration::from_secs(10);
/// Transactions of others in a second from which on they are made way for.
const OTHERS_PER_SECOND: u64 = 10;
/// From the beginning of one slice to that of the next.
const SLICE_EVERY: Duration = Duration::from_millis(50);

const COUNTER: &str = "select txid_snapshot_xmax(txid_current_snapshot())";

/// Where the counter stood.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    counter: u64,
    own: u64,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<Look>,
    is_first: bool,
    is_looking: bool,
    are_busy: bool,
}

/// Those whom a stream makes way for.
pub(super) struct Others<'a> {
    pub(super) company: &'a Company,
    /// Transactions of this process.
    pub(super) own: &'a dyn Fn() -> u64,
}

impl Others<'_> {
    pub(super) fn are_busy(&self, link: &mut Link, watch: &Watch) -> bool {
        self.company.are_busy(link, watch, self.own)
    }
}

/// What is known of others.
#[derive(Debug, Default)]
pub(super) struct Company {
    seen: Mutex<Seen>,
}

impl Company {
    /// Whether others are at work. Looks when it is time to; what fails is tried at the next look.
    fn are_busy(&self, link: &mut Link, watch: &Watch, own: &dyn Fn() -> u64) -> bool {
        let now = Instant::now();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let every = if seen.is_first { LOOK_SOON } else { LOOK_EVERY };
            if seen.last.as_ref().is_some_and(|look| now.duration_since(look.at) < every) {
                return seen.are_busy;
            }
            // Whoever comes meanwhile takes what was known.
            if std::mem::replace(&mut seen.is_looking, true) {
                return seen.are_busy;
            }
        }
        let counter = link.run(watch, async |client| Ok(client.simple_query(COUNTER).await.ok()));
        let counter = counter.ok().flatten().and_then(|answer| {
            answer.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => number(row),
                _ => None,
            })
        });
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_looking = false;
        let Some(counter) = counter else { return seen.are_busy };
        let look = Look { at: Instant::now(), counter, own: own() };
        let before = seen.last.filter(|last| look.at.duration_since(last.at) <= LOOK_AGE_MAX);
        seen.is_first = before.is_none();
        seen.are_busy = before.is_some_and(|before| others_are_busy(before, look));
        seen.last = Some(look);
        seen.are_busy
    }
}

fn number(row: &SimpleQueryRow) -> Option<u64> {
    row.get(0)?.parse().ok()
}

fn others_are_busy(before: Look, now: Look) -> bool {
    let passed = now.at.saturating_duration_since(before.at);
    if passed.is_zero() {
        return false;
    }
    let all = now.counter.saturating_sub(before.counter);
    let others = all.saturating_sub(now.own.saturating_sub(before.own));
    u128::from(others) * 1_000 >= u128::from(OTHERS_PER_SECOND) * passed.as_millis()
}

/// How long to rest behind a slice that began then.
pub(super) fn rest(began: Instant) -> Duration {
    SLICE_EVERY.saturating_sub(began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_those_who_write_and_are_not_this_process() {
        let at = Instant::now();
        let look = |ms, counter, own| Look { at: at + Duration::from_millis(ms), counter, own };
        for (before, now, busy, why) in [
            (look(0, 100, 0), look(1_000, 110, 0), true, "ten in a second"),
            (look(0, 100, 0), look(1_000, 109, 0), false, "nine in a second"),
            (look(0, 100, 5), look(1_000, 600, 505), false, "all of them its own"),
            (look(0, 100, 5), look(2_000, 620, 505), true, "twenty more in two seconds"),
            (look(0, 100, 0), look(1_000, 90, 0), false, "another server"),
        ] {
            assert_eq!(others_are_busy(before, now), busy, "{why}");
        }
    }
}
