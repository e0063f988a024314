//! The connections of a thread, one per host, and the thread that drives them.
//!
//! ```text
//!   reader thread ─ block_on ─┬─ the work:  begin; set local .. │ select .. │ commit
//!                             └─ the wire:  reads a message when the work asks for one
//!   choose ──> the host for what comes next ── a failure ──> elsewhere ──> another host
//! ```
//!
//! Nobody polls the wire while the thread waits for work, so a connection that has been idle is
//! asked whether it is alive before it is used.
//!
//! Promises: connected when it is first needed; a broken connection is replaced, not reported as
//! long as nothing was read; whatever the work leaves unread is read away before the next; a read
//! does not wait for a host that was found to be gone.
//! Never: two connections to one host, or a name, setting or lock that outlives a transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::connect::{CONNECT_TIMEOUT, connect_in_turn};
use super::failure::{explain, is_lost};
use super::guise::{Acting, Guise};
use super::hosts::{Host, Hosts, Need, PRIMARY, Tried};
use super::lookout::place;
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::pending::Watch;

/// A connection that was used within this time is taken to be alive.
const FRESH_FOR: Duration = Duration::from_secs(1);
/// Between two looks whether anybody still waits.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where a host stands in its log: a row that it shows was written before that place.
pub(super) const STANDS_AT: &str = "select case when pg_is_in_recovery() \
     then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end";

/// An open connection.
struct Open {
    client: Client,
    /// What drives it.
    wire: JoinHandle<()>,
    used: Instant,
    /// Its buffers have held a large row, and may still be as large.
    swollen: bool,
}

/// A thread that works with a host, also if it panics there.
struct Busy<'a>(&'a Host);

impl<'a> Busy<'a> {
    fn with(host: &'a Host) -> Self {
        host.busy.fetch_add(1, Relaxed);
        Self(host)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Relaxed);
    }
}

/// Connections that are opened when they are needed.
pub(super) struct Link {
    hosts: Arc<Hosts>,
    runtime: Runtime,
    /// By the host's place.
    open: Box<[Option<Open>]>,
    /// The host that is worked with.
    at: usize,
    need: Need,
    tried: Tried,
    /// As whom what comes next is done.
    guise: Option<Arc<Guise>>,
}

impl Link {
    /// Works with the primary until another host is chosen.
    pub(super) fn new(hosts: Arc<Hosts>) -> Result<Self> {
        let open = hosts.all().iter().map(|_| None).collect();
        let (need, tried) = (Need::Primary, Tried::default());
        Ok(Self { hosts, runtime: runtime()?, open, at: PRIMARY, need, tried, guise: None })
    }

    /// Acts as somebody in every transaction from now on, or as the connection's own role.
    pub(super) fn act_as(&mut self, guise: Option<Arc<Guise>>) {
        self.guise = guise;
    }

    /// Chooses the host for what comes next.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] when no host is fit.
    pub(super) fn choose(&mut self, need: Need) -> Result<()> {
        (self.need, self.tried) = (need, Tried::default());
        let host = self.hosts.choose(need, self.tried).ok_or_else(|| self.hosts.none_fits())?;
        self.go_to(host);
        Ok(())
    }

    /// The connection that is left stays open, unless it may hold the bytes of a large row: only
    /// one of a thread's connections may.
    fn go_to(&mut self, host: usize) {
        if host != self.at && self.open[self.at].as_ref().is_some_and(|open| open.swollen) {
            self.give_up();
        }
        self.at = host;
    }

    /// Rows came that were larger than a connection's own buffers, or may have been.
    pub(super) fn swelled(&mut self) {
        if let Some(open) = &mut self.open[self.at] {
            open.swollen = true;
        }
    }

