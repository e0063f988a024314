//! What is not sent, and who is not called.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll_jobs::State;
use plimsoll_server::push::{Allow, Options, Resolve};

use super::receiver::{Receiver, status};
use super::world::{World, options, strict};

fn to(addresses: &'static [&'static str]) -> (Resolve, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let resolve = move |_: &str| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(addresses.iter().map(|a| a.parse().expect("an address")).collect::<Vec<IpAddr>>())
    };
    (Arc::new(resolve), asked)
}

#[test]
fn this_machine_is_not_called_however_it_is_written() {
    let receiver = Receiver::new(vec![status(200, ""); 32]);
    let world = World::new(strict());
    for host in [
        "127.0.0.1",
        "127.9.9.9",
        "localhost",
        "LOCALHOST",
        "127.1",
        "0177.0.0.1",
        "0x7f000001",
        "2130706433",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ] {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://{host}:{}/", receiver.port);
            let id = world.push(&url, "{}");
            let said = world.failure(id, State::Failed);
            assert!(said.contains("is not called"), "{url}: {said}");
        }
    }
    assert!(receiver.is_quiet());
}

#[test]
fn a_name_that_leads_inside_is_not_called_and_its_address_is_not_told() {
    for address in ["10.1.2.3", "169.254.169.254", "100.64.0.1", "fd00::1", "::ffff:10.1.2.3"] {
        let found = vec![address.parse::<IpAddr>().expect("an address")];
        let resolve: Resolve = Arc::new(move |_: &str| Ok(found.clone()));
        let world = World::new(Options { resolve, ..strict() });
        let id = world.push("https://hooks.example/", "{}");
        let said = world.failure(id, State::Failed);
        assert!(said.contains("hooks.example is not called"), "{said}");
        assert!(!said.contains(address), "{said}");
    }
}

#[test]
fn what_is_not_https_is_called_only_where_it_is_allowed() {
    let (resolve, _) = to(&["1.1.1.1"]);
    let world = World::new(Options { resolve, ..options() });
    let id = world.push("http://hooks.example/", "{}");
    let said = world.failure(id, State::Failed);
    assert!(said.contains("it is not https"), "{said}");
}

#[test]
fn a_name_is_looked_up_once_and_what_was_judged_is_what_is_called() {
    let receiver = Receiver::new(vec![status(200, "")]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    // The second answer would be the one that a check alone does not see.
    let resolve = move |_: &str| {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { "127.0.0.1" } else { "10.9.9.9" };
        Ok(vec![address.parse::<IpAddr>().expect("an address")])
    };
    let world = World::new(Options { resolve: Arc::new(resolve), ..options() });
    let id = world.push(&format!("http://hooks.example:{}/", receiver.port), "{}");
    world.until(id, State::Completed);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn of_several_addresses_those_that_may_not_be_called_are_left_out() {
    let receiver = Receiver::new(vec![status(200, "")]);
    let (resolve, _) = to(&["10.9.9.9", "169.254.169.254", "127.0.0.1"]);
    let world = World::new(Options { resolve, ..options() });
    let id = world.push(&format!("http://hooks.example:{}/", receiver.port), "{}");
    world.until(id, State::Completed);
    assert_eq!(receiver.request().headers["host"], format!("hooks.example:{}", receiver.port));
}

#[test]
fn a_host_that_is_allowed_by_name_is_called_inside() {
    let receiver = Receiver::new(vec![status(200, "")]);
    let allow = Allow::parse(["hooks.internal"]).expect("an allow-list");
    let (resolve, _) = to(&["127.0.0.1"]);
    let world = World::new(Options { resolve, allow, ..options() });
    let other = world.push(&format!("http://other.internal:{}/", receiver.port), "{}");
    world.until(other, State::Failed);
    let id = world.push(&format!("http://hooks.internal:{}/", receiver.port), "{}");
    world.until(id, State::Completed);
    receiver.request();
}

#[test]
fn a_push_that_cannot_be_made_fails_at_once() {
    let world = World::new(options());
    let long = format!("http://127.0.0.1/{}", "x".repeat(2_048));
    for (url, said) in [
        ("", "is none"),
        ("http://me:word@127.0.0.1/", "holds a user or password"),
        ("http://127.0.0.1/#top", "has a fragment"),
        ("http://127.0.0.1:0/", "has no port"),
        (&*long, "has more than 2048 bytes"),
    ] {
        let failure = world.failure(world.push(url, "{}"), State::Failed);
        assert!(failure.contains(said), "{failure}");
    }
    for (payload, said) in [
        ("[]", "the payload is not"),
        ("{\"url\":\"http://127.0.0.1/\",\"secret\":\"test\"}", "missing field `body`"),
        ("{\"url\":\"http://127.0.0.1/\",\"secret\":\"tost\",\"body\":1}", "did you mean test?"),
        ("{\"url\":\"http://127.0.0.1/\",\"secret\":\"whsec_YQ==\",\"body\":1}", "never the"),
        ("{\"url\":\"file://a.b/etc/passwd\",\"secret\":\"test\",\"body\":1}", "is none of https"),
        (
            "{\"url\":\"http://127.0.0.1/\",\"secret\":\"test\",\"body\":1,\
             \"headers\":{\"Authorization\":\"x\"}}",
            "is not sent",
        ),
    ] {
        let id = world.enqueue(payload);
        let failure = world.failure(id, State::Failed);
        assert!(failure.contains(said), "{failure}");
        assert_eq!(world.show(id).attempts, 1, "{payload}");
    }
}
