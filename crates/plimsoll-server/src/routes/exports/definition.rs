//! The body of `POST /exports`: what is to be exported, as what, and until when.
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

const MEMBERS: [&str; 6] = ["resource", "query", "params", "format", "filename", "expires_in"];
/// As long as the query of a request may be.
const QUERY_BYTES_MAX: usize = 8 << 10;
/// Ten minutes: the browser is sent to the link at once, and a broken download is gone on with.
pub(super) const EXPIRES_IN_SECONDS: i64 = 600;
/// A day: a link is a key that lies about.
const EXPIRES_IN_SECONDS_MAX: i64 = 24 * 3600;

/// A definition whose parameters are not checked yet.
pub(in crate::routes) struct Definition {
    pub(in crate::routes) served: Arc<Served>,
    /// Of the export, percent-encoded.
    pub(in crate::routes) query: String,
    pub(in crate::routes) format: Format,
    pub(in crate::routes) filename: Option<String>,
    /// Where it says so.
    pub(in crate::routes) expires_in_seconds: Option<i64>,
}

impl Definition {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 at the first mistake.
    pub(in crate::routes) fn read(context: &Context, body: &[u8]) -> Result<Self> {
        let members = Members::read(body)?;
        for (place, (name, _)) in members.pairs().enumerate() {
            if !MEMBERS.contains(&name) {
                return Err(unknown(name));
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
        let query = query(&top, format)?;
        Ok(Self {
            served: source(context, &top, &query)?,
            query,
            format,
            filename,
            expires_in_seconds: expires_in(&top)?,
        })
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

/// The resource called so, by its table's name, else by its path; or the query with its values.
fn source(context: &Context, top: &Top<'_, '_>, params: &str) -> Result<Arc<Served>> {
    let query = top.text("query")?;
    let Some(name) = top.text("resource")? else {
        let why = "is missing: name a table or the path of one, or a query";
        let query = query.ok_or_else(|| invalid("/resource", why))?;
        context.may_query(&query)?;
        return queries::bound(context, &query, Some(params)).map(Arc::new);
    };
    if query.is_some() {
        return Err(invalid("/query", "and resource both stand there: name one of them"));
    }
    let named = |s: &&Arc<Served>| s.resource.path.as_deref() == Some(&*name);
    if let Some(served) = context.tables.whole(&name).or_else(|| context.tables.all().find(named)) {
        context.may_export(&served.resource.name)?;
        return Ok(Arc::clone(served));
    }
    context.may_export(&name)?;
    let names: Vec<&str> = context.tables.keys().take(50).collect();
    let why = format!("is '{}', and there is no resource of this name", excerpt(&name));
    Err(suggest(invalid("/resource", &why), &name, &names))
}

/// The parameters as the query of an export.
fn query(top: &Top<'_, '_>, format: Format) -> Result<String> {
    let mut query = format!("format={}", format.name());
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
        for (mark, part) in [('&', name), ('=', &text)] {
            query.push(mark);
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

fn unknown(name: &str) -> Problem {
    let detail = format!(
        "'{}' is not a member of an export; allowed: {}",
        excerpt(name),
        MEMBERS.join(", ")
    );
    suggest(Problem::new(Kind::UnknownParameter, detail).with("pointer", ""), name, &MEMBERS)
}

fn invalid(pointer: &str, why: &str) -> Problem {
    Problem::new(Kind::InvalidParameter, format!("{pointer} {why}")).with("pointer", pointer)
}

fn suggest(problem: Problem, wrong: &str, allowed: &[&str]) -> Problem {
    let problem = match nearest(wrong, allowed.iter().copied()) {
        Some(near) => problem.with("did_you_mean", near),
        None => problem,
    };
    problem.with("allowed", allowed)
}
