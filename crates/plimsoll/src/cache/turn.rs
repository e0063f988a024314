//! Whose turn it is: to take a value, to make it, or to wait for who makes it.
//!
//! ```text
//!   fresh ───────────────────────────> Found
//!   stale ─ nobody makes it ─────────> Stale: serve it, and make it anew with the maker
//!         └ somebody does ───────────> Found, marked stale
//!   missing ─ nobody makes it ───────> Lead
//!           └ somebody does ─────────> Wait
//! ```
//!
//! Promises: of all who ask for a key at once, one makes it.
//! Never: a failure that is remembered.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Cache;
use super::flight::{Flight, Stage};
use super::flights;
use super::maker::Maker;
use super::terms::Terms;
use super::value::{Look, allocated_bytes};
use super::waiting::{Waited, Waiting};
use crate::error::{Error, Result};
use crate::limits::CACHE_WAITERS_MAX;

/// What a key's caller does next.
#[derive(Debug)]
pub enum Turn {
    /// Serve it; stale where somebody else makes it anew already.
    Found(Look),
    /// Serve it, stale, and make it anew, here or elsewhere.
    Stale(Look, Maker),
    /// Make it.
    Lead(Maker),
    /// Somebody makes it.
    Wait(Waiting),
}

/// A value that [`Cache::get_or_make`] is to take in.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its bytes, which its maker has reserved while it made them.
    pub value: Box<[u8]>,
    /// For how long it serves.
    pub terms: Terms,
}

/// Why there is no value.
#[derive(Debug)]
pub enum NotMade {
    /// It could not be made, by this caller or by the one it waited for.
    Failed(Error),
    /// Somebody was still making it when the time was over.
    Late(Duration),
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Late(timeout) => write!(
                f,
                "waiting for a value that somebody else makes: not made within {timeout:?}; ask \
                 again later"
            ),
        }
    }
}

impl std::error::Error for NotMade {}

impl Cache {
    /// Looks a key up and says who makes its value where it is missing or stale.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] for a key beyond its bound, and when
    /// [`CACHE_WAITERS_MAX`] wait for this value already.
    pub fn turn(&self, key: &[u8], now_us: u64) -> Result<Turn> {
        self.shared.check_key(key)?;
        let look = self.shared.look(key, now_us);
        if let Some(look) = look.as_ref().filter(|look| !look.stale) {
            return Ok(Turn::Found(look.clone()));
        }
        match (self.board(key, now_us)?, look) {
            (Boarded::Maker(maker), Some(stale)) => Ok(Turn::Stale(stale, maker)),
            (Boarded::Maker(maker), None) => Ok(Turn::Lead(maker)),
            (Boarded::Waiting(_), Some(stale)) => Ok(Turn::Found(stale)),
            (Boarded::Waiting(waiting), None) => {
                self.shared.lock().stats.waited += 1;
                Ok(Turn::Wait(waiting))
            }
            (Boarded::Found(look), _) => Ok(Turn::Found(look)),
        }
    }

    /// The value of a key; made by `make` where it is missing, by one caller for all who ask at
    /// the same time. The others wait, at most `timeout`.
    ///
    /// Of the callers who find it stale, one makes it anew and the others have the stale value at
    /// once; so has the one, where its making fails. To have it made elsewhere, use
    /// [`Cache::turn`].
    ///
    /// # Errors
    /// [`NotMade`]: the error of `make`, here or where it was waited for, or the time was over.
    pub fn get_or_make(
        &self,
        key: &[u8],
        now_us: u64,
        timeout: Duration,
        make: impl FnOnce() -> Result<Made>,
    ) -> Result<Look, NotMade> {
        match self.turn(key, now_us).map_err(NotMade::Failed)? {
            Turn::Found(look) => Ok(look),
            Turn::Stale(stale, maker) => Ok(run(maker, make).unwrap_or(stale)),
            Turn::Lead(maker) => run(maker, make).map_err(NotMade::Failed),
            Turn::Wait(waiting) => match waiting.wait(timeout) {
                Waited::Found(look) => Ok(look),
                Waited::Lead(maker) => run(maker, make).map_err(NotMade::Failed),
                Waited::Failed(error) => Err(NotMade::Failed(error)),
                Waited::Late => Err(NotMade::Late(timeout)),
            },
        }
    }

    /// The right to make a key's value anew although it is fresh, as warming does; `None` when
    /// somebody is making it.
    ///
    /// # Errors
    /// As [`Cache::turn`].
    pub fn refresh(&self, key: &[u8], now_us: u64) -> Result<Option<Maker>> {
        self.shared.check_key(key)?;
        match self.depart(key, now_us, |_| None)? {
            Boarded::Maker(maker) => Ok(Some(maker)),
            Boarded::Waiting(_) | Boarded::Found(_) => Ok(None),
        }
    }

    fn board(&self, key: &[u8], now_us: u64) -> Result<Boarded> {
        // A maker may have finished since the look: it puts the value in before it is gone.
        self.depart(key, now_us, |key| self.shared.fresh_in_memory(key, now_us))
    }

    /// Joins the flight of a key, or begins one unless `found` has the value.
    fn depart(
        &self,
        key: &[u8],
        now_us: u64,
        found: impl Fn(&[u8]) -> Option<Look>,
    ) -> Result<Boarded> {
        let (shared, hash) = (&self.shared, self.shared.key_hash(key));
        // What the flight takes, and two words of its counts.
        let own = allocated_bytes(size_of::<Flight>() + 16) + allocated_bytes(key.len());
        let own = shared.index.try_reserve(own);
        let mut flights = shared.flights.lock();
        if let Some(flight) = flights::find(&flights, hash, key) {
            let mut waiters = flight.lock();
            if matches!(waiters.stage, Stage::Vacant) {
                waiters.stage = Stage::Making;
                drop((waiters, flights));
                return Ok(Boarded::Maker(Maker::new(shared, key, now_us, Some(flight))));
            }
            if waiters.waiters == CACHE_WAITERS_MAX {
                return Err(Error::too_large(format!(
                    "waiting for a value in the making: {CACHE_WAITERS_MAX} wait for it; ask \
                     again later"
                )));
            }
            let number = waiters.join();
            drop((waiters, flights));
            return Ok(Boarded::Waiting(Waiting::new(shared, flight, number, now_us)));
        }
        if let Some(look) = found(key) {
            return Ok(Boarded::Found(look));
        }
        // Without memory for the flight, or a place for it, this one makes for itself alone.
        let flight = own.ok().map(|own| Arc::new(Flight::new(hash, key, own)));
        let added = flight.as_ref().is_some_and(|flight| flights::add(&mut flights, flight));
        drop(flights);
        Ok(Boarded::Maker(Maker::new(shared, key, now_us, flight.filter(|_| added))))
    }
}

enum Boarded {
    Maker(Maker),
    Waiting(Waiting),
    Found(Look),
}

fn run(maker: Maker, make: impl FnOnce() -> Result<Made>) -> Result<Look> {
    match make() {
        Ok(Made { value, terms }) => Ok(maker.finish(value, &terms)),
        Err(error) => {
            maker.fail(&error);
            Err(error)
        }
    }
}
