//! Numbers as unsigned 64-bit keys of the same order.
//!
//! Promises: a key compares as its value does in [`crate::record::compare`]: NaN is the largest
//! float and equals itself, and -0.0 equals 0.0.
//! Never: a value that comes back changed, but for the sign of -0.0 and the payload of a NaN.
//!
//! ```text
//!   i64   sign bit flipped             -1 -> 0x7fff...ff    0 -> 0x8000...00
//!   f64   sign bit set, where it was   -1.0 -> !bits        0.0 -> 0x8000...00
//!         set all bits flipped         NaN -> 0xffff...ff
//! ```

use crate::record::{Money, Timestamp};

const SIGN: u64 = 1 << 63;

/// A number whose order is that of a 64-bit key.
///
/// ```
/// use plimsoll::quantile::OrderKey;
/// assert!((-1_i64).to_key() < 0_i64.to_key());
/// assert!(f64::INFINITY.to_key() < f64::NAN.to_key());
/// assert_eq!(f64::from_key(2.5_f64.to_key()), 2.5);
/// ```
pub trait OrderKey: Copy {
    /// Names the type in encoded sketches, so that one is not read as another.
    const TAG: u8;
    /// The key.
    fn to_key(self) -> u64;
    /// The value of a key.
    fn from_key(key: u64) -> Self;
}

impl OrderKey for i64 {
    const TAG: u8 = 1;

    fn to_key(self) -> u64 {
        self.cast_unsigned() ^ SIGN
    }

    fn from_key(key: u64) -> Self {
        (key ^ SIGN).cast_signed()
    }
}

impl OrderKey for f64 {
    const TAG: u8 = 2;

    fn to_key(self) -> u64 {
        if self.is_nan() {
            return u64::MAX;
        }
        // Adding 0.0 turns -0.0 into 0.0 and nothing else.
        let bits = (self + 0.0).to_bits();
        if bits & SIGN == 0 { bits | SIGN } else { !bits }
    }

    fn from_key(key: u64) -> Self {
        Self::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
    }
}

impl OrderKey for Money {
    const TAG: u8 = 3;

    fn to_key(self) -> u64 {
        self.units().to_key()
    }

    fn from_key(key: u64) -> Self {
        Self::from_units(i64::from_key(key))
    }
}

impl OrderKey for Timestamp {
    const TAG: u8 = 4;

    fn to_key(self) -> u64 {
        self.micros().to_key()
    }

    fn from_key(key: u64) -> Self {
        Self::from_micros(i64::from_key(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ValueRef, compare};

    #[test]
    fn keys_compare_as_their_values_do() {
        let floats = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            5e-324,
            1.0,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
            -f64::NAN,
        ];
        for a in floats {
            for b in floats {
                let expected = compare(ValueRef::Float(a), ValueRef::Float(b));
                assert_eq!(a.to_key().cmp(&b.to_key()), expected, "{a} {b}");
            }
            let back = f64::from_key(a.to_key());
            assert!(compare(ValueRef::Float(a), ValueRef::Float(back)).is_eq(), "{a} {back}");
        }
        let ints = [i64::MIN, -2, -1, 0, 1, i64::MAX];
        for a in ints {
            for b in ints {
                assert_eq!(a.to_key().cmp(&b.to_key()), a.cmp(&b));
            }
            assert_eq!(i64::from_key(a.to_key()), a);
            assert_eq!(Money::from_key(Money::from_units(a).to_key()).units(), a);
            assert_eq!(Timestamp::from_key(Timestamp::from_micros(a).to_key()).micros(), a);
        }
    }
}
