//! Values in and out of PostgreSQL.
//!
//! ```text
//!   in    text, cast by the statement     $1::bigint   $2::timestamp with time zone
//!   out   binary                          numeric: base 10000 ── exactly ──> units of 1/10000
//! ```
//!
//! Promises: a value sent and read back under its column's type is the same value.
//! Never: a float between a decimal and an amount.

use std::error::Error as StdError;
use std::fmt::Write;

use plimsoll::record::{Money, Timestamp, Value, ValueRef};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::native::Codec;

/// 2000-01-01, PostgreSQL's epoch, in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Digits of a numeric are base 10000, as are an amount's units.
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITE: u16 = 0xD000;
const NUMERIC_MINUS_INFINITE: u16 = 0xF000;
const NUMERIC_NEGATIVE: u16 = 0x4000;

/// A value as the text that PostgreSQL reads it from; of NULL, which has none, nothing.
pub(super) fn write_text(value: &Value, out: &mut impl Write) -> std::fmt::Result {
    match value {
        Value::Null => Ok(()),
        Value::Bool(v) => out.write_str(if *v { "t" } else { "f" }),
        Value::Int(v) => write!(out, "{v}"),
        // Rust's shortest digits read back as the same float; `inf` and `NaN` are understood.
        Value::Float(v) => write!(out, "{v:?}"),
        Value::Money(v) => write!(out, "{v}"),
        Value::Time(v) => write!(out, "{v}"),
        Value::Text(v) => out.write_str(v),
        Value::Bytes(v) => {
            out.write_str("\\x")?;
            v.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
    }
}

/// A value on its way into a statement, as text.
#[derive(Debug)]
pub(super) struct Bind<'a>(pub(super) &'a Value);

impl ToSql for Bind<'_> {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        if matches!(self.0, Value::Null) {
            return Ok(IsNull::Yes);
        }
        write_text(self.0, out)?;
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A field's bytes as they came.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A field under its column's codec.
///
/// # Errors
/// [`plimsoll::ErrorKind::Corrupt`] for bytes of another length than the type has, and for text of
/// a database without an encoding that is not UTF-8.
pub(super) fn typed(codec: Codec, raw: &[u8]) -> plimsoll::Result<ValueRef<'_>> {
    Ok(match codec {
        Codec::Bool => ValueRef::Bool(fixed::<1>(raw)? != [0]),
        Codec::Int2 => ValueRef::Int(i16::from_be_bytes(fixed(raw)?).into()),
        Codec::Int4 => ValueRef::Int(i32::from_be_bytes(fixed(raw)?).into()),
        Codec::Int8 => ValueRef::Int(i64::from_be_bytes(fixed(raw)?)),
        Codec::Float4 => ValueRef::Float(f32::from_be_bytes(fixed(raw)?).into()),
        Codec::Float8 => ValueRef::Float(f64::from_be_bytes(fixed(raw)?)),
        Codec::Numeric => numeric(raw)?,
        Codec::TimestampTz | Codec::Timestamp => time(i64::from_be_bytes(fixed(raw)?)),
        Codec::Bytea => ValueRef::Bytes(raw),
        Codec::Text | Codec::Cast | Codec::Json => match std::str::from_utf8(raw) {
            Ok(text) if codec == Codec::Json => ValueRef::Json(text),
            Ok(text) => ValueRef::Text(text),
            Err(e) => {
                return Err(plimsoll::Error::corrupt(format!(
                    "a text field is not UTF-8 (byte {} of {}): mend it, or leave the column out \
                     with fields=",
                    e.valid_up_to(),
                    raw.len()
                )));
            }
        },
    })
}

fn fixed<const N: usize>(raw: &[u8]) -> plimsoll::Result<[u8; N]> {
    raw.try_into().map_err(|_| {
        plimsoll::Error::corrupt(format!("a field of {N} bytes came with {} bytes", raw.len()))
    })
}

fn time(micros: i64) -> ValueRef<'static> {
    match micros {
        i64::MAX => ValueRef::Text("infinity"),
        i64::MIN => ValueRef::Text("-infinity"),
        _ => ValueRef::Time(Timestamp::from_micros(micros.saturating_add(EPOCH_MICROS))),
    }
}

