//! Tokens that are taken, and every way in which one is wrong.

use serde_json::json;

use super::*;
use crate::access::public_key::public_key;
use crate::access::scope::Verb;
use crate::access::testing::{
    ED25519_PEM, ED25519_TOKEN, P256_PEM, P256_TOKEN, RSA_PEM, RSA_TOKEN,
};

/// 2026-01-31.
const NOW: f64 = 1_769_860_800.0;
const SECRET: &[u8] = b"a secret of a test, of 32 bytes.";

fn issuer(algorithm: Algorithm, key: Vec<u8>) -> Issuer {
    Issuer {
        name: "id".into(),
        algorithm,
        verifier: Verifier::new(algorithm, key),
        issuer: Some("https://id.example".into()),
        audience: Some("plimsoll".into()),
        leeway_seconds: 10,
        subject: "sub".into(),
        scopes: "scope".into(),
        default_scopes: Grants::default(),
        role: Role::default(),
        settings: vec![("app.tenant".into(), "tenant".into())],
    }
}

fn ours() -> Issuer {
    issuer(Algorithm::Hs256, SECRET.to_vec())
}

fn claims() -> Json {
    json!({
        "iss": "https://id.example", "aud": "plimsoll", "sub": "user-7", "exp": NOW + 60.0,
        "scope": "openid read:goods", "tenant": 42
    })
}

fn signed(header: &Json, claims: &Json, secret: &[u8]) -> String {
    let encoded = |part: &Json| BASE64.encode(part.to_string());
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", BASE64.encode(tag))
}

fn token(claims: &Json) -> String {
    signed(&json!({"alg": "HS256", "typ": "JWT"}), claims, SECRET)
}

