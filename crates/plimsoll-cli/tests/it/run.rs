//! `plimsoll run` watches a command with all it starts, and stops it at its limit.
//!
//! ```text
//!   test ─> plimsoll run ─> python3 | sh ─> its children
//!     └──── code, last line, JSON ──┘
//! ```

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::Value;

use crate::corpus::folder;
use crate::tool::{Ended, Tool};

/// Start, growth and end. Half a second on an idle machine; a busy one gives the watcher its turn
/// late, and the command goes on for a minute if nobody stops it.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// The interpreter itself: what is called python3 may be a script that looks for it.
fn python() -> Option<String> {
    let asked = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output();
    let found = asked.ok().filter(|output| output.status.success());
    let path = found.map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned());
    if path.is_none() {
        println!("SKIPPED: there is no python3 to run");
    }
    path
}

/// `plimsoll run FLAGS --json run.json -- COMMAND`, by sampling: it works on every machine.
fn tool(folder: &Path, flags: &[&str], command: &[&str]) -> Tool {
    let own = ["run", "--data", "data", "--watch", "sampling", "--json", "run.json"];
    Tool::new(folder, &[&own, flags, &["--"], command].concat())
}

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("run.json")).unwrap()).unwrap()
}

/// Runs Python and gives how it ended, with its summary.
fn run_python(flags: &[&str], script: &str) -> Option<(Ended, Value)> {
    let (python, folder) = (python()?, folder());
    let ended = tool(folder.path(), flags, &[&python, "-c", script]).run();
    Some((ended, summary(folder.path())))
}

fn run_shell(flags: &[&str], line: &str) -> (Ended, Value) {
    let folder = folder();
    let ended = tool(folder.path(), flags, &["sh", "-c", line]).run();
    (ended, summary(folder.path()))
}

fn last_line(ended: &Ended) -> &str {
    ended.err.lines().last().unwrap_or_default()
}

/// 200 MiB in steps of 1 MiB.
const GROW: &str = "
import time
held = []
for _ in range(200):
    held.append(b'x' * (1 << 20))
    time.sleep(0.005)
time.sleep(60)
";

#[test]
fn a_command_that_takes_200_mib_is_stopped_at_64_mib_and_its_peak_is_told() {
    let began = Instant::now();
    let Some((ended, told)) = run_python(&["--memory", "64M"], GROW) else { return };
    ended.expect(123, &["stopped at the memory limit by SIGTERM, signal 15"]);
    assert!(began.elapsed() < STOPPED_WITHIN, "{:?}", began.elapsed());
    let peak = told["memory_peak_bytes"].as_u64().unwrap();
    assert!(((64 << 20)..(230 << 20)).contains(&peak), "{told}");
    assert_eq!(told["stopped_for"], "memory");
    assert_eq!(told["signal"], 15);
    let line = last_line(&ended);
    assert!(line.starts_with("plimsoll run: peak ") && line.contains("limit 64 MiB"), "{line}");
}

#[test]
fn memory_is_that_of_everything_the_command_starts() {
    let forked = format!("import os\nif os.fork() == 0:\n  exec({GROW:?})\nelse:\n  os.wait()\n");
    let Some((ended, told)) = run_python(&["--memory", "64M"], &forked) else { return };
    ended.expect(123, &["stopped at the memory limit"]);
    assert!(told["processes_max"].as_u64().unwrap() >= 2, "{told}");
}

#[test]
fn what_left_its_parents_and_its_session_still_counts() {
    let away = format!(
        "import os, time\n\
         if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    exec({GROW:?})\n\
         \u{20} os._exit(0)\nos.wait()\ntime.sleep(60)\n"
    );
    let Some((ended, told)) = run_python(&["--memory", "64M"], &away) else { return };
    ended.expect(123, &["stopped at the memory limit"]);
    assert_eq!(told["stopped_for"], "memory");
}

#[test]
fn pages_that_forks_share_count_once() {
    let shared = "
import os, time
held = b'x' * (60 << 20)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        time.sleep(1)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
";
    let Some((ended, told)) = run_python(&["--memory", "128M"], shared) else { return };
    ended.expect(0, &["exit code 0"]);
    assert_eq!(told["stopped_for"], Value::Null);
    // Three of them would be too much if each counted all it has.
    assert!(told["processes_max"].as_u64().unwrap() >= 3, "{told}");
}

#[test]
fn what_ignores_sigterm_is_killed_after_its_grace() {
    let deaf = format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{GROW}");
    let deaf = deaf.replace("range(200)", "range(60)");
    let flags = ["--memory", "64M", "--grace", "300ms"];
    let Some((ended, told)) = run_python(&flags, &deaf) else { return };
    ended.expect(123, &["stopped at the memory limit by SIGKILL, signal 9"]);
    assert_eq!(told["killed"], true);
}

