//! Tokens of an issuer: JSON Web Tokens (RFC 7519), signed (RFC 7515, 8037), never encrypted.
//!
//! ```text
//!   header.payload.signature ─ alg is the issuer's own? ─ signature ─ exp nbf iss aud ─ claims
//!                                                                        │
//!                             subject ─> the principal's name            │
//!                             scopes, role, settings ─> what it may and as whom
//! ```
//!
//! Promises: an issuer has one algorithm and one key, and what a token says of itself chooses
//! neither; every token ends; a claim of another type than it should have is a refusal, not a claim
//! that is missing.
//! Never: a look at a claim before the signature was found good, or a word to the client about what
//! was wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use plimsoll_store::Identity;
use ring::{hmac, signature};
use serde_json::{Map, Value as Json};

use super::principal::Principal;
use super::scope::Grants;

/// Scopes of one token.
const SCOPES_MAX: usize = 256;
/// Bytes of the name that a principal has in the audit.
const SUBJECT_BYTES_MAX: usize = 128;

type Claims = Map<String, Json>;

/// How an issuer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

pub(super) const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::Hs256, "HS256"),
    (Algorithm::Rs256, "RS256"),
    (Algorithm::Es256, "ES256"),
    (Algorithm::EdDsa, "EdDSA"),
];

/// What signatures are checked with.
pub(super) enum Verifier {
    Secret(hmac::Key),
    Public(signature::UnparsedPublicKey<Vec<u8>>),
}

impl Verifier {
    /// `key` is the secret, or what [`super::public_key`] made of a public key.
    pub(super) fn new(algorithm: Algorithm, key: Vec<u8>) -> Self {
        let method: &'static dyn signature::VerificationAlgorithm = match algorithm {
            Algorithm::Hs256 => return Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, &key)),
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::EdDsa => &signature::ED25519,
        };
        Self::Public(signature::UnparsedPublicKey::new(method, key))
    }

    fn is_good(&self, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            // Compared in constant time.
            Self::Secret(key) => hmac::verify(key, signed, signature).is_ok(),
            Self::Public(key) => key.verify(signed, signature).is_ok(),
        }
    }
}

/// Whoever signs tokens, and what their claims mean here.
pub(super) struct Issuer {
    /// In front of the subject, so that no token has the name of a key.
    pub(super) name: Box<str>,
    pub(super) algorithm: Algorithm,
    pub(super) verifier: Verifier,
    pub(super) issuer: Option<Box<str>>,
    pub(super) audience: Option<Box<str>>,
    pub(super) leeway_seconds: u32,
    /// The names of claims.
    pub(super) subject: Box<str>,
    pub(super) scopes: Box<str>,
    /// What a token without that claim may do.
    pub(super) default_scopes: Grants,
    pub(super) role: Role,
    /// Settings, and the claims that their values come from.
    pub(super) settings: Vec<(Box<str>, Box<str>)>,
}

/// Where the role comes from.
#[derive(Default)]
pub(super) struct Role {
    pub(super) claim: Option<Box<str>>,
    /// The only values of the claim.
    pub(super) allowed: Vec<Box<str>>,
    /// Where the token has no such claim.
    pub(super) default: Option<Box<str>>,
}

/// Why a token is refused: for the log.
pub(super) type Refused = &'static str;

impl Issuer {
    /// Whether a token says that it is signed as this issuer signs.
    pub(super) fn may_have_signed(&self, token: &str) -> bool {
        let name = ALGORITHMS.iter().find(|(known, _)| *known == self.algorithm);
        let header = token.split('.').next().and_then(object);
        header.is_some_and(|header| {
            // `crit` says that a token means more than is understood here.
            header.get("alg").and_then(Json::as_str) == name.map(|(_, name)| *name)
                && !header.contains_key("crit")
        })
    }

    /// Whether its tokens have a role or settings.
    pub(super) fn acts(&self) -> bool {
        self.role.claim.is_some() || self.role.default.is_some() || !self.settings.is_empty()
    }

