//! Which host is asked, as a table of cases.
//!
//! Promises: every reason for and against a host stands in a case.
//! Never: a server.

use super::*;

const LAG_MAX: Duration = Duration::from_secs(5);

fn at(reached: u64) -> Seen {
    Seen { healthy: true, reached, lag: Duration::ZERO }
}

fn behind(reached: u64, seconds: u64) -> Seen {
    Seen { lag: Duration::from_secs(seconds), ..at(reached) }
}

fn gone(reached: u64) -> Seen {
    Seen { healthy: false, ..at(reached) }
}

fn past(place: u64) -> Need {
    Need::Read(Some(Horizon::written(place)))
}

fn tried(hosts: &[usize]) -> Tried {
    let mut tried = Tried::default();
    for &host in hosts {
        tried.add(host);
    }
    tried
}

#[test]
fn a_host_is_chosen_by_what_was_seen_and_what_is_needed() {
    let any = Need::Read(None);
    let nobody: &[usize] = &[];
    for (name, seen, need, vain, chosen) in [
        ("there is the primary alone", vec![at(9)], any, nobody, Some(0)),
        ("a read goes to the replica", vec![at(9), at(9)], any, nobody, Some(1)),
        ("a write does not", vec![at(9), at(9)], Need::Primary, nobody, Some(0)),
        ("the replica is gone", vec![at(9), gone(9)], any, nobody, Some(0)),
        ("the replica is at the limit", vec![at(9), behind(8, 5)], any, nobody, Some(1)),
        ("the replica is beyond it", vec![at(9), behind(8, 6)], any, nobody, Some(0)),
        ("it has come just as far", vec![at(9), at(8)], past(8), nobody, Some(1)),
        ("it has not", vec![at(9), at(8)], past(9), nobody, Some(0)),
        ("the other has", vec![at(9), at(8), at(9)], past(9), nobody, Some(2)),
        ("the primary has come as far", vec![at(0), gone(9)], past(9), nobody, Some(0)),
        ("the primary is gone", vec![gone(9), at(8)], any, nobody, Some(1)),
        ("the only one that has is gone", vec![gone(9), at(8)], past(9), nobody, None),
        ("a write waits for the primary", vec![gone(9), at(9)], Need::Primary, nobody, None),
        ("beyond all is the primary's", vec![at(9), at(u64::MAX - 1)], beyond(), nobody, Some(0)),
        ("the replica broke", vec![at(9), at(9)], any, &[1], Some(0)),
        ("one of two broke", vec![at(9), at(9), at(9)], any, &[2], Some(1)),
        ("the primary broke", vec![at(9), gone(9)], any, &[0], None),
        ("all of them broke", vec![at(9), at(9)], any, &[0, 1], None),
        ("all are gone", vec![gone(9), gone(9)], any, nobody, None),
    ] {
        for turn in [0, 1, u64::MAX] {
            assert_eq!(choose(&seen, need, LAG_MAX, tried(vain), turn), chosen, "{name}");
        }
    }
}

fn beyond() -> Need {
    Need::Read(Some(Horizon::BEYOND_ALL))
}

#[test]
fn fit_replicas_take_turns() {
    let seen = [at(9), at(9), behind(9, 60), at(9), gone(9), at(7)];
    let turns = |need| -> Vec<Option<usize>> {
        (0..6).map(|turn| choose(&seen, need, LAG_MAX, Tried::default(), turn)).collect()
    };
    assert_eq!(turns(Need::Read(None)), [1, 3, 5, 1, 3, 5].map(Some));
    assert_eq!(turns(past(8)), [1, 3, 1, 3, 1, 3].map(Some));
}

#[test]
fn a_sentence_tells_why_no_host_was_chosen() {
    let urls = ["postgres://h2/app".to_owned(), "postgres://h3/app".to_owned()];
    let hosts = Hosts::new("postgres://h1/app", &urls, LAG_MAX).expect("hosts");
    hosts.all()[0].set(gone(9));
    hosts.all()[1].set(behind(3, 30));
    hosts.all()[2].set(at(4));
    assert_eq!(hosts.choose(past(5), Tried::default()), None);
    let error = hosts.none_fits();
    assert_eq!(error.kind(), ErrorKind::Busy);
    for part in
        ["the primary does not answer", "replica 1 is 30.0 s behind", "replica 2 answers, and"]
    {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert!(!error.to_string().contains("h1"), "clients read it: {error}");
}

#[test]
fn too_many_replicas_and_a_url_that_cannot_be_read_are_refused_with_the_number() {
    let many = vec!["postgres://h/app".to_owned(); REPLICAS_MAX + 1];
    let error = Hosts::new("postgres://h/app", &many, LAG_MAX).map(drop).expect_err("too many");
    assert!(error.to_string().contains("9 replicas are given, and 8"), "{error}");
    let wrong = ["postgres://h/app".to_owned(), "postgres://h:port/app".to_owned()];
    let error = Hosts::new("postgres://h/app", &wrong, LAG_MAX).map(drop).expect_err("no port");
    assert!(error.to_string().starts_with("replica 2: the URL"), "{error}");
}
