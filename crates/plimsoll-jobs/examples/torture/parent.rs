//! The one that does it, and counts in the end.
//!
//! ```text
//!   start two ─> N cycles { something, a pause } ─> close their input ─> until all are over
//!     ─> count
//! ```
//!
//! Promises: the seed gives every cycle; whoever was frozen or killed is started again.
//! Never: a wait without an end.

use std::time::{Duration, Instant};

use plimsoll_jobs::{ErrorKind, Listing, Queue, State};
use plimsoll_store::{Priority, Write, WriteUnit};
use rustix::process::Signal;

use crate::count::{Found, count, int, rows};
use crate::process::{Process, pass};
use crate::schedules::Schedules;
use crate::{Options, Random, database, say, work};

/// Behind the last cycle fewer jobs are left than this long ago, or something is stuck.
const FEWER_WITHIN: Duration = Duration::from_secs(180);
/// A worker that is to stop at a checkpoint has come to it by then.
const FREEZES_WITHIN: Duration = Duration::from_secs(2);
/// Longer than a lease and the look of a rescuer.
const FREEZE: Duration = Duration::from_millis(4_000);
/// So long may one that was frozen write what it must not, also where processors are busy.
const THAWED: Duration = Duration::from_millis(400);

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
    let more = match cruelty {
        Cruelty::Abort(at) => vec!["--abort-at".into(), at.to_string()],
        Cruelty::AbortNoted(at) => vec!["--abort-noted".into(), at.to_string()],
        Cruelty::Clock(seconds) => vec!["--clock".into(), seconds.to_string()],
        _ => Vec::new(),
    };
    Process::start(options, random, &more)
}

pub(crate) fn run(options: &Options) -> plimsoll_store::Result<bool> {
    let folder = tempfile::tempdir().map_err(|e| plimsoll_store::Error::invalid(e.to_string()))?;
    let options = Options { folder: folder.path().display().to_string(), ..options.clone() };
    let began = Instant::now();
    let queue = database::open(&options)?;
    let (kills, found) = cycles(&options, &queue).map_err(plimsoll_store::Error::invalid)?;
    let verdict = if found.is_well() { "ok" } else { "FAILED" };
    say(&format!(
        "torture jobs {verdict}: {} cycles, seed {}, {kills} kills; {}; {} s",
        options.cycles,
        options.seed,
        found.line(),
        began.elapsed().as_secs()
    ));
    Ok(found.is_well())
}

/// What stands in front of the names of own tables.
pub(crate) fn schema(options: &Options) -> &'static str {
    if options.database.is_some() { "plimsoll." } else { "plimsoll_" }
}

/// All cycles, and the end; gives how many were killed, and what was found.
fn cycles(options: &Options, queue: &Queue) -> Result<(u64, Found), String> {
    let mut schedules = Schedules::set(queue)?;
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
                freeze(options, &workers[at])?;
                pass(FREEZE);
                workers[at].signal(Signal::CONT);
                pass(THAWED + Duration::from_millis(random.below(800)));
            }
            Cruelty::Lock => lock(queue, Duration::from_millis(500 + random.below(1_000))),
            Cruelty::Kill | Cruelty::Abort(_) | Cruelty::AbortNoted(_) | Cruelty::Clock(_) => {}
        }
        kills += 1;
        let ended = workers[at].kill()?;
        debug_assert!(!ended, "{} ended by itself", workers[at].name);
        next[at] = cruelty(&mut random);
        workers[at] = start(options, &mut random, next[at])?;
        restart(queue)?;
        schedules.nudge(queue)?;
    }
    schedules.stop(queue)?;
    // Those that end it are not to abort any more.
    for (worker, each) in workers.iter_mut().zip(next) {
        if matches!(each, Cruelty::Abort(_) | Cruelty::AbortNoted(_)) {
            worker.kill()?;
            *worker = start(options, &mut random, Cruelty::Kill)?;
        }
        worker.close_input();
    }
    let over = until_over(queue, schema(options));
    for worker in &mut workers {
        worker.kill()?;
    }
    over?;
    Ok((kills, count(queue, options, &schedules)?))
}

/// One stops itself before a checkpoint; one that comes to none is stopped where it is.
fn freeze(options: &Options, worker: &Process) -> Result<(), String> {
    let file = work::freezes(options, &worker.name);
    std::fs::write(&file, "").map_err(|e| format!("{}: {e}", file.display()))?;
    if !worker.stops_within(FREEZES_WITHIN) {
        worker.signal(Signal::STOP);
        drop(std::fs::remove_file(&file));
    }
    Ok(())
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
pub(crate) fn restart(queue: &Queue) -> Result<(), String> {
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

pub(crate) fn until_over(queue: &Queue, schema: &str) -> Result<(), String> {
    let (mut fewest, mut until) = (i64::MAX, Instant::now() + FEWER_WITHIN);
    loop {
        restart(queue)?;
        let sql = format!("select count(*) from {schema}jobs where state <> 'completed'");
        let left = int(&rows(queue, &sql)?[0][0]);
        if left == 0 {
            return Ok(());
        }
        if left < fewest {
            (fewest, until) = (left, Instant::now() + FEWER_WITHIN);
        }
        if Instant::now() > until {
            return Err(format!("{left} jobs are not over: something is stuck"));
        }
        pass(Duration::from_millis(100));
    }
}