    /// After a failure: goes to a host that was not tried since the last choice, and says whether
    /// there is one.
    pub(super) fn elsewhere(&mut self) -> bool {
        self.hosts.look_now.notify_one();
        self.tried.add(self.at);
        if let Some(host) = self.hosts.choose(self.need, self.tried) {
            self.go_to(host);
            return true;
        }
        // All were tried: they may be again.
        self.tried = Tried::default();
        self.go_to(self.hosts.choose(self.need, self.tried).unwrap_or(self.at));
        false
    }

    /// The host that is worked with.
    pub(super) fn host(&self) -> &Host {
        &self.hosts.all()[self.at]
    }

    /// Where this reading begins, if there is another host that it may have to go on with; from
    /// now on only a host that has come as far is chosen.
    ///
    /// # Errors
    /// As for [`Link::run`], on the last of the hosts.
    pub(super) fn begin_reading(&mut self, watch: &Watch) -> Result<Option<Horizon>> {
        if !self.hosts.has_replicas() {
            return Ok(None);
        }
        let mut tries = 0;
        let place = loop {
            tries += 1;
            match self.run(watch, async |client| stands_at(client).await) {
                Ok(place) => break place,
                Err(e) if e.kind() != ErrorKind::Busy || tries > self.open.len() => return Err(e),
                Err(_) => {
                    // Whatever state it is in.
                    self.give_up();
                    self.elsewhere()
                }
            };
        };
        self.host().stood_at(place);
        let horizon = Some(Horizon::begun(place));
        self.need = Need::Read(horizon);
        Ok(horizon)
    }

