//! One HTTP/1.1 connection.
//!
//! Promises: every wait has a timeout; a response head is bounded.
//! Never: a redirect, a cookie, TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::body::{Body, Framing};
use super::json::Object;
use super::options::Options;

/// A server that says nothing for so long is counted as failed.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Bytes of status line and headers.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of one read of a client that reads as fast as it can.
pub(super) const READ_BYTES: usize = 256 << 10;

/// Status line and headers.
pub(super) struct Head {
    pub(super) status: u16,
    /// Header lines, names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Body,
}

impl Head {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A connection with the bytes read ahead of what was asked for.
pub(super) struct Client {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        Ok(Self { stream, ahead: Vec::new() })
    }

    /// Sends a request and reads the head of its answer.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<Head> {
        self.stream.write_all(request).context("send")?;
        self.ahead.clear();
        let mut piece = [0; 1024];
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let head = head(&self.ahead[..end])?;
                self.ahead.drain(..end + 4);
                return Ok(head);
            }
            ensure!(self.ahead.len() < HEAD_BYTES_MAX, "the head of the answer never ends");
            let read = self.stream.read(&mut piece).context("head")?;
            ensure!(read > 0, "closed before an answer");
            self.ahead.extend_from_slice(&piece[..read]);
        }
    }

    /// Reads once, at most `buffer`, and hands on what of it is body. False when the body ended.
    pub(super) fn read(
        &mut self,
        body: &mut Body,
        buffer: &mut [u8],
        sink: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            body.feed(&ahead, sink)?;
            return Ok(!body.is_done());
        }
        if body.is_done() {
            return Ok(false);
        }
        let read = self.stream.read(buffer).context("body")?;
        if read == 0 {
            ensure!(body.may_close(), "the body was cut off");
            return Ok(false);
        }
        body.feed(&buffer[..read], sink)?;
        Ok(!body.is_done())
    }

    /// Reads a small body whole.
    pub(super) fn text(&mut self, body: &mut Body, bytes_max: usize) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        let mut sink = |bytes: &[u8]| {
            text.extend_from_slice(bytes);
            if text.len() > bytes_max {
                bail!("a body beyond {bytes_max} bytes");
            }
            Ok(())
        };
        while self.read(body, &mut buffer, &mut sink)? {}
        Ok(text)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn head(bytes: &[u8]) -> Result<Head> {
    let text = std::str::from_utf8(bytes).context("the head is not UTF-8")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let status = status.and_then(|s| s.parse().ok()).context("no status")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let find = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let framing = if find("transfer-encoding").is_some_and(|v| v.contains("chunked")) {
        Framing::Chunked
    } else if let Some(length) = find("content-length") {
        Framing::Length(length.parse().context("content-length")?)
    } else {
        Framing::Close
    };
    let body = Body::new(framing);
    Ok(Head { status, headers, body })
}

/// The bytes of a GET.
pub(super) fn get(address: SocketAddr, path: &str, accept: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n").into_bytes()
}

/// `load fetch --address A --path P [--accept T] [--out FILE]`.
pub(super) fn fetch(options: &mut Options) -> Result<String> {
    let address = options.address()?;
    let path = options.text("path").context("--path is missing")?;
    let accept = options.take("accept", "*/*".to_owned())?;
    let mut out = match options.text("out") {
        Some(path) => Some(std::fs::File::create(path)?),
        None => None,
    };
    let begin = Instant::now();
    let mut client = Client::connect(address)?;
    let mut head = client.send(&get(address, &path, &accept))?;
    let mut bytes = 0_u64;
    let mut buffer = vec![0; READ_BYTES];
    let mut sink = |piece: &[u8]| {
        bytes += piece.len() as u64;
        match &mut out {
            Some(out) => Ok(out.write_all(piece)?),
            None => Ok(()),
        }
    };
    while client.read(&mut head.body, &mut buffer, &mut sink)? {}
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Object::default()
        .count("status", u64::from(head.status))
        .count("bytes", bytes)
        .number("seconds", seconds)
        .finish())
}
