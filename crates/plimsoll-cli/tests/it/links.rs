//! Links to exports, seen from outside the process: its memory, its disk, its log and its end.

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::{Tool, optimised};

const LIMIT_BYTES: u64 = 32 << 20;

fn link(server: &Server, definition: &str) -> String {
    let answer = server.client().post("/api/v2/exports", definition).unwrap();
    assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()["url"].as_str().unwrap().to_owned()
}

#[test]
fn the_log_has_nothing_of_a_link_that_could_be_used() {
    let folder = folder();
    let demo = ["serve", "--port", "0", "--demo", "--products", "100", "--orders", "10"];
    let args = [&demo[..], &["--customers", "10", "--log-level", "trace"]].concat();
    // On the command line, where it is stronger than what servers of tests are given.
    let args = [&args[..], &["--log-access", "true", "--log-format", "json"]].concat();
    let server = Server::wait(Tool::new(folder.path(), &args));
    let link = link(&server, r#"{"resource":"products","format":"ndjson"}"#);
    assert_eq!(server.get(&link).status, 200);
    assert_eq!(server.get(&link).status, 410);
    let range = server.client().ask("GET", &link, "Range: bytes=0-9\r\n", "").unwrap();
    assert_eq!((range.status, range.body.len()), (206, 10));
    let ended = server.stop();
    ended.expect(0, &["/api/v2/exports/{id}"]);
    let (path, signature) = link.split_once("&signature=").unwrap();
    let (id, _) = path.rsplit_once('/').unwrap().1.split_once('?').unwrap();
    for secret in [signature, id] {
        assert!(!ended.err.contains(secret), "{secret} stands in the log");
    }
    // The part was sent to its end, and the log says so.
    let part = ended.err.lines().find(|line| line.contains("\"status\":206")).unwrap();
    assert!(part.contains("\"complete\":true"), "{part}");
}

#[test]
fn an_export_by_link_takes_the_memory_of_a_stream_and_leaves_no_file_to_a_kill() {
    let Some(binary) = optimised() else {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
        return;
    };
    let folder = folder();
    let demo = ["seed", "--products", "300000", "--orders", "10", "--customers", "10"];
    Tool::of(&binary, folder.path(), &demo).run().expect(0, &[]);
    let limited = ["--memory", "32M"];
    let server = Server::of(&binary, folder.path(), &limited);
    let direct = server.get("/products/export?format=ndjson").body;
    assert!(direct.len() as u64 > LIMIT_BYTES, "{} bytes", direct.len());
    let link = link(&server, r#"{"resource":"products","format":"ndjson"}"#);
    assert!(server.get(&link).body == direct);
    let half = direct.len() / 2;
    let range = format!("Range: bytes={half}-\r\n");
    let rest = server.client().ask("GET", &link, &range, "").unwrap();
    assert!(rest.status == 206 && rest.body == direct[half..]);
    let peak = server.resident_peak_bytes();
    println!("VmHWM {peak}");
    assert!(peak > 0 && peak <= LIMIT_BYTES, "{peak}");
    let spill = server.get("/system/memory").json()["spill"]["bytes"].as_u64().unwrap();
    assert!(spill >= direct.len() as u64, "{spill} bytes are kept");
    server.kill();
    let left: Vec<_> = std::fs::read_dir(folder.path().join("data/spill")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let again = Server::of(&binary, folder.path(), &limited);
    let gone = again.get(&link);
    assert_eq!(gone.status, 404, "links end with the server");
}

#[test]
fn a_disk_that_takes_no_more_cuts_the_download_and_the_link_says_so() {
    let folder = folder();
    let demo = ["seed", "--products", "20000", "--orders", "10", "--customers", "10"];
    Tool::fastest(folder.path(), &demo).run().expect(0, &[]);
    // No file of the process may become larger than 512 KiB.
    let line = "trap '' XFSZ; ulimit -f 512; exec \"$0\" serve --port 0 --data data";
    let server = Server::wait(Tool::shell(folder.path(), line));
    let direct = server.get("/products/export?format=ndjson").body;
    assert!(direct.len() > 1 << 20, "{} bytes", direct.len());
    let link = link(&server, r#"{"resource":"products","format":"ndjson"}"#);
    let cut = server.client().get(&link, "*/*").unwrap_err();
    assert!(cut.to_string().contains("cut off"), "{cut}");
    let gone = server.client().ask("GET", &link, "Range: bytes=0-9\r\n", "").unwrap();
    assert_eq!(gone.status, 410);
    let why = gone.json()["detail"].as_str().unwrap().to_owned();
    assert!(why.contains("failed midway"), "{why}");
    assert_eq!(server.get("/products/export?format=ndjson").body, direct, "others go on");
    server.stop().expect(0, &["an export by link was not written"]);
}
