//! Where the ready jobs of each queue begin.
//!
//! ```text
//!   the index of a queue and priority, by place
//!     ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░▓▓▓▓▓▓▓▓▓▓        ░ claimed, but kept for an old snapshot
//!     ^ a full look, now and then   ^ floor: where others begin, a second before the first
//! ```
//!
//! A job that comes to stand in front of the floor (handed back, retried, or enqueued by a
//! transaction that took longer than the margin) is found by the next full look, which is every one
//! as long as those are cheap.
//!
//! Promises: what is ready is found, later by 20 times what a full look takes at most.
//! Never: more than [`QUEUES_MAX`] queues in mind.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll::record::Value;

use crate::error::Result;
use crate::job::{Fields, PRIORITY_MAX};
use crate::queue::{Queue, Read, text};
use crate::sparingly::Sparingly;
use crate::statements as sql;

/// Queues whose beginnings are in mind; all are looked at from the front where there are more.
const QUEUES_MAX: usize = 1_000;
/// How much older than the first of its queue a job may be when it commes to stand there.
const MARGIN_MICROS: i64 = 1_000_000;
/// A full look takes one part in so many of the time.
const SHARE: u32 = 20;
/// Priorities that there are.
const PRIORITIES: usize = PRIORITY_MAX as usize + 1;

/// A place for each priority.
pub(crate) type Places = [i64; PRIORITIES];

/// In front of all.
pub(crate) const FRONT: Places = [i64::MIN; PRIORITIES];

/// What is known of one queue.
#[derive(Clone, Copy)]
struct Known {
    floors: Places,
    full: Sparingly,
}

/// How the next look goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) from: Places,
    is_full: bool,
    began: Duration,
    began_micros: i64,
}

/// What is known of all queues.
#[derive(Default)]
pub(crate) struct Floors(Mutex<HashMap<Box<str>, Known>>);

impl Floors {
    /// Where to look at a time, by a steady clock and by that which places are of.
    pub(crate) fn look(&self, queue: &str, began: Duration, began_micros: i64) -> Look {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partial = known.get(queue).filter(|known| !known.full.is_due(began, SHARE));
        let (from, is_full) = partial.map_or((FRONT, true), |known| (known.floors, false));
        Look { from, is_full, began, began_micros }
    }

    /// Keeps what a look found: the first place of each priority. Gives where a claim begins, or
    /// nothing where none is ready.
    pub(crate) fn found(
        &self,
        queue: &str,
        look: Look,
        first: [Option<i64>; PRIORITIES],
        ended: Duration,
    ) -> Option<Places> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(queue) && all.len() >= QUEUES_MAX {
            all.clear();
        }
        let known =
            all.entry(queue.into()).or_insert(Known { floors: FRONT, full: Sparingly::default() });
        for (floor, first) in known.floors.iter_mut().zip(first) {
            let seen = first.unwrap_or(look.began_micros).saturating_sub(MARGIN_MICROS);
            *floor = if look.is_full { seen } else { seen.max(*floor) };
        }
        if look.is_full {
            known.full.done(look.began, ended);
        }
        first.iter().any(Option::is_some).then(|| first.map(|place| place.unwrap_or(i64::MAX)))
    }
}

impl Queue {
    /// Where a claim of a queue's jobs begins, or nothing where none is ready.
    pub(crate) fn begin(&self, queue: &str) -> Read<Option<Places>> {
        let (floors, clock) = (Arc::clone(&self.floors), self.clock());
        let look = floors.look(queue, clock.steady(), self.now_micros());
        let name: Box<str> = queue.into();
        let params = vec![text(queue), listed(&look.from)];
        self.read(&sql::FIRST_READY, params, PRIORITIES, move |rows| {
            Ok(floors.found(&name, look, places(rows)?, clock.steady()))
        })
    }
}

/// As a parameter.
pub(crate) fn listed(places: &Places) -> Value {
    let numbers = places.map(|place| place.to_string());
    Value::Text(numbers.join(",").into())
}

/// The first places, from rows of a priority and a place.
fn places(rows: Vec<Vec<Value>>) -> Result<[Option<i64>; PRIORITIES]> {
    let mut first = [None; PRIORITIES];
    for row in rows {
        let mut fields = Fields::of(row);
        let priority = fields.int()?;
        let slot = usize::try_from(priority).ok().and_then(|at| first.get_mut(at));
        if let Some(slot) = slot {
            *slot = fields.int_or_null()?;
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn first(place: Option<i64>) -> [Option<i64>; PRIORITIES] {
        let mut all = [None; PRIORITIES];
        all[5] = place;
        all
    }

    #[test]
    fn looks_begin_at_the_front_as_long_as_that_is_cheap() {
        let floors = Floors::default();
        for n in 0..5 {
            let look = floors.look("q", at(n), 7_000_000);
            assert_eq!(look.from, FRONT);
            assert!(floors.found("q", look, first(Some(9)), at(n)).is_some());
        }
    }

    #[test]
    fn dear_ones_begin_a_margin_before_the_first_and_full_ones_take_their_share() {
        let floors = Floors::default();
        let full = |began: u64, took: u64, place| {
            let look = floors.look("q", at(began), 50_000_000);
            assert!(look.is_full, "at {began}");
            floors.found("q", look, first(place), at(began + took))
        };
        full(0, 500, Some(30_000_000));
        let begin = full(500, 500, Some(31_000_000)).expect("one is ready");
        assert_eq!((begin[5], begin[4]), (31_000_000, i64::MAX));
        let look = floors.look("q", at(1_100), 50_000_000);
        assert_eq!((look.from[5], look.from[4]), (30_000_000, 49_000_000));
        assert!(floors.found("q", look, first(None), at(1_101)).is_none());
        let next = floors.look("q", at(1_200), 50_000_000);
        assert_eq!(next.from[5], 49_000_000, "nothing was ready when it looked");
        assert_eq!(floors.look("other", at(1_200), 0).from, FRONT);
        // One that was handed back stands in front of the floor, and a full look finds it.
        assert_eq!(full(11_000, 500, Some(2_000_000)).expect("ready")[5], 2_000_000);
        assert_eq!(floors.look("q", at(11_600), 50_000_000).from[5], 1_000_000);
    }
}
