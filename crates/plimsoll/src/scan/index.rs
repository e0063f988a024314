//! Where fields and records end, 64 bytes at a time.
//!
//! ```text
//!   bytes        a , " x , y " , b \n        delimiter mask  . 1 . . 1 . . 1 . .
//!   quote mask   . . 1 . . . 1 . . .         newline mask    . . . . . . . . . 1
//!   prefix xor   . . 1 1 1 1 . . . .         both, and not inside: field ends . 1 . . . . . 1 . 1
//! ```
//!
//! The method is that of "Parsing Gigabytes of JSON per Second" (Langdale and Lemire 2019): a mask
//! per kind of byte, quoted stretches by the prefix xor of the quotes, then the positions of the
//! bits. Blocks without a quote, which are nearly all, skip the second step.
//!
//! A batch begins at a record, so nothing is carried from one batch to the next.
//!
//! Promises: the work per batch is bounded, and so is the memory: [`INDEX_BYTES`].
//! Never: a judgement about quotes; their places are kept for the one who judges.

use wide::u8x64;

/// Bytes indexed at a time: large enough that the record cut at its end costs nothing, small
/// enough that bytes and positions stay in a core's first cache.
pub(super) const BATCH_BYTES: usize = 8 << 10;
const BLOCK: usize = 64;
/// Positions a batch may have: each of its bytes, the end of a record without line end, and room
/// for one whole block behind them.
const POSITIONS: usize = BATCH_BYTES + BLOCK + 1;
/// What an [`Index`] holds.
pub(super) const INDEX_BYTES: usize = 3 * POSITIONS * size_of::<u32>();

/// Positions in ascending order, with `u32::MAX` behind the last.
pub(super) struct Positions {
    items: Box<[u32]>,
    len: usize,
}

impl Positions {
    fn new() -> Self {
        Self { items: vec![0; POSITIONS].into(), len: 0 }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn all(&self) -> &[u32] {
        &self.items[..self.len]
    }

    /// The position at `index`, or `u32::MAX` when there is none.
    #[inline]
    pub(super) fn at(&self, index: usize) -> u32 {
        self.items[index]
    }

    #[inline]
    fn push_bits(&mut self, mut bits: u64, base: u32) {
        let (room, _) = self.items[self.len..]
            .split_first_chunk_mut::<BLOCK>()
            .expect("a batch leaves a block");
        let mut count = 0;
        while bits != 0 {
            // The mask changes nothing, 64 bits are 64 at most; it spares a check.
            room[count & (BLOCK - 1)] = base + bits.trailing_zeros();
            bits &= bits - 1;
            count += 1;
        }
        self.len += count;
    }

    fn push(&mut self, position: u32) {
        self.items[self.len] = position;
        self.len += 1;
    }

    fn close(&mut self) {
        self.items[self.len] = u32::MAX;
    }
}

/// The structure of one batch. Positions count from the segment's first byte.
pub(super) struct Index {
    delimiter: u8,
    /// Ends of fields: delimiters and line ends outside quotes.
    pub(super) fields: Positions,
    /// Ends of records: line ends outside quotes.
    pub(super) records: Positions,
    pub(super) quotes: Positions,
}

impl Index {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            fields: Positions::new(),
            records: Positions::new(),
            quotes: Positions::new(),
        }
    }

    /// Forgets the batch.
    pub(super) fn clear(&mut self) {
        for positions in [&mut self.fields, &mut self.records, &mut self.quotes] {
            positions.len = 0;
            positions.close();
        }
    }

    /// Indexes a batch of `segment` from the record at `from` on.
    pub(super) fn build(&mut self, segment: &[u8], from: usize) {
        let to = segment.len().min(from + BATCH_BYTES);
        self.clear();
        let mut base = narrow(from);
        let mut inside = 0;
        let (blocks, tail) = segment[from..to].as_chunks::<BLOCK>();
        for block in blocks {
            inside = self.block(block, base, inside);
            base += const { narrow(BLOCK) };
        }
        if !tail.is_empty() {
            // Zeros are neither quote, delimiter nor line end.
            let mut block = [0; BLOCK];
            block[..tail.len()].copy_from_slice(tail);
            inside = self.block(&block, base, inside);
        }
        let last = self.records.all().last().map_or(from, |end| *end as usize + 1);
        if to == segment.len() && last < to && inside == 0 {
            self.fields.push(narrow(to));
            self.records.push(narrow(to));
        }
        self.fields.close();
        self.records.close();
        self.quotes.close();
    }

    /// Adds one block that begins `inside` quotes (all ones) or not (zero); how the next begins.
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK], base: u32, inside: u64) -> u64 {
        let bytes = u8x64::new(*block);
        let mask = |byte: u8| bytes.simd_eq(u8x64::splat(byte)).to_bitmask();
        let quotes = mask(b'"');
        let mut lines = mask(b'\n');
        let mut ends = mask(self.delimiter) | lines;
        let mut inside_next = 0;
        if quotes | inside != 0 {
            self.quotes.push_bits(quotes, base);
            let quoted = prefix_xor(quotes) ^ inside;
            ends &= !quoted;
            lines &= !quoted;
            inside_next = (quoted >> 63).wrapping_neg();
        }
        self.fields.push_bits(ends, base);
        self.records.push_bits(lines, base);
        inside_next
    }
}

