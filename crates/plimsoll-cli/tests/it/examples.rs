//! The applications of `examples/` send a browser to an export, with a real server behind them.
//!
//! ```text
//!   test ── GET /orders/export ──> uvicorn | php -S ── POST /exports ──> plimsoll
//!     └──── GET link, GET link with Range ─────────────────────────────────^
//! ```
//!
//! `.ci/examples` makes what they need: `TESTED_FASTAPI` names a Python that has the example's
//! requirements, `TESTED_LARAVEL` the autoloader of a Laravel.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::corpus::folder;
use crate::http::{Answer, Client};
use crate::server::Server;
use crate::tool::{Running, Tool};

const DEMO: [&str; 7] = ["--demo", "--products", "2000", "--orders", "20000", "--customers", "200"];
/// `ann:a` and `ben:b`, as a browser says it.
const ANN: &str = "Authorization: Basic YW5uOmE=\r\n";
const BEN: &str = "Authorization: Basic YmVuOmI=\r\n";
/// Of the download that breaks off.
const TAKEN_BYTES: usize = 1_000;

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// What a variable of `.ci/examples` names.
fn tested(variable: &str, what: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        println!("SKIPPED: {variable} names no {what}; see .ci/examples");
    }
    found
}

/// An example that runs.
struct App {
    address: SocketAddr,
    /// Killed when it is dropped.
    _running: Running,
}

impl App {
    /// Starts it and waits for the line that names its address.
    fn start(tool: Tool, plimsoll: SocketAddr, telling: &'static str) -> Self {
        let tool = tool.env("PLIMSOLL_URL", &format!("http://{plimsoll}"));
        let mut running = tool.telling(telling).start();
        let line = running.told();
        let (_, rest) = line.split_once("http://").unwrap();
        let end = rest.find([' ', ')']).unwrap_or(rest.len());
        Self { address: rest[..end].parse().unwrap(), _running: running }
    }

    /// Status and headers of what it says to a browser.
    fn ask(&self, query: &str, headers: &str) -> Answer {
        let mut client = Client::connect(self.address).unwrap();
        client.begin("GET", &format!("/orders/export{query}"), headers, "").unwrap()
    }

    /// Where it sends the browser, on the server.
    fn link(&self, plimsoll: SocketAddr, query: &str, headers: &str) -> String {
        let answer = self.ask(query, headers);
        assert_eq!(answer.status, 303, "{answer:?}");
        let cache = answer.header("cache-control").unwrap_or_default();
        assert!(cache.contains("no-store"), "{answer:?}");
        let link = answer.header("location").unwrap();
        link.strip_prefix(&format!("http://{plimsoll}")).unwrap().to_owned()
    }
}

/// The first bytes of a download that is broken off, and the tag of the file.
fn broken_off(server: &Server, link: &str) -> (Vec<u8>, String) {
    let mut client = server.client();
    let head = client.begin("GET", link, "", "").unwrap();
    assert_eq!(head.status, 200, "{head:?}");
    let mut bytes = Vec::new();
    let mut piece = [0; 4 << 10];
    while bytes.len() < TAKEN_BYTES + 16 {
        let read = client.read(&mut piece).unwrap();
        assert!(read > 0, "it ended after {} bytes", bytes.len());
        bytes.extend_from_slice(&piece[..read]);
    }
    // Behind the size of the first chunk.
    let begin = bytes.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    (bytes[begin..][..TAKEN_BYTES].to_vec(), head.header("etag").unwrap().to_owned())
}

fn hands_off(app: &App, server: Server, wrong_date: u16) {
    let plimsoll = server.address;
    assert_eq!(app.ask("", "").status, 401);
    let get = |link: &str, headers: &str| server.client().ask("GET", link, headers, "").unwrap();
    let ann = server.get("/orders/export/csv?channel=online&sort=-id");
    let ben = server.get("/orders/export/csv?channel=partner&sort=-id");
    assert!(ann.body.len() > 10 * TAKEN_BYTES && ann.body != ben.body);

    let link = app.link(plimsoll, "", ANN);
    let whole = get(&link, "");
    assert_eq!(whole.status, 200, "{whole:?}");
    assert!(whole.body == ann.body, "{} bytes of {}", whole.body.len(), ann.body.len());
    let name = whole.header("content-disposition").unwrap();
    assert!(name.ends_with("filename*=UTF-8''orders%20of%20ann.csv"), "{name}");
    assert_eq!(get(&link, "").status, 410, "the link is for one download");

    let link = app.link(plimsoll, "", BEN);
    let (mut taken, tag) = broken_off(&server, &link);
    let range = format!("Range: bytes={TAKEN_BYTES}-\r\nIf-Range: {tag}\r\n");
    let rest = get(&link, &range);
    assert_eq!(rest.status, 206, "{rest:?}");
    taken.extend_from_slice(&rest.body);
    assert!(taken == ben.body, "{} bytes of {}", taken.len(), ben.body.len());

    let link = app.link(plimsoll, "?since=2026-06-01", ANN);
    let late =
        "/orders/export/csv?channel=online&sort=-id&filter%5Bordered_at%5D%5Bgte%5D=2026-06-01";
    let (some, direct) = (get(&link, "").body, server.get(late).body);
    assert!(some == direct && some.len() < ann.body.len());
    assert_eq!(app.ask("?since=soon", ANN).status, wrong_date);
    server.stop().expect(0, &[]);
    assert_eq!(app.ask("", ANN).status, 502);
}

#[test]
fn the_fastapi_example_sends_a_browser_to_an_export_that_it_can_resume() {
    let Some(python) = tested("TESTED_FASTAPI", "Python with FastAPI") else { return };
    let folder = folder();
    let server = Server::fastest(folder.path(), &DEMO);
    let line = "exec \"$PYTHON\" -B -m uvicorn app:app --app-dir \"$EXAMPLE\" --port 0";
    let tool =
        Tool::shell(folder.path(), line).env("PYTHON", &python).env("EXAMPLE", &example("fastapi"));
    let app = App::start(tool, server.address, "running on http://");
    hands_off(&app, server, 422);
}

#[test]
fn the_laravel_example_sends_a_browser_to_an_export_that_it_can_resume() {
    let Some(laravel) = tested("TESTED_LARAVEL", "autoloader of a Laravel") else { return };
    let folder = folder();
    let server = Server::fastest(folder.path(), &DEMO);
    let tool = Tool::shell(folder.path(), "exec php -S 127.0.0.1:0 \"$EXAMPLE\"/tests/serve.php")
        .env("TESTED_LARAVEL", &laravel)
        .env("EXAMPLE", &example("laravel"));
    let app = App::start(tool, server.address, "Development Server (http://");
    hands_off(&app, server, 400);
}