#[test]
fn what_ignores_sigterm_and_goes_on_growing_is_killed_before_its_grace_is_over() {
    let deaf = format!("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{GROW}");
    let began = Instant::now();
    let flags = ["--memory", "64M", "--grace", "50s"];
    let Some((ended, _)) = run_python(&flags, &deaf) else { return };
    ended.expect(123, &["by SIGKILL"]);
    assert!(began.elapsed() < STOPPED_WITHIN, "{:?}", began.elapsed());
}

#[test]
fn the_exit_code_is_that_of_the_command_and_its_signal_beyond_128() {
    let (ended, told) = run_shell(&[], "exit 3");
    ended.expect(3, &["no limit", "exit code 3"]);
    assert_eq!((&told["exit_code"], &told["status"]), (&Value::from(3), &Value::from(3)));
    let (ended, told) = run_shell(&["--memory", "64M"], "kill -9 $$");
    ended.expect(137, &["signal 9"]);
    assert_eq!(told["stopped_for"], Value::Null);
}

#[test]
fn what_the_command_reads_and_prints_passes_unchanged() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let folder = folder();
    let ended = tool(folder.path(), &[], &["cat"]).input(bytes.clone()).run();
    ended.expect(0, &["exit code 0"]);
    assert!(ended.out == bytes, "{} bytes came back", ended.out.len());
}

#[test]
fn a_command_is_stopped_when_its_time_is_over() {
    let (ended, told) = run_shell(&["--time-limit", "200ms"], "sleep 60");
    ended.expect(124, &["stopped at the time limit by SIGTERM, signal 15"]);
    assert_eq!(told["stopped_for"], "time");
}

#[test]
fn a_command_that_cannot_be_started_is_told_as_a_shell_would() {
    let folder = folder();
    let flags: &[&str] = &[];
    let ended = tool(folder.path(), flags, &["./nowhere"]).run();
    ended.expect(127, &["starting ./nowhere", "No such file"]);
    std::fs::write(folder.path().join("text"), "no program").unwrap();
    tool(folder.path(), flags, &["./text"]).run().expect(126, &["starting ./text", "denied"]);
}

#[test]
fn a_run_that_is_called_wrongly_starts_nothing() {
    let folder = folder();
    let touch = ["touch", "started"];
    let run = |flags: &[&str]| tool(folder.path(), flags, &touch).run();
    run(&["--memory", "64X"]).expect(2, &["--memory 64X", "256M"]);
    run(&["--time-limit", "soon"]).expect(2, &["--time-limit soon", "30s"]);
    run(&["--grace", "5"]).expect(2, &["--grace 5"]);
    let guess = ["run", "--data", "d", "--watch", "guess", "--", "touch", "started"];
    Tool::new(folder.path(), &guess).run().expect(2, &["auto, cgroup, sampling"]);
    Tool::new(folder.path(), &["run", "--data", "d"]).run().expect(2, &["COMMAND"]);
    let lost = ["run", "--data", "d", "--json", "no/where.json", "--", "touch", "started"];
    Tool::new(folder.path(), &lost).run().expect(1, &["creating the summary no/where.json"]);
    assert!(!folder.path().join("started").exists());
}

#[test]
fn a_signal_to_the_watcher_reaches_the_command() {
    let wait = "trap 'exit 7' TERM; trap 'exit 8' INT; echo up >&2; while :; do sleep 0.05; done";
    for (signal, code) in [(Signal::TERM, 7), (Signal::INT, 8)] {
        let folder = folder();
        let mut running = tool(folder.path(), &[], &["sh", "-c", wait]).telling("up").start();
        running.told();
        running.signal(signal);
        running.wait().expect(code, &["exit code"]);
    }
}

#[test]
fn what_a_command_leaves_behind_ends_after_it() {
    let folder = folder();
    let line = "setsid sleep 60 >/dev/null 2>&1 & echo $! > left; exit 5";
    let ended = tool(folder.path(), &["--grace", "200ms"], &["sh", "-c", line]).run();
    ended.expect(5, &["what it left behind was stopped by SIGTERM"]);
    let left: PathBuf = folder.path().join("left");
    let left: i32 = std::fs::read_to_string(left).unwrap().trim().parse().unwrap();
    assert!(test_kill_process(Pid::from_raw(left).unwrap()).is_err(), "{left} still runs");
    assert_eq!(summary(folder.path())["stopped_for"], "left-behind");
}

#[test]
fn a_cgroup_that_cannot_be_made_is_told_with_the_reason() {
    let folder = folder();
    let args = ["run", "--data", "d", "--watch", "cgroup", "--memory", "64M", "--", "true"];
    let ended = Tool::new(folder.path(), &args).run();
    if ended.code == Some(0) {
        assert!(ended.err.contains("by cgroup"), "{ended:?}");
    } else {
        ended.expect(1, &["no cgroup of its own can be made for the command"]);
    }
}
