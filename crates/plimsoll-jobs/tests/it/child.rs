//! A warm child runs jobs, whatever it is written in and whatever it does.
//!
//! ```text
//!   test ─ Child::run(job, notes) ─> python3: executes the payload | examples/jobs | sh
//!     └── outcome, notes <──────────────┘
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll_jobs::child::{Broken, Child, Handler, Job, Limits, Outcome, Progress, Stop};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

/// A child that executes what its jobs' payloads say.
const EXECUTES: &str = r#"
import json, os, signal, sys, time
def say(**message):
    print(json.dumps(message), flush=True)
def hear():
    return json.loads(sys.stdin.readline())
kept = []
for line in iter(sys.stdin.readline, ""):
    job = json.loads(line).get("job")
    if job:
        exec(job["payload"])
"#;

/// What every test waits at most.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a handler was told.
#[derive(Default)]
struct Notes {
    progress: Vec<Progress>,
    states: Vec<Value>,
    logs: Vec<String>,
    bytes_max: u64,
    /// Said once there is a checkpoint.
    stop: Option<Stop>,
    /// Nothing is durable.
    refuses: bool,
}

impl Handler for Notes {
    fn progress(&mut self, progress: &Progress) {
        self.progress.push(progress.clone());
    }

    fn checkpoint(&mut self, state: &str) -> bool {
        self.states.push(serde_json::from_str(state).unwrap());
        !self.refuses
    }

    fn log(&mut self, line: &str) {
        self.logs.push(line.to_owned());
    }

    fn memory(&mut self, bytes: u64) {
        self.bytes_max = self.bytes_max.max(bytes);
    }

    fn stop(&mut self) -> Option<Stop> {
        if self.states.is_empty() { None } else { self.stop.take() }
    }
}

/// The interpreter itself: what is called python3 may be a script that looks for it.
fn python() -> Option<String> {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let found = asked.ok().filter(|output| output.status.success());
    let path = found.map(|output| String::from_utf8(output.stdout).unwrap().trim().to_owned());
    if path.is_none() {
        println!("SKIPPED: there is no python3 to run");
    }
    path
}

fn executing(limits: Limits) -> Option<Child> {
    let mut command = Command::new(python()?);
    command.args(["-c", EXECUTES]);
    Some(Child::start(command, limits).unwrap())
}

fn short() -> Limits {
    Limits { grace: Duration::from_millis(300), ..Limits::default() }
}

/// Has Python code run as the job 7.
fn run(child: &mut Child, code: &str) -> (Outcome, Notes) {
    run_noting(child, code, Notes::default())
}

fn run_noting(child: &mut Child, code: &str, mut notes: Notes) -> (Outcome, Notes) {
    let payload = serde_json::to_string(code).unwrap();
    let job = Job { id: 7, kind: "code", payload: &payload, checkpoint: None, attempt: 1 };
    let began = Instant::now();
    let outcome = spaced(child.run(&job, &mut notes));
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    (outcome, notes)
}

/// The outcome that is done with this result, however the child spaces its JSON.
fn done(value: Value) -> Outcome {
    Outcome::Done(value.to_string().into())
}

fn spaced(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Done(result) => done(serde_json::from_str(&result).unwrap()),
        other => other,
    }
}

/// That a broken child has gone and the next job has another.
#[track_caller]
fn expect_replaced(child: &mut Child, before: Option<u32>) {
    assert_eq!(child.pid(), None);
    assert!(!runs(before.unwrap()), "it still runs");
    assert_eq!(run(child, "say(done=1)").0, done(json!(1)));
    assert_eq!(child.starts(), 2);
}

fn runs(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    test_kill_process(pid).is_ok()
}

/// Runs code that breaks the protocol, and gives what it broke.
#[track_caller]
fn broken_by(limits: Limits, code: &str) -> Option<Broken> {
    let mut child = executing(limits)?;
    let before = child.pid();
    let (outcome, _) = run(&mut child, code);
    expect_replaced(&mut child, before);
    match outcome {
        Outcome::Broken(broken) => Some(broken),
        other => panic!("{code}: {other:?}"),
    }
}

#[test]
fn a_job_is_told_of_and_its_child_stays_warm() {
    let Some(mut child) = executing(Limits::default()) else { return };
    let code = "
say(log='begun')
say(progress={'done': 1, 'total': 3, 'unit': 'rows'})
say(checkpoint={'at': 1})
assert hear() == {'ok': 'checkpoint'}
say(progress={'done': 3})
say(done={'attempt': job['attempt']}, id=job['id'])
";
    let (outcome, notes) = run(&mut child, code);
    assert_eq!(outcome, done(json!({"attempt": 1})));
    let first = Progress { done: 1, total: Some(3), unit: Some("rows".into()) };
    assert_eq!(notes.progress, [first, Progress { done: 3, ..Progress::default() }]);
    assert_eq!(notes.states, [json!({"at": 1})]);
    assert_eq!(notes.logs, ["begun"]);
    assert!(notes.bytes_max > 1 << 20, "{}", notes.bytes_max);
    let pid = child.pid();
    let (outcome, _) = run(&mut child, "say(failed={'message': 'no', 'retry': True})");
    assert_eq!(outcome, Outcome::Failed { message: "no".into(), retry: true });
    assert_eq!(run(&mut child, "say(done=None)").0, Outcome::Done("null".into()));
    assert_eq!((child.pid(), child.starts()), (pid, 1));
}

