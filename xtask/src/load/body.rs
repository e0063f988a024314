//! The body of an HTTP/1.1 response, taken apart as it arrives.
//!
//! ```text
//!   chunked:  Size ─'\n'─> Data(n) ─0 left─> AfterData ─'\n'─> Size
//!               └─ size 0 ─> Trailer ─ empty line ─> done
//!   length:   Length(n) ─0 left─> done         close: done when the peer closes
//! ```
//!
//! Promises: bytes are handed on in place; a body is done only at its stated end, so that a
//! truncated one is seen.
//! Never: a copy of the body.

use anyhow::{Result, bail};

/// How the end of the body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length`.
    Length(u64),
    /// The peer closes.
    Close,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size { value: u64, extension: bool },
    Data(u64),
    AfterData,
    Trailer { empty: bool },
    Length(u64),
    Close,
    Done,
}

/// A body being read.
#[derive(Debug)]
pub struct Body {
    state: State,
}

impl Body {
    /// At its beginning.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => Self::size(),
            Framing::Length(0) => State::Done,
            Framing::Length(bytes) => State::Length(bytes),
            Framing::Close => State::Close,
        };
        Self { state }
    }

    fn size() -> State {
        State::Size { value: 0, extension: false }
    }

    /// Whether the body has ended as it said it would.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Whether the peer closing now is the end it announced.
    #[must_use]
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::Done | State::Close)
    }

    /// Hands the body's part of `bytes` to `sink`.
    ///
    /// # Errors
    /// Broken chunk framing, bytes beyond the end, or what the sink said.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        sink: &mut impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            match &mut self.state {
                State::Data(left) | State::Length(left) => {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    sink(&bytes[..take])?;
                    *left -= take as u64;
                    bytes = &bytes[take..];
                    self.state = match self.state {
                        State::Data(0) => State::AfterData,
                        State::Length(0) => State::Done,
                        state => state,
                    };
                }
                State::Close => {
                    sink(bytes)?;
                    bytes = &[];
                }
                State::Done => bail!("{} bytes follow the end of the body", bytes.len()),
                _ => {
                    self.framing(first)?;
                    bytes = rest;
                }
            }
        }
        Ok(())
    }

    /// One byte between the data of two chunks.
    fn framing(&mut self, byte: u8) -> Result<()> {
        self.state = match (self.state, byte) {
            (State::Size { value: 0, .. }, b'\n') => State::Trailer { empty: true },
            (State::Size { value, .. }, b'\n') => State::Data(value),
            (State::Size { value, .. }, b';') => State::Size { value, extension: true },
            (State::Size { extension: true, .. }, _) | (State::AfterData, b'\r') => self.state,
            (State::Size { .. }, b'\r') => self.state,
            (State::Size { value, extension }, digit) => {
                let Some(digit) = char::from(digit).to_digit(16) else {
                    bail!("byte {digit:#04x} in the size of a chunk");
                };
                State::Size { value: value.saturating_mul(16) + u64::from(digit), extension }
            }
            (State::AfterData, b'\n') => Self::size(),
            (State::AfterData, byte) => bail!("byte {byte:#04x} after the data of a chunk"),
            (State::Trailer { empty: true }, b'\n') => State::Done,
            (State::Trailer { .. }, b'\n') => State::Trailer { empty: true },
            (State::Trailer { .. }, b'\r') => self.state,
            (State::Trailer { .. }, _) => State::Trailer { empty: false },
            (state, _) => state,
        };
        Ok(())
    }
}
