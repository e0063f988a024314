//! Asks a running server over HTTP, for what is in its process alone.
//!
//! ```text
//!   --url, or http.host and http.port ─> one connection for each question ─> answer or problem
//!   PLIMSOLL_API_KEY, or --key-file   ─> Authorization, to this machine alone
//! ```
//!
//! Promises: an answer has a bound and a deadline; a problem of the server is told in its words.
//! Never: a key to another machine, which plain HTTP would show to everybody on the way.

use std::fs::File;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, IF_RANGE, RANGE,
};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::args::ServerArgs;
use crate::config::{API_KEY_VARIABLE, Config};
use crate::exit::Usage;

/// A connection, and the head of an answer, are there within this.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Between two pieces of a body.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a document at most.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Bytes that are held of a head, or of a piece of a body.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Bytes of a key at most, as the server has it.
const KEY_BYTES_MAX: u64 = 8 << 10;

/// A server that is asked.
pub(crate) struct Client {
    runtime: Runtime,
    authority: String,
    address: SocketAddr,
    key: Option<String>,
}

/// What is asked.
struct Question<'q> {
    method: Method,
    path: &'q str,
    body: Option<String>,
    /// From which byte on of the file with which tag.
    range: Option<(u64, &'q str)>,
}

impl Client {
    pub(crate) fn new(config: &Config, args: &ServerArgs) -> anyhow::Result<Self> {
        let authority = authority(config, args)?;
        let address = address(&authority)?;
        let key = key(args.key_file.as_deref())?;
        if key.is_some() && !address.ip().is_loopback() {
            bail!(Usage(format!(
                "a key is sent to this machine alone, and {authority} is another: ask on that one"
            )));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, authority, address, key })
    }

    /// Asks for a document.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Json> {
        self.ask(Method::GET, path, None)
    }

    /// Asks for a document that may not be there.
    pub(crate) fn find(&self, path: &str) -> anyhow::Result<Option<Json>> {
        let (status, document) = self.answer(Method::GET, path, None)?;
        match status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(document)),
            _ => Err(problem(path, &document)),
        }
    }

    /// Has the server do something.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
    ) -> anyhow::Result<Json> {
        let (status, document) = self.answer(method, path, body)?;
        if status.is_success() { Ok(document) } else { Err(problem(path, &document)) }
    }

    fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
    ) -> anyhow::Result<(StatusCode, Json)> {
        let body = body.map(Json::to_string);
        let question = Question { method, path, body, range: None };
        self.runtime.block_on(async {
            let response = self.send(question).await?;
            Ok((response.status(), read(response.into_body()).await?))
        })
    }

    /// Where it is: a host and a port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The headers of what stands at a path; `None` where that is gone.
    pub(crate) fn head(&self, path: &str) -> anyhow::Result<Option<HeaderMap>> {
        let question = Question { method: Method::HEAD, path, body: None, range: None };
        self.runtime.block_on(async {
            let response = self.send(question).await?;
            match response.status() {
                status if status.is_success() => Ok(Some(response.headers().clone())),
                StatusCode::GONE => Ok(None),
                status => Err(anyhow!("{path}: {status}")),
            }
        })
    }

    /// Fetches a file from a byte on, where `tag` is still that of the file; `sink` is given what
    /// comes, and whether it is that part and not the whole.
    pub(crate) fn fetch(
        &self,
        path: &str,
        from: (u64, &str),
        mut sink: impl FnMut(bool, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let range = (from.0 > 0).then_some(from);
        let question = Question { method: Method::GET, path, body: None, range };
        self.runtime.block_on(async {
            let response = self.send(question).await?;
            let status = response.status();
            let mut body = response.into_body();
            if !status.is_success() {
                return Err(problem(path, &read(body).await?));
            }
            while let Some(bytes) = piece(&mut body).await? {
                sink(status == StatusCode::PARTIAL_CONTENT, &bytes)?;
            }
            Ok(())
        })
    }

    async fn send(&self, question: Question<'_>) -> anyhow::Result<Response<Incoming>> {
        let asking = async {
            let stream = TcpStream::connect(self.address).await?;
            let mut builder = http1::Builder::new();
            builder.max_buf_size(BUFFER_BYTES_MAX);
            let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
            // Ends with the answer: the connection is not kept.
            let _driver = tokio::spawn(connection);
            Ok::<_, anyhow::Error>(sender.send_request(self.request(question)?).await?)
        };
        let late = || format!("http://{} did not answer within 60 s", self.authority);
        let asked = tokio::time::timeout(ANSWER_TIME_MAX, asking).await.with_context(late)?;
        asked.with_context(|| {
            format!(
                "asking http://{}: is `plimsoll serve` running there? --url names another",
                self.authority
            )
        })
    }

    fn request(&self, question: Question<'_>) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(question.method)
            .uri(format!("/api/v2{}", question.path))
            .header(HOST, &self.authority)
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some((from, tag)) = question.range {
            request = request.header(RANGE, format!("bytes={from}-")).header(IF_RANGE, tag);
        }
        if question.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        Ok(request.body(Full::from(question.body.unwrap_or_default()))?)
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match plain(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The next bytes of a body; `None` at its end.
async fn piece(body: &mut Incoming) -> anyhow::Result<Option<Bytes>> {
    loop {
        let next = tokio::time::timeout(SILENCE_MAX, body.frame()).await;
        match next.context("the server says nothing any more")? {
            None => return Ok(None),
            Some(frame) => {
                let frame = frame.context("the answer broke off")?;
                if let Ok(bytes) = frame.into_data() {
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

async fn read(mut body: Incoming) -> anyhow::Result<Json> {
    let mut text = Vec::new();
    while let Some(bytes) = piece(&mut body).await? {
        if text.len() + bytes.len() > DOCUMENT_BYTES_MAX {
            bail!("the answer has more than {DOCUMENT_BYTES_MAX} bytes");
        }
        text.extend_from_slice(&bytes);
    }
    if text.is_empty() {
        return Ok(Json::Null);
    }
    serde_json::from_slice(&text).context("the answer is no JSON: is it a Plimsoll that answers?")
}

/// What the server says is wrong.
fn problem(path: &str, document: &Json) -> anyhow::Error {
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let (kind, detail) = (text("type"), text("detail"));
    let kind = kind.trim_start_matches("/problems/");
    anyhow!("{path}: {detail} ({kind})")
}

fn authority(config: &Config, args: &ServerArgs) -> anyhow::Result<String> {
    let Some(url) = &args.url else {
        let host = match config.text("http.host") {
            "0.0.0.0" => "127.0.0.1",
            "::" | "[::]" => "[::1]",
            host => host,
        };
        let bare_v6 = host.contains(':') && !host.starts_with('[');
        let host = if bare_v6 { format!("[{host}]") } else { host.to_owned() };
        return Ok(format!("{host}:{}", config.integer("http.port")));
    };
    let wrong = |why: &str| Usage(format!("--url {url}: {why}, e.g. http://127.0.0.1:8000"));
    let Some(authority) = url.strip_prefix("http://") else {
        bail!(wrong("begins with http://; ask on the machine of the server"));
    };
    let authority = authority.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '@', '?', '#', ' ']) {
        bail!(wrong("has a host and a port, and nothing behind them"));
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { authority.to_owned() } else { format!("{authority}:80") })
}

/// This machine's own address before any other of the name.
fn address(authority: &str) -> anyhow::Result<SocketAddr> {
    let what = || format!("looking {authority} up");
    let found: Vec<SocketAddr> = authority.to_socket_addrs().with_context(what)?.collect();
    let v4 = found.iter().find(|address| matches!(address.ip(), IpAddr::V4(_)));
    v4.or(found.first()).copied().with_context(what)
}

/// The file that was named before the variable.
fn key(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    let text = match file {
        Some(file) => {
            let what = || format!("reading the key in {}", file.display());
            let mut text = String::new();
            let opened = File::open(file).with_context(what)?;
            opened.take(KEY_BYTES_MAX + 1).read_to_string(&mut text).with_context(what)?;
            Some(text)
        }
        None => std::env::var(API_KEY_VARIABLE).ok(),
    };
    let key = text.map(|text| text.trim().to_owned()).filter(|key| !key.is_empty());
    let fits = |key: &String| {
        key.len() as u64 <= KEY_BYTES_MAX && key.bytes().all(|b| b.is_ascii_graphic())
    };
    match key {
        Some(key) if !fits(&key) => bail!(Usage(format!(
            "a key is one line of up to {KEY_BYTES_MAX} letters, digits and marks"
        ))),
        key => Ok(key),
    }
}
