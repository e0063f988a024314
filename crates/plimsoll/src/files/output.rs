//! The output of a tool: a file that appears whole or not at all, or a stream.
//!
//! ```text
//!   File:    .NAME.PID.partial ── written at offsets, by several threads ── rename ──> NAME
//!   Stream:  standard output, or compressed on the way to either
//! ```
//!
//! Promises: until the end nobody sees the name; an output that is dropped before its end leaves
//! nothing behind.
//! Never: the input overwritten while it is read; that is refused before the first byte.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::input::Input;
use crate::error::{Error, Result};
use crate::spill::BlockTarget;
use crate::storage::{Storage, StorageFile};

/// Where a tool writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file; `.gz` and `.zst` compress.
    File {
        /// Its name in the end.
        path: PathBuf,
        /// Make it durable before it gets its name.
        fsync: bool,
    },
    /// The process's standard output.
    Stdout,
}

impl Output {
    /// Refuses an output that is one of the inputs, a folder, or anything else that is no file
    /// and would be lost when one takes its name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`].
    pub fn check_against(&self, inputs: &[&Input]) -> Result<()> {
        let Self::File { path, .. } = self else { return Ok(()) };
        let Ok(own) = fs::metadata(path) else { return Ok(()) };
        for input in inputs {
            let Input::File(other) = input else { continue };
            let same =
                fs::metadata(other).is_ok_and(|o| (o.dev(), o.ino()) == (own.dev(), own.ino()));
            if same {
                return Err(Error::invalid(format!(
                    "the output {} is the input: write to another name and rename it",
                    path.display()
                )));
            }
        }
        if own.is_dir() {
            return Err(Error::invalid(format!(
                "the output {} is a directory: name a file in it",
                path.display()
            )));
        }
        if !own.is_file() {
            return Err(Error::invalid(format!(
                "the output {} is a pipe or a device, and a file would take its place: write to \
                 standard output and send that there with >",
                path.display()
            )));
        }
        Ok(())
    }

    /// How the name says it is compressed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        match self {
            Self::File { path, .. } => match path.extension().and_then(|e| e.to_str()) {
                Some("gz") => Packing::Gzip,
                Some("zst") => Packing::Zstd,
                _ => Packing::Plain,
            },
            Self::Stdout => Packing::Plain,
        }
    }
}

/// Compression of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// None.
    Plain,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// A file under its temporary name.
#[derive(Debug)]
pub struct PartialFile {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    partial: PathBuf,
    file: Arc<dyn StorageFile>,
    fsync: bool,
    finished: bool,
}

impl PartialFile {
    /// Makes the temporary file beside `path`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`].
    pub fn create(storage: &Arc<dyn Storage>, path: &Path, fsync: bool) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| {
            Error::invalid(format!("the output {} has no file name", path.display()))
        })?;
        let begin = format!(".{}.", name.to_string_lossy());
        sweep(&**storage, path, &begin);
        let partial = path.with_file_name(format!("{begin}{}.partial", std::process::id()));
        let file = storage.create(&partial);
        let file = file.map_err(|e| Error::io(format!("making {}", partial.display()), e))?;
        // The lock tells the next process that this one lives; without locks nothing is swept.
        let _held_with_the_file = file.try_lock();
        let storage = Arc::clone(storage);
        Ok(Self { storage, path: path.to_owned(), partial, file, fsync, finished: false })
    }

    /// Asks for room for all of it, so that a full disk is noticed now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`].
    pub fn allocate(&self, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        self.file.allocate(0, bytes).map_err(|e| self.failed(e))
    }

    /// Gives the file of `bytes` its name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]; the temporary file is removed then. Only where the folder cannot
    /// be made durable the file has its name already, which the sentence says.
    pub fn finish(mut self, bytes: u64) -> Result<()> {
        self.file.set_len(bytes).map_err(|e| self.failed(e))?;
        if self.fsync {
            self.file.sync().map_err(|e| self.failed(e))?;
        }
        self.storage.rename(&self.partial, &self.path).map_err(|e| self.failed(e))?;
        self.finished = true;
        if self.fsync {
            let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            self.storage.sync_directory(folder).map_err(|e| {
                let path = self.path.display();
                Error::io(
                    format!("{path} is whole and has its name, which a power cut may undo"),
                    e,
                )
            })?;
        }
        Ok(())
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io(format!("writing {}", self.path.display()), error)
    }
}

/// Names looked at for what killed processes left of this output.
const NAMES_MAX: usize = 10_000;

/// Removes temporary files of the output `path` whose makers are dead.
fn sweep(storage: &dyn Storage, path: &Path, begin: &str) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let ours = |name: &str| {
        let number = name.strip_prefix(begin).and_then(|rest| rest.strip_suffix(".partial"));
        number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    for name in storage.list(folder, NAMES_MAX).unwrap_or_default() {
        if !name.to_str().is_some_and(ours) {
            continue;
        }
        let partial = folder.join(&name);
        let file = storage.open(&partial);
        let dead = file.and_then(|file| Ok(file.try_lock()? && file.is_at(&partial)?));
        if dead.unwrap_or(false) {
            let _next_time = storage.remove_file(&partial);
        }
    }
}

impl BlockTarget for PartialFile {
    fn write(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(bytes, offset).map_err(|e| self.failed(e))
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.finished {
            // The first error is the one to tell; a leftover has a name that says what it is.
            let _left_behind = self.storage.remove_file(&self.partial);
        }
    }
}

/// Compresses what is written to it on the way to `inner`.
pub(super) enum Packer<W: Write> {
    Plain(W),
    Gzip(Box<flate2::write::GzEncoder<W>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, W>>),
}

impl<W: Write> Packer<W> {
    pub(super) fn new(packing: Packing, inner: W) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain(inner),
            Packing::Gzip => {
                let level = flate2::Compression::new(4);
                Self::Gzip(Box::new(flate2::write::GzEncoder::new(inner, level)))
            }
            // Level 3's window is 2 MiB; lower levels are no faster than a disk here.
            Packing::Zstd => Self::Zstd(Box::new(zstd::stream::write::Encoder::new(inner, 3)?)),
        })
    }

    /// Ends the compressed stream and gives `inner` back.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(inner) => Ok(inner),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(inner) => inner.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
