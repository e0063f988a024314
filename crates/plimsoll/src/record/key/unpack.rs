//! Numbers back out of their keys.
//!
//! ```text
//!   word ── sign, code ──> exponent, 16 digits      bytes after it ──> two digits each
//! ```
//!
//! Promises: the number that was packed, digit for digit.
//! Never: a look at a key of a descending term.

use super::decimal::EXPONENT_END;
use super::number::{
    CODE_BIAS, CODE_HUGE, CODE_INFINITE, CODE_NAN, CODE_SHIFT, CODE_TEXT, CODE_TINY, DIGITS, MORE,
    SIGN,
};

/// What a number's key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// `0.d1 d2 d3 .. * 10^(exponent + 1)`; no digits for zero.
    Finite {
        negative: bool,
        /// Power of ten of the first digit.
        exponent: i64,
        /// 0 to 9 each; neither the first nor the last one is zero.
        digits: Vec<u8>,
    },
    Infinite {
        negative: bool,
    },
    Nan,
}

/// Bytes of a key's word.
pub(crate) const WORD_BYTES: usize = size_of::<u64>();

/// Whether the word is a number's whole key. Not for NULL's.
pub(crate) fn is_whole(word: u64) -> bool {
    let bits = if word & SIGN == 0 { !word } else { word };
    bits & MORE == 0
}

/// Whether the word is that of a text which is no number.
pub(crate) fn is_text(word: u64) -> bool {
    word & SIGN != 0 && (word & !SIGN) >> CODE_SHIFT == CODE_TEXT
}

/// Where the bytes after the word end: behind the byte that ends them, or `None` where that is
/// not among them.
pub(crate) fn rest_end(word: u64, rest: &[u8]) -> Option<usize> {
    let end = if word & SIGN == 0 { u8::MAX } else { 0 };
    memchr::memchr(end, rest).map(|at| at + 1)
}

/// Reads the key of a number in an ascending term; `None` for that of NULL or a text, or one cut
/// off.
pub(crate) fn unpack(key: &[u8]) -> Option<Unpacked> {
    let (word, rest) = key.split_first_chunk::<WORD_BYTES>()?;
    let word = u64::from_be_bytes(*word);
    let negative = word & SIGN == 0;
    let bits = if negative { !word } else { word } & !SIGN;
    let (code, mantissa) = (bits >> CODE_SHIFT, (bits & ((1 << CODE_SHIFT) - 1)) >> 1);
    let mut digits = Vec::with_capacity(DIGITS + 2 * rest.len());
    let exponent = match code {
        0 => return Some(Unpacked::Finite { negative: false, exponent: 0, digits }),
        CODE_INFINITE => return Some(Unpacked::Infinite { negative }),
        CODE_NAN => return Some(Unpacked::Nan),
        CODE_TEXT => return None,
        CODE_TINY | CODE_HUGE => mantissa.cast_signed() - EXPONENT_END,
        _ => {
            let text = format!("{mantissa:0DIGITS$}");
            digits.extend(text.bytes().map(|byte| byte - b'0'));
            code.cast_signed() - CODE_BIAS
        }
    };
    if bits & MORE != 0 {
        let end = rest_end(word, rest)?;
        for byte in &rest[..end - 1] {
            let pair = if negative { !byte } else { *byte }.checked_sub(1)?;
            digits.extend([pair / 10, pair % 10]);
        }
    }
    let zeros = digits.iter().rev().take_while(|digit| **digit == 0).count();
    digits.truncate(digits.len() - zeros);
    Some(Unpacked::Finite { negative, exponent, digits })
}

#[cfg(test)]
mod tests {
    use super::super::{KeyKind, KeyTerm, Nulls, encode_field};
    use super::*;
    use crate::expr::testing::Random;

    fn key(text: &str) -> Vec<u8> {
        let (kind, nulls) = (KeyKind::Number, Nulls::First);
        let mut key = Vec::new();
        let term = KeyTerm { column: 0, kind, descending: false, nulls };
        encode_field(term, Some(text.as_bytes()), &mut key);
        key
    }

    #[test]
    fn a_number_comes_back_from_its_key_digit_for_digit() {
        let mut random = Random::new(17);
        for _ in 0..20_000 {
            let length = 1 + random.below(40);
            let mut digits: Vec<u8> =
                (0..length).map(|_| b"0123456789"[random.below(10)] - b'0').collect();
            digits[0] = digits[0].max(1);
            digits[length - 1] = digits[length - 1].max(1);
            let negative = random.below(2) == 0;
            let exponent = i64::try_from(random.below(600)).unwrap() - 300;
            let sign = if negative { "-" } else { "" };
            let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
            let key = key(&format!("{sign}0.{text}e{}", exponent + 1));
            let word = u64::from_be_bytes(key[..8].try_into().unwrap());
            assert_eq!(is_whole(word), key.len() == 8);
            assert_eq!(unpack(&key), Some(Unpacked::Finite { negative, exponent, digits }));
        }
        assert_eq!(unpack(&key("-inf")), Some(Unpacked::Infinite { negative: true }));
        assert_eq!(unpack(&key("nan")), Some(Unpacked::Nan));
        let zero = Unpacked::Finite { negative: false, exponent: 0, digits: Vec::new() };
        assert_eq!(unpack(&key("-0.00")), Some(zero));
    }

    #[test]
    fn what_is_no_number_or_cut_off_is_told() {
        assert_eq!(unpack(&key("tea")), None);
        assert!(is_text(u64::from_be_bytes(key("tea")[..8].try_into().unwrap())));
        let long = key("12345678901234567890");
        assert_eq!(unpack(&long[..long.len() - 1]), None);
    }
}
