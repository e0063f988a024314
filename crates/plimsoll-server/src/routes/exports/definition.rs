//! The body of `POST /exports` and `POST /reports`: what is asked for, as what, and until when.
//!
//! ```text
//!   {"resource":"goods", "params":{"filter":"price >= 10", "sort":"-id", "fields":"id,name"},
//!    "format":"csv", "filename":"goods.csv", "expires_in":600}
//!   {"query":"daily_revenue", "params":{"from":"2026-01-01"}}
//!                      │
//!                      └─ format=csv&filter=price%20%3E%3D%2010&sort=-id&..  as GET of the export
//! ```
//!
//! The parameters become the query that an export of it takes, and are read where that is read.
//!
//! Promises: every refusal has a JSON pointer to the place, or is that of the export itself;
//! members that are unknown or stand there twice are refused.
//! Never: a parameter that the export does not take, or one that is read in another way.

use std::sync::Arc;

use plimsoll::error::excerpt;
use plimsoll::format::Format;
use plimsoll_store::nearest;
use serde_json::value::RawValue;

use super::super::queries;
use super::super::write::members::Members;
use super::filename;
use crate::app::Context;
use crate::links::encode_segment;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// The members; the last is a report's alone.
const MEMBERS: [&str; 7] =
    ["resource", "query", "params", "format", "filename", "expires_in", "kind"];
/// As long as the query of a request may be.
const QUERY_BYTES_MAX: usize = 8 << 10;
/// Ten minutes: the browser is sent to the link at once, and a broken download is gone on with.
pub(super) const EXPIRES_IN_SECONDS: i64 = 600;
/// A day: a link is a key that lies about.
const EXPIRES_IN_SECONDS_MAX: i64 = 24 * 3600;

/// A body: what is asked for by its name, which is not looked up yet.
pub(in crate::routes) struct Body {
    resource: Option<String>,
    query: Option<String>,
    pub(in crate::routes) kind: Option<String>,
    /// Percent-encoded.
    pub(in crate::routes) params: String,
    pub(in crate::routes) format: Format,
    pub(in crate::routes) filename: Option<String>,
    /// Where it says so.
    pub(in crate::routes) expires_in_seconds: Option<i64>,
}

impl Body {
    /// Reads that of an export.
    ///
    /// # Errors
    /// 400 at the first mistake.
    pub(in crate::routes) fn of_export(body: &[u8]) -> Result<Self> {
        Self::read(body, &MEMBERS[..6])
    }

    /// Reads that of a report.
    ///
    /// # Errors
    /// As [`Body::of_export`].
    pub(in crate::routes) fn of_report(body: &[u8]) -> Result<Self> {
        Self::read(body, &MEMBERS)
    }

    fn read(body: &[u8], allowed: &[&str]) -> Result<Self> {
        let members = Members::read(body)?;
        for (place, (name, _)) in members.pairs().enumerate() {
            if !allowed.contains(&name) {
                return Err(unknown(name, allowed));
            }
            if members.pairs().take(place).any(|(earlier, _)| earlier == name) {
                return Err(invalid(&format!("/{name}"), "stands there twice"));
            }
        }
        let top = Top(&members);
        let format = match top.text("format")? {
            None => Format::Csv,
            Some(name) => Format::from_name(&name).ok_or_else(|| {
                let why = format!("is '{}'; it is one of ndjson, json, csv", excerpt(&name));
                invalid("/format", &why)
            })?,
        };
        let filename = top.text("filename")?;
        if let Some(name) = &filename {
            filename::check(name).map_err(|why| invalid("/filename", &why))?;
        }
        let kind = top.text("kind")?;
        let (resource, query) = (top.text("resource")?, top.text("query")?);
        if kind.is_some() && (resource.is_some() || query.is_some()) {
            return Err(invalid("/kind", "stands beside resource or query: name one of them"));
        }
        let (params, expires_in_seconds) = (params(&top)?, expires_in(&top)?);
        Ok(Self { resource, query, kind, params, format, filename, expires_in_seconds })
    }

    /// Of the export, percent-encoded.
    pub(in crate::routes) fn query(&self) -> String {
        let mark = if self.params.is_empty() { "" } else { "&" };
        format!("format={}{mark}{}", self.format.name(), self.params)
    }

    /// Whether it says of what.
    pub(in crate::routes) fn names_nothing(&self) -> bool {
        self.resource.is_none() && self.query.is_none() && self.kind.is_none()
    }

