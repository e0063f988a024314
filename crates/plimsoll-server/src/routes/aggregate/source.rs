//! What is aggregated: a resource, or a named query with its values.
//!
//! ```text
//!   {"resource": "goods"}        {"query": "daily_revenue", "params": {"from": "2026-01-01"}}
//! ```
//!
//! Promises: exactly one of the two; a value is checked as one in a URL is.
//! Never: a value that is an array or an object.

use std::sync::Arc;

use plimsoll::error::excerpt;
use plimsoll_store::Resource;

use super::super::queries;
use super::super::write::members::Members;
use super::definition::{Object, suggest};
use crate::app::Context;
use crate::problem::Result;

/// The resource called so, by its table's name, else by its path; or the query.
pub(super) fn source(context: &Context, top: &Object<'_, '_>) -> Result<Arc<Resource>> {
    let query = top.text("query")?;
    let Some(name) = top.text("resource")? else {
        return match query {
            Some(name) => bound(context, top, &name),
            None => {
                let why = "is missing: name a table or the path of one, or a query";
                Err(top.invalid("resource", why))
            }
        };
    };
    if query.is_some() {
        return Err(top.invalid("query", "and resource both stand there: name one of them"));
    }
    if top.get("params").is_some() {
        return Err(top.invalid("params", "belong to a query: a resource has none"));
    }
    let by_path = || context.tables.values().find(|s| s.resource.path.as_deref() == Some(&*name));
    if let Some(served) = context.tables.get(&name).or_else(by_path) {
        return Ok(Arc::clone(&served.resource));
    }
    context.may_read(&name)?;
    let names: Vec<&str> = context.tables.keys().take(50).collect();
    let why = format!("is '{}', and there is no resource of this name", excerpt(&name));
    Err(suggest(top.invalid("resource", &why), &name, &names))
}

fn bound(context: &Context, top: &Object<'_, '_>, name: &str) -> Result<Arc<Resource>> {
    let mut given: Vec<(String, String)> = Vec::new();
    if let Some(raw) = top.get("params") {
        let members = Members::read(raw.get().as_bytes())
            .map_err(|_| top.invalid("params", "is not an object of parameters"))?;
        for (name, value) in members.pairs() {
            given.push((name.to_owned(), text(top, value.get())?));
        }
    }
    context.may_query(name)?;
    let found = queries::named(context, name)?;
    let known: Vec<&str> = found.parameters().iter().map(|p| &*p.name).collect();
    if let Some((wrong, _)) = given.iter().find(|(name, _)| !known.contains(&&**name)) {
        let why = format!("has '{}', which is no parameter of {name}", excerpt(wrong));
        return Err(suggest(top.invalid("params", &why), wrong, &known));
    }
    let value = |name: &str| given.iter().find(|(given, _)| given == name).map(|(_, v)| &**v);
    queries::resource(found, value).map(Arc::new)
}

/// A text without its quotes, a number or a truth as it stands.
fn text(top: &Object<'_, '_>, raw: &str) -> Result<String> {
    match raw.as_bytes().first() {
        Some(b'"') => serde_json::from_str(raw)
            .map_err(|_| top.invalid("params", "has a text that cannot be read")),
        Some(b'[' | b'{' | b'n') | None => {
            Err(top.invalid("params", "has a value that is neither a text, a number nor a truth"))
        }
        Some(_) => Ok(raw.to_owned()),
    }
}
