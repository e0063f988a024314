//! Kills, freezes and starves workers of one queue, and then counts what they did.
//!
//! ```text
//!   torture --cycles N --seed S [--database URL]      (the whole)
//!     ├─ torture work --folder F ..    a worker and an enqueuer; killed, frozen, started again
//!     └─ torture work --folder F ..    another process on the same database
//! ```
//!
//! Every cycle does one thing to one of the workers, by the seed: `kill -9` at a random moment, an
//! abort just before or just behind its next checkpoint or behind an acknowledged job, a freeze
//! that outlives its lease, a wall clock that is an hour off from now on, or a lock on the database
//! for a while. In the end, when all jobs are over:
//!
//! ```text
//!   lost        steps of jobs that are not there, acknowledged jobs that are not there
//!   duplicated  steps that are there twice
//!   redone      steps that were begun again: at most one for each time a job was handed out again
//!   finally     batches whose last job was not followed by exactly one callback
//! ```
//!
//! Promises: the last line is a summary; exit code 0 when nothing was lost, duplicated or missed.
//! Never: a database that somebody else uses; it makes its own tables in an empty one.

mod count;
mod database;
mod parent;
mod work;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (worker, rest) = match arguments.split_first() {
        Some((first, rest)) if first == "work" => (true, rest),
        _ => (false, &arguments[..]),
    };
    let options = match Options::read(rest) {
        Ok(options) => options,
        Err(wrong) => {
            say(&format!("{wrong}\nusage: torture --cycles N --seed S [--database URL]"));
            return ExitCode::from(2);
        }
    };
    let answer = if worker { work::run(&options).map(|()| true) } else { parent::run(&options) };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("torture: {error}"));
            ExitCode::from(2)
        }
    }
}

/// What was asked for.
#[derive(Clone, Debug, Default)]
struct Options {
    cycles: u64,
    seed: u64,
    database: Option<String>,
    folder: String,
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
        for pair in arguments.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} has no value", pair[0])) };
            let wrong = |e: std::num::ParseIntError| format!("{name} {value}: {e}");
            match name.as_str() {
                "--cycles" => options.cycles = value.parse().map_err(wrong)?,
                "--seed" => options.seed = value.parse().map_err(wrong)?,
                "--database" => options.database = Some(value.clone()),
                "--folder" => options.folder.clone_from(value),
                "--name" => options.name.clone_from(value),
                "--clock" => options.clock_seconds = value.parse().map_err(wrong)?,
                "--abort-noted" => options.abort_noted = value.parse().map_err(wrong)?,
                "--abort-at" => options.abort_at = value.parse().map_err(wrong)?,
                _ => return Err(format!("{name} is no option")),
            }
        }
        Ok(options)
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
