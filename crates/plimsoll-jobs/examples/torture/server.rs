//! A PostgreSQL whose data lies on a file system that is cut.
//!
//! Promises: durable as PostgreSQL is by itself: nothing of its flushing is changed; no process
//! of it is left when it was killed.
//! Never: the superuser of the machine, or an address that is not loopback.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::image::run;
use crate::process::{freeze, pass, signal_process};

/// So long may a recovery take.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Where its data lies, and how it is started.
pub(crate) struct Server {
    programs: PathBuf,
    user: &'static str,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Makes the data in a folder of that file system.
    pub(crate) fn make(file_system: &Path, notes: &Path) -> Result<Self, String> {
        let find = "ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1";
        let found = run(Command::new("sh").args(["-c", find]))?;
        let programs = PathBuf::from(found.trim());
        if !programs.join("initdb").exists() {
            return Err("PostgreSQL's server is not installed: apt-get install postgresql".into());
        }
        let user =
            if run(Command::new("id").arg("postgres")).is_ok() { "postgres" } else { "nobody" };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.map_err(|e| format!("finding a free port: {e}"))?.port();
        let (data, log) = (file_system.join("postgres"), notes.join("postgres.log"));
        let server = Self { programs, user, data, log, port, child: None };
        std::fs::create_dir(&server.data).map_err(|e| format!("{}: {e}", server.data.display()))?;
        run(Command::new("chown").arg(user).arg(&server.data))?;
        let make = ["-U", "plimsoll", "-A", "trust", "-E", "UTF8", "--locale=C"];
        run(server.command("initdb")?.args(make).arg("-D").arg(&server.data))?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://plimsoll@127.0.0.1:{}/postgres", self.port)
    }

    /// One of its programs, as its user.
    fn command(&self, program: &str) -> Result<Command, String> {
        let group = run(Command::new("id").args(["-g", self.user]))?;
        let mut command = Command::new("setpriv");
        command.args(["--reuid", self.user, "--regid", group.trim(), "--clear-groups", "--"]);
        command.arg(self.programs.join(program)).current_dir("/");
        Ok(command)
    }

    /// Starts it; it has recovered when this returns.
    pub(crate) fn start(&mut self) -> Result<(), String> {
        let io = |e: std::io::Error| format!("starting PostgreSQL: {e}");
        let log = File::options().create(true).append(true).open(&self.log).map_err(io)?;
        let mut command = self.command("postgres")?;
        command.arg("-D").arg(&self.data).args(["-p", &self.port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=32MB",
            "max_wal_size=96MB",
            "min_wal_size=64MB",
        ] {
            command.args(["-c", setting]);
        }
        let errors = log.try_clone().map_err(io)?;
        self.child =
            Some(command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(io)?);
        let until = Instant::now() + READY_WITHIN;
        let port = self.port.to_string();
        let ask = ["-q", "-h", "127.0.0.1", "-p", &port];
        while let Err(error) = run(Command::new(self.programs.join("pg_isready")).args(ask)) {
            if Instant::now() > until {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                let tail = log.len().saturating_sub(2_000);
                return Err(format!("PostgreSQL is not ready: {error}: {}", &log[tail..]));
            }
            pass(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops all its processes where they are.
    pub(crate) fn freeze(&self) -> Result<(), String> {
        let Some(child) = &self.child else { return Ok(()) };
        // One that stands still makes no others.
        freeze(&[child.id()])?;
        freeze(&children(child.id()))
    }

    /// Kills it with all its processes, none of which notices.
    pub(crate) fn kill(&mut self) -> Result<(), String> {
        self.freeze()?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        for pid in children(child.id()).into_iter().chain([child.id()]) {
            signal_process(pid, Signal::KILL);
        }
        child.wait().map(drop).map_err(|e| format!("waiting for PostgreSQL: {e}"))
    }
}

fn children(leader: u32) -> Vec<u32> {
    let listed = run(Command::new("ps").args(["-o", "pid=", "--ppid", &leader.to_string()]));
    listed.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _reported = self.kill();
    }
}