#[test]
fn a_child_is_replaced_after_its_number_of_jobs_and_when_it_holds_too_much() {
    let limits = Limits { jobs_max: 2, warm_bytes_max: Some(64 << 20), ..short() };
    let Some(mut child) = executing(limits) else { return };
    let mut starts = Vec::new();
    for code in ["say(done=1)", "say(done=1)", "kept.append(b'x' * (80 << 20)); say(done=1)"] {
        assert_eq!(run(&mut child, code).0, done(json!(1)));
        starts.push((child.starts(), child.pid().is_some()));
    }
    assert_eq!(starts, [(1, true), (1, false), (2, false)]);
}

#[test]
fn a_child_that_prints_what_is_no_message_is_broken() {
    let codes = [
        "print('Warning: undefined variable', flush=True)",
        "say(finished=True)",
        "say(done=1, log='two at once')",
        "print('{\"done\":', flush=True)",
        "os.write(1, bytes(range(11, 256)) + b'\\n')",
        "os.write(1, b'\\xff\\xfe\\x00\\n')",
    ];
    for code in codes {
        let Some(broken) = broken_by(short(), code) else { return };
        assert!(matches!(broken, Broken::Garbage(_)), "{code}: {broken:?}");
        assert!(broken.to_string().len() < 2_000, "{broken}");
    }
}

#[test]
fn a_child_that_prints_a_line_without_an_end_is_broken() {
    for code in ["os.write(1, b'x' * 70000)", "say(checkpoint='x' * (64 << 10))"] {
        let Some(broken) = broken_by(short(), code) else { return };
        assert_eq!(broken, Broken::LineTooLong);
    }
    let fits = "say(checkpoint='x' * 65000)\nhear()\nsay(done=1)";
    let mut child = executing(short()).unwrap();
    assert_eq!(run(&mut child, fits).0, done(json!(1)));
}

#[test]
fn a_child_that_floods_is_broken() {
    let code = "
line = b'{\"progress\":{\"done\":1}}\\n' * 1000
while True:
    os.write(1, line)
";
    let Some(broken) = broken_by(short(), code) else { return };
    assert_eq!(broken, Broken::Flood);
}

#[test]
fn a_flood_of_errors_is_read_and_dropped() {
    let Some(mut child) = executing(Limits::default()) else { return };
    let code = "
for _ in range(500):
    os.write(2, b'a line of an error\\n' * 1000 + b'x' * 10000)
say(done=1)
";
    assert_eq!(run(&mut child, code).0, done(json!(1)));
}

#[test]
fn a_child_that_forks_without_an_end_is_broken_and_all_of_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let code = format!(
        "
for n in range(40):
    if os.fork() == 0:
        if n % 2:
            os.setsid()
        with open({pids:?}, 'a') as file:
            file.write(f'{{os.getpid()}}\\n')
        time.sleep(600)
time.sleep(600)
"
    );
    let limits = Limits { processes_max: 8, ..short() };
    let Some(broken) = broken_by(limits, &code) else { return };
    assert!(matches!(broken, Broken::Forked(9..)), "{broken:?}");
    let text = std::fs::read_to_string(&pids).unwrap();
    let forked: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(forked.len() >= 8 && forked.iter().all(|pid| is_gone(*pid)), "{forked:?}");
}

/// A zombie without a parent that asks is gone.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']))
}

#[test]
fn a_child_that_hangs_is_broken_after_its_silence() {
    // The next child has to come up within it, too.
    let silence = Duration::from_secs(3);
    let Some(broken) = broken_by(Limits { silence, ..short() }, "time.sleep(600)") else { return };
    assert_eq!(broken, Broken::Hung(silence));
}

#[test]
fn a_child_that_does_not_read_its_job_hangs_and_blocks_nobody() {
    let limits = Limits { silence: Duration::from_millis(200), ..short() };
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 600"]);
    let mut child = Child::start(command, limits).unwrap();
    let (outcome, _) = run(&mut child, &"#".repeat(300_000));
    assert_eq!(outcome, Outcome::Broken(Broken::Hung(Duration::from_millis(200))));
}

