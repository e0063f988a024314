//! The load clients see what is wrong with an answer.
//!
//! Promises: each fault a measurement relies on is shown to a client and found by it.
//! Never: a server of the product; a listener with a fixed answer is enough.

#![allow(clippy::unwrap_used)] // a failed helper is a failed test

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

use xtask::load::{Body, Exact, Framing, Options, run};

fn body(framing: Framing, pieces: &[&str]) -> (String, bool, bool) {
    let mut body = Body::new(framing);
    let mut text = String::new();
    let mut sink = |bytes: &[u8]| {
        text.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(())
    };
    let fine = pieces.iter().all(|piece| body.feed(piece.as_bytes(), &mut sink).is_ok());
    (text, fine, body.is_done())
}

#[test]
fn a_chunked_body_is_read_whole_however_it_is_cut() {
    let whole = "5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Peak: 1\r\n\r\n";
    let expected = ("hello0123456789abcdef".to_owned(), true, true);
    assert_eq!(body(Framing::Chunked, &[whole]), expected);
    for at in 0..whole.len() {
        let (a, b) = whole.split_at(at);
        assert_eq!(body(Framing::Chunked, &[a, b]), expected, "cut at {at}");
    }
}

#[test]
fn a_body_without_its_end_is_not_done() {
    assert!(!body(Framing::Chunked, &["5\r\nhello\r\n"]).2);
    assert!(!body(Framing::Chunked, &["5\r\nhello\r\n0\r\n"]).2);
    assert!(!body(Framing::Length(6), &["hello"]).2);
    assert!(!body(Framing::Chunked, &["5x\r\nhello"]).1);
    assert!(!body(Framing::Chunked, &["5\r\nhelloo"]).1);
    assert!(!body(Framing::Length(4), &["hello"]).1);
}

#[test]
fn a_wrong_missing_or_extra_byte_is_found() {
    let exact = || Exact::new(Some(Arc::new(b"abcdef".to_vec())));
    let mut right = exact();
    assert!(right.next(b"abc").is_ok() && right.finish().is_err());
    assert!(right.next(b"def").is_ok() && right.finish().is_ok());
    assert!(right.next(b"g").is_err());
    let mut wrong = exact();
    wrong.next(b"abc").unwrap();
    let error = wrong.next(b"dxf").unwrap_err().to_string();
    assert!(error.contains("byte 4"), "{error}");
}

#[test]
fn options_nobody_knows_and_addresses_elsewhere_are_refused() {
    let parse = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Options::parse(&words)
    };
    assert!(parse(&["--a"]).is_err());
    assert!(parse(&["a", "b"]).is_err());
    assert!(parse(&["--a", "1", "--a", "2"]).is_err());
    assert!(parse(&["--a", "x"]).unwrap().take("a", 1_u32).is_err());
    assert!(parse(&["--a", "x"]).unwrap().finish().is_err());
    assert!(parse(&["--address", "192.0.2.1:80"]).unwrap().address().is_err());
    assert!(parse(&["--address", "127.0.0.1:80"]).unwrap().address().is_ok());
}

/// Answers the first connection with this text, and closes.
fn listener(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(8) {
            let mut stream = stream.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// One fast client for a second; returns the report.
fn streams(answer: &'static str) -> String {
    let reference = Path::new(env!("CARGO_TARGET_TMPDIR")).join("load-reference");
    std::fs::write(&reference, "hello").unwrap();
    let address = listener(answer).to_string();
    let words = [
        "streams",
        "--address",
        &address,
        "--seconds",
        "1",
        "--fast",
        "1",
        "--reference",
        reference.to_str().unwrap(),
    ];
    run(&words.map(str::to_owned)).unwrap()
}

#[test]
fn a_client_tells_exact_wrong_and_cut_off_streams_apart() {
    let right =
        streams("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    assert!(right.contains("\"fast_completions_min\": 8"), "{right}");
    let wrong = streams("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellO");
    assert!(wrong.contains("differs from the reference at byte 4"), "{wrong}");
    let short = streams("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhell");
    assert!(short.contains("ended after 4 of 5 bytes"), "{short}");
    let cut = streams("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert!(cut.contains("was cut off"), "{cut}");
}

#[test]
fn a_refusal_without_type_or_retry_after_is_a_fault() {
    let good = "HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\n\
                Retry-After: 1\r\nContent-Length: 12\r\n\r\n{\"type\":\"a\"}";
    let report = streams(good);
    assert!(report.contains("\"refusals\": 1, "), "{report}");
    assert!(report.contains("\"faults\": 0"), "{report}");
    for bad in [
        "HTTP/1.1 500 Oops\r\nContent-Type: application/problem+json\r\n\
         Retry-After: 1\r\nContent-Length: 12\r\n\r\n{\"type\":\"a\"}",
        "HTTP/1.1 503 Busy\r\nContent-Type: application/problem+json\r\n\
         Content-Length: 12\r\n\r\n{\"type\":\"a\"}",
        "HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\n\
         Retry-After: 1\r\nContent-Length: 12\r\n\r\n{\"type\":\"a\"}",
        "HTTP/1.1 429 Busy\r\nContent-Type: application/problem+json\r\n\
         Retry-After: 1\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let report = streams(bad);
        assert!(report.contains("\"refusals\": 0"), "{report}");
        assert!(!report.contains("\"faults\": 0"), "{report}");
    }
}
