//! Compares what arrives with a reference, byte by byte, while it arrives.
//!
//! Promises: equal to the reference's first bytes so far, or the offset of the first wrong byte.
//! Never: a digest; equal bytes have equal digests, and a comparison says where it went wrong.

use std::sync::Arc;

use anyhow::{Result, bail};

/// A comparison under way.
#[derive(Clone, Debug)]
pub struct Exact {
    reference: Option<Arc<Vec<u8>>>,
    seen: usize,
}

impl Exact {
    /// At the reference's beginning; without a reference every byte is fine.
    #[must_use]
    pub fn new(reference: Option<Arc<Vec<u8>>>) -> Self {
        Self { reference, seen: 0 }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The offset of the first byte that differs or lies beyond the reference.
    pub fn next(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(reference) = &self.reference {
            let rest = &reference[self.seen.min(reference.len())..];
            if !rest.starts_with(bytes) {
                let same = rest.iter().zip(bytes).take_while(|(a, b)| a == b).count();
                bail!("differs from the reference at byte {}", self.seen + same);
            }
        }
        self.seen += bytes.len();
        Ok(())
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Whether the whole reference was seen.
    ///
    /// # Errors
    /// How many bytes are missing.
    pub fn finish(&self) -> Result<()> {
        let whole = self.reference.as_ref().map_or(self.seen, |r| r.len());
        if self.seen < whole {
            bail!("ended after {} of {whole} bytes", self.seen);
        }
        Ok(())
    }
}
