//! A number's text as a "packed decimal": eight bytes for usual numbers, more where needed.
//!
//! ```text
//!   bit 63     62 .. 55         54 .. 1                                 0
//!   [sign 1]   [code 8]         [54 bits]                               [more 1]
//!   1 = not negative; otherwise the other 63 bits, and the bytes after, are complemented
//!
//!   code 0      54 bits 0                                              zero
//!   code 1      54 bits = exponent + 2^53, then all digits             exponent < -124
//!   code 2..251 exponent + 126, 54 bits = first 16 digits              -124..=125
//!               more = 1: the digits from the 17th on follow
//!   code 252    as code 1                                              exponent > 125
//!   code 253    54 bits 0                                              infinite
//!   code 254    54 bits 0, never negative                              NaN
//!   code 255    54 bits 0, never negative, then the text               other text
//!   all 64 bits 0 or all 1                                             NULL
//!
//!   digits that follow: one byte per two digits (01 + 0..=99), then 00
//! ```
//!
//! The exponent is that of the first significant digit: 1 has 0, 0.05 has -2. Digits are those
//! between the first and the last that are not zero, so that one number has one key however it is
//! written. Exponent first, then digits, two to a byte and complemented where negative, is how
//! SQLite4's key encoding writes numbers; normalised keys as such are told in Graefe,
//! "Implementing sorting in database systems" (2006).
//!
//! Promises: exact for numbers of any length; total for any bytes.
//! Never: a float in between.

use super::decimal::{Decimal, EXPONENT_END, Reading, read};
use super::{Nulls, digits, text};

pub(super) const SIGN: u64 = 1 << 63;
pub(super) const MORE: u64 = 1;
pub(super) const CODE_SHIFT: u32 = 55;
/// Digits that stand in the word.
pub(super) const DIGITS: usize = 16;
/// Digits beyond those of a number read at once, rounded up to pairs.
const QUICK_REST_DIGITS: usize = 4;

const EXPONENT_MIN: i64 = -124;
const EXPONENT_MAX: i64 = 125;

pub(super) const CODE_TINY: u64 = 1;
pub(super) const CODE_BIAS: i64 = 126;
pub(super) const CODE_HUGE: u64 = 252;
pub(super) const CODE_INFINITE: u64 = 253;
pub(super) const CODE_NAN: u64 = 254;
pub(super) const CODE_TEXT: u64 = 255;

const POWERS: [u64; digits::BYTES_MAX + 1] = {
    let mut powers = [1; digits::BYTES_MAX + 1];
    let mut power = 1;
    while power < powers.len() {
        powers[power] = powers[power - 1] * 10;
        power += 1;
    }
    powers
};

const _: () = assert!(POWERS[DIGITS] <= 1 << 54);
const _: () = assert!(digits::BYTES_MAX - DIGITS <= QUICK_REST_DIGITS);
const _: () = assert!(EXPONENT_MIN + CODE_BIAS == CODE_TINY as i64 + 1);
const _: () = assert!(EXPONENT_MAX + CODE_BIAS == CODE_HUGE as i64 - 1);

/// The first eight bytes of a number's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes as a big-endian number: words of two keys compare as the keys do, or are equal.
    pub word: u64,
    /// Whether the word is the whole key. Where it is not, [`super::encode_field`] has the rest;
    /// of two equal words both are whole or neither is.
    pub whole: bool,
}

impl Packed {
    /// NULL's key.
    #[must_use]
    pub const fn null(nulls: Nulls) -> Self {
        let word = match nulls {
            Nulls::First => 0,
            Nulls::Last => u64::MAX,
        };
        Self { word, whole: true }
    }

    /// The key of the same field in a descending term; not for NULL's.
    #[must_use]
    pub const fn descending(self) -> Self {
        Self { word: !self.word, whole: self.whole }
    }

    #[inline]
    const fn new(negative: bool, code: u64, bits: u64, whole: bool) -> Self {
        let more = if whole { 0 } else { MORE };
        let word = SIGN | code << CODE_SHIFT | bits << 1 | more;
        Self { word: if negative { !word } else { word }, whole }
    }
}

/// Packs the text of a number. A number is an optional sign, digits with at most one `.` before,
/// between or after them, and optionally `e` or `E` with a whole exponent, which with the digits
/// before the point taken into account lies within ±2^53. `inf`, `infinity` and `nan` in any case,
/// with or without a sign, are numbers too; NaN has no sign. Spaces and tabs around a number do
/// not count. Everything else, the empty text too, is other text.
///
/// Numbers of up to 16 significant digits and an exponent of -124 to 125 are whole.
///
/// ```
/// use plimsoll::record::key::pack_number;
/// assert!(pack_number(b"-1.5").word < pack_number(b" 0").word);
/// assert_eq!(pack_number(b"1.50"), pack_number(b"15e-1"));
/// assert!(pack_number(b"1234567890123456").whole);
/// assert!(!pack_number(b"12345678901234567").whole);
/// ```
#[must_use]
#[inline]
pub fn pack_number(field: &[u8]) -> Packed {
    quick(field).map_or_else(|| read(field).pack(), |(packed, _)| packed)
}

