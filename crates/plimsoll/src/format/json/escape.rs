//! JSON strings: escaping on the way out, decoding on the way in (RFC 8259, section 7).
//!
//! Promises: clean spans are copied whole; what was escaped decodes to the same text.
//! Never: half of a surrogate pair in a text.

use super::super::scan::{control, equal, find, splat};

/// Texts up to this length are taken at their worst case when bytes are reserved; longer ones are
/// measured, because six times a long text would be refused for nothing.
const MEASURE_FROM_BYTES: usize = 256;

#[inline]
fn must_escape(word: u64) -> u64 {
    control(word) | equal(word, const { splat(b'"') }) | equal(word, const { splat(b'\\') })
}

/// Appends `text` as a JSON string with its quotes.
#[inline]
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    out.push(b'"');
    let mut clean = 0;
    loop {
        let special = find(bytes, clean, must_escape);
        out.extend_from_slice(&bytes[clean..special]);
        if special == bytes.len() {
            break;
        }
        write_escape(bytes[special], out);
        clean = special + 1;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&digits);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Bytes [`write`] puts between the quotes, at most.
pub(super) fn len_max(text: &str) -> usize {
    const WORST: usize = "\\u0000".len();
    if text.len() <= MEASURE_FROM_BYTES {
        return text.len() * WORST;
    }
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' => 2,
            0..0x20 => WORST,
            _ => 1,
        })
        .sum()
}

/// Appends what the inside of a JSON string stands for. `None` where an escape is none, or where
/// half of a surrogate pair stands alone.
pub(super) fn decode(inside: &str, out: &mut String) -> Option<()> {
    let mut rest = inside;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        out.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let (character, behind) = decode_unicode(rest)?;
                rest = behind;
                character
            }
            _ => return None,
        });
    }
    out.push_str(rest);
    Some(())
}

/// Four hex digits, or two times four with `\u` between for a character beyond U+FFFF.
fn decode_unicode(text: &str) -> Option<(char, &str)> {
    let unit = |digits: &str| {
        let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let first = unit(text.get(..4)?)?;
    let rest = text.get(4..)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, rest));
    }
    let second = unit(rest.strip_prefix("\\u")?.get(..4)?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(code)?, rest.get(6..)?))
}
