//! Access files: one that is right, and every mistake with its line.

use super::*;
use crate::access::scope::Verb;
use crate::access::testing::{ED25519_PEM, RSA_PEM};

const HASH: &str = "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
const KEY: &str = "[[key]]\nname = \"one\"\nhash = \"HASH\"\nscopes = [\"read:*\"]\n";
const JWT: &str = "[[jwt]]\nname = \"id\"\nalgorithm = \"RS256\"\npublic_key_file = \"rsa\"\n\
                   audience = \"us\"\n";

fn fetch(secret: &Secret) -> Result<Vec<u8>, String> {
    match secret {
        Secret::File(path) if path.as_os_str() == "rsa" => Ok(RSA_PEM.into()),
        Secret::Variable(name) if name == "ED" => Ok(ED25519_PEM.into()),
        Secret::Variable(name) if name == "SECRET" => {
            Ok([b"0123456789abcdef".repeat(2), b"\n".to_vec()].concat())
        }
        Secret::Variable(name) if name == "SHORT" => {
            Ok(b"0123456789abcdef0123456789abcde\r\n".to_vec())
        }
        other => Err(format!("there is no {other:?}")),
    }
}

fn read(text: &str) -> Result<(Vec<Key>, Vec<Issuer>), String> {
    super::read(&text.replace("HASH", HASH), &mut fetch)
}

#[test]
fn keys_and_issuers_are_read_with_all_they_may_say() {
    let text = format!(
        "{KEY}role = \"reader\"\nsettings = {{ \"app.tenant\" = \"it's 42\" }}\n{JWT}\
         issuer = \"https://id.example\"\nleeway_seconds = 30\nsubject = \"email\"\n\
         scopes = \"scp\"\ndefault_scopes = [\"read:*\"]\nrole = \"role\"\n\
         roles = [\"a\", \"b\"]\ndefault_role = \"a\"\n\
         settings = {{ \"app.tenant\" = \"tenant\" }}\n\
         [[jwt]]\nname = \"own\"\nalgorithm = \"HS256\"\nsecret_env = \"SECRET\"\n\
         [[jwt]]\nname = \"ed\"\nalgorithm = \"EdDSA\"\npublic_key_env = \"ED\"\n\
         audience = \"us\"\ndefault_role = \"a\""
    );
    let (keys, issuers) = read(&text).unwrap_or_else(|e| panic!("{e}"));
    let principal = &keys[0].principal;
    assert_eq!(principal.name(), "one");
    assert!(principal.grants().has(Verb::Read, "anything"));
    let identity = principal.identity().expect("a role");
    assert_eq!(identity.role(), Some("reader"));
    assert_eq!(identity.settings().collect::<Vec<_>>(), [("app.tenant", "it's 42")]);
    let names: Vec<&str> = issuers.iter().map(|issuer| &*issuer.name).collect();
    assert_eq!(names, ["id", "own", "ed"]);
    assert_eq!((&*issuers[0].subject, &*issuers[0].scopes), ("email", "scp"));
    assert_eq!(issuers[0].leeway_seconds, 30);
}

#[test]
fn the_examples_of_the_documents_are_read() {
    let document = include_str!("../../../../../docs/OPERATING.md");
    let blocks: Vec<&str> = document
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.contains("[[key]]"))
        .collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let found = super::read(&block.replace("blake3:...", HASH), &mut |secret| {
            let is_public = matches!(secret, Secret::File(file) if file.ends_with("id.pem"));
            Ok(if is_public { RSA_PEM.into() } else { b"0123456789abcdef".repeat(2) })
        });
        let (keys, issuers) = found.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((keys.len(), issuers.len()), (1, 1));
    }
}

#[test]
fn a_mistake_in_an_access_file_is_named_with_its_line() {
    let with = |base: &str, line: &str| format!("{base}{line}\n");
    let swap = |base: &str, from: &str, to: &str| base.replace(from, to);
    for (text, told) in [
        (String::new(), &["neither a [[key]] nor a [[jwt]]", "plimsoll key new"][..]),
        (with(KEY, "rolle = \"a\""), &["line 5", "unknown field `rolle`", "did you mean `role`?"]),
        (with(JWT, "aud = \"us\""), &["line 6", "unknown field `aud`"]),
        (with("[keys]", ""), &["line 1", "did you mean `key`?"]),
        (swap(KEY, "read:*", "reed:goods"), &["line 4", "did you mean 'read:goods'?"]),
        (swap(KEY, "HASH", "blake3:12"), &["line 3", "no hash of a key", "64 hexadecimal"]),
        (swap(KEY, "\"one\"", "\"a b\""), &["line 2: 'a b' is no name"]),
        (swap(KEY, "\"one\"", "\"\""), &["line 2: '' is no name"]),
        (format!("{KEY}{KEY}"), &["line 6: 'one' stands there twice"]),
        (format!("{KEY}{}", swap(KEY, "one", "two")), &["line 7", "two keys have this hash"]),
        (with(KEY, "role = \"none\""), &["line 1: the key 'one'", "'none' is no name of a role"]),
        (
            with(KEY, "settings = { search_path = \"x\" }"),
            &["line 1: the key 'one'", "'search_path' is no setting of an app"],
        ),
        (with(KEY, "settings = { \"a.b\" = \"x\\u0000\" }"), &["the key 'one'", "NUL"]),
        (swap(JWT, "RS256", "RS265"), &["line 3: 'RS265'", "did you mean RS256?", "HS256"]),
        (swap(JWT, "RS256", "none"), &["line 3: 'none' is no algorithm"]),
        (swap(JWT, "RS256", "HS256"), &["takes one of secret_file and secret_env"]),
        (swap(JWT, "RS256", "ES256"), &["the issuer 'id'", "is not a key on the curve P-256"]),
        (with(JWT, "secret_env = \"SECRET\""), &["takes one of public_key_file"]),
        (with(JWT, "public_key_env = \"ED\""), &["takes one of public_key_file"]),
        (swap(JWT, "\"rsa\"", "\"gone\""), &["the issuer 'id'", "there is no"]),
        (swap(JWT, "audience = \"us\"", ""), &["name an audience"]),
        (with(JWT, "leeway_seconds = 301"), &["at most 300"]),
        (with(JWT, "role = \"role\""), &["role, a claim, and roles", "belong together"]),
        (with(JWT, "roles = [\"a\"]"), &["belong together"]),
        (with(JWT, "default_scopes = [\"red:*\"]"), &["line 6", "did you mean 'read:*'?"]),
        (with(JWT, "default_role = \"none\""), &["'none' is no name of a role"]),
        (with(JWT, "settings = { \"a\" = \"b\" }"), &["'a' is no setting of an app"]),
        (
            "[[jwt]]\nname = \"own\"\nalgorithm = \"HS256\"\nsecret_env = \"SHORT\"\n".to_owned(),
            &["line 1: the issuer 'own'", "fewer than 32 bytes"],
        ),
    ] {
        let refused = read(&text).err().unwrap_or_else(|| panic!("taken: {text}"));
        for part in told {
            assert!(refused.contains(part), "'{part}' is not in: {refused}\n{text}");
        }
    }
}
