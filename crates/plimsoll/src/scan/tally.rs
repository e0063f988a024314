//! Counting line ends and quotes, and where the last record that fits ends.
//!
//! ```text
//!   |........ whole records ........|.. a part of one ..|
//!                                   ^ the last line end with an even number of quotes before it,
//!                                     found from the back: only one record is walked
//! ```
//!
//! Promises: each byte is counted once, in a loop the compiler turns into vector instructions.
//! Never: a record end inside quotes.

use memchr::{memchr2, memrchr2};

/// Line ends and quotes of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) lines: usize,
    pub(super) quotes: usize,
}

/// Counters of one byte each, side by side.
const LANES: usize = 32;
/// Steps after which a counter of one byte could overflow.
const STEPS: usize = 255;

impl Tally {
    /// Adds `bytes`; without `quotes` a quote is a byte like any other.
    pub(super) fn add(&mut self, bytes: &[u8], quotes: bool) {
        for part in bytes.chunks(LANES * STEPS) {
            let (steps, rest) = part.as_chunks::<LANES>();
            let mut lines = [0_u8; LANES];
            let mut marks = [0_u8; LANES];
            for step in steps {
                for lane in 0..LANES {
                    lines[lane] += u8::from(step[lane] == b'\n');
                    marks[lane] += u8::from(step[lane] == b'"');
                }
            }
            let sum = |lanes: &[u8; LANES]| lanes.iter().map(|n| usize::from(*n)).sum::<usize>();
            let in_rest = |byte| rest.iter().filter(|b| **b == byte).count();
            self.lines += sum(&lines) + in_rest(b'\n');
            if quotes {
                self.quotes += sum(&marks) + in_rest(b'"');
            }
        }
    }
}

/// The end of the last record in `bytes` for which `fits(end, lines)` holds, and the line ends up
/// to there. `tally` is that of all the bytes, which begin at a record.
pub(super) fn last_end(
    bytes: &[u8],
    tally: Tally,
    quotes: bool,
    fits: impl Fn(usize, usize) -> bool,
) -> Option<(usize, usize)> {
    let mut lines = tally.lines;
    let mut inside = tally.quotes % 2 == 1;
    let mut behind = bytes.len();
    let other = if quotes { b'"' } else { b'\n' };
    while let Some(at) = memrchr2(b'\n', other, &bytes[..behind]) {
        behind = at;
        if bytes[at] == b'"' {
            inside = !inside;
            continue;
        }
        if !inside && fits(at + 1, lines) {
            return Some((at + 1, lines));
        }
        lines -= 1;
    }
    None
}

/// The end of the first record in `bytes` and the line ends up to there.
pub(super) fn first_end(bytes: &[u8], quotes: bool) -> Option<(usize, usize)> {
    let mut inside = false;
    let mut lines = 0;
    let other = if quotes { b'"' } else { b'\n' };
    let mut at = 0;
    while let Some(ahead) = memchr2(b'\n', other, &bytes[at..]) {
        at += ahead + 1;
        if bytes[at - 1] == b'"' {
            inside = !inside;
            continue;
        }
        lines += 1;
        if !inside {
            return Some((at, lines));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Tally, first_end, last_end};
    use crate::expr::testing::Random;

    fn random_bytes(random: &mut Random, length: usize) -> Vec<u8> {
        (0..length).map(|_| b"a\n\"b,\n\xffc"[random.below(8)]).collect()
    }

    fn tally(bytes: &[u8]) -> Tally {
        let mut tally = Tally::default();
        tally.add(bytes, true);
        tally
    }

    /// Ends of records and the line ends up to there, one byte at a time.
    fn ends(bytes: &[u8]) -> Vec<(usize, usize)> {
        let (mut inside, mut lines, mut ends) = (false, 0, Vec::new());
        for (at, byte) in bytes.iter().enumerate() {
            inside ^= *byte == b'"';
            lines += usize::from(*byte == b'\n');
            if *byte == b'\n' && !inside {
                ends.push((at + 1, lines));
            }
        }
        ends
    }

    #[test]
    fn every_length_is_counted_to_the_byte_also_where_a_lane_is_full() {
        let mut random = Random::new(11);
        for length in (0..200).chain([8_159, 8_160, 8_161, 16_321, 40_000]) {
            let bytes = random_bytes(&mut random, length);
            let count = |byte| bytes.iter().filter(|b| **b == byte).count();
            let expected = Tally { lines: count(b'\n'), quotes: count(b'"') };
            assert_eq!(tally(&bytes), expected, "{length}");
            let full = vec![b'\n'; length];
            assert_eq!(tally(&full), Tally { lines: length, quotes: 0 });
        }
    }

    #[test]
    fn record_ends_from_both_sides_are_those_of_one_byte_at_a_time() {
        let mut random = Random::new(12);
        for length in 0..300 {
            let bytes = random_bytes(&mut random, length);
            let ends = ends(&bytes);
            let last = last_end(&bytes, tally(&bytes), true, |_, _| true);
            assert_eq!(
                (first_end(&bytes, true), last),
                (ends.first().copied(), ends.last().copied())
            );
            let room = random.below(length + 1);
            let fitting = last_end(&bytes, tally(&bytes), true, |end, lines| end + lines <= room);
            let expected = ends.iter().rev().find(|(end, lines)| end + lines <= room);
            assert_eq!(fitting, expected.copied());
        }
    }
}
