//! What a report is of, as its job carries it.
//!
//! Promises: the payload is sealed with the server's key (see `sealed`), for it says as whom the
//! report is read.
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

impl Maker {
    pub(crate) fn of(principal: &Principal) -> Self {
        let identity = principal.identity().map(|identity| {
            let settings = identity.settings().map(|(name, value)| (name.into(), value.into()));
            (identity.role().map(Into::into), settings.collect())
        });
        Self { name: principal.name().into(), identity }
    }

    /// Who may do what they were allowed to when they asked, and nothing else.
    ///
    /// # Errors
    /// What cannot be told to a database.
    pub(crate) fn principal(&self) -> plimsoll_store::Result<Principal> {
        let made = |(role, settings): &As| Identity::new(role.as_deref(), settings.iter().cloned());
        let identity = self.identity.as_ref().map(made).transpose()?;
        Ok(Principal::remembered(&self.name, identity))
    }
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
