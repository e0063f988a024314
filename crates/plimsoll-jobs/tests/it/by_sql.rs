//! An app on PostgreSQL enqueues in its own transaction, in SQL, as a role that may do that alone.

use std::future::poll_fn;
use std::sync::mpsc::{Receiver, sync_channel};
use std::task::{Poll, ready};

use plimsoll_jobs::{NewJob, OWN_KINDS, State, Trying};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::fixture::{Fixture, claim, on_postgres};

/// A connection of the app's.
pub(crate) struct App {
    runtime: tokio::runtime::Runtime,
    client: Client,
    heard: Receiver<String>,
}

impl App {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (said, heard) = sync_channel(64);
        let client = runtime.block_on(async {
            let connected = tokio_postgres::connect(url, NoTls).await;
            let (client, mut connection) = connected.expect("a connection");
            tokio::spawn(poll_fn(move |context| {
                while let Some(Ok(message)) = ready!(connection.poll_message(context)) {
                    if let AsyncMessage::Notification(told) = message {
                        said.try_send(told.payload().to_owned()).expect("few are told");
                    }
                }
                Poll::Ready(())
            }));
            client
        });
        Self { runtime, client, heard }
    }

    /// What was told until now to a connection that listens.
    pub(crate) fn heard(&self) -> Vec<String> {
        // What was told before stands in front of the answer.
        self.run("select 1");
        self.heard.try_iter().collect()
    }

    pub(crate) fn run(&self, sql: &str) {
        let ran = self.runtime.block_on(self.client.batch_execute(sql));
        ran.unwrap_or_else(|e| panic!("{e:?}: {sql}"));
    }

    /// The number that a statement gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let rows = self.runtime.block_on(self.client.query_typed(sql, &[]));
        rows.unwrap_or_else(|e| panic!("{e:?}: {sql}"))[0].get(0)
    }

    /// Why a statement is not done.
    fn refused(&self, sql: &str) -> Refused {
        let ran = self.runtime.block_on(self.client.batch_execute(sql));
        let error = ran.expect_err(sql);
        let told = error.as_db_error().expect("the database says why");
        Refused { code: told.code().clone(), message: told.message().to_owned() }
    }
}

/// What the database says of a statement that it does not do.
struct Refused {
    code: SqlState,
    message: String,
}

impl Refused {
    fn is_of_rights(&self) -> bool {
        self.code == SqlState::INSUFFICIENT_PRIVILEGE && self.message.contains("permission denied")
    }
}

/// The app's role, which is dropped with the test.
struct Role {
    owner: App,
    name: String,
}

impl Role {
    /// With the URL by which it comes.
    fn new(url: &str) -> (Self, String) {
        let database = url.rsplit_once('/').expect("a database").1;
        let (owner, name) = (App::connect(url), format!("app_{database}"));
        owner.run(&format!(
            "create role {name} login; grant usage on schema plimsoll to {name}; \
             create table public.orders (id bigint); grant all on public.orders to {name};"
        ));
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        (Self { owner, name: name.clone() }, format!("{scheme}://{name}@{host}"))
    }

    fn grant(&self) {
        self.owner.run(&format!("grant execute on function plimsoll.enqueue to {}", self.name));
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.owner.run(&format!("drop owned by {0}; drop role {0};", self.name));
        }
    }
}

/// A queue on PostgreSQL with its URL, where that is tested.
pub(crate) fn on_a_server() -> Option<(Fixture, String)> {
    if !on_postgres() {
        println!("SKIPPED: enqueueing by SQL is PostgreSQL's");
        return None;
    }
    let fixture = Fixture::new();
    let url = fixture.url().expect("a server");
    Some((fixture, url))
}

#[test]
fn what_an_app_enqueues_stands_or_falls_with_its_transaction_and_needs_execute_alone() {
    let Some((fixture, url)) = on_a_server() else { return };
    let (role, as_app) = Role::new(&url);
    let app = App::connect(&as_app);
    assert!(app.refused("select plimsoll.enqueue('mail')").is_of_rights());
    role.grant();
    app.run("begin; insert into public.orders values (1); select plimsoll.enqueue('mail');");
    assert!(fixture.claim(10).is_empty(), "nothing before the commit");
    app.run("rollback");
    assert!(fixture.claim(10).is_empty(), "nothing of what was rolled back");
    app.run("begin; insert into public.orders values (2)");
    let id = app.number("select plimsoll.enqueue('mail', '{\"to\": 7}')");
    app.run("commit");
    let claimed = fixture.claim(10);
    assert_eq!(claimed.len(), 1);
    let job = fixture.queue.show(id).wait().expect("a job");
    let usual = NewJob::new("mail", "{\"to\": 7}");
    assert_eq!((&job.kind, &job.queue, &job.payload), (&usual.kind, &usual.queue, &usual.payload));
    assert_eq!((job.priority, job.trying), (usual.priority, Trying::default()));
    assert_eq!(job.state, State::Running);
    for sql in ["select * from plimsoll.jobs", "delete from plimsoll.jobs"] {
        assert!(app.refused(sql).is_of_rights(), "{sql}");
    }
    drop(app);
}

