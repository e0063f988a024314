//! One run of the binary, with a deadline.
//!
//! ```text
//!   start ─> child ─┬─ stdin   fed by its own thread, which ends when nobody reads
//!                   ├─ stdout  read whole by its own thread
//!                   └─ stderr  the same; its first line of interest is handed over
//!   wait(deadline) <─ Ended ── the thread that waits for the child
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// No run of a test takes longer; one that does hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The optimised binary, where `./test` built one.
pub(crate) fn optimised() -> Option<PathBuf> {
    std::env::var_os("TESTED_BINARY").map(PathBuf::from)
}

/// What writes to standard input.
type Feed = Box<dyn FnOnce(&mut dyn Write) -> std::io::Result<()> + Send>;

/// A run to be.
pub(crate) struct Tool {
    command: Command,
    input: Option<Feed>,
    deadline: Duration,
    telling: &'static str,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Exit status; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// A run under way. Dropping it kills it.
pub(crate) struct Running {
    pid: Pid,
    ended: Receiver<Ended>,
    told: Receiver<String>,
    deadline: Duration,
    over: bool,
}

impl Tool {
    /// The tests' own build, in `folder`, with `folder`/data as its data directory and nothing
    /// of the outside's settings.
    pub(crate) fn new(folder: &Path, args: &[&str]) -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_plimsoll")), folder, args)
    }

    /// The optimised build where there is one: for what would take long otherwise.
    pub(crate) fn fastest(folder: &Path, args: &[&str]) -> Self {
        let own = PathBuf::from(env!("CARGO_BIN_EXE_plimsoll"));
        Self::of(&optimised().unwrap_or(own), folder, args)
    }

    pub(crate) fn of(binary: &Path, folder: &Path, args: &[&str]) -> Self {
        let mut tool = Self::bare(binary, folder);
        tool.command.args(args);
        if !args.contains(&"--data") {
            tool.command.arg("--data").arg(folder.join("data"));
        }
        tool
    }

    /// A shell line in which `"$0"` is the tests' own build, in `folder`.
    pub(crate) fn shell(folder: &Path, line: &str) -> Self {
        let mut tool = Self::bare(Path::new("bash"), folder);
        tool.command.arg("-c").arg(line).arg(env!("CARGO_BIN_EXE_plimsoll"));
        tool
    }

    fn bare(binary: &Path, folder: &Path) -> Self {
        let mut command = Command::new(binary);
        command.env_clear().current_dir(folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        Self { command, input: None, deadline: DEADLINE, telling: "\0" }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// As the user of this number, and in the group of the same number; for root alone.
    pub(crate) fn user(mut self, number: u32) -> Self {
        self.command.uid(number).gid(number);
        self
    }

    /// What standard input brings.
    pub(crate) fn input(self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.fed(move |out| out.write_all(&bytes))
    }

    /// What writes to standard input; it may fail once nobody reads.
    pub(crate) fn fed(
        mut self,
        feed: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        self.input = Some(Box::new(feed));
        self
    }

    /// Hands over the first line of standard error that holds `text`.
    pub(crate) fn telling(mut self, text: &'static str) -> Self {
        self.telling = text;
        self
    }

    pub(crate) fn run(self) -> Ended {
        self.start().wait()
    }

    pub(crate) fn start(mut self) -> Running {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        if let Some(feed) = self.input {
            let mut stdin = child.stdin.take().unwrap();
            // The child may end before it has read all; that is what some tests are about.
            thread::spawn(move || drop(feed(&mut stdin)));
        }
        let pid = Pid::from_child(&child);
        let (tell, told) = sync_channel(1);
        let (end, ended) = sync_channel(1);
        let telling = self.telling;
        thread::spawn(move || {
            // Whoever started the run may have gone.
            let _gone = end.send(watch(child, |line| {
                if line.contains(telling) {
                    let _told_before = tell.try_send(line.to_owned());
                }
            }));
        });
        Running { pid, ended, told, deadline: self.deadline, over: false }
    }
}

/// Reads everything the child says until it ends.
fn watch(mut child: Child, mut each_line: impl FnMut(&str)) -> Ended {
    let mut stdout = child.stdout.take().unwrap();
    let out = thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut err = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        each_line(&line);
        err.push_str(&line);
        err.push('\n');
    }
    let status = child.wait().unwrap();
    let out = out.join().unwrap().unwrap();
    Ended { code: status.code(), signal: status.signal(), out, err }
}

impl Running {
    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// The line asked for with [`Tool::telling`].
    pub(crate) fn told(&mut self) -> String {
        match self.told.recv_timeout(self.deadline) {
            Ok(line) => line,
            Err(_) => {
                self.signal(Signal::KILL);
                panic!("it ended, or the time ran out: {:?}", self.ended.recv());
            }
        }
    }

    /// How it ended. A run beyond its deadline is killed, and the test fails.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = self.deadline;
        match self.ends_within(deadline) {
            Some(ended) => ended,
            None => panic!("not done after {deadline:?}: {:?}", self.kill()),
        }
    }

    /// How it ended, if it did before `time` was over.
    pub(crate) fn ends_within(&mut self, time: Duration) -> Option<Ended> {
        match self.ended.recv_timeout(time) {
            Ok(ended) => {
                self.over = true;
                Some(ended)
            }
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the thread that waits has failed"),
        }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) -> Ended {
        self.signal(Signal::KILL);
        self.over = true;
        self.ended.recv().unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if !self.over {
            // It may just have ended by itself.
            let _ended = kill_process(self.pid, signal);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

impl Ended {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {:?}; {}", self.text(), self.err))
    }

    /// Fails unless the exit status is `code` and standard error holds all of `texts`.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.err.contains(text), "'{text}' is not in {:?}", self.err);
        }
        self
    }
}

/// The rows of a resource's export with these columns, without the header.
#[track_caller]
pub(crate) fn rows(folder: &Path, resource: &str, fields: &str) -> Vec<String> {
    let ended = Tool::fastest(folder, &["export", resource, "--fields", fields]).run();
    ended.expect(0, &[]);
    ended.text().lines().skip(1).map(str::to_owned).collect()
}
