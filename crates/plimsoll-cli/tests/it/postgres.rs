//! A PostgreSQL database of a test's own, made and asked by psql, as its owner would.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers the databases of this process.
static MADE: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// With these tables in it; or nothing where there is no server.
    pub(crate) fn with(sql: &str) -> Option<Self> {
        let Ok(server) = std::env::var("TESTED_POSTGRES") else {
            println!("SKIPPED: TESTED_POSTGRES names no server");
            return None;
        };
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let database = Self { server, name: format!("cli{}_{made}", std::process::id()) };
        psql(&database.of("postgres"), &format!("create database {}", database.name));
        database.execute(sql);
        Some(database)
    }

    pub(crate) fn url(&self) -> String {
        self.of(&self.name)
    }

    fn of(&self, database: &str) -> String {
        format!("{}/{database}", self.server)
    }

    /// What psql prints, without alignment and headers.
    pub(crate) fn execute(&self, sql: &str) -> String {
        psql(&self.url(), sql)
    }

    pub(crate) fn count(&self, query: &str) -> u64 {
        self.execute(query).trim().parse().unwrap()
    }

    /// Runs the SQL that `init` printed, for a role of this database's own; its URL.
    pub(crate) fn make_role(&self, sql: &str) -> String {
        assert!(sql.contains("CREATE ROLE plimsoll_reader LOGIN"), "{sql}");
        self.execute(&sql.replace("plimsoll_reader", &self.role()));
        self.role_url()
    }

    /// The URL of that role.
    pub(crate) fn role_url(&self) -> String {
        let (scheme, rest) = self.server.split_once("://").unwrap();
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{}@{host}/{}", self.role(), self.name)
    }

    /// Its name.
    pub(crate) fn role(&self) -> String {
        format!("reader_{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let (name, role) = (&self.name, self.role());
            psql(&self.of("postgres"), &format!("drop database {name} with (force)"));
            psql(&self.of("postgres"), &format!("drop role if exists {role}"));
        }
    }
}

/// What psql prints of statements that may not fail.
#[track_caller]
pub(crate) fn psql(url: &str, sql: &str) -> String {
    let mut child = Command::new("psql")
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"])
        .env("PGOPTIONS", "-c client_min_messages=error")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = child.stdin.take().unwrap().write_all(sql.as_bytes());
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && written.is_ok(), "{err}");
    String::from_utf8(ended.stdout).unwrap()
}
