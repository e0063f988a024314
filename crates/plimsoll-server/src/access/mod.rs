//! Who asks, and what they may do.
//!
//! ```text
//!   Authorization: Bearer ─┬─ plk_.. ─ key ─────┐
//!                          └─ a.b.c ── jwt ─────┴> Principal ── scope ──> allowed? ──> Context
//!   nothing, or wrong: 401, the same for all          └ 403 names the scope      acting as them
//! ```
//!
//! Promises: without an access file nobody is asked who they are; with one, nothing but the health
//! pages is answered to anybody who is not known; a handler gets a context in which it cannot read
//! as anybody else.
//! Never: a word about which part of a key or token was wrong, or one of them in the log.

mod audit;
mod file;
mod jwt;
mod key;
mod principal;
mod public_key;
mod scope;
mod tables;
#[cfg(test)]
mod testing;

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use plimsoll_store::{Identity, Store, nearest};

pub(crate) use audit::{Audit, Audited, Counting, RowCount};
pub use file::Secret;
pub use key::NewKey;
pub(crate) use principal::{Principal, Sender};
pub(crate) use scope::{Need, Verb};
pub(crate) use tables::Tables;

use crate::app::{Context, Error};
use crate::problem::{Kind, Problem, Result};
use jwt::Issuer;
use key::PREFIX;

/// Longest key or token; a connection takes 16 KiB of headers.
const TOKEN_BYTES_MAX: usize = 8 << 10;
/// The challenges of RFC 6750.
const CHALLENGE: &str = "Bearer realm=\"plimsoll\"";
const INVALID: &str = "Bearer realm=\"plimsoll\", error=\"invalid_token\"";
const INSUFFICIENT: &str = "Bearer realm=\"plimsoll\", error=\"insufficient_scope\"";

/// Who may ask, as an access file says.
///
/// ```
/// use plimsoll_server::{Access, NewKey};
///
/// let made = NewKey::of([7; 32]);
/// let text = format!("[[key]]\nname = \"a\"\nhash = \"{}\"\nscopes = [\"read:*\"]", made.hash);
/// let no_secrets = &mut |_: &_| Err("none".to_owned());
/// assert!(Access::parse(&text, no_secrets).is_ok());
/// let wrong = Access::parse(&text.replace("read:*", "reed:*"), no_secrets);
/// assert!(wrong.unwrap_err().to_string().contains("line 4: 'reed:*' is no scope"));
/// ```
pub struct Access {
    keys: Vec<Key>,
    issuers: Vec<Issuer>,
}

/// Somebody with a key.
struct Key {
    hash: blake3::Hash,
    principal: Arc<Principal>,
}

impl Access {
    /// Reads an access file. `fetch` reads the secrets that it names.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the line of what is wrong.
    pub fn parse(
        text: &str,
        fetch: &mut dyn FnMut(&Secret) -> Result<Vec<u8>, String>,
    ) -> Result<Self, Error> {
        let (keys, issuers) = file::read(text, fetch).map_err(Error::Invalid)?;
        Ok(Self { keys, issuers })
    }

    /// Whether the store can be asked as everybody in the file. What a scope names and the store
    /// does not have yet is told in the log.
    pub(crate) fn check(&self, store: &Store) -> Result<(), Error> {
        let probe = |who: String, identity: &Identity| {
            let acting = store.acting_as(&Arc::new(identity.clone()));
            acting.map(drop).map_err(|e| {
                Error::Invalid(format!(
                    "the access file: {who} has a role or settings, and {e}: take them out, or \
                     serve a PostgreSQL database"
                ))
            })
        };
        for Key { principal, .. } in &self.keys {
            if let Some(identity) = principal.identity() {
                probe(format!("the key '{}'", principal.name()), identity)?;
            }
            let names = || store.catalogue().resources().map(|resource| &*resource.name);
            for scope in principal.grants().tables() {
                if !names().any(|name| name == scope) {
                    let near = nearest(scope, names()).unwrap_or("none");
                    let key = principal.name();
                    tracing::warn!(key, scope, near, "a scope names what is not served");
                }
            }
        }
        for issuer in self.issuers.iter().filter(|issuer| issuer.acts()) {
            let nobody = Identity::new(None, []).map_err(|e| Error::Invalid(e.to_string()))?;
            probe(format!("the issuer '{}'", issuer.name), &nobody)?;
        }
        Ok(())
    }

    /// Who sends a request with these headers.
    fn principal(&self, headers: &HeaderMap, now_micros: i64) -> Result<Arc<Principal>> {
        let Some(sent) = headers.get(header::AUTHORIZATION) else {
            return Err(unknown(CHALLENGE));
        };
        let once = headers.get_all(header::AUTHORIZATION).iter().count() == 1;
        let token = sent.to_str().ok().filter(|_| once).and_then(bearer);
        let found = token.and_then(|token| {
            if token.starts_with(PREFIX) {
                self.of_key(token)
            } else {
                self.of_jwt(token, now_micros)
            }
        });
        found.ok_or_else(|| unknown(INVALID))
    }

