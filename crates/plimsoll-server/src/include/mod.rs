//! `include=`: related rows inside the rows they go with.
//!
//! ```text
//!   a page of rows ──Keeping──> values of their own columns ──distinct──> one request per relation
//!        │                                                                    │ Scope::Among
//!        └──────────────── Joined: each row with its related rows <───────────┘
//! ```
//!
//! Promises: one request to the store per relation and page, whatever the number of rows; what a
//! bound left out is told.
//! Never: a row's bytes parsed again, or an answer larger than what was reserved for it.

mod join;
mod keep;
mod related;

use std::sync::Arc;

pub(crate) use join::{Cut, joined};
pub(crate) use keep::{Kept, keep};
pub(crate) use related::{Related, related};

use plimsoll::error::excerpt;
use plimsoll_store::catalogue::Relation;
use plimsoll_store::nearest;

use crate::app::Context;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// Relations of one request: each is a read of its own.
const RELATIONS_MAX: usize = 5;

/// A relation that is asked for.
pub(crate) struct Included {
    pub(crate) name: Box<str>,
    pub(crate) to: Arc<Served>,
    /// The column of the row it goes with.
    pub(crate) own: usize,
    /// The column of the related rows.
    pub(crate) theirs: usize,
    pub(crate) many: bool,
}

/// The relations that a list of names stands for.
///
/// # Errors
/// 400 with the allowed list for a name that is none, or stands there twice, or goes over several
/// columns, and for too many.
pub(crate) fn included(context: &Context, served: &Served, text: &str) -> Result<Vec<Included>> {
    let mut included: Vec<Included> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if included.len() == RELATIONS_MAX {
            return Err(Problem::new(
                Kind::InvalidParameter,
                format!("include names at most {RELATIONS_MAX} relations"),
            )
            .with("parameter", "include"));
        }
        if included.iter().any(|earlier| *earlier.name == *name) {
            return Err(refuse(context, served, name, "is named twice"));
        }
        let relations = &mut served.resource.relations.iter();
        let relation = relations.find(|relation| *relation.name == *name);
        let to = relation.and_then(|relation| context.tables.get(&relation.to));
        let (Some(relation), Some(to)) = (relation, to) else {
            return Err(refuse(context, served, name, "is not a relation of this resource"));
        };
        let (&[own], &[theirs]) = (&relation.columns[..], &relation.theirs[..]) else {
            let why = "goes over several columns, and only one is looked up";
            return Err(refuse(context, served, name, why));
        };
        let (name, to, many) = (relation.name.clone(), Arc::clone(to), relation.many);
        included.push(Included { name, to, own, theirs, many });
    }
    Ok(included)
}

fn refuse(context: &Context, served: &Served, name: &str, why: &str) -> Problem {
    let can = |r: &&Relation| r.columns.len() == 1 && context.tables.contains_key(&r.to);
    let names: Vec<&str> = served.resource.relations.iter().filter(can).map(|r| &*r.name).collect();
    let list = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let mut problem = Problem::new(
        Kind::InvalidParameter,
        format!("include: '{}' {why}; allowed: {list}", excerpt(name)),
    );
    if let Some(near) = nearest(name, names.iter().copied()) {
        problem = problem.with("did_you_mean", near);
    }
    problem.with("parameter", "include").with("allowed", names)
}
