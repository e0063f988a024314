//! Room to encode one key or value in.
//!
//! Promises: what is larger than usual is reserved for as long as it is there.
//! Never: a large buffer kept for the next small value.

use crate::budget::{Consumer, Reservation};
use crate::collections::codec::Spillable;
use crate::collections::page::wrong_size;
use crate::error::Result;

/// Room that is kept between calls.
const USUAL_BYTES: usize = 8 << 10;

#[derive(Debug)]
pub(super) struct Scratch {
    bytes: Vec<u8>,
    consumer: Consumer,
    large: Option<Reservation>,
    _usual: Reservation,
}

impl Scratch {
    pub(super) fn new(consumer: &Consumer) -> Result<Self> {
        let usual = consumer.try_reserve(USUAL_BYTES as u64)?;
        let bytes = Vec::with_capacity(USUAL_BYTES);
        Ok(Self { bytes, consumer: consumer.clone(), large: None, _usual: usual })
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Holds the encoding of `value` from now on.
    #[inline]
    pub(super) fn encode<T: Spillable>(&mut self, value: &T) -> Result<()> {
        let bytes = value.encoded_bytes();
        self.bytes.clear();
        if bytes > USUAL_BYTES || self.large.is_some() {
            self.resize(bytes)?;
        }
        value.encode(&mut self.bytes)?;
        if self.bytes.len() == bytes {
            Ok(())
        } else {
            Err(wrong_size::<T>(bytes, self.bytes.len()))
        }
    }

    #[cold]
    fn resize(&mut self, bytes: usize) -> Result<()> {
        self.bytes = Vec::with_capacity(USUAL_BYTES);
        self.large = None;
        if bytes > USUAL_BYTES {
            self.large = Some(self.consumer.try_reserve(bytes as u64)?);
            self.bytes = Vec::with_capacity(bytes);
        }
        Ok(())
    }
}
