//! The one that does it, and counts in the end.
//!
//! ```text
//!   start two ─> N cycles { something, a pause } ─> close their input ─> until all are over
//!     ─> count
//! ```
//!
//! Promises: the seed gives every cycle; whoever was frozen or killed is started again.
//! Never: a wait without an end.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll_jobs::{ErrorKind, Listing, Queue, State};
use plimsoll_store::{Priority, Write, WriteUnit};
use rustix::process::{Pid, Signal, kill_process};

use crate::count::count;
use crate::{Options, Random, database, say};

/// Jobs are over this long behind the last cycle, or something is stuck.
const OVER_WITHIN: Duration = Duration::from_secs(180);
/// Longer than a lease and the look of a rescuer.
const FREEZE: Duration = Duration::from_millis(3_500);

/// A worker's process.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    name: String,
}

/// What happens to one.
#[derive(Clone, Copy, Debug)]
enum Cruelty {
    Kill,
    Abort(u64),
    AbortNoted(u64),
    Freeze,
    Clock(i64),
    Lock,
}

fn cruelty(random: &mut Random) -> Cruelty {
    match random.below(10) {
        0..3 => Cruelty::Kill,
        3..6 => Cruelty::Abort(1 + random.below(12)),
        6 => Cruelty::AbortNoted(1 + random.below(6)),
        7 => Cruelty::Freeze,
        8 => Cruelty::Clock(if random.below(2) == 0 { -3_600 } else { 3_600 }),
        _ => Cruelty::Lock,
    }
}

fn start(options: &Options, random: &mut Random, cruelty: Cruelty) -> Result<Process, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let name = format!("w{:016x}", random.next());
    let mut command = Command::new(program);
    command.args(["work", "--folder", &options.folder, "--name", &name]);
    command.args(["--seed", &random.next().to_string()]);
    if let Some(url) = &options.database {
        command.args(["--database", url]);
    }
    match cruelty {
        Cruelty::Abort(at) => drop(command.args(["--abort-at", &at.to_string()])),
        Cruelty::AbortNoted(at) => drop(command.args(["--abort-noted", &at.to_string()])),
        Cruelty::Clock(seconds) => drop(command.args(["--clock", &seconds.to_string()])),
        _ => {}
    }
    let mut child =
        command.stdin(Stdio::piped()).spawn().map_err(|e| format!("starting a worker: {e}"))?;
    let input = child.stdin.take();
    Ok(Process { child, input, name })
}

fn signal(process: &Process, signal: Signal) {
    let pid = i32::try_from(process.child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that aborted by itself is gone already.
        let _gone = kill_process(pid, signal);
    }
}

/// Lets time pass: nobody says that it has, so nothing is waited for.
fn pass(time: Duration) {
    std::thread::park_timeout(time);
}

pub(crate) fn run(options: &Options) -> plimsoll_store::Result<bool> {
    let folder = tempfile::tempdir().map_err(|e| plimsoll_store::Error::invalid(e.to_string()))?;
    let options = Options { folder: folder.path().display().to_string(), ..options.clone() };
    let began = Instant::now();
    let queue = database::open(&options)?;
    let told = cycles(&options, &queue)
        .and_then(|kills| Ok((kills, count(&queue, &options.folder, schema(&options))?)));
    let (kills, found) = told.map_err(plimsoll_store::Error::invalid)?;
    let verdict = if found.is_well() { "ok" } else { "FAILED" };
    say(&format!(
        "torture jobs {verdict}: {} cycles, seed {}, {kills} kills; {} jobs, {} steps, {} batches; \
         lost {}, duplicated {}, redone {} (too often {}), finally wrong {}; {} s",
        options.cycles,
        options.seed,
        found.jobs,
        found.steps,
        found.batches,
        found.lost,
        found.duplicated,
        found.redone,
        found.redone_too_often,
        found.finally_wrong,
        began.elapsed().as_secs()
    ));
    Ok(found.is_well())
}

/// What stands in front of the names of own tables.
fn schema(options: &Options) -> &'static str {
    if options.database.is_some() { "plimsoll." } else { "plimsoll_" }
}

/// All cycles, and the end; gives how many were killed.
fn cycles(options: &Options, queue: &Queue) -> Result<u64, String> {
    let mut random = Random(options.seed);
    let mut next = [cruelty(&mut random), cruelty(&mut random)];
    let mut workers = Vec::new();
    for each in next {
        workers.push(start(options, &mut random, each)?);
    }
    let mut kills = 0;
    for _ in 0..options.cycles {
        let at = usize::try_from(random.below(2)).unwrap_or_default();
        pass(Duration::from_millis(100 + random.below(500)));
        match next[at] {
            Cruelty::Freeze => {
                signal(&workers[at], Signal::STOP);
                pass(FREEZE);
                signal(&workers[at], Signal::CONT);
                pass(Duration::from_millis(random.below(200)));
            }
            Cruelty::Lock => lock(queue, Duration::from_millis(500 + random.below(1_000))),
            Cruelty::Kill | Cruelty::Abort(_) | Cruelty::AbortNoted(_) | Cruelty::Clock(_) => {}
        }
        signal(&workers[at], Signal::KILL);
        kills += 1;
        let ended = workers[at].child.wait().map_err(|e| e.to_string())?;
        debug_assert!(!ended.success(), "{} ended by itself", workers[at].name);
        next[at] = cruelty(&mut random);
        workers[at] = start(options, &mut random, next[at])?;
        restart(queue)?;
    }
    // Those that end it are not to abort any more.
    for (worker, each) in workers.iter_mut().zip(next) {
        if matches!(each, Cruelty::Abort(_) | Cruelty::AbortNoted(_)) {
            signal(worker, Signal::KILL);
            drop(worker.child.wait());
            *worker = start(options, &mut random, Cruelty::Kill)?;
        }
        drop(worker.input.take());
    }
    let over = until_over(queue, schema(options));
    for worker in &mut workers {
        signal(worker, Signal::KILL);
        drop(worker.child.wait());
    }
    over.map(|()| kills)
}

/// Holds what all writers need for a while.
fn lock(queue: &Queue, time: Duration) {
    // A statement that takes its time, in the writer's own transaction.
    let rows = 1_000 * u64::try_from(time.as_millis()).unwrap_or(1_000);
    let sql = format!(
        "delete from finals where batch = (with recursive n(i) as (select 1 union all \
         select i + 1 from n where i < {rows}) select 'none' || max(i) from n)"
    );
    let unit = WriteUnit {
        writes: vec![Write::Sql { text: sql.into(), params: Vec::new() }],
        ..WriteUnit::default()
    };
    drop(queue.store().write(unit, Priority::Normal).wait());
}

/// Those that crashed three times are wanted again: here that is what they are for.
fn restart(queue: &Queue) -> Result<(), String> {
    let aside = Listing { state: Some(State::Quarantined), rows_max: 1_000, ..Listing::default() };
    for job in queue.list(&aside).wait().map_err(|e| e.to_string())? {
        match queue.restart(job.id) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn until_over(queue: &Queue, schema: &str) -> Result<(), String> {
    let until = Instant::now() + OVER_WITHIN;
    loop {
        restart(queue)?;
        let sql = format!("select count(*) from {schema}jobs where state <> 'completed'");
        let left = queue.store().query(&sql, 1).wait().map_err(|e| e.to_string())?;
        if matches!(left[0][0], plimsoll::record::Value::Int(0)) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("{:?} jobs are not over: something is stuck", left[0][0]));
        }
        pass(Duration::from_millis(100));
    }
}