/// Appends the whole key.
#[inline]
pub(super) fn push(field: &[u8], out: &mut Vec<u8>) {
    match quick(field) {
        Some((packed, rest)) => {
            out.extend_from_slice(&packed.word.to_be_bytes());
            if !packed.whole {
                push_few(rest, packed.word & SIGN == 0, out);
            }
        }
        None => read(field).push(out),
    }
}

/// Sign, digits and a point, at most 19 bytes: nearly every field there is. Beside the word come
/// the digits it has no room for, as a number of [`QUICK_REST_DIGITS`] digits.
#[inline]
fn quick(field: &[u8]) -> Option<(Packed, u64)> {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    let (value, decimals) = digits::read(digits)?;
    if value == 0 {
        return Some((Packed::new(false, 0, 0, true), 0));
    }
    let length = length_of(value);
    // Both are at most 19, so that the exponent is far within the codes'.
    let code = (CODE_BIAS as u64 + length as u64) - 1 - decimals as u64;
    if length <= DIGITS {
        return Some((Packed::new(negative, code, value * POWERS[DIGITS - length], true), 0));
    }
    let over = length - DIGITS;
    let (first, rest) = (value / POWERS[over], value % POWERS[over]);
    Some((Packed::new(negative, code, first, rest == 0), rest * POWERS[QUICK_REST_DIGITS - over]))
}

/// The digits after the 16th of a number read at once, two to a byte, as
/// [`Decimal::push_rest`] writes them.
#[allow(clippy::cast_possible_truncation)] // below 100 each
fn push_few(rest: u64, negative: bool, out: &mut Vec<u8>) {
    let pairs = [(rest / 100) as u8, (rest % 100) as u8];
    let start = out.len();
    out.push(1 + pairs[0]);
    if pairs[1] != 0 {
        out.push(1 + pairs[1]);
    }
    out.push(0);
    if negative {
        super::complement(&mut out[start..]);
    }
}

/// Digits of a number that is not 0: 1233/4096 is just below the logarithm of 2, so that
/// the guess is right or one too small.
#[inline]
fn length_of(value: u64) -> usize {
    let guess = ((u64::BITS - value.leading_zeros()) as usize * 1_233) >> 12;
    guess + usize::from(value >= POWERS[guess])
}

impl Reading<'_> {
    fn pack(&self) -> Packed {
        match self {
            Self::Number(number) => number.pack(),
            Self::Infinite { negative } => Packed::new(*negative, CODE_INFINITE, 0, true),
            Self::Nan => Packed::new(false, CODE_NAN, 0, true),
            Self::Text(_) => Packed::new(false, CODE_TEXT, 0, false),
        }
    }

    fn push(&self, out: &mut Vec<u8>) {
        let packed = self.pack();
        out.extend_from_slice(&packed.word.to_be_bytes());
        match self {
            Self::Number(number) if !packed.whole => number.push_rest(out),
            Self::Text(field) => text::push(field, out),
            _ => {}
        }
    }
}

impl Decimal<'_> {
    fn in_word(&self) -> bool {
        (EXPONENT_MIN..=EXPONENT_MAX).contains(&self.exponent)
    }

    fn pack(&self) -> Packed {
        let length = self.length();
        if length == 0 {
            return Packed::new(false, 0, 0, true);
        }
        if !self.in_word() {
            let code = if self.exponent < 0 { CODE_TINY } else { CODE_HUGE };
            let bits = (self.exponent + EXPONENT_END).cast_unsigned();
            return Packed::new(self.negative, code, bits, false);
        }
        let taken = length.min(DIGITS);
        let first = self.digits().take(taken).fold(0, |value, digit| value * 10 + u64::from(digit));
        let code = (self.exponent + CODE_BIAS).cast_unsigned();
        Packed::new(self.negative, code, first * POWERS[DIGITS - taken], length <= DIGITS)
    }

    /// The digits the word has no room for, two to a byte.
    fn push_rest(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let mut digits = self.digits().skip(if self.in_word() { DIGITS } else { 0 });
        while let Some(tens) = digits.next() {
            out.push(1 + tens * 10 + digits.next().unwrap_or(0));
        }
        out.push(0);
        if self.negative {
            super::complement(&mut out[start..]);
        }
    }
}
