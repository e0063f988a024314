//! HTTP clients of a stated speed that check every byte they read.
//!
//! ```text
//!   cargo xtask load fetch   one download, into a file or nowhere     seconds, bytes
//!   cargo xtask load streams fast, slow and export clients at once    rates, exactness, refusals
//!   cargo xtask load paced   requests at a fixed rate, open loop      latency percentiles
//!   cargo xtask load writers clients that post as fast as they can    acknowledged writes
//! ```
//!
//! Promises: each prints one JSON object; every loop ends by its `--seconds` and a stated grace.
//! Never: a connection to anything but the address given, and that is a loopback address.

mod body;
mod client;
mod exact;
mod json;
mod options;
mod paced;
mod streams;
mod writers;

pub use body::{Body, Framing};
pub use exact::Exact;
pub use options::Options;

use std::time::Duration;

/// Runs `load <what> --option value ..` and returns its JSON.
///
/// # Errors
/// Wrong usage, or a client that could not even start.
pub fn run(arguments: &[String]) -> anyhow::Result<String> {
    let (what, rest) = arguments
        .split_first()
        .ok_or_else(|| anyhow::anyhow!("load fetch|streams|paced|writers --option value .."))?;
    let mut options = Options::parse(rest)?;
    let report = match what.as_str() {
        "fetch" => client::fetch(&mut options)?,
        "streams" => streams::run(&mut options)?,
        "paced" => paced::run(&mut options)?,
        "writers" => writers::run(&mut options)?,
        other => anyhow::bail!("load knows fetch, streams, paced and writers, not '{other}'"),
    };
    options.finish()?;
    Ok(report)
}

/// The value below which this share of a sorted list lies, in milliseconds.
fn percentile_ms(sorted: &[Duration], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    // an index of a list that fits in memory
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).map_or(0.0, |d| d.as_secs_f64() * 1e3)
}
