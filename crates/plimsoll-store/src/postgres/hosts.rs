//! The hosts of a database: the primary and its replicas, and which of them is asked for what.
//!
//! ```text
//!   lookout, every second ──> Seen { healthy, reached, lag } per host
//!                                           │
//!   a read ──> choose(seen, need, ..) ──────┴──> a fit replica, in turn
//!   a write, state, a horizon no replica ──────> the primary
//!   has come to, or no fit replica
//! ```
//!
//! Promises: a choice is a pure function of what was seen; a replica behind the limit, or behind
//! what has to be seen, is not asked; the primary is asked for nothing a replica may answer.
//! Never: a look at a host; that is the lookout's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::connect::Target;
use crate::database::RoleStats;
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;

/// Replicas of a database at most: each costs every reading thread a connection.
pub const REPLICAS_MAX: usize = 8;
/// The primary's place among the hosts.
pub(super) const PRIMARY: usize = 0;

/// What a host is to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It is written to.
    Primary,
    /// It copies the primary.
    Replica,
}

/// What is known of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// It answered the last look, and is what it is configured to be.
    pub(super) healthy: bool,
    /// The place in the log up to which its rows can be seen.
    pub(super) reached: u64,
    /// How long ago what a replica shows was the primary's state.
    pub(super) lag: Duration,
}

/// What a host has to have for what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It is the one that is written to.
    Primary,
    /// It has come as far as this, if anything is given.
    Read(Option<Horizon>),
}

/// Hosts that were tried in vain, by their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tried(u16);

impl Tried {
    pub(super) fn add(&mut self, host: usize) {
        self.0 |= 1 << host;
    }

    fn has(self, host: usize) -> bool {
        self.0 & (1 << host) != 0
    }
}

/// The host to ask: one of the fit replicas by turn, or else the primary; none if it is not fit
/// either.
pub(super) fn choose(
    seen: &[Seen],
    need: Need,
    lag_max: Duration,
    tried: Tried,
    turn: u64,
) -> Option<usize> {
    let fit = |&host: &usize| {
        let Seen { healthy, reached, lag } = seen[host];
        let far_enough = match need {
            Need::Primary => host == PRIMARY,
            Need::Read(_) if host == PRIMARY => true,
            Need::Read(horizon) => {
                lag <= lag_max && horizon.is_none_or(|horizon| reached >= horizon.place())
            }
        };
        healthy && far_enough && !tried.has(host)
    };
    let replicas = || (PRIMARY + 1..seen.len()).filter(&fit);
    match replicas().count() as u64 {
        0 => Some(PRIMARY).filter(fit),
        several => replicas().nth(usize::try_from(turn % several).unwrap_or_default()),
    }
}

/// One host.
pub(super) struct Host {
    pub(super) target: Target,
    seen: Mutex<Seen>,
    /// Threads that work with it now.
    pub(super) busy: AtomicU64,
    /// Slices that were read from it.
    pub(super) pages: AtomicU64,
}

