//! Records to bytes and back, in the postcard format.
//!
//! Promises: an encoded record fits the buffer that was reserved for it, or it is refused.
//! Never: a format anybody keeps; bytes live as long as the operator that wrote them.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};

/// A buffer for one record at a time.
#[derive(Debug)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
    bytes_max: usize,
    reservation: Reservation,
}

impl Encoder {
    /// A buffer for records of up to `bytes_max`.
    pub(super) fn new(consumer: &Consumer, bytes_max: u64) -> Result<Self> {
        let reservation = consumer.try_reserve(bytes_max)?;
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let bytes = Vec::with_capacity(bytes_max);
        Ok(Self { bytes, bytes_max, reservation })
    }

    /// Largest record it takes, in bytes.
    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_max as u64
    }

    /// Takes records of up to `bytes_max` from now on.
    pub(super) fn make_room(&mut self, bytes_max: u64) -> Result<()> {
        self.bytes = Vec::new();
        self.reservation.try_grow(bytes_max.saturating_sub(self.bytes_max()))?;
        self.bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        self.bytes.reserve_exact(self.bytes_max);
        Ok(())
    }

    /// `record`, encoded.
    pub(super) fn encode<T: Serialize + ?Sized>(&mut self, record: &T) -> Result<&[u8]> {
        self.bytes.clear();
        let bounded = Bounded { bytes: &mut self.bytes, bytes_max: self.bytes_max };
        match postcard::serialize_with_flavor(record, bounded) {
            Ok(()) => Ok(&self.bytes),
            Err(postcard::Error::SerializeBufferFull) => Err(Error::too_large(format!(
                "encoding a record to spill it: it takes more than {} B, twice what its HeapSize \
                 says; correct that",
                self.bytes_max
            ))),
            Err(error) => Err(Error::invalid(format!(
                "encoding a record to spill it: {error}; its Serialize must not fail and must \
                 know its lengths"
            ))),
        }
    }
}

struct Bounded<'a> {
    bytes: &'a mut Vec<u8>,
    bytes_max: usize,
}

impl Flavor for Bounded<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    #[inline]
    fn try_extend(&mut self, more: &[u8]) -> postcard::Result<()> {
        if more.len() > self.bytes_max - self.bytes.len() {
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// The record that was encoded as `bytes`.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| {
        Error::invalid(format!(
            "reading a spilled record back: {error}; its Deserialize must read what its Serialize \
             writes, without asking what a value is"
        ))
    })
}
