//! An export that was asked for earlier, as the request that reads it now.
//!
//! Promises: read as whom it was asked for, with what they had to see; the catalogue is today's.
//! Never: the headers of whoever happens to fetch it.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{Request, Uri};

use super::super::queries;
use crate::app::Context;
use crate::handoff::Asked;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// What is read, by whom.
pub(crate) struct Reading {
    pub(crate) context: Arc<Context>,
    pub(crate) served: Arc<Served>,
    pub(crate) request: Parts,
}

/// See the module.
///
/// # Errors
/// 404 for what is not served any more, and what the query's values are refused for now.
pub(crate) fn reading(context: &Arc<Context>, asked: &Asked) -> Result<Reading> {
    let context = asked.caller.acting(context)?;
    let served = match asked.is_query {
        true => queries::bound(&context, &asked.resource, Some(&asked.query)).map(Arc::new)?,
        false => match context.tables.whole(&asked.resource) {
            Some(served) => Arc::clone(served),
            None => {
                let why = format!("'{}' is not served any more", asked.resource);
                return Err(Problem::new(Kind::NotFound, why));
            }
        },
    };
    let (mut request, ()) = Request::new(()).into_parts();
    request.uri = Uri::try_from(format!("/?{}", asked.query)).map_err(|e| Problem::internal(&e))?;
    asked.caller.sign(&mut request);
    Ok(Reading { context, served, request })
}
