//! What does not fit into memory: a private directory, a few large files, runs of records in
//! checksummed blocks.
//!
//! ```text
//!   root/ plimsoll-PID-N/ owner          locked for as long as the process lives
//!                         sort-0 ...     SpillFile: extents, handed out from the front
//!                           └─ block | block | block        a Run is a list of such places
//!                                └─ header, records         see docs/FORMAT.md
//! ```
//!
//! Promises: spilled bytes stay below a quota; a block that is torn, flipped, from another place
//! or another process is refused; files are gone when their owner is dropped, and swept by the
//! next process when their owner was killed.
//! Never: a file that could be read by somebody else, or a length believed before its checksum.

mod ahead;
mod area;
pub(crate) mod block;
mod codec;
mod file;
mod journal;
mod lane;
mod length;
mod pace;
mod packing;
mod reader;
mod run;
mod sweep;

pub use area::{SpillArea, SpillOptions, SpillStats};
pub use codec::Codec;
pub use file::SpillFile;
pub use lane::{BlockTarget, WriteLane};
pub use pace::write_rate;
pub use reader::{BlockReader, RunReader};
pub use run::{BlockPlace, Run, RunWriter};

pub(crate) use ahead::ReadAhead;
pub(crate) use journal::Journal;
pub(crate) use length::{LENGTH_BYTES_MAX, length_at, length_bytes, put_length};
pub(crate) use packing::{Expander, Packer, Unpacker};