/// Offsets in a segment fit: a segment is not longer than `u32::MAX` bytes.
#[allow(clippy::cast_possible_truncation)]
pub(super) const fn narrow(at: usize) -> u32 {
    assert!(at < u32::MAX as usize, "a segment's offsets fit u32");
    at as u32
}

/// Each bit becomes the xor of itself and all below it.
#[inline]
pub(super) const fn prefix_xor(mut bits: u64) -> u64 {
    bits ^= bits << 1;
    bits ^= bits << 2;
    bits ^= bits << 4;
    bits ^= bits << 8;
    bits ^= bits << 16;
    bits ^ (bits << 32)
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES, Index, narrow, prefix_xor};
    use crate::expr::testing::Random;

    #[test]
    fn prefix_xor_is_the_parity_of_the_bits_up_to_each() {
        let mut random = Random::new(21);
        for _ in 0..1_000 {
            let bits = random.bits() & random.bits();
            let parity = |place: u32| u64::from((bits << (63 - place)).count_ones() % 2);
            let expected = (0..64).fold(0, |sum, place| sum | (parity(place) << place));
            assert_eq!(prefix_xor(bits), expected);
        }
    }

    #[test]
    fn a_batch_holds_what_a_walk_of_one_byte_at_a_time_finds() {
        let mut random = Random::new(22);
        let mut index = Index::new(b',');
        for round in 0..300 {
            let length = random.below(if round % 10 == 0 { 2 * BATCH_BYTES } else { 300 });
            let letters = if round % 2 == 0 { 4 } else { 40 };
            let byte =
                |random: &mut Random| b",\n\"".get(random.below(letters)).copied().unwrap_or(b'x');
            let bytes: Vec<u8> = (0..length).map(|_| byte(&mut random)).collect();
            let from = random.below(length + 1);
            let to = length.min(from + BATCH_BYTES);
            let (mut fields, mut records, mut quotes) = (Vec::new(), Vec::new(), Vec::new());
            for (at, byte) in bytes.iter().enumerate().take(to).skip(from) {
                let inside = quotes.len() % 2 == 1;
                match byte {
                    b'"' => quotes.push(narrow(at)),
                    b',' if !inside => fields.push(narrow(at)),
                    b'\n' if !inside => {
                        fields.push(narrow(at));
                        records.push(narrow(at));
                    }
                    _ => {}
                }
            }
            let behind = records.last().map_or(from, |end| *end as usize + 1);
            if to == length && behind < to && quotes.len() % 2 == 0 {
                fields.push(narrow(to));
                records.push(narrow(to));
            }
            index.build(&bytes, from);
            assert_eq!(index.fields.all(), fields, "round {round}");
            assert_eq!(index.records.all(), records, "round {round}");
            assert_eq!(index.quotes.all(), quotes, "round {round}");
            assert_eq!(index.quotes.at(quotes.len()), u32::MAX);
        }
    }
}
