//! The one who makes the value of a key, while others wait.
//!
//! Promises: dropping it unfinished, also by a panic, hands the making to one who waits.
//! Never: a value put in whose key or tag was revoked since the making began.

use std::sync::Arc;

use super::flight::{Flight, Stage};
use super::putting::Put;
use super::shared::Shared;
use super::terms::Terms;
use super::value::{Look, Source, Stored};
use crate::error::Error;

/// The right and duty to make one value. Whoever holds it makes the value and calls
/// [`Maker::finish`], or [`Maker::fail`]; dropped, it passes on to one who waits.
#[must_use = "dropping it passes the making on"]
#[derive(Debug)]
pub struct Maker {
    shared: Arc<Shared>,
    key: Box<[u8]>,
    now_us: u64,
    /// The state's sequence when the making began.
    begun: u64,
    /// `None` once it is done, and where nobody else can wait.
    flight: Option<Arc<Flight>>,
    done: bool,
}

impl Maker {
    pub(super) fn new(
        shared: &Arc<Shared>,
        key: &[u8],
        now_us: u64,
        flight: Option<Arc<Flight>>,
    ) -> Self {
        let begun = shared.lock().sequence();
        Self { shared: Arc::clone(shared), key: key.into(), now_us, begun, flight, done: false }
    }

    /// The key whose value is to be made.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Puts the value in, gives it to all who wait, and back. Its age counts from the moment that
    /// was named when the making began.
    ///
    /// It is given back, and to those who wait, also where it is not put in: because it is larger
    /// than the cache's bounds, because the budget refuses, or because its key or a tag of it was
    /// revoked meanwhile. In the last case those who wait make it anew.
    pub fn finish(mut self, value: impl Into<Box<[u8]>>, terms: &Terms) -> Look {
        let value = value.into();
        let put = Put { key: &self.key, terms, now_us: self.now_us, begun: Some(self.begun) };
        let (stored, kept) = match self.shared.admit(put, value.len()) {
            Ok(admitted) => {
                let stored = Arc::new(Stored::new(value, Some(admitted.value)));
                let kept = self.shared.insert(put, &stored, admitted.own);
                (stored, kept.unwrap_or_else(|_| !self.shared.was_revoked(put)))
            }
            // The maker's own bytes go to those who asked, and nowhere else.
            Err(_) => (Arc::new(Stored::new(value, None)), !self.shared.was_revoked(put)),
        };
        let look = Look::new(&stored, Source::Made, terms.life(self.now_us), self.now_us);
        self.shared.lock().stats.made += 1;
        self.done = true;
        if let Some(flight) = self.flight.take() {
            if kept {
                self.shared.flights.land(&flight, Stage::Made(look.clone()));
            } else {
                self.shared.flights.vacate(&flight);
            }
        }
        look
    }

    /// Tells all who wait that the value cannot be made, and why. Nothing is kept of it: the next
    /// look begins anew.
    pub fn fail(mut self, why: &Error) {
        if let Some(flight) = self.flight.take() {
            let why = Stage::Failed(why.kind(), why.to_string().into());
            self.shared.flights.land(&flight, why);
        }
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        if !self.done {
            self.shared.lock().stats.failed += 1;
        }
        if let Some(flight) = self.flight.take() {
            self.shared.flights.vacate(&flight);
        }
    }
}
