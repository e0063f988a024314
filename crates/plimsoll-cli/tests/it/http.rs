//! A client of HTTP/1.1, just large enough: one connection, bounded answers, no redirects.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// A line of a head or of chunk framing.
const LINE_BYTES_MAX: u64 = 16 << 10;
/// A body that is taken whole.
const BODY_BYTES_MAX: u64 = 256 << 20;

pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, SILENCE_MAX)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub(crate) fn get(&mut self, path: &str, accept: &str) -> io::Result<Answer> {
        self.ask("GET", path, &format!("Accept: {accept}\r\n"), "")
    }

    pub(crate) fn post(&mut self, path: &str, body: &str) -> io::Result<Answer> {
        self.ask("POST", path, "Content-Type: application/json\r\n", body)
    }

    pub(crate) fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let mut answer = self.begin(method, path, headers, body)?;
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        match answer.header("content-length").map(str::parse) {
            _ if chunked => answer.body = self.chunks()?,
            Some(Ok(length)) if length <= BODY_BYTES_MAX => {
                let mut body = Vec::new();
                self.stream.by_ref().take(length).read_to_end(&mut body)?;
                if body.len() as u64 != length {
                    return Err(wrong("the body was cut off"));
                }
                answer.body = body;
            }
            _ => return Err(wrong("a body of unknown length")),
        }
        Ok(answer)
    }

    /// Sends a request and reads the head of its answer; the body is [`Client::read`]'s.
    pub(crate) fn begin(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> io::Result<Answer> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\n{headers}Content-Length: {length}\r\n\r\n\
             {body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| wrong("no status"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// Bytes as they come, framing included.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.read(out)
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let size = u64::from_str_radix(&line, 16).map_err(|_| wrong("no size of a chunk"))?;
            if body.len() as u64 + size > BODY_BYTES_MAX {
                return Err(wrong("a body beyond the bound"));
            }
            let before = body.len();
            self.stream.by_ref().take(size).read_to_end(&mut body)?;
            if (body.len() - before) as u64 != size || !self.line()?.is_empty() {
                return Err(wrong("a chunk was cut off"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(wrong("a line was cut off")),
        }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| &**value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
