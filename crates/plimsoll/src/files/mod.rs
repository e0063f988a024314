//! File-to-file tools: what the binary's `sort`, `group`, `join` and their like do.
//!
//! Promises: bounded memory for any input; an output that appears whole or not at all; nothing
//! left behind on any way out.
//! Never: a thread, a file or a signal handler that outlives the call.

mod generate;
mod input;
mod output;
mod range_writer;
mod resume;
mod row_key;
mod sink;
mod sort;
mod tool;
mod watch;

pub use input::{Input, OpenInput};
pub use output::{Output, Packing, PartialFile};
pub use sink::Sink;
pub use sort::{PlannedSort, SortFile};
pub use tool::{Summary, Tool};
pub use watch::{Phase, Watch};
