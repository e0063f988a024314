//! Bytes as text: RFC 4648 base64, standard alphabet, with padding.
//!
//! Promises: decoding what was encoded gives the same bytes.
//! Never: a second alphabet, or white space inside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Decodes base64; `None` when the text is anything else.
///
/// ```
/// use plimsoll::format::base64_decode;
/// assert_eq!(base64_decode("dGVh"), Some(b"tea".to_vec()));
/// assert_eq!(base64_decode("dGV"), None);
/// ```
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Characters that `bytes` bytes take.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Appends `bytes` as base64.
pub(super) fn encode_to(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(bytes.len()), 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    assert_eq!(written.ok(), Some(out.len() - start), "base64 has one length per input length");
}