#[test]
fn a_child_that_dies_in_the_middle_is_broken() {
    let codes = [
        ("os._exit(3)", "exit status: 3"),
        ("os.kill(os.getpid(), 9)", "signal: 9"),
        ("say(checkpoint=1); hear(); sys.exit(0)", "exit status: 0"),
        // What it leaves behind holds its output open.
        ("os.fork() or (time.sleep(600), os._exit(0)); os._exit(4)", "exit status: 4"),
        ("os.close(1); time.sleep(600)", "closed its output"),
    ];
    for (code, told) in codes {
        let Some(broken) = broken_by(short(), code) else { return };
        assert!(matches!(broken, Broken::Died(_)), "{code}: {broken:?}");
        assert!(broken.to_string().contains(told), "{code}: {broken}");
    }
}

#[test]
fn an_answer_about_another_job_is_no_answer() {
    let Some(broken) = broken_by(short(), "say(done=1, id=8)") else { return };
    assert_eq!(broken, Broken::OtherJob(8));
}

#[test]
fn a_child_that_speaks_without_a_job_is_replaced_and_costs_no_job() {
    let Some(mut child) = executing(short()) else { return };
    let before = child.pid();
    assert_eq!(run(&mut child, "say(done=1); say(done=2)").0, done(json!(1)));
    let until = Instant::now() + DEADLINE;
    let broken = loop {
        if let Some(broken) = child.idle() {
            break broken;
        }
        assert!(Instant::now() < until);
        std::thread::yield_now();
    };
    assert!(matches!(broken, Broken::Unasked(_)), "{broken:?}");
    expect_replaced(&mut child, before);
}

#[test]
fn a_program_that_cannot_be_started_is_told() {
    let none = Command::new("/nowhere/program");
    assert!(Child::start(none, Limits::default()).is_err());
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("sh");
    std::fs::copy("/bin/sh", &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["-c", "read line; exit 0"]);
    let mut child = Child::start(command, short()).unwrap();
    std::fs::remove_file(&program).unwrap();
    assert!(matches!(run(&mut child, "").0, Outcome::Broken(Broken::Died(_))));
    let (outcome, _) = run(&mut child, "");
    assert!(matches!(outcome, Outcome::Broken(Broken::NotStarted(_))), "{outcome:?}");
}

/// Takes 120 MiB, and answers a stop as `answer` says.
fn growing(answer: &str) -> String {
    format!(
        "
signal.signal(signal.SIGTERM, {answer})
for _ in range(100):
    kept.append(b'x' * (1 << 20))
    time.sleep(0.002)
stop = hear()
say(checkpoint={{'at': 50}})
assert hear() == {{'ok': 'checkpoint'}}
say(failed={{'message': stop['stop'], 'retry': True}})
"
    )
}

#[test]
fn a_child_over_its_share_is_asked_for_a_checkpoint_and_handed_back() {
    let limits = Limits { memory_bytes: Some(64 << 20), ..Limits::default() };
    // A quarter of its share more would end it before it has answered.
    let code = growing("signal.SIG_DFL").replace("range(100)", "range(65)");
    let Some(mut child) = executing(limits) else { return };
    let before = child.pid();
    let (outcome, notes) = run(&mut child, &code);
    assert_eq!(outcome, Outcome::HandedBack(Stop::Memory));
    assert_eq!(notes.states, [json!({"at": 50})]);
    assert!(notes.bytes_max > 64 << 20, "{}", notes.bytes_max);
    expect_replaced(&mut child, before);
}

#[test]
fn a_child_over_its_share_that_does_not_answer_is_ended() {
    let deaf = "time.sleep(600)";
    for (answer, end) in [("signal.SIG_DFL", deaf), ("signal.SIG_IGN", deaf)] {
        let limits = Limits { memory_bytes: Some(64 << 20), ..short() };
        let code = growing(answer).replace("range(100)", "range(65)");
        let code = code.replace("stop = hear()", end);
        let Some(mut child) = executing(limits) else { return };
        let before = child.pid();
        assert_eq!(run(&mut child, &code).0, Outcome::HandedBack(Stop::Memory), "{answer}");
        expect_replaced(&mut child, before);
    }
}

#[test]
fn a_child_that_grows_on_after_it_was_asked_is_ended_at_once() {
    let grace = Duration::from_secs(600);
    let limits = Limits { memory_bytes: Some(64 << 20), grace, ..Limits::default() };
    let Some(mut child) = executing(limits) else { return };
    let code = growing("signal.SIG_IGN").replace("range(100)", "range(400)");
    let (outcome, notes) = run(&mut child, &code);
    assert_eq!(outcome, Outcome::HandedBack(Stop::Memory));
    assert!(notes.bytes_max < 300 << 20, "{}", notes.bytes_max);
}

