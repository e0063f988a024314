//! Where power is cut: namespaces that end with whoever asked for them.
//!
//! ```text
//!   torture power ── setpriv --pdeathsig ── unshare --mount --pid ── torture power --folder F
//!      └─ Ctrl-C, SIGTERM, its own death: the last one is killed, and with the namespaces go
//!         all processes, all mounts and their loop devices
//! ```
//!
//! Promises: exit code 3, with the reason, where this cannot run.
//! Never: a mount or a process left behind, however it ends.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::{Signal, geteuid};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process::signal_process;
use crate::{NOT_HERE, Options, say};

const NAMESPACES: [&str; 10] = [
    "--pdeathsig",
    "KILL",
    "--",
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--",
];

pub(crate) fn run(options: &Options) -> ExitCode {
    if !geteuid().is_root() {
        say("torture power: not run: it mounts file systems of its own, which takes root");
        return ExitCode::from(NOT_HERE);
    }
    match in_namespaces(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("torture power: {error}"));
            ExitCode::from(2)
        }
    }
}

fn in_namespaces(options: &Options) -> std::io::Result<u8> {
    let folder = tempfile::tempdir()?;
    // PostgreSQL's user has to pass through.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o711))?;
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let mut child = command(options, folder.path())?.spawn()?;
    let pid = child.id();
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            signal_process(pid, Signal::KILL);
        }
    });
    let ended = child.wait()?;
    // One that was killed has no code: somebody wanted it to end.
    Ok(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(130))
}

fn command(options: &Options, folder: &Path) -> std::io::Result<Command> {
    let mut command = Command::new("setpriv");
    command.args(NAMESPACES).arg(std::env::current_exe()?);
    command.arg("power").arg("--folder").arg(folder);
    command.args(["--cycles", &options.cycles.to_string()]);
    command.args(["--seed", &options.seed.to_string()]);
    if options.postgres {
        command.arg("--postgres");
    }
    Ok(command)
}