    /// The resource called so, by its table's name, else by its path; or the query with its
    /// values.
    ///
    /// # Errors
    /// 400 for what is none, 403 for what whoever asks may not read.
    pub(in crate::routes) fn served(&self, context: &Context) -> Result<Arc<Served>> {
        let Some(name) = &self.resource else {
            let why = "is missing: name a table or the path of one, or a query";
            let query = self.query.as_deref().ok_or_else(|| invalid("/resource", why))?;
            context.may_query(query)?;
            return queries::bound(context, query, Some(&self.query())).map(Arc::new);
        };
        if self.query.is_some() {
            let why = "and resource both stand there: name one of them";
            return Err(invalid("/query", why));
        }
        let named = |s: &&Arc<Served>| s.resource.path.as_deref() == Some(&**name);
        let found = context.tables.whole(name).or_else(|| context.tables.all().find(named));
        if let Some(served) = found {
            context.may_export(&served.resource.name)?;
            return Ok(Arc::clone(served));
        }
        context.may_export(name)?;
        let names: Vec<&str> = context.tables.keys().take(50).collect();
        let why = format!("is '{}', and there is no resource of this name", excerpt(name));
        Err(suggest(invalid("/resource", &why), name, &names))
    }
}

/// The object itself.
struct Top<'m, 'b>(&'m Members<'b>);

impl<'b> Top<'_, 'b> {
    /// What stands under a name; null is as good as nothing.
    fn get(&self, name: &str) -> Option<&'b RawValue> {
        let found = self.0.pairs().find(|(found, _)| *found == name);
        found.map(|(_, raw)| raw).filter(|raw| raw.get() != "null")
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        let read = |raw: &RawValue| {
            serde_json::from_str(raw.get())
                .map_err(|_| invalid(&format!("/{name}"), "is not a text"))
        };
        self.get(name).map(read).transpose()
    }
}

/// The parameters as a query.
fn params(top: &Top<'_, '_>) -> Result<String> {
    let mut query = String::new();
    let Some(raw) = top.get("params") else { return Ok(query) };
    let params = Members::read(raw.get().as_bytes()).map_err(|_| {
        invalid("/params", "is not an object such as {\"filter\":\"id >= 10\",\"sort\":\"-id\"}")
    })?;
    for (name, raw) in params.pairs() {
        let pointer = || format!("/params/{}", excerpt(name).replace('~', "~0").replace('/', "~1"));
        if name == "format" {
            return Err(invalid(&pointer(), "stands beside params, as /format"));
        }
        let text = match raw.get() {
            "null" => continue,
            text if text.starts_with('"') => serde_json::from_str(text)
                .map_err(|_| invalid(&pointer(), "is not a text that can be read"))?,
            text if text.starts_with(['{', '[']) => {
                let why = "is neither a text nor a number; write it as in a URL, as \"id,name\"";
                return Err(invalid(&pointer(), why));
            }
            text => text.to_owned(),
        };
        let mark = if query.is_empty() { "" } else { "&" };
        for (mark, part) in [(mark, name), ("=", &text)] {
            query.push_str(mark);
            query.push_str(&encode_segment(part));
        }
        if query.len() > QUERY_BYTES_MAX {
            let why = format!("is too long: as a query it has at most {QUERY_BYTES_MAX} bytes");
            return Err(invalid("/params", &why));
        }
    }
    Ok(query)
}

fn expires_in(top: &Top<'_, '_>) -> Result<Option<i64>> {
    let Some(raw) = top.get("expires_in") else { return Ok(None) };
    match raw.get().parse() {
        Ok(seconds @ 1..=EXPIRES_IN_SECONDS_MAX) => Ok(Some(seconds)),
        _ => {
            let why = format!(
                "is {}; it is a whole number of seconds from 1 to {EXPIRES_IN_SECONDS_MAX}",
                excerpt(raw.get())
            );
            Err(invalid("/expires_in", &why))
        }
    }
}

fn unknown(name: &str, allowed: &[&str]) -> Problem {
    let detail = format!(
        "'{}' is not a member of an export; allowed: {}",
        excerpt(name),
        allowed.join(", ")
    );
    suggest(Problem::new(Kind::UnknownParameter, detail).with("pointer", ""), name, allowed)
}

pub(in crate::routes) fn invalid(pointer: &str, why: &str) -> Problem {
    Problem::new(Kind::InvalidParameter, format!("{pointer} {why}")).with("pointer", pointer)
}

pub(in crate::routes) fn suggest(problem: Problem, wrong: &str, allowed: &[&str]) -> Problem {
    let problem = match nearest(wrong, allowed.iter().copied()) {
        Some(near) => problem.with("did_you_mean", near),
        None => problem,
    };
    problem.with("allowed", allowed)
}