fn with(name: &str, value: Json) -> Json {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Json {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn refused(claims: &Json) -> Refused {
    ours().principal(&token(claims), NOW).err().unwrap_or("taken")
}

#[test]
fn tokens_of_other_makers_are_taken_in_every_algorithm() {
    let all = [
        (Algorithm::Rs256, RSA_PEM, RSA_TOKEN),
        (Algorithm::Es256, P256_PEM, P256_TOKEN),
        (Algorithm::EdDsa, ED25519_PEM, ED25519_TOKEN),
    ];
    for (algorithm, pem, token) in all {
        let issuer = issuer(algorithm, public_key(pem, algorithm).expect("a key"));
        let principal = issuer.principal(token, NOW).expect("taken");
        assert_eq!(principal.name(), "id:user-7");
        assert!(principal.grants().has(Verb::Read, "goods"));
        let identity = principal.identity().expect("settings");
        assert_eq!(identity.settings().collect::<Vec<_>>(), [("app.tenant", "42")]);
        for (other, _, theirs) in all.iter().filter(|(other, ..)| *other != algorithm) {
            assert!(issuer.principal(theirs, NOW).is_err(), "{algorithm:?} took {other:?}");
        }
        // Every byte of a token is signed.
        for at in 0..token.len() {
            let mut changed = token.as_bytes().to_vec();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            // The last character of base64 may have bits that mean nothing; they must be zero.
            assert!(issuer.principal(&changed, NOW).is_err(), "{algorithm:?} byte {at}");
        }
    }
    assert!(ours().principal(&token(&claims()), NOW).is_ok());
}

#[test]
fn a_token_never_chooses_how_it_is_checked() {
    let issuer = issuer(Algorithm::Rs256, public_key(RSA_PEM, Algorithm::Rs256).expect("a key"));
    // The public key, which anybody has, as the secret of a signature.
    for secret in [RSA_PEM.as_bytes(), &public_key(RSA_PEM, Algorithm::Rs256).expect("a key")] {
        for alg in ["HS256", "RS256"] {
            let forged = signed(&json!({"alg": alg}), &claims(), secret);
            assert!(issuer.principal(&forged, NOW).is_err(), "{alg}");
        }
    }
    let mut unsigned = Vec::new();
    for alg in ["none", "None", "NONE", "HS256", "HS512", "hs256", ""] {
        let message = format!(
            "{}.{}",
            BASE64.encode(json!({"alg": alg}).to_string()),
            BASE64.encode(claims().to_string())
        );
        unsigned.extend([format!("{message}."), message]);
    }
    for token in unsigned {
        assert!(ours().principal(&token, NOW).is_err(), "{token}");
    }
    for header in [json!({}), json!({"alg": ["HS256"]}), json!({"alg": "HS256", "crit": ["b64"]})] {
        assert!(ours().principal(&signed(&header, &claims(), SECRET), NOW).is_err(), "{header}");
    }
    let other = signed(&json!({"alg": "HS256"}), &claims(), b"another secret of 32 bytes, at all");
    assert_eq!(ours().principal(&other, NOW).err(), Some("its signature is wrong"));
}

#[test]
fn times_issuer_and_audience_are_checked_and_a_wrong_type_is_no_absence() {
    for (wrong, why) in [
        (without("exp"), "its exp is missing, or is no number"),
        (with("exp", json!("4102444800")), "its exp is missing, or is no number"),
        (with("exp", json!(null)), "its exp is missing, or is no number"),
        (with("exp", json!(NOW - 10.0)), "it has expired"),
        (with("nbf", json!(NOW + 11.0)), "it does not hold yet"),
        (with("nbf", json!("99999999999")), "its nbf is no number"),
        (with("nbf", json!(null)), "its nbf is no number"),
        (without("iss"), "it is of another issuer"),
        (with("iss", json!(["https://id.example"])), "it is of another issuer"),
        (with("aud", json!("plimsoll2")), "it is for another audience"),
        (with("aud", json!(["a", 1])), "it is for another audience"),
        (without("aud"), "it is for another audience"),
        (without("sub"), "its subject is missing, or is no name"),
        (with("sub", json!("a\nb")), "its subject is missing, or is no name"),
        (with("sub", json!("x".repeat(129))), "its subject is missing, or is no name"),
        (with("scope", json!(7)), "its scopes are neither a text nor a list of texts"),
        (with("scope", json!(["a", 1])), "its scopes are neither a text nor a list of texts"),
        (with("scope", json!("a ".repeat(257))), "it has too many scopes"),
        (without("tenant"), "a claim that a setting comes from is missing, or has no value"),
        (
            with("tenant", json!(1.5)),
            "a claim that a setting comes from is missing, or has no value",
        ),
        (
            with("tenant", json!(["1"])),
            "a claim that a setting comes from is missing, or has no value",
        ),
        (with("tenant", json!("a\u{0}b")), "the value of a claim cannot be told to a database"),
    ] {
        assert_eq!(refused(&wrong), why, "{wrong}");
    }
    for good in [
        with("exp", json!(NOW - 9.0)),
        with("nbf", json!(NOW + 9.0)),
        with("aud", json!(["a", "plimsoll"])),
        with("scope", json!(["read:goods"])),
        without("scope"),
        with("tenant", json!(true)),
        with("tenant", json!("it's")),
    ] {
        assert_eq!(refused(&good), "taken", "{good}");
    }
}

#[test]
fn scopes_by_default_are_those_of_a_token_without_the_claim_alone() {
    let mut default_scopes = Grants::default();
    assert!(default_scopes.add("read:lines"));
    let issuer = Issuer { default_scopes, ..ours() };
    let may = |claims: &Json| {
        let principal = issuer.principal(&token(claims), NOW).expect("taken");
        ["goods", "lines"].map(|name| principal.grants().has(Verb::Read, name))
    };
    assert_eq!(may(&without("scope")), [false, true]);
    assert_eq!(may(&claims()), [true, false]);
    assert_eq!(may(&with("scope", json!(""))), [false, false]);
}

#[test]
fn a_role_is_one_of_those_that_are_allowed() {
    let with_role = |default: Option<&str>| Issuer {
        role: Role {
            claim: Some("role".into()),
            allowed: vec!["a".into(), "b".into()],
            default: default.map(Into::into),
        },
        ..ours()
    };
    let role = |issuer: &Issuer, claims: &Json| {
        let principal = issuer.principal(&token(claims), NOW)?;
        Ok::<_, Refused>(principal.identity().and_then(|i| i.role().map(str::to_owned)))
    };
    assert_eq!(role(&with_role(None), &with("role", json!("b"))), Ok(Some("b".into())));
    for wrong in [json!("c"), json!(""), json!(["a"]), json!(null), json!("A")] {
        assert!(role(&with_role(Some("a")), &with("role", wrong.clone())).is_err(), "{wrong}");
    }
    assert!(role(&with_role(None), &claims()).is_err());
    assert_eq!(role(&with_role(Some("a")), &claims()), Ok(Some("a".into())));
}