    /// Looks at every key, so that the time says nothing about which one fits.
    fn of_key(&self, token: &str) -> Option<Arc<Principal>> {
        let hash = key::hash_of(token);
        let mut found = None;
        for key in &self.keys {
            if key.hash == hash {
                found = Some(&key.principal);
            }
        }
        found.cloned()
    }

    #[allow(clippy::cast_precision_loss)] // seconds, as tokens have them
    fn of_jwt(&self, token: &str, now_micros: i64) -> Option<Arc<Principal>> {
        let now_seconds = now_micros as f64 / 1e6;
        for issuer in self.issuers.iter().filter(|issuer| issuer.may_have_signed(token)) {
            match issuer.principal(token, now_seconds) {
                Ok(principal) => return Some(Arc::new(principal)),
                Err(why) => {
                    tracing::debug!(target: "http", issuer = &*issuer.name, why, "no such token");
                }
            }
        }
        None
    }
}

/// The token behind the scheme, which is written in either case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let fits = !token.is_empty() && token.len() <= TOKEN_BYTES_MAX;
    (fits && scheme.eq_ignore_ascii_case("bearer")).then_some(token)
}

fn unknown(challenge: &'static str) -> Problem {
    let why = "this server answers those it knows: send Authorization: Bearer and a key or token \
               that is valid here";
    Problem::new(Kind::Unauthorized, why).challenge(challenge)
}

fn forbidden(need: &Need) -> Problem {
    let scope = need.to_string();
    let why = format!("this needs the scope {scope}, which the key or token does not have");
    Problem::new(Kind::Forbidden, why).with("scope", scope).challenge(INSUFFICIENT)
}

impl Context {
    /// The context as whoever sends the request may use it; they stand in its extensions, too.
    ///
    /// # Errors
    /// 401 for somebody who is not known, 403 for a scope that is missing.
    pub(crate) fn admit(self: &Arc<Self>, need: &Need, request: &mut Parts) -> Result<Arc<Self>> {
        let Some(access) = self.access().filter(|_| *need != Need::Open) else {
            return Ok(Arc::clone(self));
        };
        let principal = access.principal(&request.headers, self.clock.now_micros())?;
        if let Some(sender) = request.extensions.get::<Sender>() {
            sender.is(&principal);
        }
        match need {
            Need::Mapping => {
                self.mapped().try_for_each(|name| may(&principal, Verb::Read, name))?
            }
            need if principal.grants().allow(need) => {}
            need => return Err(forbidden(need)),
        }
        request.extensions.insert(Arc::clone(&principal));
        self.acting(&principal)
    }

    /// The tables that the pack's reports are made of.
    fn mapped(&self) -> impl Iterator<Item = &str> {
        let analytics = self.store.catalogue().analytics();
        let names = analytics.map(|analytics| {
            let mapped = [
                &analytics.orders.resource,
                &analytics.items.resource,
                &analytics.subject.resource,
            ];
            mapped.map(|resource| &*resource.name)
        });
        names.into_iter().flatten()
    }

    /// Whether whoever asks may read all that the pack's reports are made of.
    ///
    /// # Errors
    /// 403 naming the first scope that is missing.
    pub(crate) fn may_mapping(&self) -> Result<()> {
        let Some(principal) = &self.principal else { return Ok(()) };
        self.mapped().try_for_each(|name| may(principal, Verb::Read, name))
    }

    /// Whether whoever asks may read what they name, be it there or not.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_read(&self, name: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Read, name),
            None => Ok(()),
        }
    }

    /// Whether whoever asks may have the query that they name, be it there or not.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_query(&self, name: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Query, name),
            None => Ok(()),
        }
    }

    /// Whether whoever asks may write what they name, be it there or not.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_write(&self, name: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Write, name),
            None => Ok(()),
        }
    }

    /// Whether whoever asks may enqueue, see and manage jobs of a kind; `*` for all kinds.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_job(&self, kind: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Job, kind),
            None => Ok(()),
        }
    }

    /// Whether whoever asks may work at the jobs of a queue; `*` for all queues.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_work(&self, queue: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Work, queue),
            None => Ok(()),
        }
    }

    /// Whether whoever asks may have all rows of what they name, be it there or not.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub(crate) fn may_export(&self, name: &str) -> Result<()> {
        match &self.principal {
            Some(principal) => may(principal, Verb::Export, name),
            None => Ok(()),
        }
    }
}

fn may(principal: &Principal, verb: Verb, name: &str) -> Result<()> {
    if principal.grants().has(verb, name) {
        return Ok(());
    }
    Err(forbidden(&Need::Named(verb, name.into())))
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Access({} keys, {} issuers)", self.keys.len(), self.issuers.len())
    }
}
