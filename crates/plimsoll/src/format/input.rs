//! The caller's input, looked at before it is read.
//!
//! Promises: the bytes looked at are read again; a failure of the input is remembered, because a
//! decoder passes it on in the same type as its own.
//! Never: more than [`PREFIX_BYTES`] held.

use std::io::{ErrorKind, Read};

use crate::error::{Error, Result};

/// Enough of an input for every magic number and a whole zstd frame header.
const PREFIX_BYTES: usize = 18;
/// The caller's input with its first bytes put back in front.
pub(super) struct Input {
    first: [u8; PREFIX_BYTES],
    first_len: usize,
    first_taken: usize,
    rest: Box<dyn Read + Send>,
    failed: bool,
}

impl Input {
    pub(super) fn open(mut rest: Box<dyn Read + Send>) -> Result<Self> {
        let mut first = [0; PREFIX_BYTES];
        let mut first_len = 0;
        while first_len < PREFIX_BYTES {
            match rest.read(&mut first[first_len..]) {
                Ok(0) => break,
                Ok(got) => first_len += got,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("reading the beginning of the input", error)),
            }
        }
        Ok(Self { first, first_len, first_taken: 0, rest, failed: false })
    }

    pub(super) fn prefix(&self) -> &[u8] {
        &self.first[..self.first_len]
    }

    /// Whether the caller's input failed, as opposed to the decoder above it.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }
}

impl Read for Input {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let first = &self.first[self.first_taken..self.first_len];
        if !first.is_empty() {
            let got = first.len().min(out.len());
            out[..got].copy_from_slice(&first[..got]);
            self.first_taken += got;
            return Ok(got);
        }
        let result = self.rest.read(out);
        self.failed = matches!(&result, Err(e) if e.kind() != ErrorKind::Interrupted);
        result
    }
}
