//! Somebody's server, which answers as a test says.
//!
//! ```text
//!   accept ─> TLS, where asked for ─> read a request, or nothing ─> told to the test
//!                                                               └─> the next answer of the list
//! ```
//!
//! Promises: each connection takes one answer of the list; behind its end connections are closed.
//! Never: a wait without a deadline.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Channel, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::world::DEADLINE;

/// How a request is answered.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// With these bytes.
    Bytes(String),
    /// With these bytes, whatever came first, which is told as a request's line.
    Deaf(&'static str),
    /// The connection is closed before anything is read.
    Dropped,
    /// Nothing is said until the other side goes.
    Silence,
    /// A byte of a head now and then, without an end.
    Drip,
    /// These bytes, and then more without an end.
    Flood(&'static str, &'static str),
}

/// An answer of a status, with a header.
pub(super) fn status(status: u16, header: &str) -> Answer {
    Answer::Bytes(format!("HTTP/1.1 {status} X\r\n{header}content-length: 0\r\n\r\n"))
}

/// What a receiver was told, or did.
#[derive(Debug)]
pub(super) enum Seen {
    Request(Request),
    /// The other side went while this one had something to do.
    Gone {
        sent_bytes: usize,
    },
}

/// A request as it came.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// A server of a test's own.
pub(super) struct Receiver {
    pub(super) port: u16,
    seen: Channel<Seen>,
}

impl Receiver {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        Self::start(answers, None)
    }

    pub(super) fn encrypted(answers: Vec<Answer>, tls: Arc<ServerConfig>) -> Self {
        Self::start(answers, Some(tls))
    }

    fn start(answers: Vec<Answer>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (told, seen) = sync_channel(64);
        thread::spawn(move || {
            for (stream, answer) in listener.incoming().flatten().zip(answers) {
                stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
                stream.set_write_timeout(Some(DEADLINE)).expect("a deadline");
                match &tls {
                    None => serve(stream.try_clone().expect("a stream"), &stream, answer, &told),
                    Some(tls) => {
                        let server = ServerConnection::new(tls.clone()).expect("a connection");
                        let socket = stream.try_clone().expect("a stream");
                        serve(StreamOwned::new(server, socket), &stream, answer, &told);
                    }
                }
            }
        });
        Self { port, seen }
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in", self.port)
    }

    /// What it sees next.
    pub(super) fn next(&self) -> Seen {
        self.seen.recv_timeout(DEADLINE).expect("somebody calls")
    }

    /// The next request.
    pub(super) fn request(&self) -> Request {
        match self.next() {
            Seen::Request(request) => request,
            Seen::Gone { .. } => panic!("the other side went"),
        }
    }

    /// Whether nobody has called by now.
    pub(super) fn is_quiet(&self) -> bool {
        self.seen.try_recv().is_err()
    }
}

fn serve(
    mut stream: impl Read + Write,
    socket: &TcpStream,
    answer: Answer,
    told: &SyncSender<Seen>,
) {
    if matches!(answer, Answer::Dropped) {
        return;
    }
    if let Answer::Deaf(text) = answer {
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).unwrap_or_default();
        let line = String::from_utf8_lossy(&piece[..read]).into_owned();
        let request = Request { line, headers: BTreeMap::new(), body: String::new() };
        let _told = told.send(Seen::Request(request));
        let written = stream.write_all(text.as_bytes());
        return drop(written);
    }
    let Ok(request) = read(&mut stream) else { return };
    // A test that is over listens no more.
    let _told = told.send(Seen::Request(request));
    let sent_bytes = match answer {
        Answer::Dropped | Answer::Deaf(_) => return,
        Answer::Bytes(text) => {
            let written = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
            return drop(written);
        }
        Answer::Silence => until_gone(&mut stream),
        Answer::Drip => drip(&mut stream, socket),
        Answer::Flood(first, more) => flood(&mut stream, first, more),
    };
    let _told = told.send(Seen::Gone { sent_bytes });
}

fn until_gone(stream: &mut impl Read) -> usize {
    let _gone = stream.read(&mut [0; 1]);
    0
}

fn drip(stream: &mut (impl Read + Write), socket: &TcpStream) -> usize {
    let mut sent_bytes = 0;
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time");
    let head = b"HTTP/1.1 200 OK\r\nx-slow: ".iter().chain(std::iter::repeat(&b'x'));
    for byte in head.take(10_000) {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        sent_bytes += 1;
        // The read's time is the wait between two bytes.
        match stream.read(&mut [0; 1]) {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            _ => break,
        }
    }
    sent_bytes
}

fn flood(stream: &mut impl Write, first: &str, more: &str) -> usize {
    let mut sent_bytes = 0;
    let more = more.repeat(1_000);
    let mut next = first;
    // A GB at most, should nobody hang up.
    while sent_bytes < 1 << 30 && stream.write_all(next.as_bytes()).is_ok() {
        sent_bytes += next.len();
        next = &more;
    }
    sent_bytes
}

fn read(stream: &mut impl Read) -> io::Result<Request> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => body.extend_from_slice(&piece[..read]),
        }
    }
    let body = String::from_utf8(body).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Request { line, headers, body })
}
