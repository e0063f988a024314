//! What a report is of, as its job carries it.
//!
//! Promises: sealed with the server's key: a job with another payload is refused, so that nobody
//! reads in somebody else's name by way of the queue.
//! Never: a key or token of whoever asked; the name, role and settings they had.

use std::sync::Arc;

use axum::http::HeaderValue;
use plimsoll::format::Format;
use plimsoll_store::Identity;
use serde::{Deserialize, Serialize};

use super::Sums;
use crate::access::Principal;
use crate::handoff::{Asked as Export, Caller};

/// What was asked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Asked {
    /// A table's name; or a query's.
    pub(crate) resource: Box<str>,
    pub(crate) is_query: bool,
    /// Where it is of sums, whose name the resource is then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sums: Option<Sums>,
    /// As of `GET` of the export.
    pub(crate) query: Box<str>,
    pub(crate) format: Box<str>,
    /// `Content-Disposition`.
    pub(crate) disposition: Box<str>,
    pub(crate) keep_seconds: i64,
    /// What has to be seen.
    pub(crate) session: Option<Box<str>>,
    /// Nobody where nobody is asked who they are.
    pub(crate) maker: Option<Maker>,
}

/// As whom it is read.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Maker {
    name: Box<str>,
    /// Role and settings, where the database is asked as somebody.
    identity: Option<As>,
}

/// A role, and settings with their values.
type As = (Option<Box<str>>, Vec<(Box<str>, Box<str>)>);

/// The payload.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    asked: Asked,
    seal: Box<str>,
}

impl Maker {
    pub(crate) fn of(principal: &Principal) -> Self {
        let identity = principal.identity().map(|identity| {
            let settings = identity.settings().map(|(name, value)| (name.into(), value.into()));
            (identity.role().map(Into::into), settings.collect())
        });
        Self { name: principal.name().into(), identity }
    }

    fn principal(&self) -> plimsoll_store::Result<Principal> {
        let made = |(role, settings): &As| Identity::new(role.as_deref(), settings.iter().cloned());
        let identity = self.identity.as_ref().map(made).transpose()?;
        Ok(Principal::remembered(&self.name, identity))
    }
}

impl Sealed {
    pub(super) fn new(key: &[u8; 32], asked: Asked) -> Self {
        Self { seal: seal(key, &asked).to_hex().as_str().into(), asked }
    }

    /// Without a look at the seal, for people.
    pub(crate) fn asked(&self) -> &Asked {
        &self.asked
    }

    /// `None` where it was not made here.
    pub(super) fn open(self, key: &[u8; 32]) -> Option<Asked> {
        // blake3::Hash compares in constant time.
        let given = blake3::Hash::from_hex(self.seal.as_bytes()).ok()?;
        (given == seal(key, &self.asked)).then_some(self.asked)
    }
}

fn seal(key: &[u8; 32], asked: &Asked) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    // Nothing in it can fail to be written, and a sink takes everything.
    let _written = serde_json::to_writer(&mut hasher, asked);
    hasher.finalize()
}

impl Asked {
    /// As an export of the same.
    ///
    /// # Errors
    /// What cannot be told to a database.
    pub(super) fn export(&self) -> plimsoll_store::Result<Export> {
        let principal = self.maker.as_ref().map(Maker::principal).transpose()?;
        let header = |text: &str| {
            HeaderValue::from_str(text).map_err(|e| plimsoll_store::Error::invalid(e.to_string()))
        };
        Ok(Export {
            resource: self.resource.clone(),
            is_query: self.is_query,
            query: self.query.clone(),
            format: Format::from_name(&self.format).unwrap_or(Format::Csv),
            disposition: header(&self.disposition)?,
            caller: Caller::remembered(
                principal.map(Arc::new),
                self.session.as_deref().map(header).transpose()?,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Sealed};

    #[test]
    fn a_payload_that_was_changed_or_made_elsewhere_is_not_opened() {
        let asked = Asked {
            resource: "goods".into(),
            is_query: false,
            sums: None,
            query: "format=csv".into(),
            format: "csv".into(),
            disposition: "attachment".into(),
            keep_seconds: 60,
            session: None,
            maker: None,
        };
        let sealed = Sealed::new(&[1; 32], asked);
        assert!(sealed.clone().open(&[1; 32]).is_some() && sealed.clone().open(&[2; 32]).is_none());
        let text = serde_json::to_string(&sealed).expect("JSON");
        let read = |text: &str| serde_json::from_str::<Sealed>(text).expect("a payload");
        assert!(read(&text).open(&[1; 32]).is_some());
        assert!(read(&text.replace("goods", "sales")).open(&[1; 32]).is_none());
        assert!(Sealed { seal: "no".into(), ..sealed }.open(&[1; 32]).is_none());
    }
}
