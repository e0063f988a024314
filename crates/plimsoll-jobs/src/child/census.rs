//! All processes of the machine, looked at once for everybody who asks in the same moment.
//!
//! ```text
//!   tree of child 1 ─┐
//!   tree of child 2 ─┼─ since(a moment) ─> the last census, where it is young enough
//!   tree of child 3 ─┘                     else a new one: a read for each process
//! ```
//!
//! Promises: a census began at or after the moment that was asked for; watching many children
//! costs as much as watching one.
//! Never: two censuses at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::stat::{self, Process};

/// What there was.
#[derive(Debug)]
pub(super) struct Census {
    /// When it began.
    pub(super) begun: Instant,
    pub(super) all: Vec<Process>,
}

static LAST: Mutex<Option<Arc<Census>>> = Mutex::new(None);

/// A census that began at `at` or later.
pub(super) fn since(at: Instant) -> Arc<Census> {
    // Whoever panicked here left the last one whole.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(census) = last.as_ref().filter(|census| census.begun >= at) {
        return Arc::clone(census);
    }
    let census = Arc::new(Census { begun: Instant::now(), all: stat::all() });
    *last = Some(Arc::clone(&census));
    census
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_census_is_shared_while_it_is_young_and_never_older_than_asked_for() {
        let before = Instant::now();
        let first = since(before);
        assert!(first.begun >= before && !first.all.is_empty());
        assert!(since(before).begun >= first.begun);
        let now = Instant::now();
        assert!(since(now).begun >= now);
    }
}
