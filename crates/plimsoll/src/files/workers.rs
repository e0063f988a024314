//! Threads of one phase of a tool's work, and what becomes of their faults.
//!
//! ```text
//!   run(3) ─┬─ work(0) on the caller's thread ─┐
//!           ├─ work(1) ────────────────────────┼─> all results, or the first fault
//!           └─ work(2) ── fault ─> watch.stop ─┘   that is not the stop it caused
//! ```
//!
//! Promises: when one worker fails or panics, the others stop at their next look.
//! Never: a thread that outlives the call.

use super::sort::panicked;
use super::watch::Watch;
use crate::error::{Error, ErrorKind, Result};

/// Stops the others unless it is told that all is well.
struct StopOthers<'a> {
    watch: &'a Watch,
    well: bool,
}

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        if !self.well {
            self.watch.stop();
        }
    }
}

/// Runs `work` on so many threads, the caller's among them; what each gave, in their order.
pub(super) fn run<T: Send>(
    workers: usize,
    watch: &Watch,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let guarded = |number: usize| {
        let mut others = StopOthers { watch, well: false };
        let done = work(number);
        others.well = done.is_ok();
        done
    };
    let guarded = &guarded;
    let outcomes: Vec<Result<T>> = std::thread::scope(|scope| {
        let spawned: Vec<_> =
            (1..workers).map(|number| scope.spawn(move || guarded(number))).collect();
        let own = guarded(0);
        let joined = spawned.into_iter().map(|w| w.join().unwrap_or_else(|_| Err(panicked())));
        std::iter::once(own).chain(joined).collect()
    });
    let mut stopped: Option<Error> = None;
    let mut results = Vec::with_capacity(workers);
    for outcome in outcomes {
        match outcome {
            Ok(result) => results.push(result),
            Err(error) if error.kind() == ErrorKind::Stopped => stopped = Some(error),
            Err(error) => return Err(error),
        }
    }
    stopped.map_or(Ok(results), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_is_told_and_not_the_stop_that_followed_it() {
        let watch = Watch::default();
        let refused = run(3, &watch, |number| match number {
            1 => Err::<(), _>(Error::invalid("one")),
            _ => loop {
                watch.check()?;
            },
        });
        assert_eq!(refused.unwrap_err().to_string(), "one");
        let numbers = run(4, &Watch::default(), Ok).unwrap();
        assert_eq!(numbers, [0, 1, 2, 3]);
    }
}
