//! A partial as spilled bytes and back.
//!
//! ```text
//!   count           varint
//!   sum int, money  varint count (0 or 1)   zigzag varint, where count is not 0
//!   avg int, money  varint count            zigzag varint, where count is not 0
//!   sum, avg float  varint count            sum f64, lost f64, strange u8, where count is not 0
//!   sketches        varint length           8 bytes of one row, or a sketch
//!   min, max        tag 0..7                bool 1 byte; int.. 8 bytes; text, bytes: varint length
//! ```
//!
//! Varints are LEB128: seven bits to a byte, the lowest first. A partial of one row takes 2 to 10
//! bytes in place of a slot's 8 to 25.
//!
//! Promises: what was written reads back the same; anything else is refused.
//! Never: an allocation by a length that was read, or a panic on damaged bytes.

use super::partial::{
    Extreme, FloatSum, Partial, TAG_BOOL, TAG_BYTES, TAG_FLOAT, TAG_INT, TAG_MONEY, TAG_NONE,
    TAG_TEXT, TAG_TIME,
};
use super::sketched::{SketchKind, Sketched};

/// Bytes that are still to be read.
#[derive(Debug)]
pub(super) struct Source<'a>(pub(super) &'a [u8]);

/// Which partial is expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    Count,
    Exact,
    Float,
    Extreme,
    Sketch(SketchKind),
}

/// Length of what one row adds to a sketch: no sketch is written in as many bytes, for numbered
/// registers take three each behind a first byte, and a KLL sketch takes more.
const ROW_BYTES: usize = 8;

pub(super) fn write(partial: Partial<'_>, out: &mut Vec<u8>) {
    match partial {
        Partial::Count(count) => put(count.into(), out),
        Partial::Exact { sum, count } => {
            put(count.into(), out);
            if count != 0 {
                put(((sum << 1) ^ (sum >> 127)).cast_unsigned(), out);
            }
        }
        Partial::Float { sum, count } => {
            put(count.into(), out);
            if count != 0 {
                out.extend_from_slice(&sum.sum.to_le_bytes());
                out.extend_from_slice(&sum.lost.to_le_bytes());
                out.push(u8::from(sum.strange));
            }
        }
        Partial::Sketched(sketched) => write_sketched(sketched, out),
        Partial::Extreme(extreme) => {
            out.push(extreme.tag());
            match extreme {
                Extreme::None => {}
                Extreme::Text(bytes) | Extreme::Bytes(bytes) => {
                    put(bytes.len() as u128, out);
                    out.extend_from_slice(bytes);
                }
                Extreme::Fixed(_) if extreme.tag() == TAG_BOOL => {
                    out.push(u8::from(extreme.bits() != 0));
                }
                Extreme::Fixed(_) => out.extend_from_slice(&extreme.bits().to_le_bytes()),
            }
        }
    }
}

fn write_sketched(sketched: Sketched<'_>, out: &mut Vec<u8>) {
    match sketched {
        Sketched::None => put(0, out),
        Sketched::Row(word) => {
            put(ROW_BYTES as u128, out);
            out.extend_from_slice(&word.to_le_bytes());
        }
        Sketched::Whole(sketch) => {
            put(sketch.encoded_bytes() as u128, out);
            sketch.encode(out);
        }
        Sketched::Encoded(bytes) => {
            put(bytes.len() as u128, out);
            out.extend_from_slice(bytes);
        }
    }
}

/// The low seven bits first; the high bit says that more follow.
fn put(number: u128, out: &mut Vec<u8>) {
    // Nearly every number has few digits, and one register is quicker than two.
    let Ok(mut rest) = u64::try_from(number) else { return put_wide(number, out) };
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

#[cold]
fn put_wide(mut rest: u128, out: &mut Vec<u8>) {
    loop {
        let low = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        if rest == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

impl<'a> Source<'a> {
    /// The next partial, or `None` where the bytes are none.
    #[inline]
    pub(super) fn read(&mut self, shape: Shape) -> Option<Partial<'a>> {
        Some(match shape {
            Shape::Count => Partial::Count(self.count()?),
            Shape::Exact => {
                let count = self.count()?;
                let sum = if count == 0 { 0 } else { self.varint()? };
                let sum = (sum >> 1).cast_signed() ^ -((sum & 1).cast_signed());
                Partial::Exact { sum, count }
            }
            Shape::Float => {
                let count = self.count()?;
                if count == 0 {
                    return Some(Partial::Float { sum: FloatSum::default(), count });
                }
                let (sum, lost) = (self.float()?, self.float()?);
                let strange = self.flag()?;
                Partial::Float { sum: FloatSum { sum, lost, strange }, count }
            }
            Shape::Extreme => Partial::Extreme(self.extreme()?),
            Shape::Sketch(kind) => Partial::Sketched(self.sketched(kind)?),
        })
    }

    fn sketched(&mut self, kind: SketchKind) -> Option<Sketched<'a>> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(match *bytes {
            [] => Sketched::None,
            [a, b, c, d, e, f, g, h] => Sketched::Row(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
            _ if kind.is_whole(bytes) => Sketched::Encoded(bytes),
            _ => return None,
        })
    }

    fn extreme(&mut self) -> Option<Extreme<'a>> {
        let tag = self.byte()?;
        match tag {
            TAG_NONE => Some(Extreme::None),
            TAG_BOOL => Extreme::from_bits(tag, u64::from(self.flag()?)),
            TAG_INT | TAG_FLOAT | TAG_MONEY | TAG_TIME => Extreme::from_bits(tag, self.word()?),
            TAG_TEXT | TAG_BYTES => {
                let len = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(len)?;
                self.0 = rest;
                if tag == TAG_BYTES {
                    return Some(Extreme::Bytes(bytes));
                }
                std::str::from_utf8(bytes).ok().map(|_| Extreme::Text(bytes))
            }
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn flag(&mut self) -> Option<bool> {
        self.byte().filter(|byte| *byte < 2).map(|byte| byte == 1)
    }

    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn float(&mut self) -> Option<f64> {
        self.word().map(f64::from_bits)
    }

    fn count(&mut self) -> Option<u64> {
        self.varint().and_then(|count| u64::try_from(count).ok())
    }

    #[inline]
    fn varint(&mut self) -> Option<u128> {
        /// Bytes of a number that fits one register whatever they hold.
        const NARROW_BYTES: usize = 9;
        let mut value = 0_u64;
        for (n, byte) in self.0.iter().take(NARROW_BYTES).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * n);
            if byte & 0x80 == 0 {
                self.0 = &self.0[n + 1..];
                // One spelling for one number: no trailing zero.
                return (*byte != 0 || n == 0).then_some(value.into());
            }
        }
        self.wide_varint()
    }

    #[cold]
    fn wide_varint(&mut self) -> Option<u128> {
        let mut value = 0_u128;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let low = u128::from(byte & 0x7f);
            if low.checked_shl(shift)? >> shift != low {
                return None;
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }
}
