//! A typed value as a part of a key.
//!
//! ```text
//!   00 / FF                           NULL first / last
//!   01 | 02                           false | true
//!   03 [nearest float, 8][rest, 2?]   Int, Float
//!   04 [count, 8]                     Money
//!   05 [microseconds, 8]              Time
//!   06 [escaped bytes] 00 00          Text
//!   07 [escaped bytes] 00 00          Bytes
//! ```
//!
//! Rounding to the nearest float never turns two integers around, so that an integer is ordered by
//! its nearest float first and by what rounding took from it second. Within ±2^53 rounding takes
//! nothing, and beyond ±2^63 there are no integers: only between those does the rest follow, and
//! it follows every float there, so that the first eight bytes tell how many come after.
//!
//! Promises: the order of [`crate::record::compare`] for any two values; -0.0 and 0.0 have one
//! key, and so has every NaN.
//! Never: a comparison of an integer after rounding alone.

use super::{Nulls, complement, text};
use crate::record::ValueRef;

/// From here on floats are two apart and integers may need the rest: 2^53.
const WHOLE: f64 = 9_007_199_254_740_992.0;
/// No integer's nearest float is further from zero: 2^63.
const INT_END: f64 = 9_223_372_036_854_775_808.0;
/// Added to the rest, which is within ±512, half the distance of floats below 2^63.
const REST_BIAS: i128 = 1 << 15;
const SIGN: u64 = 1 << 63;

/// Appends the key of one value, in the order of [`crate::record::compare`]; `nulls` stands above
/// the direction.
///
/// Cost in bytes: 1 for NULL and bool, 9 for a number, amount or time, 11 for a number of 2^53 or
/// more, `n + 3` and one more for each NUL for text and bytes of length `n`.
///
/// ```
/// use plimsoll::record::ValueRef;
/// use plimsoll::record::key::{Nulls, encode_value};
/// let key = |value| {
///     let mut key = Vec::new();
///     encode_value(value, false, Nulls::First, &mut key);
///     key
/// };
/// let float = 9_007_199_254_740_992.0;
/// assert!(key(ValueRef::Float(float)) < key(ValueRef::Int(9_007_199_254_740_993)));
/// assert_eq!(key(ValueRef::Float(-0.0)), key(ValueRef::Int(0)));
/// ```
pub fn encode_value(value: ValueRef<'_>, descending: bool, nulls: Nulls, out: &mut Vec<u8>) {
    let start = out.len();
    match value {
        ValueRef::Null => {
            out.push(nulls.byte());
            return;
        }
        ValueRef::Bool(value) => out.push(0x01 + u8::from(value)),
        ValueRef::Int(value) => push_int(value, out),
        ValueRef::Float(value) => push_float(value, 0, out),
        ValueRef::Money(value) => push_count(0x04, value.units(), out),
        ValueRef::Time(value) => push_count(0x05, value.micros(), out),
        ValueRef::Text(value) | ValueRef::Json(value) => {
            out.push(0x06);
            text::push(value.as_bytes(), out);
        }
        ValueRef::Bytes(value) => {
            out.push(0x07);
            text::push(value, out);
        }
    }
    if descending {
        complement(&mut out[start..]);
    }
}

/// A signed count: the sign bit turned, negative numbers come first.
fn push_count(class: u8, count: i64, out: &mut Vec<u8>) {
    out.push(class);
    out.extend_from_slice(&(count.cast_unsigned() ^ SIGN).to_be_bytes());
}

fn push_int(value: i64, out: &mut Vec<u8>) {
    #[allow(clippy::cast_precision_loss)] // what is lost is the rest
    let nearest = value as f64;
    // The nearest float may be 2^63, which only a wider integer holds.
    #[allow(clippy::cast_possible_truncation)] // an integral float of at most 2^63
    let rest = i128::from(value) - nearest as i128;
    push_float(nearest, rest, out);
}

fn push_float(nearest: f64, rest: i128, out: &mut Vec<u8>) {
    // Adding zero turns -0.0 into 0.0; one NaN stands for all of them.
    let bits =
        if nearest.is_nan() { f64::NAN.to_bits() & !SIGN } else { (nearest + 0.0).to_bits() };
    let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    out.push(0x03);
    out.extend_from_slice(&ordered.to_be_bytes());
    if (WHOLE..=INT_END).contains(&nearest.abs()) {
        let rest = u16::try_from(rest + REST_BIAS).expect("rounding takes at most 512");
        out.extend_from_slice(&rest.to_be_bytes());
    }
}
