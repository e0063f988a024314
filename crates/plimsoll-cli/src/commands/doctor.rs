//! `plimsoll doctor`: what this machine gives, measured, and what to do about it.
//!
//! ```text
//!   limit ──┐ measured by        judged by pure functions      ok | warn | fail
//!   places ─┼─ one function ──>  over what was measured   ──>  what  value  what to do
//!   commits ┘  each                                            exit 1 if anything fails
//! ```
//!
//! Promises: it ends within ten seconds on a disk that answers, and leaves nothing behind, not
//! even a directory it had to make.
//! Never: a look into the database that is served.

mod commits;
mod finding;
mod limit;
mod place;

use std::io::{self, Write};

use plimsoll::budget::discover::HostFiles;
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use crate::config::Config;
use finding::{Finding, Level};

/// Open files besides connections: the database's, spill files, the log, the sockets.
const FILES_BESIDES: u64 = 128;

/// Looks at everything, prints it, and returns the exit status: 1 if anything fails.
///
/// # Errors
/// When `out` fails.
pub(crate) fn run(config: &Config, as_json: bool, out: &mut dyn Write) -> io::Result<u8> {
    let findings = examine(config);
    let failed = findings.iter().any(|f| f.level == Level::Fail);
    if as_json {
        let checks: Vec<_> = findings.iter().map(Finding::document).collect();
        serde_json::to_writer_pretty(&mut *out, &json!({ "healthy": !failed, "checks": checks }))?;
        writeln!(out)?;
    } else {
        finding::print(&findings, out)?;
    }
    Ok(u8::from(failed))
}

fn examine(config: &Config) -> Vec<Finding> {
    let address_space = getrlimit(Resource::As).current;
    let mut findings = vec![limit::check(config, &HostFiles, address_space)];
    let mut data_works = false;
    for (key, role) in [("data_dir", place::Role::Data), ("spill.dir", place::Role::Spill)] {
        let directory = config.path(key).expect("directories have defaults");
        let survey = place::survey(directory);
        if role == place::Role::Data {
            data_works = survey.is_ok();
        }
        findings.extend(place::judge(key, role, directory, &survey));
    }
    let directory = config.path("data_dir").expect("it has a default");
    findings.push(match data_works {
        true => commits::judge(&commits::measure(directory)),
        false => commits::not_measured(),
    });
    let files = getrlimit(Resource::Nofile).current;
    findings.push(open_files(files, config.integer("http.connections_max")));
    findings
}

/// `files` is the limit, or `None` where there is none.
fn open_files(files: Option<u64>, connections_max: u64) -> Finding {
    const WHAT: &str = "open files";
    let Some(files) = files else {
        return Finding::ok(WHAT, "unlimited");
    };
    let wanted = connections_max + FILES_BESIDES;
    let finding = if files < FILES_BESIDES {
        let advice = format!("raise it (ulimit -n, LimitNOFILE) to {wanted}");
        Finding::fail(WHAT, files.to_string(), advice)
    } else if files < wanted {
        let advice = format!(
            "for http.connections_max = {connections_max} raise it (ulimit -n, LimitNOFILE) to \
             {wanted}, or lower that key to {}",
            files.saturating_sub(FILES_BESIDES).max(1)
        );
        Finding::warn(WHAT, files.to_string(), advice)
    } else {
        Finding::ok(WHAT, files.to_string())
    };
    finding.figure(files, "files")
}

#[cfg(test)]
mod tests;
