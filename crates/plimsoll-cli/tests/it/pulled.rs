//! The pullers of `examples/jobs`: killed in the middle, another goes on where a checkpoint was.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::{Running, Tool};

const LINES: u64 = 10_000;
const DEADLINE: Duration = Duration::from_secs(40);

/// A puller that runs, with the words `"$0"` does not stand in.
fn puller(folder: &Path, server: &Server, program: &str, file: &str) -> Running {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs").join(file);
    let path = path.canonicalize().unwrap();
    let tool = Tool::of(Path::new(program), folder, &[path.to_str().unwrap()]);
    tool.env("PLIMSOLL_URL", &format!("http://{}", server.address)).start()
}

fn survives(program: &str, file: &str) {
    if !Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success()) {
        println!("SKIPPED: there is no {program}");
        return;
    }
    let folder = folder();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let text: String = (1..=LINES).map(|n| format!("line {n} of tea\n")).collect();
    std::fs::write(&from, &text).unwrap();
    let server = Server::start(folder.path(), &["--jobs-lease", "1s", "--jobs-renew", "200ms"]);
    let payload = json!({"from": from, "to": to, "chunk": 50});
    let body = json!({"kind": "file.upper", "payload": payload, "timeout_ms": 60_000});
    let made = server.client().post("/jobs", &body.to_string()).unwrap();
    assert_eq!(made.status, 202, "{made:?}");
    let place = made.header("location").unwrap().to_owned();
    let until = |what: &str, is: &dyn Fn(&serde_json::Value) -> bool| {
        let began = Instant::now();
        loop {
            let job = server.get(&place).json();
            if is(&job) {
                return job;
            }
            assert!(began.elapsed() < DEADLINE, "{what}: {job}");
        }
    };
    let first = puller(folder.path(), &server, program, file);
    until("it is at work", &|job| job["progress"]["done"].as_u64().is_some_and(|n| n > 100));
    first.kill();
    let job = server.get(&place).json();
    assert_eq!(job["state"], "running", "its lease holds still: {job}");
    let second = puller(folder.path(), &server, program, file);
    let job = until("it is done", &|job| job["state"] == "completed");
    second.kill();
    assert_eq!((&job["crashes"], &job["resumed_count"]), (&json!(1), &json!(1)), "{job}");
    assert_eq!(job["result"], json!({"lines": LINES}));
    assert_eq!(std::fs::read_to_string(&to).unwrap(), text.to_uppercase());
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn a_job_of_a_python_puller_that_was_killed_is_done_once_by_the_next() {
    survives("python3", "python/puller.py");
}

#[test]
fn a_job_of_a_php_puller_that_was_killed_is_done_once_by_the_next() {
    survives("php", "php/puller.php");
}
