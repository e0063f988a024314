//! The `plimsoll` binary: server, file tools and checks in one.
//!
//! ```text
//!   args ─> settings ─> limit ─> budget ─> store ─> a command ─> exit status
//! ```
//!
//! Promises: exit status 0 ok, 1 failed, 2 wrong usage, 3 some rows were rejected, that of its
//! command for `run`; data on standard output, everything else on standard error.
//! Never: memory taken before the limit is known.

mod access;
mod allocator;
mod args;
mod cgroup;
mod client;
mod commands;
mod config;
mod control;
mod database;
mod exit;
mod interrupt;
mod jobs;
mod log_ring;
mod mark;
mod memory;
mod named;
mod packs;
mod presence;
mod process;
mod progress;
mod queries;
mod setup;
mod source;
mod spill;

use std::process::ExitCode;

use args::{Cli, Command, ConfigCommand, KeyCommand};
use exit::Outcome;
use plimsoll_store::catalogue::Words;

fn main() -> ExitCode {
    exit::code(run())
}

fn run() -> anyhow::Result<Outcome> {
    let packs = packs::all(Words::Sqlite)?;
    let (Cli { global, command }, counts) = args::parse(&packs);
    match command {
        Command::Serve(args) => commands::serve::run(&global, &args, &packs, &counts),
        Command::Init(args) => commands::init::run(&global, &args),
        Command::Import(args) => commands::import::run(&global, &args, &packs),
        Command::Export(args) => commands::export::run(&global, &args, &packs),
        Command::Migrate(args) => commands::migrate::run(&global, &args, &packs),
        Command::Uninstall(args) => commands::uninstall::run(&global, &args),
        Command::Seed(args) => commands::seed::run(&global, &args, &packs, &counts),
        Command::Sort(args) => commands::sort::run(&global, &args),
        Command::Top(args) => commands::top::run(&global, &args),
        Command::Head(args) => commands::head::run(&global, &args),
        Command::Count(args) => commands::count::run(&global, &args),
        Command::Convert(args) => commands::convert::run(&global, &args),
        Command::Quantile(args) => commands::quantile::run(&global, &args),
        Command::Join(args) => commands::join::run(&global, &args),
        Command::Group(args) => commands::group::run(&global, &args),
        Command::Distinct(args) => commands::distinct::run(&global, &args),
        Command::Run(args) => commands::run::run(&global, &args),
        Command::Worker(args) => commands::worker::run(&global, &args, &packs),
        Command::Jobs(command) => commands::jobs::run(&global, &command, &packs),
        Command::Batch(command) => commands::batch::run(&global, &command, &packs),
        Command::Queue(command) => commands::queue::run(&global, &command, &packs),
        Command::Schedule(command) => commands::schedule::run(&global, &command, &packs),
        Command::Cache(command) => commands::cache::run(&global, &command, &packs),
        Command::Report(command) => commands::report::run(&global, &command),
        Command::Logs(command) => commands::logs::run(&global, &command),
        Command::Key(KeyCommand::New { name, scopes }) => {
            commands::key::new(&name, &scopes, &mut exit::stdout())
        }
        Command::Config(ConfigCommand::Show { origin, json }) => {
            let config = setup::config(&global)?;
            commands::config::show(&config, origin, json, &mut exit::stdout())?;
            Ok(Outcome::Done)
        }
        Command::Doctor(args) => {
            let config = setup::config(&global)?;
            let status = commands::doctor::run(&config, args.json, &mut exit::stdout())?;
            Ok(if status == 0 { Outcome::Done } else { Outcome::Failed })
        }
    }
}