    /// Does `work` on a living connection. When nobody waits for its outcome any more, the server
    /// is told to stop, and the connection is given up: a late cancel must not hit later work.
    ///
    /// # Errors
    /// Those of connecting and of `work`; [`ErrorKind::Stopped`] when nobody waits;
    /// [`ErrorKind::Busy`] when the host of a read was found to be gone, or has not come as far as
    /// the read needs.
    pub(super) fn run<T>(
        &mut self,
        watch: &Watch,
        work: impl AsyncFnOnce(&Acting<'_>) -> Result<T>,
    ) -> Result<T> {
        let Self { hosts, runtime, open, at, need, guise, .. } = self;
        let (host, place) = (&hosts.all()[*at], &mut open[*at]);
        let as_far_as = match *need {
            // All there is was written there.
            _ if *at == PRIMARY => None,
            Need::Primary => None,
            Need::Read(horizon) => horizon,
        };
        let _busy = Busy::with(host);
        runtime.block_on(async {
            let made = tokio::select! {
                biased;
                made = make_ready(hosts, place, host, as_far_as) => made,
                why = given_up(watch, host, *need) => Err(why),
            };
            if made.is_err() {
                close(place).await;
            }
            made?;
            let Some(living) = place.as_mut() else { unreachable!("made above") };
            let acting = Acting { client: &living.client, guise: guise.as_deref() };
            let answer = tokio::select! {
                biased;
                answer = work(&acting) => Ok(answer),
                why = given_up(watch, host, *need) => Err(why),
            };
            living.used = Instant::now();
            let why = match answer {
                Ok(answer) => return answer,
                Err(why) => why,
            };
            cut(host, &living.client).await;
            close(place).await;
            Err(why)
        })
    }

    /// Tells the server to stop what it may still do, and gives the connection up.
    pub(super) fn cut_off(&mut self) {
        let Self { hosts, runtime, open, at, .. } = self;
        runtime.block_on(async {
            if let Some(open) = &open[*at] {
                cut(&hosts.all()[*at], &open.client).await;
            }
            close(&mut open[*at]).await;
        });
    }

    /// As [`Link::run`], for work that may be begun again: where its connection is lost, it is on
    /// each of the other hosts that is fit.
    pub(super) fn run_anew<T>(
        &mut self,
        watch: &Watch,
        mut work: impl AsyncFnMut(&Acting<'_>) -> Result<T>,
    ) -> Result<T> {
        loop {
            let answer = self.run(watch, async |client| work(client).await);
            let busy = answer.as_ref().is_err_and(|e| e.kind() == ErrorKind::Busy);
            let lost = self.open[self.at].as_ref().is_none_or(|open| open.client.is_closed());
            // Each host is tried once, so this ends.
            if !(busy && lost && self.elsewhere()) {
                return answer;
            }
        }
    }

    /// Waits before another try, unless nobody waits for it any more.
    pub(super) fn pause(&self, watch: &Watch, time: Duration) {
        // Whether time or patience ended first makes no difference here: the next work looks.
        self.runtime.block_on(async { drop(tokio::time::timeout(time, abandoned(watch)).await) });
    }

    /// Gives the connection up; the next work opens another.
    pub(super) fn give_up(&mut self) {
        self.runtime.block_on(close(&mut self.open[self.at]));
    }

    /// Gives the connection up if it is of no use any more; the next work opens another.
    pub(super) fn give_up_if_lost(&mut self, error: &tokio_postgres::Error) {
        if is_lost(error) {
            self.give_up();
        }
    }
}

/// Asks the server to stop. Whether that arrives or not, the connection has to go.
async fn cut(host: &Host, client: &Client) {
    let token = client.cancel_token();
    let cancel = token.cancel_query(host.target.tls.clone());
    drop(tokio::time::timeout(CONNECT_TIMEOUT, cancel).await);
}

/// What drives the connections of one thread.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::Io, format!("starting a database thread: {e}")))
}

/// Sees to a living connection. A replica is asked where it stands when the connection is new: one
/// that was restarted may have gone back behind what was seen of it before.
async fn make_ready(
    hosts: &Hosts,
    place: &mut Option<Open>,
    host: &Host,
    as_far_as: Option<Horizon>,
) -> Result<()> {
    if let Some(Open { client, used, .. }) = place
        && !client.is_closed()
        && (used.elapsed() <= FRESH_FOR || client.check_connection().await.is_ok())
    {
        return Ok(());
    }
    close(place).await;
    let (client, wire) = connect_in_turn(&host.target).await.map_err(|e| hosts.unreachable(e))?;
    if let Some(horizon) = as_far_as {
        let stands_at = stands_at(&client).await?;
        host.stood_at(stands_at);
        if stands_at < horizon.place() {
            return Err(Error::new(
                ErrorKind::Busy,
                "a replica has not come as far as was seen before; try again",
            ));
        }
    }
    *place = Some(Open { client, wire, used: Instant::now(), swollen: false });
    Ok(())
}

/// Asks a host where it stands in its log.
async fn stands_at(client: &Client) -> Result<u64> {
    const WHAT: &str = "asking where PostgreSQL stands in its log";
    let answer = client.simple_query(STANDS_AT).await.map_err(|e| explain(WHAT, &e))?;
    let text = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let odd = || Error::new(ErrorKind::Corrupt, format!("{WHAT}: an odd answer"));
    text.and_then(place).ok_or_else(odd)
}

/// The horizon behind a commit, once it has happened. Where it cannot be told, it is beyond all
/// replicas: the commit is not undone by that.
pub(super) async fn horizon_now(client: &Client) -> Horizon {
    stands_at(client).await.map_or(Horizon::BEYOND_ALL, Horizon::written)
}

/// Closes the socket now: what the server still had to send would keep its snapshot until the
/// thread works again.
async fn close(place: &mut Option<Open>) {
    if let Some(Open { client, wire, .. }) = place.take() {
        drop(client);
        wire.abort();
        drop(wire.await);
    }
}

/// Why the work at a host is given up in the middle.
async fn given_up(watch: &Watch, host: &Host, need: Need) -> Error {
    loop {
        if watch.is_abandoned() {
            return Error::new(ErrorKind::Stopped, "the one who asked has gone");
        }
        // What is asked of the primary alone has no other host to go to: it waits.
        if need != Need::Primary && !host.seen().healthy {
            let gone = "the database has stopped answering; try again";
            return Error::new(ErrorKind::Busy, gone);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn abandoned(watch: &Watch) {
    while !watch.is_abandoned() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
