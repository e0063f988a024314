//! A public key as issuers publish it: PEM around SubjectPublicKeyInfo (RFC 5280, RFC 7468).
//!
//! ```text
//!   -----BEGIN PUBLIC KEY-----        SEQUENCE { SEQUENCE { OID, parameters }, BIT STRING key }
//! ```
//!
//! Promises: the key is of the kind that the algorithm takes, or refused with what it should be.
//! Never: a private key, which has nothing to do here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::jwt::Algorithm;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const BIT_STRING: u8 = 0x03;

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// An RSA key of 2,048 bits has a modulus of as many, and something around it.
const RSA_BYTES_MIN: usize = 2_048 / 8;
const P256_POINT_BYTES: usize = 65;
const ED25519_BYTES: usize = 32;

/// The bytes of the key that `algorithm` verifies with.
pub(super) fn public_key(text: &str, algorithm: Algorithm) -> Result<Vec<u8>, String> {
    let wanted = match algorithm {
        Algorithm::Rs256 => "an RSA key of 2048 bits or more",
        Algorithm::Es256 => "a key on the curve P-256",
        Algorithm::EdDsa => "an Ed25519 key",
        Algorithm::Hs256 => return Err("HS256 has a secret and no public key".to_owned()),
    };
    let pem = pem(text).ok_or_else(|| format!("it is not PEM that begins with {BEGIN}"))?;
    let info = Info::read(&pem).ok_or("it is not the public key that its PEM says it is")?;
    let fits = match algorithm {
        Algorithm::Rs256 => info.oid == RSA && info.key.len() > RSA_BYTES_MIN,
        Algorithm::Es256 => {
            info.oid == ELLIPTIC && info.curve == Some(P256) && info.key.len() == P256_POINT_BYTES
        }
        Algorithm::EdDsa => info.oid == ED25519 && info.key.len() == ED25519_BYTES,
        Algorithm::Hs256 => false,
    };
    if fits { Ok(info.key.to_vec()) } else { Err(format!("it is not {wanted}")) }
}

fn pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let body: String = body.split_ascii_whitespace().collect();
    BASE64.decode(body).ok()
}

struct Info<'d> {
    oid: &'d [u8],
    /// The parameters, where they are a name.
    curve: Option<&'d [u8]>,
    key: &'d [u8],
}

impl<'d> Info<'d> {
    fn read(mut der: &'d [u8]) -> Option<Self> {
        let mut whole = take(&mut der, SEQUENCE)?;
        let mut algorithm = take(&mut whole, SEQUENCE)?;
        let oid = take(&mut algorithm, OID)?;
        let curve = take(&mut algorithm, OID);
        // The first byte counts unused bits, of which a key has none.
        let key = take(&mut whole, BIT_STRING)?.strip_prefix(&[0])?;
        (der.is_empty() && whole.is_empty()).then_some(Self { oid, curve, key })
    }
}

/// The content of the next value, where it has this tag.
fn take<'d>(der: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    // Above 127 the byte says how many bytes the length has; a key needs no more than two.
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let high = usize::from(*rest.first()?) << 8;
            (high | usize::from(*rest.get(1)?), rest.get(2..)?)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    *der = behind;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, public_key};
    use crate::access::testing::{ED25519_PEM, P256_PEM, RSA_PEM};

    #[test]
    fn a_key_is_taken_by_its_own_algorithm_alone() {
        let algorithms = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa];
        for (at, pem) in [RSA_PEM, P256_PEM, ED25519_PEM].iter().enumerate() {
            for (other, algorithm) in algorithms.into_iter().enumerate() {
                assert_eq!(public_key(pem, algorithm).is_ok(), at == other, "{algorithm:?}");
            }
            assert!(public_key(pem, Algorithm::Hs256).is_err());
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_no_key_and_never_a_panic() {
        let body = |pem: &str| pem.lines().nth(1).expect("a line").to_owned();
        let whole = body(P256_PEM);
        for end in 0..whole.len() {
            let cut = P256_PEM.replace(&whole, &whole[..end]);
            assert!(public_key(&cut, Algorithm::Es256).is_err(), "{end}");
        }
        for text in ["", "-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----\nAA==\n"] {
            assert!(public_key(text, Algorithm::Rs256).is_err(), "{text}");
        }
    }
}
