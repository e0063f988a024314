//! A primary and its replica of a test's own, to be killed, frozen and held back.
//!
//! Promises: nobody else's servers are touched; both end with the test, also where it fails.
//! Never: a port or folder that two tests share.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll_store::Store;
use plimsoll_store::catalogue::Migration;
use plimsoll_store::postgres::{PostgresConfig, migrate};

use crate::fixture::{NOW, generated, open_postgres};

/// Two servers, the second a streaming replica of the first.
pub(crate) struct Pair {
    folder: PathBuf,
    primary: String,
    replica: String,
    /// A pooler in front of the primary, where one is installed.
    pooler: Option<String>,
}

impl Pair {
    /// Starts both and runs `sql` on the primary; nothing where PostgreSQL is not installed.
    pub(crate) fn start(sql: &str) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let (process, made) = (std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(format!("plimsoll-pair-{process}-{made}"));
        let started = script().arg("start").arg(&folder).output().expect("a shell");
        if started.status.code() == Some(3) {
            drop(writeln!(std::io::stdout(), "SKIPPED: PostgreSQL is not installed"));
            return None;
        }
        let told = String::from_utf8_lossy(&started.stdout).into_owned();
        let url = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name))?;
            Some(format!("{line}/postgres"))
        };
        let primary = url("TESTED_POSTGRES=").unwrap_or_default();
        let replica = url("TESTED_POSTGRES_REPLICA=").unwrap_or_default();
        let pair = Self { folder, primary, replica, pooler: url("TESTED_PGBOUNCER=") };
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        pair.on_primary(sql);
        Some(pair)
    }

    /// `kill`, `again`, `freeze` or `thaw` one of the two.
    pub(crate) fn part(&self, action: &str, part: &str) {
        let done = script().arg(action).arg(&self.folder).arg(part).output().expect("a shell");
        assert!(done.status.success(), "{action} {part}: {done:?}");
    }

    pub(crate) fn on_primary(&self, sql: &str) -> Option<String> {
        run(&self.primary, sql)
    }

    pub(crate) fn on_replica(&self, sql: &str) -> Option<String> {
        run(&self.replica, sql)
    }

    /// Whether the replica shows all that the primary has written.
    pub(crate) fn is_level(&self) -> bool {
        let written = self.on_primary("select pg_current_wal_flush_lsn()").expect("a place");
        let ahead = format!("select pg_last_wal_replay_lsn() >= '{written}'::pg_lsn");
        self.on_replica(&ahead).as_deref() == Some("t")
    }

    /// Opens both as one database that is written to.
    pub(crate) fn open(&self, lag_max_ms: u64) -> Store {
        self.open_at(&self.primary, lag_max_ms)
    }

    /// The same with a pooler in transaction mode between; nothing where there is none.
    pub(crate) fn open_through_the_pooler(&self, lag_max_ms: u64) -> Option<Store> {
        if self.pooler.is_none() {
            drop(writeln!(std::io::stdout(), "SKIPPED: PgBouncer is not installed"));
        }
        Some(self.open_at(self.pooler.as_ref()?, lag_max_ms))
    }

    /// Opens the primary alone, with these tables and Plimsoll's own in it, to be written to.
    pub(crate) fn open_alone(&self, sql: &str) -> Store {
        let config = self.config(&self.primary, 0, Vec::new());
        let schema = Migration { id: "1".into(), sql: sql.into() };
        migrate(&config, &[schema], &mut [], NOW).expect("the tables");
        open_postgres(&config, &|resource| generated(resource, "id"))
    }

    fn open_at(&self, url: &str, lag_max_ms: u64) -> Store {
        open_postgres(&self.config(url, lag_max_ms, vec![self.replica.clone()]), &|_| {})
    }

    fn config(&self, url: &str, replica_lag_max_ms: u64, replicas: Vec<String>) -> PostgresConfig {
        PostgresConfig {
            row_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
            url: url.to_owned(),
            readers: 2,
            spill_directory: std::env::temp_dir(),
            writable: true,
            replicas,
            replica_lag_max_ms,
            makes_way: true,
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(script().arg("stop").arg(&self.folder).output());
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/servers"))
}

/// Runs statements as another client would; the first field that comes is the answer.
fn run(url: &str, sql: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("a connection");
        tokio::spawn(connection);
        let answer = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{e:?}: {sql}"));
        answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    })
}
