//! A PostgreSQL server without a place for another connection.
//!
//! Promises: a request waits for a place, and is refused with a time to come back when there is
//! none in time.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::corpus::folder;
use crate::postgres::Database;
use crate::server::Server;

/// Within this a request has its answer, whichever it is.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// Somebody else's connection, closed when it is dropped.
struct Held(Child);

impl Held {
    fn by(database: &Database) -> Self {
        let sql = "select pg_sleep(600)";
        let command = Command::new("psql")
            .args(["-X", "-q", "-d", &database.role_url(), "-c", sql])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let held = Self(command.unwrap());
        let begun = Instant::now();
        let asked = format!(
            "select count(*) from pg_stat_activity where usename = '{}' and query = '{sql}'",
            database.role()
        );
        while database.count(&asked) == 0 {
            assert!(begun.elapsed() < ANSWERED_WITHIN, "psql is not there");
        }
        held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_server_without_a_place_is_waited_for_and_then_it_is_busy() {
    let Some(database) =
        Database::with("create table t (id int primary key); insert into t values (1);")
    else {
        return;
    };
    let role = database.role();
    database.execute(&format!(
        "create role {role} login connection limit 1; grant select on t to {role};"
    ));
    let folder = folder();
    let server = Server::start(folder.path(), &["--database", &database.role_url()]);
    let held = Held::by(&database);
    let begun = Instant::now();
    let refused = server.get("/api/v2/tables/t");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.json()["type"], "/problems/busy");
    assert!(
        refused.json()["detail"].to_string().contains("no place for another connection"),
        "{refused:?}"
    );
    assert!(refused.header("retry-after").is_some());
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(2) && waited < ANSWERED_WITHIN, "{waited:?}");
    std::thread::scope(|scope| {
        let mut client = server.client();
        let waiting = scope.spawn(move || client.get("/api/v2/tables/t", "*/*").unwrap());
        // Now there is a place.
        drop(held);
        database.execute(&format!(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'
             and query like '%pg_sleep%'"
        ));
        assert_eq!(waiting.join().unwrap().status, 200);
    });
    server.stop().expect(0, &[]);
}
