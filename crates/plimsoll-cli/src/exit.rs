//! How a command ended, as the shell sees it.
//!
//! Promises: the error's whole chain in one readable message, with what mends it.
//! Never: a panic's trace for a person's mistake.

use std::io::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it.
    Done,
    /// Some rows were rejected.
    Partly,
    /// A check failed and said so.
    Failed,
}

/// Prints an error and chooses the exit status.
pub(crate) fn code(result: anyhow::Result<Outcome>) -> ExitCode {
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::from(1),
        Ok(Outcome::Partly) => ExitCode::from(3),
        // Whoever closed the pipe has read enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("plimsoll: {error:#}");
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

fn status(error: &anyhow::Error) -> u8 {
    let kind = error.downcast_ref::<plimsoll::Error>().map(plimsoll::Error::kind);
    match kind {
        Some(plimsoll::ErrorKind::Stopped) => crate::interrupt::STATUS,
        Some(plimsoll::ErrorKind::OutOfBudget) => 4,
        _ if error.downcast_ref::<Usage>().is_some() => 2,
        _ => 1,
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|e| e.downcast_ref::<std::io::Error>());
    causes.into_iter().any(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
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
