//! Cuts the power, again and again, and counts in the end.
//!
//! ```text
//!   two file systems: the database's, and that of the files its jobs leave
//!     ─> N cycles { mount, start, check what was acknowledged, work, freeze, cut, kill, unmount }
//!     ─> until all are over ─> count
//! ```
//!
//! Promises: what is compared was noted outside of what is cut; the first loss ends it.
//! Never: a process of the database's that lives through a cut.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use plimsoll_jobs::Queue;

use crate::count::{Found, count};
use crate::image::{Cut, Image};
use crate::parent::{restart, schema, until_over};
use crate::process::{Process, freeze, pass};
use crate::schedules::Schedules;
use crate::server::Server;
use crate::witness::{Missing, Witness};
use crate::{NOT_HERE, Options, Random, database, file, say};

/// What the cuts are made to.
struct Place {
    data: Image,
    files: Image,
    server: Option<Server>,
    options: Options,
}

type Result<T> = std::result::Result<T, String>;

impl Place {
    fn make(options: &Options) -> Result<Self> {
        let notes = PathBuf::from(&options.folder);
        let (data, files) = (Image::make(&notes, "data")?, Image::make(&notes, "files")?);
        file::make_folders(files.at()).map_err(|e| format!("making folders: {e}"))?;
        let server = if options.postgres { Some(Server::make(data.at(), &notes)?) } else { None };
        let options = Options {
            folder: data.at().display().to_string(),
            notes: options.folder.clone(),
            files: files.at().display().to_string(),
            database: server.as_ref().map(Server::url),
            ..options.clone()
        };
        for note in ["jobs", "batches", "saved", "begun"] {
            std::fs::File::create(notes.join(note)).map_err(|e| format!("{note}: {e}"))?;
        }
        let mut place = Self { data, files, server, options };
        // What was made so far is there for good.
        place.data.unmount()?;
        place.files.unmount()?;
        Ok(place)
    }

    /// Power is there: everything recovers.
    fn start(&mut self) -> Result<Queue> {
        self.data.mount()?;
        self.files.mount()?;
        if let Some(server) = &mut self.server {
            server.start()?;
        }
        database::open(&self.options).map_err(|e| format!("opening the database: {e}"))
    }

    /// Everything that runs is gone, and what was not flushed with it.
    fn cut(&mut self, cut: Cut, workers: &mut [Process]) -> Result<()> {
        // A power cut stops all at one moment. A kernel goes on: a flush that is on its way while
        // the file system is shut down may say that it was done (seen with Linux 6.18), and
        // nobody behind a power cut would hear that.
        freeze(&workers.iter().map(Process::pid).collect::<Vec<_>>())?;
        if let Some(server) = &self.server {
            server.freeze()?;
        }
        cut.make()?;
        for worker in workers {
            worker.kill()?;
        }
        if let Some(server) = &mut self.server {
            server.kill()?;
        }
        self.data.unmount()?;
        self.files.unmount()
    }
}

/// How long it is worked until a cut: mostly shorter than a lease, sometimes so long that jobs of
/// those who were killed before are rescued.
fn work_time(random: &mut Random) -> Duration {
    let millis = if random.below(4) == 0 { 2_500 } else { 200 };
    Duration::from_millis(millis + random.below(1_500))
}

/// In namespaces of its own; see `namespace`.
pub(crate) fn run(options: &Options) -> std::result::Result<bool, (u8, String)> {
    let began = Instant::now();
    let mut place = Place::make(options).map_err(|e| (NOT_HERE, format!("not run: {e}")))?;
    let mut cuts = Cuts::default();
    let found = cuts.all(&mut place).map_err(|error| (2, error))?;
    let is_well = cuts.missing.is_none() && found.as_ref().is_some_and(Found::is_well);
    let on = if options.postgres { "PostgreSQL" } else { "SQLite" };
    let (verdict, missing) = (if is_well { "ok" } else { "FAILED" }, &cuts.missing);
    let took = began.elapsed();
    let counted = found.map_or_else(|| "not counted behind a loss".into(), |f| f.line());
    let damage = if missing.damage.is_empty() { "none" } else { &missing.damage };
    say(&format!(
        "torture power {verdict}: {on}, {} cuts, seed {}; {} acknowledged, of which lost: {} jobs, \
         {} batches, {} steps, {} completions, {} files; damage: {damage}; {counted}; {} s, {} ms \
         a cycle",
        cuts.made,
        options.seed,
        missing.acknowledged,
        missing.jobs,
        missing.batches,
        missing.steps,
        missing.completions,
        missing.files,
        took.as_secs(),
        took.as_millis() / u128::from(cuts.made.max(1)),
    ));
    Ok(is_well)
}

#[derive(Default)]
struct Cuts {
    made: u64,
    missing: Missing,
}

impl Cuts {
    /// All cycles and the end; nothing is counted where something was lost.
    fn all(&mut self, place: &mut Place) -> Result<Option<Found>> {
        let mut random = Random(place.options.seed);
        let (mut witness, mut schedules) = (Witness::default(), None);
        for _ in 0..place.options.cycles {
            let queue = place.start()?;
            let schedules = match &mut schedules {
                Some(schedules) => schedules,
                none => none.insert(Schedules::set(&queue)?),
            };
            if !self.check(&witness, &queue, &place.options)? {
                return Ok(None);
            }
            restart(&queue)?;
            schedules.nudge(&queue)?;
            let mut workers = start_two(&place.options, &mut random)?;
            let cut = Cut::prepare(&[&place.data, &place.files])?;
            pass(work_time(&mut random));
            witness.see(&queue, &place.options)?;
            // A map of a file that is gone would be the end of this process, too.
            drop(queue);
            pass(Duration::from_millis(random.below(20)));
            place.cut(cut, &mut workers)?;
            self.made += 1;
        }
        let queue = place.start()?;
        let schedules = schedules.ok_or("no cycle at all")?;
        if !self.check(&witness, &queue, &place.options)? {
            return Ok(None);
        }
        schedules.stop(&queue)?;
        let mut workers = start_two(&place.options, &mut random)?;
        workers.iter_mut().for_each(Process::close_input);
        let over = until_over(&queue, schema(&place.options));
        for worker in &mut workers {
            worker.kill()?;
        }
        over?;
        self.check(&witness, &queue, &place.options)?;
        count(&queue, &place.options, &schedules).map(Some)
    }

    fn check(&mut self, witness: &Witness, queue: &Queue, options: &Options) -> Result<bool> {
        self.missing = witness.check(queue, options)?;
        Ok(self.missing.is_none())
    }
}

fn start_two(options: &Options, random: &mut Random) -> Result<Vec<Process>> {
    (0..2).map(|_| Process::start(options, random, &[])).collect()
}
