//! A server of a test's own, on a free port.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::http::{Answer, Client};
use crate::tool::{Ended, Running, Tool};

/// The kernel takes back what a killed process had within this.
const END_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    running: Running,
}

impl Server {
    /// Starts a server over `folder`/data and waits until it listens.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Self {
        Self::wait(Tool::new(folder, &Self::line(args)))
    }

    /// The optimised build where there is one.
    pub(crate) fn fastest(folder: &Path, args: &[&str]) -> Self {
        Self::wait(Tool::fastest(folder, &Self::line(args)))
    }

    /// The build at `binary`.
    pub(crate) fn of(binary: &Path, folder: &Path, args: &[&str]) -> Self {
        Self::wait(Tool::of(binary, folder, &Self::line(args)))
    }

    fn line<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["serve", "--port", "0"], args].concat()
    }

    /// Starts `tool`, which becomes a server, and waits until it listens.
    pub(crate) fn wait(tool: Tool) -> Self {
        // Thousands of lines about requests would only stand in the memory of the test.
        let tool = tool.env("PLIMSOLL_LOG_ACCESS", "false");
        let mut running = tool.telling("serving on http://").start();
        let line = running.told();
        let (_, address) = line.split_once("http://").unwrap();
        Self { address: address.trim().parse().unwrap(), running }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.client().get(path, "*/*").unwrap()
    }

    /// The most bytes of it that were resident so far, as the kernel counts.
    pub(crate) fn resident_peak_bytes(&self) -> u64 {
        let status = format!("/proc/{}/status", self.running.pid());
        let status = std::fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// SIGHUP, which it takes for a wish to look again.
    pub(crate) fn hang_up(&self) {
        self.running.signal(Signal::HUP);
    }

    /// SIGTERM, and the end it leads to.
    pub(crate) fn stop(self) -> Ended {
        self.running.signal(Signal::TERM);
        self.running.wait()
    }

    /// SIGTERM; the rest is the caller's.
    pub(crate) fn terminate(self) -> Running {
        self.running.signal(Signal::TERM);
        self.running
    }

    pub(crate) fn kill(self) -> Ended {
        self.running.kill()
    }

    /// kill -9 once `time` is over; an end by itself before that is a failure.
    pub(crate) fn kill_after(&mut self, time: Duration) {
        if let Some(ended) = self.running.ends_within(time) {
            panic!("it ended by itself: {ended:?}");
        }
        self.running.signal(Signal::KILL);
        assert!(self.running.ends_within(END_MAX).is_some(), "kill -9 did not end it");
    }
}
