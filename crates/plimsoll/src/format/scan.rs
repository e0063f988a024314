//! Eight bytes at a time: which of them are special?
//!
//! ```text
//!   word    "ab,c\n..."    one little-endian u64
//!   equal    0 0 80 0 0    the high bit of every byte that equals the needle, all others 0
//!   lowest set bit / 8  =  index of the first special byte
//! ```
//!
//! The test is the exact one of "Hacker's Delight" (section 6-1): no carry runs from one byte into
//! the next, so every set bit counts and not only the lowest.
//!
//! Promises: plain safe arithmetic, the same on every processor.
//! Never: a byte beyond the slice; a short tail is padded with zeros.

/// Bytes in one step.
pub(super) const STEP: usize = 8;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// `byte` in all eight places.
pub(super) const fn splat(byte: u8) -> u64 {
    0x0101_0101_0101_0101 * (byte as u64)
}

/// The high bit of every byte of `word` that equals the needle's byte.
#[inline]
pub(super) const fn equal(word: u64, needle: u64) -> u64 {
    let differs = word ^ needle;
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
}

/// The high bit of every byte of `word` below 0x20.
#[inline]
pub(super) const fn control(word: u64) -> u64 {
    equal(word & splat(0xe0), 0)
}

/// Index of the lowest set high bit's byte.
#[inline]
pub(super) const fn first(hits: u64) -> usize {
    (hits.trailing_zeros() >> 3) as usize
}

/// The eight bytes from `at`, padded with zeros behind the end, and whether all eight were there.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> (u64, bool) {
    if let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<STEP>()) {
        return (u64::from_le_bytes(*chunk), true);
    }
    let mut padded = [0; STEP];
    let tail = bytes.get(at..).unwrap_or_default();
    padded[..tail.len()].copy_from_slice(tail);
    (u64::from_le_bytes(padded), false)
}

/// Index of the first byte from `from` on that `hits` marks, or the length.
#[inline]
pub(super) fn find(bytes: &[u8], from: usize, hits: impl Fn(u64) -> u64) -> usize {
    let mut at = from;
    loop {
        let (word, whole) = word(bytes, at);
        let found = hits(word);
        if found != 0 {
            // The padding of a short tail may be marked too; it lies behind the end.
            return (at + first(found)).min(bytes.len());
        }
        if !whole {
            return bytes.len();
        }
        at += STEP;
    }
}

#[cfg(test)]
mod tests {
    use super::{control, equal, find, splat};

    #[test]
    fn every_byte_value_is_told_from_every_other_whatever_its_neighbours_are() {
        for needle in 0..=255_u8 {
            for byte in 0..=255_u8 {
                for neighbour in [0, needle, needle.wrapping_add(1), 0x80, 0xff] {
                    let mut bytes = [neighbour; 8];
                    bytes[3] = byte;
                    let hits = equal(u64::from_le_bytes(bytes), splat(needle)).to_le_bytes();
                    assert_eq!(hits[3] == 0x80, byte == needle, "{needle} {byte} {neighbour}");
                    assert_eq!(hits[4] == 0x80, neighbour == needle);
                }
            }
        }
    }

    #[test]
    fn control_bytes_are_exactly_those_below_space() {
        for byte in 0..=255_u8 {
            assert_eq!(control(splat(byte)) == 0x8080_8080_8080_8080, byte < 0x20);
        }
    }

    #[test]
    fn the_padding_of_a_short_tail_is_never_found() {
        for length in 0..20 {
            let bytes = vec![b'a'; length];
            assert_eq!(find(&bytes, 0, control), length);
        }
    }
}
