//! Ctrl-C and `kill` while a file tool runs.
//!
//! ```text
//!   signal ─> thread ─> Watch::stop ─> the tool ends by itself, its files go   exit status 130
//!                │
//!                └─ a second signal: the process ends now; files are swept by the next one
//! ```
//!
//! Promises: the first signal ends the tool within moments and leaves no file behind.
//! Never: work in a signal handler.

use std::sync::Arc;

use anyhow::Context as _;
use plimsoll::files::Watch;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a shell expects of a process that SIGINT ended.
pub(crate) const STATUS: u8 = 130;

/// Stops `watch` at the first signal, and the process at the second.
pub(crate) fn stops(watch: &Arc<Watch>) -> anyhow::Result<()> {
    let watch = Arc::clone(watch);
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening for signals")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .stack_size(plimsoll::limits::THREAD_STACK_BYTES)
        .spawn(move || {
            for (n, _) in signals.forever().enumerate() {
                watch.stop();
                if n > 0 {
                    std::process::exit(i32::from(STATUS));
                }
            }
        })
        .context("starting the thread that waits for signals")?;
    Ok(())
}
