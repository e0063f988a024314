//! Named queries: which there are, and one of them with the values of a request.
//!
//! ```text
//!   GET /api/v2/queries                          names, parameters, columns
//!   GET /api/v2/queries/{name}?from=..&limit=..  bound ──> list, stream, export as of a resource
//! ```
//!
//! Promises: a value is checked before the database sees it; a parameter that is missing is named.
//! Never: the SQL.

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll_store::catalogue::{NamedQuery, QueryParameter};
use plimsoll_store::{Resource, nearest};
use serde_json::{Value as Json, json};

use super::json as json_answer;
use crate::app::Context;
use crate::params::Query;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// Names that an answer lists at most.
const NAMES_LISTED_MAX: usize = 50;

/// `GET /api/v2/queries`.
pub(crate) fn all(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let mine = context.queries.values().filter(|query| context.may_query(query.name()).is_ok());
    let queries: Vec<Json> = mine.map(|query| described(query)).collect();
    Ok(json_answer(json!({ "data": queries }).to_string()))
}

fn described(query: &NamedQuery) -> Json {
    let shape = query.shape();
    let columns = shape.schema.columns.iter();
    let columns: Vec<Json> =
        columns.map(|c| json!({"name": &*c.name, "type": c.kind.name()})).collect();
    let parameters: Vec<Json> = query.parameters().iter().map(parameter).collect();
    let (cost_max, time_ms) = query.bounds();
    let key: Vec<&str> = shape.key.iter().map(|&at| &*shape.schema.columns[at].name).collect();
    json!({
        "name": query.name(),
        "title": &*shape.title,
        "about": query.about.as_deref(),
        "parameters": parameters,
        "columns": columns,
        "key": key,
        "pages": !shape.key.is_empty(),
        "cost": query.cost,
        "cost_max": cost_max,
        "time_ms": time_ms,
    })
}

fn parameter(parameter: &QueryParameter) -> Json {
    json!({
        "name": &*parameter.name,
        "type": parameter.kind.name(),
        "required": parameter.default.is_none(),
        "about": parameter.about.as_deref(),
    })
}

/// The query called `name` with the values of a request.
///
/// # Errors
/// 404 with the names there are, 400 for a value that is none or a parameter that is missing.
pub(crate) fn bound(context: &Context, name: &str, raw: Option<&str>) -> Result<Served> {
    let query = named(context, name)?;
    let given = Query::read(raw)?;
    let value = |name: &str| given.pairs().find(|(given, _)| *given == name).map(|(_, v)| v);
    Ok(Served::of_query(query, resource(query, value)?))
}

/// The query called `name`.
///
/// # Errors
/// 404 with the names there are.
pub(crate) fn named<'c>(context: &'c Context, name: &str) -> Result<&'c NamedQuery> {
    context.queries.get(name).map(|query| &**query).ok_or_else(|| missing(context, name))
}

/// A query with its values.
///
/// # Errors
/// 400 for a value that is none or a parameter that is missing.
pub(crate) fn resource<'v>(
    query: &NamedQuery,
    given: impl Fn(&str) -> Option<&'v str>,
) -> Result<Resource> {
    query.bind(given).map_err(|e| Problem::new(Kind::InvalidParameter, e.to_string()))
}

fn missing(context: &Context, name: &str) -> Problem {
    let mine = context.queries.keys().map(|name| &**name);
    let mine = mine.filter(|name| context.may_query(name).is_ok());
    let names: Vec<&str> = mine.take(NAMES_LISTED_MAX).collect();
    let why = format!("there is no query '{}'", plimsoll::error::excerpt(name));
    let mut problem = Problem::new(Kind::NotFound, why);
    if let Some(near) = nearest(name, names.iter().copied()) {
        problem = problem.with("did_you_mean", near);
    }
    problem.with("allowed", names)
}
