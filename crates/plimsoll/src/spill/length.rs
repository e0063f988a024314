//! Lengths before records: LEB128, seven bits a byte, the lowest first.
//!
//! Promises: what is written is read back; a length that is cut off is told.
//! Never: more than five bytes.

/// Bytes a length takes at most.
pub(crate) const LENGTH_BYTES_MAX: usize = 5;

/// Writes a length at `at`; returns where its bytes begin.
#[inline]
pub(crate) fn put_length(block: &mut [u8], mut at: usize, length: usize) -> usize {
    let mut rest = length;
    while rest >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // seven bits and the mark
        let low = (rest as u8) | 0x80;
        block[at] = low;
        at += 1;
        rest >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // below 0x80
    let last = rest as u8;
    block[at] = last;
    at + 1
}

/// The length that begins at `at` and where its bytes begin; `None` when it is cut off.
#[inline]
pub(crate) fn length_at(payload: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *payload.get(at)?;
    if first < 0x80 {
        return Some((usize::from(first), at + 1));
    }
    let mut length = usize::from(first & 0x7f);
    for step in 1..LENGTH_BYTES_MAX {
        let byte = *payload.get(at + step)?;
        length |= usize::from(byte & 0x7f) << (7 * step);
        if byte < 0x80 {
            return Some((length, at + step + 1));
        }
    }
    None
}
