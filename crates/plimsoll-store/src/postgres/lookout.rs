//! The one thread that looks at the hosts of a database that has replicas.
//!
//! ```text
//!   every second, or when a read has failed:      all hosts at the same time, each in 2 s
//!     select pg_is_in_recovery(), ..place in the log.., ..how long ago..
//!        └─ answered, and is what it is configured to be ──> healthy, reached, lag
//!           otherwise                                    ──> not healthy, connected anew
//! ```
//!
//! Promises: a host that fails or returns is noticed within 1 s and the 2 s of a look; a change is
//! logged once.
//! Never: a look whose answer is waited for without a limit, a promotion, or a vote.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio_postgres::types::PgLsn;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::connect::connect;
use super::connection::runtime;
use super::failure::explain;
use super::hosts::{Host, Hosts, PRIMARY, Seen};
use crate::error::{Error, ErrorKind, Result};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two looks at least, however many reads have failed.
const LOOK_GAP: Duration = Duration::from_millis(100);
/// A host that has not answered a look in this time is not healthy. With [`LOOK_EVERY`] it is
/// below the 5 s in which a failure is noticed.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The simple protocol gives texts and leaves no statement behind, also behind a pooler.
const LOOK: &str = "select pg_is_in_recovery(), case when pg_is_in_recovery() \
     then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end, \
     case when pg_is_in_recovery() then pg_last_wal_receive_lsn() end, \
     case when pg_is_in_recovery() then (1000 * extract(epoch from clock_timestamp() - \
     pg_last_xact_replay_timestamp()))::bigint end";

/// What a host says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    in_recovery: bool,
    /// What it has written to its disk, or made visible.
    reached: u64,
    /// What a replica has received.
    received: Option<u64>,
    /// How long ago the last transaction that it shows was committed.
    last_ms: Option<u64>,
}

/// Looks until the hosts are closed.
pub(super) struct Lookout {
    hosts: Arc<Hosts>,
    runtime: Runtime,
    clients: Vec<Option<Client>>,
}

impl Lookout {
    pub(super) fn new(hosts: Arc<Hosts>) -> Result<Self> {
        let clients = hosts.all().iter().map(|_| None).collect();
        Ok(Self { hosts, runtime: runtime()?, clients })
    }

    /// The thread's whole life. `looked` is told of the first look, which ends by itself.
    pub(super) fn run(self, looked: &SyncSender<()>) {
        let Self { hosts, runtime, mut clients } = self;
        runtime.block_on(async {
            let looks = async {
                let mut is_first = true;
                loop {
                    look(&hosts, &mut clients, is_first).await;
                    if is_first {
                        // Who has not waited for it needs no word.
                        let _waits = looked.try_send(());
                    }
                    is_first = false;
                    // Whether asked for or in its turn, it is the next look.
                    tokio::time::sleep(LOOK_GAP).await;
                    drop(tokio::time::timeout(LOOK_EVERY, hosts.look_now.notified()).await);
                }
            };
            tokio::select! {
                () = looks => {}
                () = hosts.closing.notified() => debug_assert!(hosts.is_closed()),
            }
        });
    }
}

/// Asks every host and notes what it says. What is wrong is said at the first look, and when it
/// becomes so.
async fn look(hosts: &Hosts, clients: &mut [Option<Client>], is_first: bool) {
    let asked = clients.iter_mut().zip(hosts.all()).map(|(client, host)| async move {
        let answer = tokio::time::timeout(ANSWER_MAX, ask(client, host)).await;
        let answer = answer.unwrap_or_else(|_| {
            let what = format!("looking at PostgreSQL at {}", host.name());
            let seconds = ANSWER_MAX.as_secs();
            Err(Error::new(ErrorKind::Busy, format!("{what}: no answer in {seconds} s")))
        });
        if answer.is_err() {
            *client = None;
        }
        answer
    });
    let told = join_all(asked).await;
    let primary = told[PRIMARY].as_ref().ok().filter(|told| !told.in_recovery).map(|t| t.reached);
    for (place, (host, told)) in hosts.all().iter().zip(told).enumerate() {
        let before = host.seen();
        let after = told.and_then(|told| judge(place, host, told, primary));
        match (&after, before.healthy) {
            (Err(error), was) if was || is_first => {
                tracing::warn!(%error, "a host of the database is not used");
            }
            (Ok(_), false) => tracing::info!(host = %host.name(), "a host of the database is used"),
            _ => {}
        }
        host.set(after.unwrap_or(Seen { healthy: false, ..before }));
    }
}