impl Host {
    fn new(target: Target, healthy: bool) -> Self {
        Self {
            target,
            seen: Mutex::new(Seen { healthy, reached: 0, lag: Duration::ZERO }),
            busy: AtomicU64::new(0),
            pages: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn seen(&self) -> Seen {
        *self.lock()
    }

    /// What a look has found.
    pub(super) fn set(&self, seen: Seen) {
        *self.lock() = seen;
    }

    /// Where it stood when a connection to it asked just now.
    pub(super) fn stood_at(&self, place: u64) {
        self.lock().reached = place;
    }

    pub(super) fn name(&self) -> String {
        self.target.name()
    }
}

/// The primary and its replicas.
pub(super) struct Hosts {
    hosts: Box<[Host]>,
    lag_max: Duration,
    /// Whether errors name a host, or leave that to the log: clients read them.
    names: bool,
    turn: AtomicU64,
    closed: AtomicBool,
    /// Somebody found a host wanting.
    pub(super) look_now: Notify,
    pub(super) closing: Notify,
}

impl Hosts {
    /// Until they are looked at, the primary is taken to be there, and the replicas are not.
    pub(super) fn new(url: &str, replicas: &[String], lag_max: Duration) -> Result<Self> {
        if replicas.len() > REPLICAS_MAX {
            return Err(Error::invalid(format!(
                "{} replicas are given, and {REPLICAS_MAX} are the most that are read from",
                replicas.len()
            )));
        }
        let mut hosts = vec![Host::new(Target::new(url)?, true)];
        for (number, url) in (1..).zip(replicas) {
            let target = Target::new(url)
                .map_err(|e| Error::new(e.kind(), format!("replica {number}: {e}")))?;
            hosts.push(Host::new(target, false));
        }
        Ok(Self {
            hosts: hosts.into(),
            lag_max,
            names: false,
            turn: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            look_now: Notify::new(),
            closing: Notify::new(),
        })
    }

    /// The primary alone, for the one who starts the server: errors name the host.
    pub(super) fn of_one(url: &str) -> Result<Self> {
        Ok(Self { names: true, ..Self::new(url, &[], Duration::ZERO)? })
    }

    /// A failure to connect, as whoever asked may read it.
    pub(super) fn unreachable(&self, error: Error) -> Error {
        if self.names {
            return error;
        }
        tracing::warn!(%error, "a host of the database cannot be reached");
        let why = "the database cannot be reached now, or has no place for another connection; try \
                   again";
        Error::new(error.kind(), why)
    }

    pub(super) fn all(&self) -> &[Host] {
        &self.hosts
    }

    pub(super) fn has_replicas(&self) -> bool {
        self.hosts.len() > 1
    }

    /// See [`choose`].
    pub(super) fn choose(&self, need: Need, tried: Tried) -> Option<usize> {
        if !self.has_replicas() {
            return Some(PRIMARY).filter(|&primary| !tried.has(primary));
        }
        let seen: Vec<Seen> = self.hosts.iter().map(Host::seen).collect();
        choose(&seen, need, self.lag_max, tried, self.turn.fetch_add(1, Relaxed))
    }

    /// Why no host was chosen, with what is known of each. The log has their names.
    pub(super) fn none_fits(&self) -> Error {
        let state = |(place, host): (usize, &Host)| {
            let Seen { healthy, lag, .. } = host.seen();
            let who = match place {
                PRIMARY => "the primary".to_owned(),
                number => format!("replica {number}"),
            };
            let state = match (healthy, place == PRIMARY || lag <= self.lag_max) {
                (false, _) => "does not answer".to_owned(),
                (true, true) => "answers, and has not come as far as is asked for".to_owned(),
                (true, false) => format!("is {:.1} s behind", lag.as_secs_f64()),
            };
            format!("{who} {state}")
        };
        let states: Vec<String> = self.hosts.iter().enumerate().map(state).collect();
        Error::new(
            ErrorKind::Busy,
            format!("no host of the database can be asked now: {}; try again", states.join(", ")),
        )
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Relaxed);
        self.closing.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Figures of the hosts of a role, to each of which there may be so many connections.
    pub(super) fn stats(&self, role: Role, connections: u64) -> RoleStats {
        let hosts = match role {
            Role::Primary => &self.hosts[..=PRIMARY],
            Role::Replica => &self.hosts[PRIMARY + 1..],
        };
        let mut stats = RoleStats { hosts: hosts.len() as u64, ..RoleStats::default() };
        for host in hosts {
            let seen = host.seen();
            stats.healthy += u64::from(seen.healthy);
            let lag_ms = u64::try_from(seen.lag.as_millis()).unwrap_or(u64::MAX);
            stats.lag_ms_max = stats.lag_ms_max.max(lag_ms);
            stats.pages += host.pages.load(Relaxed);
            stats.connections_used += host.busy.load(Relaxed);
        }
        stats.connections_idle = (stats.hosts * connections).saturating_sub(stats.connections_used);
        stats
    }
}

#[cfg(test)]
mod tests;
