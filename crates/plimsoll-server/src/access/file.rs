//! The access file: who may do what, written by the operator.
//!
//! ```text
//!   [[key]]                                  [[jwt]]
//!   name = "reports"                         name = "id"  algorithm = "RS256"
//!   hash = "blake3:…"                        public_key_file = "id.pem"  audience = "plimsoll"
//!   scopes = ["read:*", "export:*"]          scopes = "scope"      a claim
//!   role = "reader"                          role = "role"         a claim, of these:
//!   settings = { "app.tenant" = "42" }       roles = ["reader"]
//!                                            settings = { "app.tenant" = "tenant" }
//! ```
//!
//! Promises: what is wrong is named with its line, and the nearest word there is; a file that gives
//! nobody access is refused.
//! Never: a secret inside: it stands in a file or variable of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plimsoll::error::excerpt;
use plimsoll_store::{Identity, nearest};
use serde::Deserialize;
use toml::Spanned;

use super::Key;
use super::jwt::{ALGORITHMS, Algorithm, Issuer, Role, Verifier};
use super::key::read_hash;
use super::principal::Principal;
use super::public_key::public_key;
use super::scope::{Grants, unknown};

/// Keys of one file: each request compares with all of them.
const KEYS_MAX: usize = 1_000;
/// Issuers of one file: two of each while a key is replaced.
const ISSUERS_MAX: usize = 16;
/// Bytes of the name of a key or an issuer.
const NAME_BYTES_MAX: usize = 64;
/// A shorter secret is found by trying (RFC 7518, 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// Clocks that differ by more are wrong.
const LEEWAY_SECONDS_MAX: u32 = 300;

/// Where a secret or a public key stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file, as the access file names it.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// Reads secrets, or says why one cannot be read.
pub(super) type Fetch<'f> = dyn FnMut(&Secret) -> Result<Vec<u8>, String> + 'f;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToml {
    #[serde(default)]
    key: Vec<Spanned<KeyToml>>,
    #[serde(default)]
    jwt: Vec<Spanned<JwtToml>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyToml {
    name: Spanned<String>,
    hash: Spanned<String>,
    scopes: Vec<Spanned<String>>,
    role: Option<String>,
    #[serde(default)]
    settings: BTreeMap<Box<str>, Box<str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwtToml {
    name: Spanned<String>,
    algorithm: Spanned<String>,
    secret_file: Option<PathBuf>,
    secret_env: Option<String>,
    public_key_file: Option<PathBuf>,
    public_key_env: Option<String>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
    #[serde(default)]
    leeway_seconds: u32,
    #[serde(default = "subject")]
    subject: Box<str>,
    #[serde(default = "scope")]
    scopes: Box<str>,
    #[serde(default)]
    default_scopes: Vec<Spanned<String>>,
    role: Option<Box<str>>,
    #[serde(default)]
    roles: Vec<Box<str>>,
    default_role: Option<Box<str>>,
    #[serde(default)]
    settings: BTreeMap<Box<str>, Box<str>>,
}

fn subject() -> Box<str> {
    "sub".into()
}

fn scope() -> Box<str> {
    "scope".into()
}

/// Reads the whole file.
pub(super) fn read(text: &str, fetch: &mut Fetch<'_>) -> Result<(Vec<Key>, Vec<Issuer>), String> {
    let file: FileToml = toml::from_str(text).map_err(|e| {
        let near = unknown_key(e.message());
        let near = near.map(|near| format!("\ndid you mean `{near}`?")).unwrap_or_default();
        format!("{}{near}", e.to_string().trim_end())
    })?;
    if file.key.is_empty() && file.jwt.is_empty() {
        return Err("it has neither a [[key]] nor a [[jwt]], so nobody could ask for anything; \
                    make a key with `plimsoll key new --name NAME`"
            .to_owned());
    }
    if file.key.len() > KEYS_MAX || file.jwt.len() > ISSUERS_MAX {
        return Err(format!("it has more than {KEYS_MAX} [[key]] or {ISSUERS_MAX} [[jwt]]"));
    }
    let mut reader = Reader { text, names: Vec::new() };
    let mut keys: Vec<Key> = Vec::with_capacity(file.key.len());
    for key in file.key {
        let line = reader.line(&key);
        let key = key.into_inner();
        let hash = reader.at(&key.hash);
        let key = reader.key(key, &line)?;
        if keys.iter().any(|other| other.hash == key.hash) {
            return Err(format!("{hash}: two keys have this hash; each is somebody's own"));
        }
        keys.push(key);
    }
    let issuers = file.jwt.into_iter().map(|jwt| {
        let line = reader.line(&jwt);
        reader.issuer(jwt.into_inner(), &line, fetch)
    });
    let issuers = issuers.collect::<Result<_, _>>()?;
    Ok((keys, issuers))
}

/// The known key nearest to the one that the parser does not know.
fn unknown_key(message: &str) -> Option<&str> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    nearest(wrong, names)
}

struct Reader<'t> {
    text: &'t str,
    /// Of keys and issuers before.
    names: Vec<String>,
}