    /// Who sends the token.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn principal(&self, token: &str, now_seconds: f64) -> Result<Principal, Refused> {
        let claims = self.verified(token)?;
        self.check(&claims, now_seconds)?;
        let subject = claims.get(&*self.subject).and_then(Json::as_str).unwrap_or_default();
        let printed = !subject.chars().any(char::is_control);
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX || !printed {
            return Err("its subject is missing, or is no name");
        }
        let identity = self.identity(&claims)?;
        let name = format!("{}:{subject}", self.name);
        Ok(Principal::new(&name, self.grants(&claims)?, identity))
    }

    fn verified(&self, token: &str) -> Result<Claims, Refused> {
        let mut parts = token.split('.');
        let (Some(_header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it has not three parts");
        };
        if !self.may_have_signed(token) {
            return Err("its header names another algorithm");
        }
        let signature_bytes = BASE64.decode(signature).map_err(|_| "its signature is no base64")?;
        let signed = &token[..token.len() - signature.len() - 1];
        if !self.verifier.is_good(signed.as_bytes(), &signature_bytes) {
            return Err("its signature is wrong");
        }
        object(payload).ok_or("its payload is no JSON object")
    }

    fn check(&self, claims: &Claims, now_seconds: f64) -> Result<(), Refused> {
        let leeway = f64::from(self.leeway_seconds);
        let time = |name: &str| claims.get(name).map(|claim| claim.as_f64().ok_or(()));
        match time("exp") {
            Some(Ok(ends)) if now_seconds < ends + leeway => {}
            Some(Ok(_)) => return Err("it has expired"),
            Some(Err(())) | None => return Err("its exp is missing, or is no number"),
        }
        match time("nbf") {
            None => {}
            Some(Ok(begins)) if begins - leeway <= now_seconds => {}
            Some(Ok(_)) => return Err("it does not hold yet"),
            Some(Err(())) => return Err("its nbf is no number"),
        }
        let is = |wanted: &str, claim: &Json| claim.as_str() == Some(wanted);
        if let Some(issuer) = &self.issuer
            && !claims.get("iss").is_some_and(|claim| is(issuer, claim))
        {
            return Err("it is of another issuer");
        }
        let Some(audience) = &self.audience else { return Ok(()) };
        let meant = match claims.get("aud") {
            Some(Json::Array(several)) => several.iter().any(|claim| is(audience, claim)),
            Some(one) => is(audience, one),
            None => false,
        };
        if meant { Ok(()) } else { Err("it is for another audience") }
    }

    /// Words of others' scopes are passed over.
    fn grants(&self, claims: &Claims) -> Result<Grants, Refused> {
        const NONE: Refused = "its scopes are neither a text nor a list of texts";
        let words: Vec<&str> = match claims.get(&*self.scopes) {
            None => return Ok(self.default_scopes.clone()),
            Some(Json::String(text)) => text.split_ascii_whitespace().collect(),
            Some(Json::Array(list)) => {
                list.iter().map(|word| word.as_str().ok_or(NONE)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(NONE),
        };
        if words.len() > SCOPES_MAX {
            return Err("it has too many scopes");
        }
        let mut grants = Grants::default();
        for word in words {
            let _others = grants.add(word);
        }
        Ok(grants)
    }

    fn identity(&self, claims: &Claims) -> Result<Option<Identity>, Refused> {
        let role = self.role(claims)?;
        if !self.acts() {
            return Ok(None);
        }
        let mut settings = Vec::with_capacity(self.settings.len());
        for (setting, claim) in &self.settings {
            let value = match claims.get(&**claim) {
                Some(Json::String(text)) => text.as_str().into(),
                Some(Json::Bool(flag)) => flag.to_string().into(),
                Some(Json::Number(number)) if number.is_i64() || number.is_u64() => {
                    number.to_string().into()
                }
                _ => return Err("a claim that a setting comes from is missing, or has no value"),
            };
            settings.push((setting.clone(), value));
        }
        let identity = Identity::new(role, settings);
        identity.map(Some).map_err(|_| "the value of a claim cannot be told to a database")
    }

    fn role<'a>(&'a self, claims: &'a Claims) -> Result<Option<&'a str>, Refused> {
        let given = self.role.claim.as_ref().and_then(|claim| claims.get(&**claim));
        let Some(given) = given else {
            return match (&self.role.claim, &self.role.default) {
                (_, Some(role)) => Ok(Some(role)),
                (Some(_), None) => Err("it has no role"),
                (None, None) => Ok(None),
            };
        };
        let role = given.as_str().unwrap_or_default();
        if self.role.allowed.iter().any(|allowed| **allowed == *role) {
            return Ok(Some(role));
        }
        Err("its role is not one of those that are allowed")
    }
}

/// A part of a token.
fn object(part: &str) -> Option<Map<String, Json>> {
    serde_json::from_slice(&BASE64.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests;
