//! Progress on standard error.
//!
//! Promises: a bar with rate and time left on a terminal, nothing at all elsewhere.
//! Never: a byte on standard output.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// A bar that counts `unit`s.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar over bytes.
    pub(crate) fn bytes(title: &str, total: u64) -> Self {
        let numbers = "{bytes:>11}/{total_bytes:<11} {bytes_per_sec:>13}";
        Self::new(title, total, numbers)
    }

    /// A bar over countable things.
    pub(crate) fn count(title: &str, total: u64) -> Self {
        Self::new(title, total, "{human_pos:>11}/{human_len:<11} {rate:>13}")
    }

    fn new(title: &str, total: u64, numbers: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        let template = format!("{{msg:28!}} {{bar:28}} {numbers} {{eta:>4}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                // The bar has no way to fail, and a rate is not worth one.
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            bar.set_style(style.progress_chars("━╸ ").with_key("rate", rate));
        }
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }

    /// Shows another title and total, from the start.
    pub(crate) fn restart(&self, title: &str, total: u64) {
        if self.0.message() != title {
            self.0.reset();
            self.0.set_message(title.to_owned());
        }
        self.0.set_length(total);
    }

    /// Shows where it is.
    pub(crate) fn at(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        self.0.finish_and_clear();
    }
}
