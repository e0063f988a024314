//! Kills, freezes and starves workers of one queue, and then counts what they did.
//!
//! ```text
//!   torture --cycles N --seed S [--database URL]      (the whole)
//!     ├─ torture work --folder F ..    a worker and an enqueuer; killed, frozen, started again
//!     └─ torture work --folder F ..    another process on the same database
//!   torture power --cycles N --seed S [--postgres]    power cuts; see `power`
//! ```
//!
//! Every cycle does one thing to one of the workers, by the seed: `kill -9` at a random moment, an
//! abort just before or just behind its next checkpoint or behind an acknowledged job, a freeze
//! before a checkpoint that outlives its lease, a wall clock that is an hour off from now on, or a
//! lock on the database for a while. In the end, when all jobs are over:
//!
//! ```text
//!   lost        steps of jobs that are not there, acknowledged jobs that are not there
//!   duplicated  steps that are there twice
//!   redone      steps that were begun again: at most one for each time a job was handed out again
//!   finally     batches whose last job was not followed by exactly one callback
//!   schedules   due times that no job was enqueued for, or more than one
//! ```
//!
//! Promises: the last line is a summary; exit code 0 when nothing was lost, duplicated or missed.
//! Never: a database that somebody else uses; it makes its own tables in an empty one.

mod count;
mod database;
mod file;
mod image;
mod namespace;
mod parent;
mod power;
mod process;
mod schedules;
mod server;
mod witness;
mod work;

use std::process::ExitCode;

/// The exit code where there is no way to do what was asked for here.
const NOT_HERE: u8 = 3;
const USAGE: &str = "usage: torture --cycles N --seed S [--database URL]
       torture power --cycles N --seed S [--postgres]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, rest) = match arguments.split_first() {
        Some((first, rest)) if first == "work" || first == "power" => (first.as_str(), rest),
        _ => ("jobs", &arguments[..]),
    };
    let options = match Options::read(rest) {
        Ok(options) => options,
        Err(wrong) => {
            say(&format!("{wrong}\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let code = |e: plimsoll_store::Error| (2, e.to_string());
    let answer = match what {
        "work" => work::run(&options).map(|()| true).map_err(code),
        "power" if options.folder.is_empty() => return namespace::run(&options),
        "power" => power::run(&options),
        _ => parent::run(&options).map_err(code),
    };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err((code, error)) => {
            say(&format!("torture {what}: {error}"));
            ExitCode::from(code)
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
struct Options {
    cycles: u64,
    seed: u64,
    database: Option<String>,
    /// Where the database is.
    folder: String,
    /// Where notes are kept; empty where that is the same folder.
    notes: String,
    /// Where jobs leave files; empty where they leave none.
    files: String,
    /// A PostgreSQL of its own on the file system that is cut.
    postgres: bool,
    name: String,
    /// The wall clock is so many seconds off.
    clock_seconds: i64,
    /// Abort at this checkpoint: before its commit where it is odd, behind it where it is even.
    abort_at: u64,
    /// Abort when so many jobs were acknowledged and noted.
    abort_noted: u64,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self { cycles: 50, seed: 1, ..Self::default() };
        let mut rest = arguments.iter();
        while let Some(name) = rest.next() {
            if name == "--postgres" {
                options.postgres = true;
                continue;
            }
            let value = rest.next().ok_or_else(|| format!("{name} has no value"))?;
            let wrong = |e: std::num::ParseIntError| format!("{name} {value}: {e}");
            match name.as_str() {
                "--cycles" => options.cycles = value.parse().map_err(wrong)?,
                "--seed" => options.seed = value.parse().map_err(wrong)?,
                "--database" => options.database = Some(value.clone()),
                "--folder" => options.folder.clone_from(value),
                "--notes" => options.notes.clone_from(value),
                "--files" => options.files.clone_from(value),
                "--name" => options.name.clone_from(value),
                "--clock" => options.clock_seconds = value.parse().map_err(wrong)?,
                "--abort-noted" => options.abort_noted = value.parse().map_err(wrong)?,
                "--abort-at" => options.abort_at = value.parse().map_err(wrong)?,
                _ => return Err(format!("{name} is no option")),
            }
        }
        Ok(options)
    }

    fn notes(&self) -> &str {
        if self.notes.is_empty() { &self.folder } else { &self.notes }
    }
}

/// A line on the terminal.
fn say(text: &str) {
    use std::io::Write as _;
    // Whoever closed the terminal does not want to know.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// SplitMix64 (Steele, Lea, Flood 2014): a number that a seed gives.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
