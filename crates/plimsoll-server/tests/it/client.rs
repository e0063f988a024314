//! A small HTTP/1.1 client: blocking, bounded, and honest about answers that are cut.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value as Json;

const ANSWER_BYTES_MAX: usize = 64 << 20;
const TIMEOUT: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing said it would.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e} in {} {}", self.status, self.text()))
    }

    /// Checks that this is a problem document of this kind, and returns it.
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Json {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"].as_str(), self.header("x-request-id"));
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|t| !t.is_empty()), "{problem}");
        }
        problem
    }
}

/// An open connection.
pub(crate) struct Connection {
    pub(crate) reader: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        stream.set_write_timeout(Some(TIMEOUT)).expect("a timeout");
        Self { reader: BufReader::new(stream) }
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    pub(crate) fn send(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let mut text = format!("{method} {target} HTTP/1.1\r\nhost: t\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" || method == "PATCH" {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        self.send_raw(text.as_bytes()).expect("sends");
        self.send_raw(body).expect("sends");
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(n) if n > 0 => Some(line.trim_end().to_owned()),
            _ => None,
        }
    }

    /// The status and the headers; `None` when the server closed without an answer.
    pub(crate) fn head(&mut self) -> Option<Answer> {
        let status = self.line()?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':')?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Some(Answer { status, headers, body: Vec::new(), complete: false })
    }

    pub(crate) fn answer(&mut self, method: &str) -> Option<Answer> {
        let mut answer = self.head()?;
        if method == "HEAD" || matches!(answer.status, 204 | 304) {
            answer.complete = true;
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().expect("a number");
            assert!(length <= ANSWER_BYTES_MAX);
            answer.body = vec![0; length];
            answer.complete = self.reader.read_exact(&mut answer.body).is_ok();
        } else if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks(&mut answer);
        } else {
            answer.complete = self.reader.read_to_end(&mut answer.body).is_ok();
        }
        Some(answer)
    }

    pub(crate) fn chunks(&mut self, answer: &mut Answer) {
        loop {
            let Some(size) = self.line() else { return };
            let Ok(size) = usize::from_str_radix(&size, 16) else { return };
            let start = answer.body.len();
            assert!(start + size <= ANSWER_BYTES_MAX);
            answer.body.resize(start + size, 0);
            if self.reader.read_exact(&mut answer.body[start..]).is_err() {
                return;
            }
            if self.line().is_none() {
                return;
            }
            if size == 0 {
                answer.complete = true;
                return;
            }
        }
    }
}