/// `ndigits i16, weight i16, sign u16, dscale u16`, then digits of base 10000, the first of which
/// counts 10000^weight.
///
/// What does not fit an amount is a float where it is none of a number's digits (NaN, infinity),
/// else an error: the column's type says that it fits.
fn numeric(raw: &[u8]) -> plimsoll::Result<ValueRef<'static>> {
    let word = |at: usize| -> plimsoll::Result<u16> {
        match raw.get(2 * at..2 * at + 2) {
            Some(&[high, low]) => Ok(u16::from_be_bytes([high, low])),
            _ => Err(plimsoll::Error::corrupt("a numeric field ends early")),
        }
    };
    let (count, weight, sign) = (word(0)?, i32::from(word(1)?.cast_signed()), word(2)?);
    match sign {
        NUMERIC_NAN => return Ok(ValueRef::Float(f64::NAN)),
        NUMERIC_INFINITE => return Ok(ValueRef::Float(f64::INFINITY)),
        NUMERIC_MINUS_INFINITE => return Ok(ValueRef::Float(f64::NEG_INFINITY)),
        _ => {}
    }
    let beyond = || {
        plimsoll::Error::invalid(
            "a numeric field leaves the range of exact amounts, ±922337203685477.5807 with four \
             decimals",
        )
    };
    // The last place is 10000^-1: one digit behind the point.
    let mut units: i64 = 0;
    for place in (-1..=weight.max(-1)).rev() {
        let at = usize::try_from(weight - place).unwrap_or(usize::MAX);
        let digit = if at < usize::from(count) { i64::from(word(4 + at)?) } else { 0 };
        units = units.checked_mul(10_000).and_then(|u| u.checked_sub(digit)).ok_or_else(beyond)?;
    }
    // Digits that stand behind that place.
    let kept = usize::try_from((weight + 2).max(0)).unwrap_or(0);
    for at in kept..usize::from(count) {
        if word(4 + at)? != 0 {
            return Err(beyond());
        }
    }
    // Counted downwards, so that the least amount fits too.
    let units = if sign == NUMERIC_NEGATIVE { Some(units) } else { units.checked_neg() };
    Ok(ValueRef::Money(Money::from_units(units.ok_or_else(beyond)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `numeric_send` writes it.
    fn sent(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let count = u16::try_from(digits.len()).expect("few");
        let words = [count, weight.cast_unsigned(), sign, 4];
        words.iter().chain(digits).flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn a_numeric_is_read_digit_for_digit() {
        let cases: [(i16, u16, &[u16], &str); 8] = [
            (0, 0, &[], "0"),
            (0, 0, &[2, 5500], "2.55"),
            (-1, NUMERIC_NEGATIVE, &[1], "-0.0001"),
            (1, 0, &[1, 0, 1], "10000.0001"),
            (2, 0, &[3], "300000000"),
            (3, 0, &[922, 3372, 368, 5477, 5807], "922337203685477.5807"),
            (3, NUMERIC_NEGATIVE, &[922, 3372, 368, 5477, 5808], "-922337203685477.5808"),
            (0, 0, &[7, 0, 0], "7"),
        ];
        for (weight, sign, digits, text) in cases {
            let read = numeric(&sent(weight, sign, digits)).expect(text);
            assert_eq!(read, ValueRef::Money(text.parse().expect("an amount")), "{text}");
        }
    }

    #[test]
    fn a_numeric_that_is_no_amount_is_refused_and_never_rounded() {
        for raw in [
            sent(3, 0, &[922, 3372, 368, 5477, 5808]),
            sent(-2, 0, &[1]),
            sent(0, 0, &[1, 0, 1]),
            sent(9, 0, &[1]),
            sent(0, 0, &[1])[..9].to_vec(),
            vec![0],
        ] {
            assert!(numeric(&raw).is_err(), "{raw:?}");
        }
        assert!(
            matches!(numeric(&sent(0, NUMERIC_NAN, &[])), Ok(ValueRef::Float(v)) if v.is_nan())
        );
    }

    #[test]
    fn instants_count_from_their_own_epoch_and_infinity_is_said() {
        let (first, last) = (0_i64.to_be_bytes(), i64::MAX.to_be_bytes());
        let read = typed(Codec::TimestampTz, &first).expect("an instant");
        assert_eq!(read, ValueRef::Time("2000-01-01".parse().expect("an instant")));
        let read = typed(Codec::TimestampTz, &last).expect("an instant");
        assert_eq!(read, ValueRef::Text("infinity"));
    }
}