impl Reader<'_> {
    fn line<T>(&self, what: &Spanned<T>) -> String {
        let end = what.span().start.min(self.text.len());
        let line = self.text.as_bytes()[..end].iter().filter(|b| **b == b'\n').count() + 1;
        format!("line {line}")
    }

    fn at(&self, what: &Spanned<String>) -> String {
        format!("{}: '{}'", self.line(what), excerpt(what.get_ref()))
    }

    fn name(&mut self, name: &Spanned<String>) -> Result<(), String> {
        let text = name.get_ref();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.chars().all(fits) {
            return Err(format!(
                "{} is no name: 1 to {NAME_BYTES_MAX} letters, digits, '-', '_', '.' and '@'",
                self.at(name)
            ));
        }
        if self.names.contains(text) {
            return Err(format!("{} stands there twice; a name is somebody's own", self.at(name)));
        }
        self.names.push(text.clone());
        Ok(())
    }

    fn grants(&self, scopes: &[Spanned<String>]) -> Result<Grants, String> {
        let mut grants = Grants::default();
        for scope in scopes {
            if !grants.add(scope.get_ref()) {
                return Err(format!("{}: {}", self.line(scope), unknown(scope.get_ref())));
            }
        }
        Ok(grants)
    }

    fn key(&mut self, key: KeyToml, line: &str) -> Result<Key, String> {
        self.name(&key.name)?;
        let name = key.name.get_ref();
        let Some(hash) = read_hash(key.hash.get_ref()) else {
            return Err(format!(
                "{} is no hash of a key: blake3: and 64 hexadecimal digits, as `plimsoll key new` \
                 prints it",
                self.at(&key.hash)
            ));
        };
        let grants = self.grants(&key.scopes)?;
        let identity = identity(key.role.as_deref(), key.settings);
        let identity = identity.map_err(|e| format!("{line}: the key '{name}': {e}"))?;
        Ok(Key { hash, principal: Principal::new(name, grants, identity).into() })
    }

    fn issuer(
        &mut self,
        jwt: JwtToml,
        line: &str,
        fetch: &mut Fetch<'_>,
    ) -> Result<Issuer, String> {
        self.name(&jwt.name)?;
        let about = |why: &str| format!("{line}: the issuer '{}': {why}", jwt.name.get_ref());
        let algorithm = self.algorithm(&jwt.algorithm)?;
        let verifier = verifier(algorithm, &jwt, fetch).map_err(|why| about(&why))?;
        if algorithm != Algorithm::Hs256 && jwt.audience.is_none() {
            return Err(about(
                "name an audience: whoever publishes a key signs tokens for others with it, too",
            ));
        }
        if jwt.leeway_seconds > LEEWAY_SECONDS_MAX {
            return Err(about(&format!("leeway_seconds is at most {LEEWAY_SECONDS_MAX}")));
        }
        if jwt.role.is_some() == jwt.roles.is_empty() {
            return Err(about("role, a claim, and roles, what it may be, belong together"));
        }
        let mut roles = jwt.roles.iter().chain(&jwt.default_role);
        let probe = |role: &str| Identity::new(Some(role), []).map(drop);
        roles.try_for_each(|role| probe(role)).map_err(|e| about(&e.to_string()))?;
        let default_scopes = self.grants(&jwt.default_scopes)?;
        let names = jwt.settings.keys().map(|name| (name.clone(), "".into()));
        Identity::new(None, names).map_err(|e| about(&e.to_string()))?;
        Ok(Issuer {
            name: jwt.name.into_inner().into(),
            algorithm,
            verifier,
            issuer: jwt.issuer,
            audience: jwt.audience,
            leeway_seconds: jwt.leeway_seconds,
            subject: jwt.subject,
            scopes: jwt.scopes,
            default_scopes,
            role: Role { claim: jwt.role, allowed: jwt.roles, default: jwt.default_role },
            settings: jwt.settings.into_iter().collect(),
        })
    }

    fn algorithm(&self, name: &Spanned<String>) -> Result<Algorithm, String> {
        let found = ALGORITHMS.iter().find(|(_, known)| known == name.get_ref());
        found.map(|(algorithm, _)| *algorithm).ok_or_else(|| {
            let names = ALGORITHMS.map(|(_, name)| name);
            let near = nearest(name.get_ref(), names);
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("{} is no algorithm{near}; there are: {}", self.at(name), names.join(", "))
        })
    }
}

fn identity(
    role: Option<&str>,
    settings: BTreeMap<Box<str>, Box<str>>,
) -> plimsoll_store::Result<Option<Identity>> {
    if role.is_none() && settings.is_empty() {
        return Ok(None);
    }
    Identity::new(role, settings).map(Some)
}

fn verifier(
    algorithm: Algorithm,
    jwt: &JwtToml,
    fetch: &mut Fetch<'_>,
) -> Result<Verifier, String> {
    let of = |file: &Option<PathBuf>, variable: &Option<String>| {
        let file = file.clone().map(Secret::File);
        file.into_iter().chain(variable.clone().map(Secret::Variable)).collect::<Vec<_>>()
    };
    let secret = of(&jwt.secret_file, &jwt.secret_env);
    let public = of(&jwt.public_key_file, &jwt.public_key_env);
    let symmetric = algorithm == Algorithm::Hs256;
    let (wanted, other) = if symmetric { (secret, public) } else { (public, secret) };
    let ([source], []) = (&wanted[..], &other[..]) else {
        let what = if symmetric { "secret" } else { "public_key" };
        return Err(format!("its algorithm takes one of {what}_file and {what}_env, nothing else"));
    };
    let mut key = fetch(source)?;
    if symmetric {
        // Editors end a file with a line.
        while key.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            key.pop();
        }
        if key.len() < SECRET_BYTES_MIN {
            return Err(format!("its secret has fewer than {SECRET_BYTES_MIN} bytes"));
        }
    } else {
        let text = std::str::from_utf8(&key).unwrap_or_default();
        key = public_key(text, algorithm).map_err(|why| format!("its public key: {why}"))?;
    }
    Ok(Verifier::new(algorithm, key))
}

#[cfg(test)]
mod tests;
