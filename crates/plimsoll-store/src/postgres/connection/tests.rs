//! What a connection makes sure of by itself, whatever was seen of its host before.
//!
//! Promises: the servers are those that the tests are given; nothing is written to them.
//! Never: a lookout; what is known of a host is what the test says.

use std::io::Write as _;

use super::*;
use crate::pending::Pending;
use crate::postgres::hosts::Seen;

/// A primary and a replica of which is known what the test says.
fn known(reached: u64) -> Option<Link> {
    let url = |name| Some(format!("{}/postgres", std::env::var(name).ok()?));
    let (Some(primary), Some(replica)) = (url("TESTED_POSTGRES"), url("TESTED_POSTGRES_REPLICA"))
    else {
        drop(writeln!(std::io::stdout(), "SKIPPED: TESTED_POSTGRES_REPLICA names no server"));
        return None;
    };
    let hosts = Hosts::new(&primary, &[replica], Duration::ZERO).expect("two hosts");
    hosts.all()[1].set(Seen { healthy: true, reached, lag: Duration::ZERO });
    Some(Link::new(Arc::new(hosts)).expect("a link"))
}

fn one(link: &mut Link) -> Result<()> {
    let (promise, _waits) = Pending::<()>::new();
    link.run(&promise.watch(), async |client| {
        client.check_connection().await.map_err(|e| explain("asking", &e))
    })
}

#[test]
fn a_new_connection_to_a_replica_asks_whether_it_is_still_as_far_as_was_seen() {
    let Some(mut link) = known(u64::MAX - 1) else { return };
    let need = Need::Read(Some(Horizon::written(u64::MAX - 1)));
    link.choose(need).expect("the replica");
    assert_eq!(link.at, 1);
    let error = one(&mut link).expect_err("no server has come this far");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().contains("has not come as far"), "{error}");
    assert!(link.hosts.all()[1].seen().reached < u64::MAX - 1, "what it said is known");
    assert!(link.elsewhere());
    assert_eq!(link.at, PRIMARY);
    one(&mut link).expect("all there is was written there");
}

#[test]
fn only_one_connection_of_a_thread_may_hold_the_bytes_of_a_large_row() {
    let Some(mut link) = known(0) else { return };
    let open = |link: &Link| [0, 1].map(|host: usize| link.open[host].is_some());
    for (need, at) in [(Need::Primary, 0), (Need::Read(None), 1), (Need::Primary, 0)] {
        link.choose(need).expect("a host");
        assert_eq!(link.at, at);
        one(&mut link).expect("an answer");
    }
    assert_eq!(open(&link), [true, true], "one for each host is kept");
    link.swelled();
    link.choose(Need::Primary).expect("the same host");
    assert_eq!(open(&link), [true, true]);
    link.choose(Need::Read(None)).expect("the other");
    assert_eq!(open(&link), [false, true]);
}
