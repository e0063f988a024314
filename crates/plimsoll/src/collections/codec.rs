//! Elements to bytes and back.
//!
//! ```text
//!   u64, f64, bool, [T; N], tuples, Option of such   WIDTH bytes, little-endian, nothing else
//!   String, Vec<u8>                                  | length LEB128 | bytes |
//!   tuple, array or Option with one of those         the parts one after another
//! ```
//!
//! Promises: an encoding says where it ends; bytes that no value encodes to are refused; no
//! allocation is larger than the bytes that are there.
//! Never: a value that depends on the machine that wrote it.

use crate::error::Result;

/// A value that collections can write to disk and read back.
///
/// Implemented for integers, floats, `bool`, `String`, `Vec<u8>`, and arrays, tuples and options
/// of them; for types with serde use [`Serde`](super::Serde).
///
/// ```
/// use plimsoll::collections::Spillable;
/// let mut bytes = Vec::new();
/// (7_u32, "tea".to_owned()).encode(&mut bytes)?;
/// assert_eq!(bytes, b"\x07\0\0\0\x03tea");
/// let mut rest = &bytes[..];
/// assert_eq!(<(u32, String)>::decode(&mut rest), Some((7, "tea".to_owned())));
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub trait Spillable: Sized {
    /// Bytes of every value's encoding, where all have the same number; such values are stored
    /// without anything between them.
    const WIDTH: Option<usize> = None;

    /// Bytes [`Spillable::encode`] appends; room for them is reserved before it is called.
    fn encoded_bytes(&self) -> usize;

    /// Appends exactly [`Spillable::encoded_bytes`] bytes. Keys of maps: equal values append the
    /// same bytes, and only they.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a value that has no encoding.
    fn encode(&self, out: &mut Vec<u8>) -> Result<()>;

    /// Takes one value off the front of `from`; `None` when that is not one. It does not panic
    /// and allocates no more than `from` justifies, whatever the bytes are.
    fn decode(from: &mut &[u8]) -> Option<Self>;

    /// Bytes the value owns beside its own size.
    fn heap_bytes(&self) -> usize {
        0
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl Spillable for $number {
            const WIDTH: Option<usize> = Some(size_of::<$number>());

            #[inline]
            fn encoded_bytes(&self) -> usize {
                size_of::<$number>()
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
                out.extend_from_slice(&self.to_le_bytes());
                Ok(())
            }

            #[inline]
            fn decode(from: &mut &[u8]) -> Option<Self> {
                let (bytes, rest) = from.split_first_chunk()?;
                *from = rest;
                Some(<$number>::from_le_bytes(*bytes))
            }
        }
    )*};
}

numbers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64);

impl Spillable for bool {
    const WIDTH: Option<usize> = Some(1);

    fn encoded_bytes(&self) -> usize {
        1
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(u8::from(*self));
        Ok(())
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        match u8::decode(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Spillable for Vec<u8> {
    fn encoded_bytes(&self) -> usize {
        length_bytes(self.len()) + self.len()
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_length(out, self.len());
        out.extend_from_slice(self);
        Ok(())
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        take_bytes(from).map(<[u8]>::to_vec)
    }

    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl Spillable for String {
    fn encoded_bytes(&self) -> usize {
        length_bytes(self.len()) + self.len()
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_length(out, self.len());
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        str::from_utf8(take_bytes(from)?).ok().map(str::to_owned)
    }

    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl<T: Spillable> Spillable for Option<T> {
    /// The width of `T` and one more: what is absent is zeros.
    const WIDTH: Option<usize> = match T::WIDTH {
        Some(width) => Some(width + 1),
        None => None,
    };

    fn encoded_bytes(&self) -> usize {
        1 + match self {
            Some(value) => value.encoded_bytes(),
            None => T::WIDTH.unwrap_or(0),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(u8::from(self.is_some()));
        match self {
            Some(value) => value.encode(out)?,
            None => out.resize(out.len() + T::WIDTH.unwrap_or(0), 0),
        }
        Ok(())
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        if bool::decode(from)? {
            return T::decode(from).map(Some);
        }
        let (zeros, rest) = from.split_at_checked(T::WIDTH.unwrap_or(0))?;
        *from = rest;
        zeros.iter().all(|byte| *byte == 0).then_some(None)
    }

    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: Spillable, const N: usize> Spillable for [T; N] {
    const WIDTH: Option<usize> = match T::WIDTH {
        Some(width) => Some(width * N),
        None => None,
    };

    fn encoded_bytes(&self) -> usize {
        self.iter().map(T::encoded_bytes).sum()
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.iter().try_for_each(|part| part.encode(out))
    }

    fn decode(from: &mut &[u8]) -> Option<Self> {
        // There is no way to stop in the middle of making an array, so missing parts are noted
        // and the array of options is unwrapped at the end.
        let parts: [Option<T>; N] = std::array::from_fn(|_| T::decode(from));
        if parts.iter().any(Option::is_none) {
            return None;
        }
        Some(parts.map(|part| part.expect("checked above")))
    }

    fn heap_bytes(&self) -> usize {
        self.iter().map(T::heap_bytes).sum()
    }
}

macro_rules! tuples {
    ($(($($part:ident $at:tt)+))*) => {$(
        impl<$($part: Spillable),+> Spillable for ($($part,)+) {
            const WIDTH: Option<usize> = {
                let mut whole = Some(0);
                $(whole = match (whole, $part::WIDTH) {
                    (Some(whole), Some(width)) => Some(whole + width),
                    _ => None,
                };)+
                whole
            };

            #[inline]
            fn encoded_bytes(&self) -> usize {
                0 $(+ self.$at.encoded_bytes())+
            }

            #[inline]
            fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
                $(self.$at.encode(out)?;)+
                Ok(())
            }

            #[inline]
            fn decode(from: &mut &[u8]) -> Option<Self> {
                Some(($($part::decode(from)?,)+))
            }

            fn heap_bytes(&self) -> usize {
                0 $(+ self.$at.heap_bytes())+
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0 B 1)
    (A 0 B 1 C 2)
    (A 0 B 1 C 2 D 3)
    (A 0 B 1 C 2 D 3 E 4)
    (A 0 B 1 C 2 D 3 E 4 F 5)
}

/// Bytes [`put_length`] appends.
pub(super) fn length_bytes(length: usize) -> usize {
    (usize::BITS - (length | 1).leading_zeros()).div_ceil(7) as usize
}

/// Appends a length, seven bits a byte from the lowest on.
pub(super) fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        #[allow(clippy::cast_possible_truncation)] // seven bits and the mark
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    #[allow(clippy::cast_possible_truncation)] // below 0x80
    out.push(length as u8);
}

/// Takes a length off the front.
#[inline]
pub(super) fn take_length(from: &mut &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    let mut shift = 0;
    loop {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        let bits = usize::from(byte & 0x7f);
        if shift >= usize::BITS || bits << shift >> shift != bits {
            return None;
        }
        length |= bits << shift;
        if byte < 0x80 {
            // One number has one encoding: keys are compared by their bytes.
            return (byte != 0 || shift == 0).then_some(length);
        }
        shift += 7;
    }
}

#[inline]
fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(from)?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}
