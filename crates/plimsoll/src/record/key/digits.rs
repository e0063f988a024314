//! A short run of digits with at most one point, eight bytes at a time.
//!
//! ```text
//!   "12.5"          30 30 30 30 '1' '2' '.' '5'      right-justified, filled with '0'
//!   point taken out 30 30 30 30 30  '1' '2' '5'      one decimal
//! ```
//!
//! Eight digits become a number by three multiplications (Lemire, "Quickly parsing eight digits",
//! 2018). Up to eight bytes are read without a branch per byte: lengths of fields are random, and
//! a branch that guesses wrong costs more than all digits together.
//!
//! Promises: exact, or `None`.
//! Never: an overflow: at most 19 bytes are read.

/// Bytes of which a `u64` holds every number.
pub(super) const BYTES_MAX: usize = 19;

const ZEROS: u64 = 0x3030_3030_3030_3030;
const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const HIGH_BITS: u64 = !LOW_BITS;
/// Added to a byte it reaches the high bit from ten on.
const ABOVE_NINE: u64 = 0x7676_7676_7676_7676;

/// The digits as a number and how many of them stand after the point. `None` where anything but
/// digits and one point stands there, no digit does, or it is longer than [`BYTES_MAX`].
#[inline]
pub(super) fn read(text: &[u8]) -> Option<(u64, usize)> {
    if text.is_empty() || text.len() > BYTES_MAX {
        return None;
    }
    if text.len() <= 8 {
        return short(text);
    }
    let (value, rest) = run(0, text);
    match rest {
        [] => Some((value, 0)),
        [b'.', fraction @ ..] => {
            let (value, rest) = run(value, fraction);
            rest.is_empty().then_some((value, fraction.len()))
        }
        _ => None,
    }
}

/// One to eight bytes.
#[inline]
fn short(text: &[u8]) -> Option<(u64, usize)> {
    let word = justified(text);
    let others = not_digits(word);
    if others == 0 {
        return Some((eight(word), 0));
    }
    // The first byte of the text is the lowest of the word.
    let at = others.trailing_zeros() & !7;
    let only = others & (others - 1) == 0;
    if !only || (word >> at) & 0xff != u64::from(b'.') || text.len() == 1 {
        return None;
    }
    let before = (1 << at) - 1;
    let after = !before << 8;
    let digits = word & after & !(0xff << at) | (word & before) << 8 | u64::from(b'0');
    Some((eight(digits), 7 - at as usize / 8))
}

/// The text at the high end of a word, `'0'` before it. The parts that are read overlap.
#[inline]
fn justified(text: &[u8]) -> u64 {
    let shift = 64 - 8 * text.len();
    let filler = ZEROS & !(u64::MAX << shift);
    match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            filler | u64::from(first) << shift | u64::from(last) << 32
        }
        _ => {
            let middle = text.len() / 2;
            filler
                | u64::from(text[0]) << shift
                | u64::from(text[middle]) << (shift + 8 * middle)
                | u64::from(text[text.len() - 1]) << 56
        }
    }
}

/// The digits at the beginning, appended to `value`, and what comes after them.
#[inline]
fn run(mut value: u64, mut text: &[u8]) -> (u64, &[u8]) {
    while let Some((chunk, after)) = text.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        if not_digits(word) != 0 {
            break;
        }
        value = value * 100_000_000 + eight(word);
        text = after;
    }
    while let [digit @ b'0'..=b'9', after @ ..] = text {
        value = value * 10 + u64::from(digit - b'0');
        text = after;
    }
    (value, text)
}

/// The high bit of each byte that is no digit.
#[inline]
fn not_digits(word: u64) -> u64 {
    let digits = word ^ ZEROS;
    (((digits & LOW_BITS) + ABOVE_NINE) | digits) & HIGH_BITS
}

/// Eight digits, the first in the lowest byte.
#[inline]
fn eight(word: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let digits = word ^ ZEROS;
    let pairs = digits * 10 + (digits >> 8);
    let even = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let odd = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    even.wrapping_add(odd) >> 32
}
