//! What a reader reads: plain bytes out of whatever compression the input has.
//!
//! ```text
//!   input ─ Input ─┬─ plain ──────────────────┐
//!      first bytes ├─ 64 KiB ─ gzip members ──┼─ at most output_bytes_max ─> bytes, counted
//!      looked at   └─ 64 KiB ─ zstd frames ───┘
//!                              window <= 8 MiB
//! ```
//!
//! Compression is recognised by the first bytes, never by a name. A bomb costs no memory here: the
//! output is taken piece by piece, and it ends at `output_bytes_max` or at the reader's longest
//! line, whichever comes first.
//!
//! Promises: a compressed input that ends early or is damaged is an error and not an end; gzip
//! members and zstd frames one after another are read as one.
//! Never: a zstd window larger than [`ZSTD_WINDOW_LOG_MAX`] allows.

use std::io::{BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;

use super::input::Input;
use super::magic::{Compression, recognise, window_too_large};
use crate::error::{Error, Result};
use crate::limits::{READ_BYTES, ZSTD_WINDOW_LOG_MAX};

/// flate2's decoder: a 32 KiB window, tables, and its own header buffer.
const GZIP_STATE_BYTES: usize = 128 << 10;
/// zstd's decoder beside its window: tables, one block in and one block out of 128 KiB each.
const ZSTD_STATE_BYTES: usize = 512 << 10;

/// A stream of plain bytes with their count.
///
/// ```
/// use plimsoll::format::{Compression, Source};
/// let mut source = Source::open(Box::new(&b"a,b\n"[..]), None)?;
/// assert_eq!(source.compression(), Compression::None);
/// let mut bytes = [0; 16];
/// assert_eq!(source.read(&mut bytes)?, 4);
/// assert_eq!(source.offset(), 4);
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct Source {
    stage: Stage,
    offset: u64,
    output_bytes_max: Option<u64>,
}

enum Stage {
    Plain(Input),
    Gzip(Box<MultiGzDecoder<BufReader<Input>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Input>>),
}

impl Source {
    /// Looks at the first bytes of `input` and sets up what reads the rest. `output_bytes_max`
    /// bounds the plain bytes. Opening takes less than 256 KiB; reserve
    /// [`Source::workspace_bytes`] before the first read.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a compression that is known and not read here,
    /// [`crate::ErrorKind::TooLarge`] for a zstd window beyond the bound,
    /// [`crate::ErrorKind::Io`] from the input.
    pub fn open(input: Box<dyn Read + Send>, output_bytes_max: Option<u64>) -> Result<Self> {
        let input = Input::open(input)?;
        let stage = match recognise(input.prefix())? {
            Compression::None => Stage::Plain(input),
            Compression::Gzip => {
                let buffered = BufReader::with_capacity(READ_BYTES, input);
                Stage::Gzip(Box::new(MultiGzDecoder::new(buffered)))
            }
            Compression::Zstd => {
                let buffered = BufReader::with_capacity(READ_BYTES, input);
                let set_up = |error| Error::io("setting up the zstd decoder", error);
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(buffered).map_err(set_up)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(set_up)?;
                Stage::Zstd(decoder)
            }
        };
        Ok(Self { stage, offset: 0, output_bytes_max })
    }

    /// How the input is compressed.
    #[must_use]
    pub fn compression(&self) -> Compression {
        match self.stage {
            Stage::Plain(_) => Compression::None,
            Stage::Gzip(_) => Compression::Gzip,
            Stage::Zstd(_) => Compression::Zstd,
        }
    }

    /// Bytes this source holds at most, for the caller's reservation.
    #[must_use]
    pub fn workspace_bytes(&self) -> usize {
        match self.compression() {
            Compression::None => 0,
            Compression::Gzip => READ_BYTES + GZIP_STATE_BYTES,
            Compression::Zstd => READ_BYTES + ZSTD_STATE_BYTES + (1 << ZSTD_WINDOW_LOG_MAX),
        }
    }

    /// Plain bytes given out so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Fills the beginning of `out`; 0 is the end of the input (or an empty `out`).
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] for compressed data that is damaged or ends early,
    /// [`crate::ErrorKind::TooLarge`] beyond the bounds, [`crate::ErrorKind::Io`] from the input.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let got = loop {
            let result = match &mut self.stage {
                Stage::Plain(input) => input.read(out),
                Stage::Gzip(decoder) => decoder.read(out),
                Stage::Zstd(decoder) => decoder.read(out),
            };
            match result {
                Ok(got) => break got,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        };
        self.offset += got as u64;
        match self.output_bytes_max {
            Some(max) if self.offset > max => Err(Error::too_large(format!(
                "the input holds more than the {max} bytes allowed{}: raise that bound or split \
                 the input",
                match self.compression() {
                    Compression::None => "",
                    Compression::Gzip | Compression::Zstd => " once decompressed",
                }
            ))),
            _ => Ok(got),
        }
    }

    /// Tells a failing input from damaged data: both arrive as an I/O error.
    fn explain(&self, error: std::io::Error) -> Error {
        let (name, input) = match &self.stage {
            Stage::Plain(input) => ("", input),
            Stage::Gzip(decoder) => ("gzip", decoder.get_ref().get_ref()),
            Stage::Zstd(decoder) => ("zstd", decoder.get_ref().get_ref()),
        };
        let at = self.offset;
        if input.failed() {
            return Error::io(format!("reading the input after {at} bytes"), error);
        }
        if error.kind() == ErrorKind::UnexpectedEof {
            return Error::corrupt(format!(
                "the {name} file ends early, after {at} decompressed bytes: it was cut off; \
                 fetch or copy it again"
            ));
        }
        // zstd reports a code's name and nothing else; 16 is frameParameter_windowTooLarge.
        if error.to_string() == zstd::zstd_safe::get_error_name(0_usize.wrapping_sub(16)) {
            return window_too_large("more than that");
        }
        Error::corrupt(format!(
            "the {name} file is damaged after {at} decompressed bytes ({error}): fetch or copy \
             it again"
        ))
    }
}
