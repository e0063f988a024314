//! How a command ended, as the shell sees it.
//!
//! Promises: the error's whole chain in one readable message, with what mends it.
//! Never: a panic's trace for a person's mistake; silence about a pipe other than standard output.

use std::io::{self, Write};
use std::process::ExitCode;

use plimsoll::files::StdoutClosed;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it.
    Done,
    /// Some rows were rejected.
    Partly,
    /// A check failed and said so.
    Failed,
    /// As a command that was run, or as it was stopped.
    Status(u8),
}

/// Prints an error and chooses the exit status.
pub(crate) fn code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Partly) => ExitCode::from(3),
        Ok(Outcome::Status(status)) => ExitCode::from(status),
        // Whoever closed standard output has read enough. Any other pipe that broke is a fault.
        Err(error) if is_closed_stdout(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("plimsoll: {}", sentence(&error));
            let store = error.chain().find_map(|e| e.downcast_ref::<plimsoll_store::Error>());
            if let Some(remedy) = store.and_then(plimsoll_store::Error::remedy) {
                text.push_str("\n  ");
                text.push_str(remedy);
            }
            // Nobody reads a closed standard error.
            let _closed = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(status(&error))
        }
    }
}

/// The chain of causes, without one that the sentence before it ends with.
fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

fn status(error: &anyhow::Error) -> u8 {
    let kind = error.downcast_ref::<plimsoll::Error>().map(plimsoll::Error::kind);
    match kind {
        Some(plimsoll::ErrorKind::Stopped) => crate::interrupt::STATUS,
        Some(plimsoll::ErrorKind::OutOfBudget) => 4,
        _ if error.downcast_ref::<Usage>().is_some() => 2,
        _ => 1,
    }
}

pub(crate) fn is_closed_stdout(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<io::Error>()).any(StdoutClosed::is)
}

/// Standard output, whose closed pipe is told from others.
pub(crate) struct Stdout(io::StdoutLock<'static>);

/// Takes standard output.
pub(crate) fn stdout() -> Stdout {
    Stdout(io::stdout().lock())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(StdoutClosed::mark)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(StdoutClosed::mark)
    }
}

/// A mistake in how the command was called: exit status 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::other("no such file");
        let told = plimsoll::Error::io("opening a.csv", cause());
        assert_eq!(sentence(&anyhow::Error::new(told)), "opening a.csv: no such file");
        let added = anyhow::Error::new(cause()).context("reading the settings");
        assert_eq!(sentence(&added), "reading the settings: no such file");
    }
}
