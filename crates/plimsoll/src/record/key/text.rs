//! Bytes of any length as a part of a key.
//!
//! ```text
//!   [byte]* 00 00        a byte 00 of the text is written 00 FF
//! ```
//!
//! Promises: the order of the bytes, and an end that nothing inside looks like: 00 is followed by
//! FF inside and by 00 at the end, and the end is smaller than whatever could stand in its place.
//! Never: a look at what the bytes mean.

/// The class byte before a text that is not NULL: neither NULL's 00 nor its FF, complemented or
/// not.
pub(super) const PRESENT: u8 = 0x01;

/// Appends `bytes` and their end: `bytes.len() + 2` bytes and one more for each NUL.
pub(super) fn push(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(nul) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..nul]);
        out.extend_from_slice(&[0x00, 0xff]);
        rest = &rest[nul + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0x00, 0x00]);
}