#[test]
fn memory_is_that_of_what_a_child_starts_too() {
    let limits = Limits { memory_bytes: Some(64 << 20), ..short() };
    let Some(mut child) = executing(limits) else { return };
    let code = "
if os.fork() == 0:
    os.setsid()
    kept.append(b'x' * (70 << 20))
    time.sleep(600)
say(failed={'message': hear()['stop'], 'retry': True})
";
    assert_eq!(run(&mut child, code).0, Outcome::HandedBack(Stop::Memory));
}

#[test]
fn a_job_is_stopped_when_it_is_asked_for_and_the_child_may_be_done_with_it() {
    let stopped = "
say(checkpoint=1)
hear()
stop = hear()['stop']
";
    for stop in [Stop::Shutdown, Stop::Cancel, Stop::Memory] {
        let Some(mut child) = executing(Limits::default()) else { return };
        let notes = || Notes { stop: Some(stop), ..Notes::default() };
        let retry = format!("{stopped}say(failed={{'message': stop, 'retry': True}})");
        assert_eq!(run_noting(&mut child, &retry, notes()).0, Outcome::HandedBack(stop));
        let finished = format!("{stopped}say(done=stop)");
        let (outcome, _) = run_noting(&mut child, &finished, notes());
        assert_eq!(outcome, done(json!(stop.name())), "it was done just then");
        let exits = format!("{stopped}sys.exit(0)");
        assert_eq!(run_noting(&mut child, &exits, notes()).0, Outcome::HandedBack(stop));
    }
}

#[test]
fn a_checkpoint_that_is_not_durable_is_not_called_so() {
    let Some(mut child) = executing(Limits::default()) else { return };
    let code = "
say(checkpoint=1)
answer = hear()
say(log=json.dumps(answer))
say(failed={'message': 'stopped', 'retry': True})
";
    let notes = Notes { refuses: true, ..Notes::default() };
    let (outcome, notes) = run_noting(&mut child, code, notes);
    assert_eq!(outcome, Outcome::HandedBack(Stop::Cancel));
    assert_eq!(notes.logs, ["{\"stop\": \"cancel\"}"]);
}

#[test]
fn a_child_ends_with_its_input_and_a_dropped_one_at_once() {
    let Some(mut child) = executing(Limits::default()) else { return };
    let pid = child.pid().unwrap();
    child.end();
    assert!(!runs(pid));
    assert_eq!((child.pid(), child.memory_bytes()), (None, 0));
    let child = executing(Limits::default()).unwrap();
    let pid = child.pid().unwrap();
    drop(child);
    assert!(!runs(pid));
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs").join(name)
}

/// Adds up the numbers to 1,000; stopped in the middle, it goes on where it was.
fn sums(program: &str, file: &str) {
    let mut command = Command::new(program);
    command.arg(example(file));
    let mut child = Child::start(command, Limits::default()).unwrap();
    let payload = "{\"to\": 1000,\n\"every\": 100}";
    let job = Job { id: 7, kind: "sum", payload, checkpoint: None, attempt: 1 };
    let mut notes = Notes::default();
    assert_eq!(spaced(child.run(&job, &mut notes)), done(json!({"sum": 500_500})));
    assert_eq!(notes.states.len(), 10);
    assert_eq!(notes.progress.last().map(|p| (p.done, p.total)), Some((1_000, Some(1_000))));
    let slow = "{\"to\": 100000000, \"every\": 10000}";
    let job = Job { payload: slow, ..job };
    let mut notes = Notes { stop: Some(Stop::Shutdown), ..Notes::default() };
    assert_eq!(child.run(&job, &mut notes), Outcome::HandedBack(Stop::Shutdown));
    let state = notes.states.pop().unwrap();
    let at = state["at"].as_u64().unwrap();
    assert_eq!(state["sum"].as_u64(), Some(at * (at + 1) / 2));
    let (payload, state) = (format!("{{\"to\": {}, \"every\": 7}}", at + 3), state.to_string());
    let job = Job { payload: &payload, checkpoint: Some(&state), attempt: 2, ..job };
    let expected = (at + 3) * (at + 4) / 2;
    let outcome = child.run(&job, &mut Notes::default());
    assert_eq!(spaced(outcome), done(json!({"sum": expected})));
    match child.run(&Job { kind: "other", ..job }, &mut Notes::default()) {
        Outcome::Failed { message, retry: false } => assert!(message.contains("no such kind")),
        wrong => panic!("a kind it does not know: {wrong:?}"),
    }
}

#[test]
fn the_child_in_python_does_its_jobs_and_goes_on_after_a_stop() {
    if let Some(python) = python() {
        sums(&python, "python/child.py");
    }
}

#[test]
fn the_child_in_php_does_its_jobs_and_goes_on_after_a_stop() {
    if Command::new("php").arg("-v").output().is_ok_and(|output| output.status.success()) {
        sums("php", "php/child.php");
    } else {
        println!("SKIPPED: there is no php to run");
    }
}