#[test]
fn an_app_says_key_queue_priority_delay_tries_and_time_and_finds_the_job_that_is_there() {
    let Some((fixture, url)) = on_a_server() else { return };
    let app = App::connect(&url);
    let first = app.number(
        "select plimsoll.enqueue('mail', '[1]', 'mail-7', queue => 'low', priority => 0, \
         tries => 5, max_exceptions => 4, timeout => '2 h', memory_bytes => 1048576)",
    );
    let job = fixture.queue.show(first).wait().expect("a job");
    assert_eq!((&*job.queue, job.priority, job.memory_bytes), ("low", 0, 1 << 20));
    let trying = Trying { tries_max: 5, exceptions_max: 4, timeout_ms: 7_200_000 };
    assert_eq!((job.trying, job.unique_key.as_deref()), (trying, Some("mail-7")));
    assert_eq!(app.number("select plimsoll.enqueue('mail', key => 'mail-7')"), first);
    let same = NewJob { unique_key: Some("mail-7".into()), ..NewJob::new("mail", "{}") };
    let found = fixture.queue.enqueue(&same).expect("a job").wait().expect("enqueued");
    assert!(found.existed && found.id == first);
    let lease = claim(&fixture.queue, "w", "low", 1)[0].lease;
    fixture.queue.complete(lease, Vec::new(), None, 0).wait().expect("completed");
    assert!(app.number("select plimsoll.enqueue('mail', key => 'mail-7')") > first, "it was over");
    let later = app.number("select plimsoll.enqueue('later', delay => '1 h')");
    let job = fixture.queue.show(later).wait().expect("a job");
    assert_eq!(job.state, State::Scheduled);
    assert_eq!(job.place_micros - job.enqueued_micros, 3_600_000_000);
}

#[test]
fn two_apps_that_enqueue_the_same_key_at_a_time_have_one_job() {
    let Some((fixture, url)) = on_a_server() else { return };
    let [one, other] = [App::connect(&url), App::connect(&url)];
    one.run("begin");
    let first = one.number("select plimsoll.enqueue('mail', key => 'k')");
    let waiting =
        std::thread::spawn(move || other.number("select plimsoll.enqueue('mail', key => 'k')"));
    let watcher = App::connect(&url);
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' \
                 and datname = current_database()";
    while watcher.number(waits) == 0 {
        std::thread::yield_now();
    }
    one.run("commit");
    assert_eq!(waiting.join().expect("no panic"), first);
    assert_eq!(fixture.claim(10).len(), 1);
}

#[test]
fn what_an_app_may_not_enqueue_by_sql_is_refused_with_what_is_wrong() {
    let Some((fixture, url)) = on_a_server() else { return };
    let app = App::connect(&url);
    // Those that `POST /jobs` takes, with payloads that anybody may write.
    let by_hand = [
        "cache.warm",
        "cache.warm_period",
        "cache.warmed",
        "rollup.refresh",
        "dataset.process",
        "http.push",
    ];
    assert!(by_hand.iter().all(|kind| OWN_KINDS.contains(kind)));
    for kind in OWN_KINDS.into_iter().filter(|kind| !by_hand.contains(kind)) {
        let why = app.refused(&format!("select plimsoll.enqueue('{kind}')"));
        assert_eq!(why.code, SqlState::INVALID_PARAMETER_VALUE, "{kind}");
        assert!(why.message.contains("Plimsoll's own and not enqueued"), "{}", why.message);
    }
    for (arguments, expected) in [
        ("'sql.run', '{}'", "Plimsoll's own and not enqueued by SQL"),
        ("'system.prune'", "Plimsoll's own"),
        ("'report.generate'", "Plimsoll's own"),
        ("null", "the kind is not a name"),
        ("E'mail\\n'", "the kind is not a name"),
        ("'mail', null", "the payload is null"),
        ("'mail', jsonb_build_array(repeat('x', 70000))", "70004 bytes of at most 65536"),
        ("'mail', key => ''", "a unique key has 1 to 255 bytes"),
        ("'mail', queue => 'no queue'", "the queue is not a name"),
        ("'mail', priority => 10", "a priority is 0 (first) to 9"),
        ("'mail', delay => '-1 s'", "a delay is none to 366 days"),
        ("'mail', tries => 0", "tries is from 1 up"),
        ("'mail', max_exceptions => 0", "max_exceptions is from 1 up"),
        ("'mail', timeout => '0'", "a timeout is 1 ms to 366 days"),
        ("'mail', memory_bytes => -1", "memory_bytes is 0 to"),
    ] {
        let why = app.refused(&format!("select plimsoll.enqueue({arguments})"));
        assert_eq!(why.code, SqlState::INVALID_PARAMETER_VALUE, "{arguments}");
        assert!(why.message.contains(expected), "{arguments}: {}", why.message);
    }
    // Objects of the caller's that are called like those it uses are not taken for them.
    app.run(
        "create schema mine; create function mine.octet_length(text) returns int language sql \
         as 'select 1 / 0'; create temp table jobs (id int); set search_path = mine, pg_catalog;",
    );
    app.number("select plimsoll.enqueue('mail')");
    app.number("select plimsoll.enqueue('imports')");
    assert_eq!(fixture.claim(10).len(), 2);
}

#[test]
fn an_app_enqueues_through_a_pooler_in_transaction_mode() {
    let Some((fixture, url)) = on_a_server() else { return };
    let Ok(pooler) = std::env::var("TESTED_PGBOUNCER") else {
        return println!("SKIPPED: TESTED_PGBOUNCER names no pooler");
    };
    let database = url.rsplit_once('/').expect("a database").1;
    let app = App::connect(&format!("{pooler}/{database}"));
    app.run("begin; select plimsoll.enqueue('mail'); rollback");
    app.run("begin; select plimsoll.enqueue('mail', key => 'a'); commit");
    app.run("select plimsoll.enqueue('mail', key => 'a')");
    assert_eq!(fixture.claim(10).len(), 1);
}
