//! An event is told in the transaction of what it tells, with a job for each listener.

use plimsoll_jobs::{ErrorKind, NewEvent, NewJob, Progress};
use plimsoll_store::Write;

use crate::fixture::{Fixture, claim, effect};

fn synced(orders: u32) -> NewEvent {
    NewEvent {
        topic: "orders".into(),
        name: "OrdersSynced".into(),
        payload: format!("{{\"orders\":{orders}}}").into(),
    }
}

fn listener(kind: &str) -> NewJob {
    NewJob { queue: "low".into(), ..NewJob::new(kind, "{}") }
}

#[test]
fn an_event_and_its_listeners_stand_or_fall_with_what_happened() {
    let fixture = Fixture::new();
    let id = fixture.enqueue(&NewJob::new("sync", "{}"));
    let old = fixture.claim(1)[0].lease;
    fixture.queue.hand_back(old, 0).wait().expect("handed back");
    let new = fixture.claim(1)[0].lease;
    let listeners = [listener("warm"), listener("mail")];
    let unit = |step: i64| -> Vec<Write> {
        let mut writes = vec![effect(id, step)];
        writes.extend(fixture.queue.event_writes(&synced(3), &listeners).expect("an event"));
        writes
    };
    let lost = fixture.queue.complete(old, unit(1), None, 0).wait().expect_err("a stale lease");
    assert_eq!(lost.kind(), ErrorKind::LeaseLost);
    assert!(fixture.queue.events(None, 0, 10).wait().expect("read").is_empty());
    assert!(claim(&fixture.queue, "w", "low", 10).is_empty());
    fixture.queue.complete(new, unit(2), None, 0).wait().expect("completed");
    let told = fixture.queue.events(Some("orders"), 0, 10).wait().expect("read");
    assert_eq!((told.len(), &*told[0].name), (1, "OrdersSynced"));
    let heard = claim(&fixture.queue, "w", "low", 10);
    let kinds: Vec<&str> = heard.iter().map(|job| &*job.kind).collect();
    assert_eq!(kinds, ["warm", "mail"]);
    for job in &heard {
        let payload: serde_json::Value = serde_json::from_str(&job.payload).expect("JSON");
        let expected = serde_json::json!({
            "event": told[0].id, "name": "OrdersSynced", "payload": {"orders": 3},
        });
        assert_eq!(payload, expected);
    }
}

#[test]
fn events_are_read_behind_a_number_and_by_topic() {
    let fixture = Fixture::new();
    for orders in 0..5 {
        fixture.queue.tell(&synced(orders), &[]).expect("told");
    }
    fixture.queue.tell(&NewEvent { topic: "posts".into(), ..synced(9) }, &[]).expect("told");
    let all = fixture.queue.events(None, 0, 100).wait().expect("read");
    let numbers: Vec<i64> = all.iter().map(|event| event.id).collect();
    assert!(numbers.is_sorted() && numbers.len() == 6);
    assert_eq!(fixture.queue.last_event().wait().expect("read"), numbers[5]);
    let behind = fixture.queue.events(Some("orders"), numbers[2], 100).wait().expect("read");
    assert_eq!(behind.iter().map(|event| event.id).collect::<Vec<_>>(), numbers[3..5]);
    assert_eq!(fixture.queue.prune_events(i64::MAX, 4).expect("pruned"), 4);
    assert_eq!(fixture.queue.events(None, 0, 100).wait().expect("read").len(), 2);
}

#[test]
fn wrong_events_are_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    for payload in ["[]", "{", "\"a\"", "{\"a\":\"\\u0000\"}"] {
        let event = NewEvent { payload: payload.into(), ..synced(1) };
        assert!(fixture.queue.tell(&event, &[]).is_err(), "{payload}");
    }
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
    assert!(fixture.queue.tell(&NewEvent { payload: large.into(), ..synced(1) }, &[]).is_err());
    let none = NewEvent { topic: "no topic".into(), ..synced(1) };
    assert!(fixture.queue.tell(&none, &[]).is_err());
    assert_eq!(fixture.queue.last_event().wait().expect("read"), 0);
    let _progress = Progress::default();
}
