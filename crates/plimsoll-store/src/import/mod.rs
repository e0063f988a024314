//! Files into resources: typed, bounded, resumable, exactly once.
//!
//! ```text
//!   file ─> Source (gzip, zstd) ─> reader ─> Mapping ─> Batch ─┐ at most two on their way
//!                                     │                        v
//!                                     │        WriteUnit { rows, checkpoint } ─> commit
//!                                     │                        │ a row contradicts what is there
//!                                     v                        v
//!                              rejected rows  <── trial finds them, then the batch without them
//! ```
//!
//! Promises: rows and checkpoint stand in one transaction, so after a kill at any moment the next
//! run goes on behind the last committed batch and no row is lost or there twice; the file of
//! rejected rows is cut back to what the checkpoint counts.
//! Never: more than three batches of rows in memory.

mod batch;
mod checkpoint;
mod columns;
mod few;
mod keep;
mod options;
mod rejects;
mod run;

pub use checkpoint::Checkpoint;
pub use few::few;
pub use keep::Keep;
pub use options::{Import, ImportOptions, OnError, Progress};
pub use run::{ImportSummary, check, go_on, run};

/// The digest that names a file's content, for [`Import::identity`]. Reads it to the end.
///
/// # Errors
/// When the file cannot be read.
pub fn digest(file: &mut dyn std::io::Read) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    std::io::copy(file, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}
