//! Progress on standard error.
//!
//! Promises: a bar with rate and time left on a terminal, nothing at all elsewhere.
//! Never: a byte on standard output.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts `unit`s.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar over bytes.
    pub(crate) fn bytes(title: &str, total: u64) -> Self {
        let template =
            "{msg:28!} {bar:30} {bytes:>11}/{total_bytes:<11} {bytes_per_sec:>13} {eta:>5} left";
        Self::new(title, total, template)
    }

    /// A bar over countable things.
    pub(crate) fn count(title: &str, total: u64) -> Self {
        Self::new(
            title,
            total,
            "{msg:28!} {bar:30} {human_pos:>11}/{human_len:<11} {per_sec:>13} {eta:>5} left",
        )
    }

    fn new(title: &str, total: u64, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
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
