//! `plimsoll run`: a command under a limit, with everything it starts.
//!
//! ```text
//!   signals ─┐
//!   children ┼─> events ─> watch ─ every 25 ms ─> gauge: memory of the whole tree
//!   deadline ┘               └─ course: ask by SIGTERM, then SIGKILL ─> report: one line, JSON
//! ```
//!
//! Promises: the command's own input, output and exit code; what it started ends with it.
//! Never: a byte on standard output; memory of its own that grows with the command's.

mod course;
mod events;
mod gauge;
mod group;
mod report;
mod watch;

use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::tool::size;
use crate::args::{Global, RunArgs};
use crate::config::milliseconds;
use crate::exit::{Outcome, Usage};
use course::Bounds;
use events::Events;
use gauge::Gauge;
use group::Group;
use report::{Report, Watched};

/// Exit code where it took more memory than its limit. Beside those of timeout(1), which has 124.
const STATUS_MEMORY: u8 = 123;
/// Exit code where its time was over.
const STATUS_TIME: u8 = 124;
/// Exit code where SIGKILL did not end it: a process in the kernel, in a system call that hangs.
const STATUS_STUCK: u8 = 125;
/// Exit code where it is there and cannot be run, as a shell has it.
const STATUS_NO_PROGRAM: u8 = 126;
/// Exit code where it is not there, as a shell has it.
const STATUS_NOT_FOUND: u8 = 127;

pub(crate) fn run(global: &Global, args: &RunArgs) -> anyhow::Result<Outcome> {
    let bounds = Bounds {
        memory_bytes: global.memory.as_deref().map(|text| size("--memory", text)).transpose()?,
        time: args.time_limit.as_deref().map(|text| time("--time-limit", text)).transpose()?,
        grace: time("--grace", &args.grace)?,
    };
    let summary = args.json.as_ref().map(|path| {
        File::create(path).with_context(|| format!("creating the summary {}", path.display()))
    });
    let summary = summary.transpose()?;
    std::fs::metadata("/proc/self/stat").context("watching a command needs /proc mounted")?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).context("becoming the parent of orphans")?;
    let group = match &*args.watch {
        "sampling" => None,
        how => match Group::of_this_process(bounds.memory_bytes) {
            Ok(group) => Some(group),
            Err(why) if how == "cgroup" => {
                return Err(anyhow!("no cgroup of its own can be made for the command: {why}"));
            }
            Err(_) => None,
        },
    };
    let events = Events::listen()?;
    let began = Instant::now();
    let child = match spawn(args, group.as_ref()) {
        Ok(child) => child,
        Err(error) => return not_started(args, &error),
    };
    let watched = match &group {
        Some(_) => Watched::Cgroup,
        None => Watched::Sampling,
    };
    // Before it is reaped: its number is its own until then.
    let mut gauge = Gauge::new(&child, group);
    events.reap()?;
    let seen = watch::until_over(&bounds, &mut gauge, &events, &child, began)?;
    let report = Report { bounds: &bounds, seen: &seen, watched, command: &args.command };
    report.say();
    if let Some(file) = summary {
        report.write(file)?;
    }
    Ok(Outcome::Status(report.status()))
}

/// In a group of its own, so that it and its children are signalled as one. At a terminal it stays
/// in the foreground, where it may read, and the terminal signals it.
fn spawn(args: &RunArgs, group: Option<&Group>) -> std::io::Result<Child> {
    let mut words = args.command.iter();
    let program = words.next().map_or_else(Default::default, Clone::clone);
    let mut command = Command::new(program);
    command.args(words);
    if !std::io::stdin().is_terminal() {
        command.process_group(0);
    }
    match group {
        Some(group) => group.spawn(&mut command),
        None => command.spawn(),
    }
}

fn not_started(args: &RunArgs, error: &std::io::Error) -> anyhow::Result<Outcome> {
    let status = match error.kind() {
        ErrorKind::NotFound => STATUS_NOT_FOUND,
        ErrorKind::PermissionDenied => STATUS_NO_PROGRAM,
        _ => return Err(anyhow!("starting {}: {error}", args.command[0].display())),
    };
    report::tell(&format!("starting {}: {error}", args.command[0].display()));
    Ok(Outcome::Status(status))
}

fn time(flag: &str, text: &str) -> anyhow::Result<Duration> {
    let ms = milliseconds(text.trim()).ok_or_else(|| {
        Usage(format!("{flag} {text}: a time is a whole number and ms, s, m or h, such as 30s"))
    })?;
    Ok(Duration::from_millis(ms))
}
