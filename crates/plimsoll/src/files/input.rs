//! The input of a tool: a file or a stream, decompressed by its content.
//!
//! Promises: what the bytes are is seen from the bytes; the length is told where it is known.
//! Never: a file opened for writing.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::format::{Compression, Format, Source};

/// Where a tool reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// The process's standard input.
    Stdin,
}

/// An input that was opened.
pub struct OpenInput {
    /// Plain bytes.
    pub bytes: Box<dyn Read + Send>,
    /// How many there are, for a plain file.
    pub bytes_len: Option<u64>,
    /// How it is compressed.
    pub compression: Compression,
    /// What reading it holds.
    pub source_bytes: usize,
}

impl Input {
    /// `-` is standard input.
    #[must_use]
    pub fn from_argument(argument: &Path) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::File(argument.to_owned()) }
    }

    /// The format its name tells; CSV where it tells none.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::File(path) => {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
                name.and_then(|n| Format::from_file_name(&n)).unwrap_or(Format::Csv)
            }
            Self::Stdin => Format::Csv,
        }
    }

    /// Opens a plain file at a byte.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] with the file's name.
    pub(super) fn open_at(&self, path: &Path, offset: u64) -> Result<Box<dyn Read + Send>> {
        use std::io::Seek as _;
        let mut file = File::open(path).map_err(|e| self.failed("opening", e))?;
        file.seek(io::SeekFrom::Start(offset)).map_err(|e| self.failed("reading", e))?;
        let data = file.metadata().map_err(|e| self.failed("looking at", e))?;
        Ok(Box::new(Whole { file, left: data.len().saturating_sub(offset) }))
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] with the file's name.
    pub fn open(&self) -> Result<OpenInput> {
        let (raw, len): (Box<dyn Read + Send>, _) = match self {
            Self::Stdin => (Box::new(io::stdin()), None),
            Self::File(path) => {
                let file = File::open(path).map_err(|e| self.failed("opening", e))?;
                let data = file.metadata().map_err(|e| self.failed("looking at", e))?;
                if data.is_dir() {
                    return Err(Error::invalid(format!("{self} is a directory, not a file")));
                }
                let len = data.is_file().then_some(data.len());
                (Box::new(Whole { file, left: len.unwrap_or(0) }), len)
            }
        };
        let source = Source::open(raw, None)?;
        let compression = source.compression();
        let source_bytes = source.workspace_bytes();
        let plain = compression == Compression::None;
        let bytes = Box::new(Plain { source, name: self.to_string() });
        Ok(OpenInput { bytes, bytes_len: len.filter(|_| plain), compression, source_bytes })
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::io(format!("{what} {self}"), error)
    }
}

impl std::fmt::Display for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// A file of which no byte may be missing that was there when it was opened. What is appended
/// meanwhile is read too.
struct Whole {
    file: File,
    left: u64,
}

impl Read for Whole {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        if read == 0 && !into.is_empty() && self.left > 0 {
            return Err(io::Error::other(format!(
                "it is {} B shorter than when it was opened: something cut it meanwhile; read a \
                 file that nobody changes",
                self.left
            )));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

/// A source as a reader; its errors name the input.
struct Plain {
    source: Source,
    name: String,
}

impl Read for Plain {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.source.read(into).map_err(|error| {
            let sentence = format!("reading {}: {error}", self.name);
            io::Error::other(match error.kind() {
                crate::ErrorKind::Corrupt => Error::corrupt(sentence),
                _ => Error::io(format!("reading {}", self.name), io::Error::other(error)),
            })
        })
    }
}
