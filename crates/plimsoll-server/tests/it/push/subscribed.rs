//! Whoever subscribed to a topic is told of its events.

use std::sync::Arc;

use plimsoll_jobs::{Listing, NewEvent, NewJob, Queue, State};
use plimsoll_server::push::{self, Secrets, Webhooks};

use super::receiver::{Receiver, status};
use super::world::{KEYS, World, options};

fn secrets() -> Secrets {
    let text = format!("[test]\nkeys = [{:?}]", KEYS[0]);
    Secrets::parse(&text).unwrap_or_else(|e| panic!("{e}"))
}

fn webhook(name: &str, topics: &str, url: &str) -> String {
    format!("[[webhook]]\nname = '{name}'\ntopics = {topics}\nurl = '{url}'\nsecret = 'test'\n")
}

fn event(topic: &str, payload: &str) -> NewEvent {
    NewEvent { topic: topic.into(), name: "OrdersSynced".into(), payload: payload.into() }
}

fn subscribed(world: &World, text: &str) -> Queue {
    let webhooks = Webhooks::parse(text, &secrets()).unwrap_or_else(|e| panic!("{e}"));
    world.queue.clone().with_subscribers(Arc::new(webhooks))
}

#[test]
fn an_event_reaches_those_who_subscribed_signed_and_under_one_id_however_often_it_is_sent() {
    let again = status(503, "retry-after: 1\r\n");
    let receiver = Receiver::new(vec![again, status(204, ""), status(204, ""), status(204, "")]);
    let world = World::new(options());
    let text = webhook("billing", "['orders']", &receiver.url())
        + &webhook("other", "['posts']", &receiver.url());
    let queue = subscribed(&world, &text);
    let data = r#"{"text": "grüße _\",\"body\": 1.50", "orders": 3}"#;
    queue.tell(&event("orders", data), &[]).expect("told");
    let number = queue.last_event().wait().expect("read");
    let first = receiver.request();
    world.until_attempted(1, 0);
    world.pass(std::time::Duration::from_secs(5));
    let second = receiver.request();
    for request in [&first, &second] {
        assert_eq!(request.headers["webhook-id"], format!("event_{number}_billing"));
        assert_eq!(request.headers["x-webhook-topic"], "orders");
        let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
        let expected = serde_json::json!({
            "event": number,
            "type": "orders.OrdersSynced",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": serde_json::from_str::<serde_json::Value>(data).expect("JSON"),
        });
        assert_eq!(body, expected);
        assert!(request.body.contains(data), "byte for byte: {}", request.body);
    }
    // Of a topic that nobody wants there is no job.
    queue.tell(&event("none", "{}"), &[]).expect("told");
    queue.tell(&event("posts", "{}"), &[]).expect("told");
    assert!(receiver.request().headers["webhook-id"].ends_with("_other"));
    let jobs = queue.list(&Listing { rows_max: 10, ..Listing::default() }).wait().expect("read");
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        world.until(job.id, State::Completed);
    }
}

#[test]
fn what_is_not_committed_reaches_nobody_and_what_is_has_one_job_for_each_who_subscribed() {
    let world = World::idle();
    let text = ["a", "b"].map(|name| webhook(name, "[]", "http://127.0.0.1:9/in")).concat();
    let queue = subscribed(&world, &text);
    let listener = NewJob::new("warm", "{}");
    let id = queue.enqueue(&NewJob::new("sync", "{}")).expect("a job").wait().expect("there").id;
    let claim = plimsoll_jobs::Claim {
        worker: "w",
        queue: "default",
        jobs_max: 1,
        without: &[],
        only: None,
        within: plimsoll_jobs::Within::All,
    };
    let old = queue.claim(&claim).wait().expect("claimed")[0].lease;
    queue.hand_back(old, 0).wait().expect("handed back");
    let new = queue.claim(&claim).wait().expect("claimed")[0].lease;
    let writes = || queue.event_writes(&event("orders", "{}"), std::slice::from_ref(&listener));
    let lost = queue.complete(old, writes().expect("an event"), None, 0).wait();
    assert!(lost.is_err(), "its lease is another's");
    let all = Listing { rows_max: 10, ..Listing::default() };
    assert_eq!(queue.list(&all).wait().expect("read").len(), 1);
    queue.complete(new, writes().expect("an event"), None, 0).wait().expect("completed");
    let jobs = queue.list(&all).wait().expect("read");
    let number = queue.last_event().wait().expect("read");
    let mut keys: Vec<_> = jobs.iter().filter_map(|job| job.unique_key.clone()).collect();
    keys.sort();
    let expected = ["", ":a", ":b"].map(|of| format!("event:{number}{of}").into_boxed_str());
    assert_eq!((keys, jobs.len()), (expected.to_vec(), 4), "and job {id} itself");
    let pushes = jobs.iter().filter(|job| &*job.kind == push::KIND);
    assert!(pushes.clone().all(|job| job.trying == push::declared().trying));
    assert_eq!(pushes.count(), 2);
}

#[test]
fn a_payload_that_is_too_large_for_a_message_is_left_out_and_said_to_be() {
    let receiver = Receiver::new(vec![status(204, "")]);
    let world = World::new(options());
    let queue = subscribed(&world, &webhook("a", "[]", &receiver.url()));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(60_000));
    queue.tell(&event("orders", &large), &[]).expect("told");
    let body: serde_json::Value = serde_json::from_str(&receiver.request().body).expect("JSON");
    assert_eq!((&body["data"], &body["data_left_out_bytes"]), (&().into(), &large.len().into()));
}

#[test]
fn webhooks_that_could_never_be_sent_are_refused_by_name() {
    let good = webhook("a", "[]", "https://a.example/in");
    for (text, said) in [
        (good.replace("'test'", "'tes'"), "did you mean test?"),
        (good.replace("https://a.example/in", "ftp://a.example/"), "is none of https"),
        (good.replace("name = 'a'", "name = 'a.b'"), "letters, digits"),
        (good.replace("[]", "['a b']"), "is not a name"),
        (format!("{good}{good}"), "two of this name"),
        (good.replace("topics", "topic"), "unknown field"),
        ("webhook = 1".to_owned(), "invalid type"),
        ((0..33).map(|n| webhook(&format!("a{n}"), "[]", "https://a.b")).collect(), "at most 32"),
    ] {
        let why = Webhooks::parse(&text, &secrets()).err().unwrap_or_default();
        assert!(why.contains(said), "{said}: {why}");
    }
}
