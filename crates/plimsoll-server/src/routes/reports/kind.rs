//! What a report is of, by its name: sums, a query, or a resource.
//!
//! ```text
//!   {"kind": NAME}   sales, analytics, the subject's path ─> sums
//!                    a named query                        ─> that, with params as its values
//!                    a resource, by table or path         ─> its rows
//! ```
//!
//! Promises: who may read the sums or the rows may make a report of them; what is none of these is
//! refused with what there is.
//! Never: whether a name exists, to whoever may not read it.

use std::sync::Arc;

use super::super::exports::definition::{Body, invalid, suggest};
use super::super::queries;
use crate::app::Context;
use crate::problem::Result;
use crate::reports::Sums;
use crate::served::Served;

/// Names that a refusal lists at most.
const LISTED_MAX: usize = 50;

/// What a report is of.
pub(super) enum Kind {
    Sums(Sums),
    Served(Arc<Served>),
}

impl Kind {
    /// What a name stands for.
    ///
    /// # Errors
    /// 400 for what is none, 403 for what whoever asks may not read.
    pub(super) fn named(context: &Context, name: &str, body: &Body) -> Result<Self> {
        if let Some(sums) = Sums::named(context, name) {
            context.may_mapping()?;
            sums.check(context, &body.params)?;
            return Ok(Self::Sums(sums));
        }
        if context.queries.contains_key(name) && context.may_query(name).is_ok() {
            let query = queries::bound(context, name, Some(&body.query()))?;
            return Ok(Self::Served(Arc::new(query)));
        }
        let named = |s: &&Arc<Served>| s.resource.path.as_deref() == Some(name);
        if let Some(served) =
            context.tables.whole(name).or_else(|| context.tables.all().find(named))
        {
            context.may_export(&served.resource.name)?;
            return Ok(Self::Served(Arc::clone(served)));
        }
        context.may_export(name)?;
        let sums = Sums::names(context);
        let names: Vec<&str> =
            sums.iter().map(|name| &**name).chain(context.tables.keys()).take(LISTED_MAX).collect();
        let why =
            format!("is '{}', and there is no report of this name", plimsoll::error::excerpt(name));
        Err(suggest(invalid("/kind", &why), name, &names))
    }
}
