//! One writer for every output: a plain file in aligned blocks, a compressed one, a stream.
//!
//! Promises: bytes arrive in order; a file gets its name only at the end.
//! Never: a closed pipe reported as a fault of the disk: its error keeps its kind, and that
//! of standard output is marked.

use std::io::{self, Write};
use std::sync::Arc;

use super::output::{Output, Packer, PartialFile};
use super::range_writer::{RangeWriter, unwrapped};
use super::tool::Tool;
use crate::error::{Error, Result};

/// Buffer of a stream.
const STREAM_BYTES: usize = 64 << 10;
/// What a packer holds beside: zstd at level 3.
const PACKER_BYTES: u64 = 4 << 20;

/// An output being written from its first byte to its last.
pub struct Sink {
    to: Packer<To>,
    bytes: u64,
    name: String,
    _reservation: crate::budget::Reservation,
}

enum To {
    File { writer: Box<RangeWriter>, partial: Arc<PartialFile> },
    Stdout(io::BufWriter<io::Stdout>),
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File { writer, .. } => writer.write(bytes),
            Self::Stdout(out) => out.write(bytes).map_err(StdoutClosed::mark),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File { .. } => Ok(()),
            Self::Stdout(out) => out.flush().map_err(StdoutClosed::mark),
        }
    }
}

/// Nobody reads standard output any more. It is inside of the I/O error that says so, to tell it
/// from any other pipe that broke.
#[derive(Debug)]
pub struct StdoutClosed;

impl StdoutClosed {
    /// The error of a write to standard output, marked where the pipe was closed.
    #[must_use]
    pub fn mark(error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, Self),
            _ => error,
        }
    }

    /// Whether [`StdoutClosed::mark`] marked it.
    #[must_use]
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|inner| inner.is::<Self>())
    }
}

impl std::fmt::Display for StdoutClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for StdoutClosed {}

impl Sink {
    /// What an output with blocks of `block_bytes` reserves, in bytes.
    pub(super) fn cost_bytes(output: &Output, block_bytes: usize) -> u64 {
        let packed =
            if output.packing() == super::output::Packing::Plain { 0 } else { PACKER_BYTES };
        packed
            + match output {
                Output::Stdout => STREAM_BYTES as u64,
                Output::File { .. } => {
                    let blocks = 1 + crate::sort::LANE_SPARES;
                    (blocks * crate::storage::AlignedBytes::cost_bytes(block_bytes)) as u64
                }
            }
    }

    /// Begins an output, with blocks of `block_bytes` for a file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`], [`crate::ErrorKind::OutOfBudget`].
    pub fn create(output: &Output, tool: &Tool<'_>, block_bytes: usize) -> Result<Self> {
        let packing = output.packing();
        let packed = if packing == super::output::Packing::Plain { 0 } else { PACKER_BYTES };
        let (to, name, held) = match output {
            Output::Stdout => {
                let out = io::BufWriter::with_capacity(STREAM_BYTES, io::stdout());
                (To::Stdout(out), "standard output".to_owned(), packed + STREAM_BYTES as u64)
            }
            Output::File { path, fsync } => {
                let partial = Arc::new(PartialFile::create(tool.storage, path, *fsync)?);
                let writer = RangeWriter::start(
                    partial.clone(),
                    0,
                    tool.consumer,
                    block_bytes,
                    crate::sort::LANE_SPARES,
                )?;
                (To::File { writer: Box::new(writer), partial }, path.display().to_string(), packed)
            }
        };
        let reservation = tool.consumer.try_reserve(held)?;
        let to = Packer::new(packing, to).map_err(|e| Error::io(format!("writing {name}"), e))?;
        Ok(Self { to, bytes: 0, name, _reservation: reservation })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`].
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        let written = match &mut self.to {
            Packer::Plain(To::File { writer, .. }) => return writer.push(bytes),
            to => to.write_all(bytes),
        };
        written.map_err(|e| unwrapped(&format!("writing {}", self.name), e))
    }

    /// Bytes given so far, before compression.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends the output; a file gets its name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`].
    pub fn finish(self) -> Result<u64> {
        let what = format!("writing {}", self.name);
        let mut to = self.to.finish().map_err(|e| unwrapped(&what, e))?;
        to.flush().map_err(|e| unwrapped(&what, e))?;
        if let To::File { writer, partial } = to {
            let end = writer.finish()?;
            let partial = Arc::into_inner(partial).expect("the writer's handle is gone");
            partial.finish(end)?;
        }
        Ok(self.bytes)
    }
}
