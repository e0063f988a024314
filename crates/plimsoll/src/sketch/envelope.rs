//! The frame around an encoded sketch.
//!
//! Promises: torn, flipped and foreign bytes are refused before their content is looked at.
//! Never: an allocation; the length of what is read is known to the reader.
//!
//! ```text
//!   "PSKH" or "PSKK" | version 1 B | body                              | CRC-32 4 B, LE
//!   <----------------- all of it is covered by the CRC ---------------->
//! ```

use crate::error::{Error, Result};

/// Bytes around the body.
pub(super) const ENVELOPE_BYTES: usize = MAGIC_BYTES + 1 + CRC_BYTES;
const MAGIC_BYTES: usize = 4;
const CRC_BYTES: usize = 4;

/// What kind of sketch the body is, and in which version of its layout.
pub(super) struct Kind {
    pub(super) magic: [u8; MAGIC_BYTES],
    pub(super) version: u8,
    pub(super) name: &'static str,
}

impl Kind {
    /// Appends the frame with the body that `write` appends.
    pub(super) fn seal(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend_from_slice(&self.magic);
        out.push(self.version);
        write(out);
        let sum = crc(&out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    }

    /// The body of a whole frame.
    pub(super) fn open<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let Some((covered, sum)) = bytes.split_last_chunk::<CRC_BYTES>() else {
            return Err(self.refused("it ends too early"));
        };
        let Some((magic, rest)) = covered.split_first_chunk::<MAGIC_BYTES>() else {
            return Err(self.refused("it ends too early"));
        };
        if *magic != self.magic {
            return Err(self.refused("its first bytes are not those of this kind"));
        }
        if crc(covered) != u32::from_le_bytes(*sum) {
            return Err(self.refused("its checksum does not match"));
        }
        match rest.split_first() {
            Some((version, body)) if *version == self.version => Ok(body),
            Some((version, _)) => {
                let (name, known) = (self.name, self.version);
                Err(Error::invalid(format!(
                    "cannot read a {name} sketch of version {version}: this program reads \
                     version {known}; read it with the program that wrote it"
                )))
            }
            None => Err(self.refused("it ends too early")),
        }
    }

    /// The refusal of damaged bytes.
    pub(super) fn refused(&self, why: &str) -> Error {
        let name = self.name;
        Error::corrupt(format!(
            "cannot read an encoded {name} sketch: {why}; build the sketch again from its input"
        ))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const KIND: Kind = Kind { magic: *b"PSKT", version: 3, name: "test" };

    fn sealed() -> Vec<u8> {
        let mut out = Vec::new();
        KIND.seal(&mut out, |out| out.extend_from_slice(b"body"));
        out
    }

    #[test]
    fn what_was_sealed_is_opened() {
        assert_eq!(KIND.open(&sealed()).unwrap(), b"body");
        assert_eq!(sealed().len(), b"body".len() + ENVELOPE_BYTES);
    }

    #[test]
    fn every_torn_length_and_every_flipped_bit_is_refused() {
        let whole = sealed();
        for length in 0..whole.len() {
            assert_eq!(KIND.open(&whole[..length]).unwrap_err().kind(), ErrorKind::Corrupt);
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(KIND.open(&flipped).unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
        }
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let mut newer = Vec::new();
        Kind { version: 4, ..KIND }.seal(&mut newer, |_| {});
        let refused = KIND.open(&newer).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert!(refused.to_string().contains("version 4"), "{refused}");
    }
}