async fn ask(client: &mut Option<Client>, host: &Host) -> Result<Told> {
    if client.as_ref().is_none_or(Client::is_closed) {
        *client = Some(connect(&host.target).await?.0);
    }
    let Some(living) = client.as_ref() else { unreachable!("connected above") };
    let what = || format!("looking at PostgreSQL at {}", host.name());
    let answer = living.simple_query(LOOK).await.map_err(|e| explain(&what(), &e))?;
    answer
        .iter()
        .find_map(|message| match message {
            SimpleQueryMessage::Row(row) => told(row),
            _ => None,
        })
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("{}: an odd answer", what())))
}

fn told(row: &SimpleQueryRow) -> Option<Told> {
    Some(Told {
        in_recovery: row.get(0)? == "t",
        reached: place(row.get(1)?)?,
        received: row.get(2).and_then(place),
        // A clock that is ahead of this one gives a time below zero.
        last_ms: row.get(3).and_then(|ms| Some(ms.parse::<i64>().ok()?.max(0).cast_unsigned())),
    })
}

/// A place in the log as PostgreSQL writes it.
pub(super) fn place(text: &str) -> Option<u64> {
    text.parse::<PgLsn>().ok().map(u64::from)
}

/// Whether the host is what it is configured to be, and how far behind.
fn judge(place: usize, host: &Host, told: Told, primary: Option<u64>) -> Result<Seen> {
    let replica = place != PRIMARY;
    if told.in_recovery != replica {
        let (is, not) =
            if replica { ("a primary", "a replica") } else { ("a replica", "the primary") };
        return Err(Error::new(
            ErrorKind::Io,
            format!("PostgreSQL at {} is {is} and configured as {not}", host.name()),
        ));
    }
    let lag = if replica { lag(told, primary) } else { Duration::ZERO };
    Ok(Seen { healthy: true, reached: told.reached, lag })
}

/// How long ago the state that a replica shows was the primary's. Without a primary nothing more
/// is to come than what was received.
fn lag(told: Told, primary: Option<u64>) -> Duration {
    let all = primary.or(told.received).unwrap_or(told.reached);
    if told.reached >= all {
        return Duration::ZERO;
    }
    told.last_ms.map_or(Duration::MAX, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_none_where_nothing_is_left_to_replay_and_the_age_of_the_last_change_otherwise() {
        let told = Told { in_recovery: true, reached: 5, received: Some(7), last_ms: Some(1_500) };
        let behind = Duration::from_millis(1_500);
        for (name, told, primary, expected) in [
            ("behind the primary", told, Some(8), behind),
            ("level with it, and idle", told, Some(5), Duration::ZERO),
            ("ahead of the look at it", told, Some(4), Duration::ZERO),
            ("no primary, and some received", told, None, behind),
            ("no primary, and no more", Told { received: Some(5), ..told }, None, Duration::ZERO),
            (
                "nothing received since the start",
                Told { received: None, ..told },
                None,
                Duration::ZERO,
            ),
            ("nothing replayed yet", Told { last_ms: None, ..told }, Some(8), Duration::MAX),
        ] {
            assert_eq!(lag(told, primary), expected, "{name}");
        }
    }

    #[test]
    fn a_host_that_is_not_what_it_is_configured_to_be_is_not_used() {
        let hosts = Hosts::new("postgres://h1/a", &["postgres://h2/a".to_owned()], Duration::ZERO);
        let hosts = hosts.expect("hosts");
        let told = Told { in_recovery: false, reached: 5, received: None, last_ms: None };
        let promoted = judge(1, &hosts.all()[1], told, Some(5)).expect_err("promoted");
        assert!(promoted.to_string().contains("h2:5432/a is a primary"), "{promoted}");
        let told = Told { in_recovery: true, ..told };
        let demoted = judge(PRIMARY, &hosts.all()[0], told, None).expect_err("demoted");
        assert!(demoted.to_string().contains("h1:5432/a is a replica"), "{demoted}");
    }
}
