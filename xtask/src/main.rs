//! Chores of the project: `cargo xtask tidy`, `.. load ..`, `.. torture ..`.
//!
//! Promises: exit code 0 when all is well, 1 when something was found, 2 on wrong usage.
//! Never: a change to the tree.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::tidy;

const USAGE: &str = "usage: cargo xtask tidy [FOLDER]
       cargo xtask load <what> [--option value ..]
       cargo x torture jobs [--cycles N] [--seed S] [--database URL]
       cargo x torture power [--cycles N] [--seed S] [--postgres]   (root; 3 where it cannot run)";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut out = std::io::stdout().lock();
    match arguments.split_first() {
        Some((command, [])) if command == "tidy" => {
            // As cargo says now: where clones share a target folder, the build may be another's.
            let own = std::env::var_os("CARGO_MANIFEST_DIR");
            let own = own.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
            run_tidy(&own.join(".."), &mut out)
        }
        Some((command, [root])) if command == "tidy" => run_tidy(Path::new(root), &mut out),
        Some((command, rest)) if command == "load" => {
            writeln!(out, "{}", xtask::load::run(rest)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Some((command, [what, rest @ ..])) if command == "torture" && what == "jobs" => {
            torture(rest)
        }
        Some((command, rest @ [what, ..])) if command == "torture" && what == "power" => {
            torture(rest)
        }
        _ => {
            writeln!(std::io::stderr(), "{USAGE}")?;
            Ok(ExitCode::from(2))
        }
    }
}

/// Runs the example of the jobs' crate, optimised; what it prints last is a summary.
fn torture(rest: &[String]) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = ["run", "-q", "--release", "-p", "plimsoll-jobs", "--example", "torture", "--"];
    let ended = std::process::Command::new(cargo).args(run).args(rest).status()?;
    Ok(ExitCode::from(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

fn run_tidy(root: &Path, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let tree = tidy::Tree::read(root)?;
    let mut found = tidy::check(&tree);
    for rule in &tidy::PACKAGES {
        found.extend(tidy::packages(rule, &tidy::cargo_tree(root, rule.package)?));
    }
    for violation in &found {
        writeln!(out, "{violation}")?;
    }
    let (inputs, rows) = tidy::open(&tree);
    let (files, faults) = (tree.files.len(), found.len());
    writeln!(
        out,
        "{files} files, {faults} violations; open: {inputs} bad inputs without a test, \
         {rows} rows of the coverage"
    )?;
    Ok(ExitCode::from(u8::from(!found.is_empty())))
}
