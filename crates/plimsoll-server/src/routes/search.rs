//! Searches: pages of the rows with some words, in order.
//!
//! Promises: a list like any other, with the same parameters, cursors and bounds; the order is the
//! key's, or the sort that is asked for.
//! Never: an order by how well a row matches, which no cursor could go on in.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;

use super::list;
use crate::app::Context;
use crate::params::PageParams;
use crate::problem::Result;
use crate::served::Served;

/// `GET` of a search.
pub(crate) async fn search(
    context: &Context,
    served: &Arc<Served>,
    request: &Parts,
) -> Result<Response<Body>> {
    let page = PageParams::read_search(request.uri.query(), served, context)?;
    list::answer(context, served, request, page).await
}
