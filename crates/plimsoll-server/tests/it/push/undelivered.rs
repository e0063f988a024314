//! Receivers that do not take what they get.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll_jobs::State;
use plimsoll_server::push::Options;

use super::receiver::{Answer, Receiver, Seen, status};
use super::world::{DEADLINE, NOW, World, options};

fn short() -> Options {
    let time = Duration::from_millis(400);
    Options { connect_timeout: time, timeout: time, ..options() }
}

#[test]
fn a_push_is_tried_again_under_one_number_until_it_is_taken() {
    let receiver = Receiver::new(vec![
        status(503, ""),
        Answer::Dropped,
        status(408, ""),
        status(425, ""),
        Answer::Bytes("SMTP ready\r\n\r\n".into()),
        status(200, ""),
    ]);
    let world = World::new(options());
    let id = world.push(&receiver.url(), "{}");
    for attempts in 1..=5 {
        let job = world.until(id, State::Retrying);
        assert_eq!((job.attempts, job.exceptions), (attempts, attempts));
        world.pass(Duration::from_secs(10));
        world.until_attempted(id, attempts);
    }
    world.until(id, State::Completed);
    let number = format!("job_{id}");
    // One connection of the six was dropped unread.
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let headers = receiver.request().headers;
        numbers.push((headers["webhook-id"].clone(), headers["webhook-timestamp"].clone()));
    }
    assert!(numbers.iter().all(|(id, _)| *id == number), "{numbers:?}");
    assert_eq!(numbers[4].1, (NOW / 1_000_000 + 50).to_string(), "the time is the attempt's");
}

#[test]
fn a_receiver_that_asks_for_time_gets_it_and_that_is_no_error() {
    let receiver = Receiver::new(vec![
        status(429, "retry-after: 60\r\n"),
        status(503, "retry-after: 99999999\r\n"),
        status(200, ""),
    ]);
    let world = World::new(options());
    let id = world.push(&receiver.url(), "{}");
    let job = world.until(id, State::Retrying);
    assert_eq!((job.attempts, job.exceptions), (1, 0));
    assert_eq!(job.place_micros, NOW + 60_000_000);
    world.pass(Duration::from_secs(60));
    world.until_attempted(id, 1);
    let job = world.until(id, State::Retrying);
    assert_eq!(job.place_micros, NOW + 60_000_000 + 86_400_000_000, "a day at most");
    world.pass(Duration::from_secs(86_400));
    world.until(id, State::Completed);
}

#[test]
fn what_is_refused_is_a_dead_letter_and_a_retry_delivers_it_under_its_number() {
    let receiver = Receiver::new(vec![status(410, ""), status(404, ""), status(200, "")]);
    let world = World::new(options());
    let id = world.push(&receiver.url(), "{\"n\":1}");
    for said in ["127.0.0.1 answered 410: it wants no more of these", "127.0.0.1 answered 404"] {
        assert_eq!(world.failure(id, State::Failed), said);
        world.queue.restart(id).expect("retried");
        world.until_attempted(id, 0);
    }
    world.until(id, State::Completed);
    let numbers: Vec<String> =
        (0..3).map(|_| receiver.request().headers["webhook-id"].clone()).collect();
    assert_eq!(numbers, vec![format!("job_{id}"); 3]);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Receiver::new(vec![status(200, "")]);
    for code in [301, 302, 307, 308] {
        let location = format!("location: {}\r\n", other.url());
        let receiver = Receiver::new(vec![status(code, &location)]);
        let world = World::new(options());
        let id = world.push(&receiver.url(), "{}");
        let said = world.failure(id, State::Failed);
        assert!(said.contains(&format!("answered {code}: redirects are not followed")), "{said}");
        assert!(!said.contains("/in"), "where it leads is not told: {said}");
    }
    assert!(other.is_quiet());
}

#[test]
fn a_receiver_that_says_nothing_or_too_slowly_is_given_up() {
    for answer in [Answer::Silence, Answer::Drip] {
        let receiver = Receiver::new(vec![answer.clone()]);
        let world = World::new(short());
        let id = world.push(&receiver.url(), "{}");
        let said = world.failure(id, State::Retrying);
        assert!(said.contains("did not answer within 400ms"), "{answer:?}: {said}");
        receiver.request();
        assert!(matches!(receiver.next(), Seen::Gone { .. }), "the connection is closed");
    }
}

#[test]
fn a_flood_is_cut_off_and_changes_nothing() {
    let chunk = "1000\r\n";
    let body = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let plain = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
    let head = "HTTP/1.1 200 OK\r\n";
    for (first, more, state) in [
        (body, chunk, State::Completed),
        (plain, "0123456789", State::Completed),
        (head, "x-more: 0123456789\r\n", State::Retrying),
        (head, "x", State::Retrying),
    ] {
        let receiver = Receiver::new(vec![Answer::Flood(first, more)]);
        let world = World::new(options());
        let id = world.push(&receiver.url(), "{}");
        world.until(id, state);
        receiver.request();
        match receiver.next() {
            // What the kernel holds on both sides is megabytes.
            Seen::Gone { sent_bytes } => assert!(sent_bytes < 64 << 20, "{sent_bytes}"),
            Seen::Request(request) => panic!("{request:?}"),
        }
    }
}

#[test]
fn a_port_that_nobody_listens_on_is_tried_again() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let world = World::new(options());
    let id = world.push(&format!("http://127.0.0.1:{}/", port.expect("a port").port()), "{}");
    let said = world.failure(id, State::Retrying);
    assert!(said.contains("connection refused"), "{said}");
}

#[test]
fn a_name_that_is_not_there_or_whose_lookup_hangs_is_tried_again() {
    let resolve = |_: &str| Err(std::io::Error::other("no such name"));
    let world = World::new(Options { resolve: Arc::new(resolve), ..short() });
    let id = world.push("https://nowhere.example/", "{}");
    let said = world.failure(id, State::Retrying);
    assert_eq!(said, "looking nowhere.example up: no such name");

    let (release, hangs) = sync_channel::<()>(1);
    let hangs = Mutex::new(hangs);
    let resolve = move |_: &str| {
        let _released = hangs.lock().expect("the test's").recv_timeout(DEADLINE);
        Ok(vec![])
    };
    let world = World::new(Options { resolve: Arc::new(resolve), ..short() });
    let id = world.push("https://slow.example/", "{}");
    let said = world.failure(id, State::Retrying);
    assert!(said.contains("no answer in time") || said.contains("did not answer"), "{said}");
    drop(release);
}

#[test]
fn a_worker_that_ends_does_not_wait_for_a_receiver() {
    let receiver = Receiver::new(vec![Answer::Silence]);
    let mut world = World::new(options());
    let id = world.push(&receiver.url(), "{}");
    receiver.request();
    let began = Instant::now();
    let worker = world.worker.take().expect("a worker");
    assert!(worker.stop(DEADLINE));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let job = world.until(id, State::Ready);
    assert_eq!(job.attempts, 0, "handed back");
}

#[test]
fn a_push_that_is_cancelled_is_broken_off() {
    let receiver = Receiver::new(vec![Answer::Silence]);
    let world = World::new(options());
    let id = world.push(&receiver.url(), "{}");
    receiver.request();
    world.queue.cancel(id).expect("cancelled");
    world.until(id, State::Cancelled);
    assert!(matches!(receiver.next(), Seen::Gone { .. }), "the connection is closed");
}
