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

/// Bytes that a length takes.
#[inline]
pub(crate) const fn length_bytes(length: usize) -> usize {
    let bits = usize::BITS - length.leading_zeros();
    if bits == 0 { 1 } else { bits.div_ceil(7) as usize }
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

#[cfg(test)]
mod tests {
    use super::{LENGTH_BYTES_MAX, length_at, length_bytes, put_length};

    #[test]
    fn a_length_takes_the_bytes_it_is_said_to_take_and_reads_back() {
        let around = |bits: u32| [(1_usize << bits) - 1, 1 << bits, (1 << bits) + 1];
        for length in [7, 14, 21, 28].into_iter().flat_map(around).chain([0, 1, (1 << 32) - 1]) {
            let mut block = [0xff; LENGTH_BYTES_MAX];
            let end = put_length(&mut block, 0, length);
            assert_eq!(length_bytes(length), end, "{length}");
            assert_eq!(length_at(&block, 0), Some((length, end)));
            assert_eq!(length_at(&block[..end - 1], 0), None, "{length} cut off");
        }
    }
}
