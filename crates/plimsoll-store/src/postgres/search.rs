//! The rows with some words, through an index of words or of parts of words.
//!
//! ```text
//!   what matches, in order, so many    the planner takes the index of words and sorts, or walks
//!        │                             the order's index and asks each row     Gathered
//!        └─ not done in time           windows of the order's index, each row asked: slow where
//!                                      little matches, and never stuck         Walked
//! ```
//!
//! Promises: every word is a parameter; a slice's first statement ends within its time, whatever
//! the planner thought.
//! Never: a configuration or an expression that is not the index's own.

use std::sync::Arc;

use plimsoll::record::Value;

use super::dialect::{Select, Sql, quote};
use super::guise::Acting;
use super::transaction::{Settings, as_whom};
use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::search::{Search, Term, TermKind};

/// How long what matches is gathered: the age of a snapshot stays under a second.
const GATHERING_MS_MAX: u64 = 900;

/// Behind what every transaction begins with: no reading of the whole table, and no more than one
/// process. To compile a statement takes longer than most searches do.
const PLANNER: &str = "set local enable_seqscan = off; \
                       set local max_parallel_workers_per_gather = 0; set local jit = off";

/// What is kept about an index.
#[derive(Debug)]
pub(super) enum Through {
    /// Of words: what it is over, and how texts are cut.
    Words { expression: Box<str>, configuration: Box<str> },
    /// Of parts of texts, one index for each column.
    Parts,
}

/// What a search asks of a row.
pub(super) struct Found<'a> {
    through: Arc<Through>,
    columns: &'a [Box<str>],
    pub(super) search: &'a Search,
}

impl<'a> Found<'a> {
    /// # Errors
    /// As [`Resource::searched`].
    pub(super) fn new(resource: &'a Resource, search: &'a Search) -> Result<Self> {
        let (index, columns) = resource.searched(search)?;
        let Some(through) = index.handle.get::<Through>() else {
            return Err(Error::new(ErrorKind::Unsearchable, "the index is another database's"));
        };
        Ok(Self { through, columns, search })
    }

    /// Appends the condition, over the table as `t`, whose columns no other table's name hides.
    pub(super) fn push(&self, sql: &mut Sql) {
        match &*self.through {
            Through::Words { expression, configuration } => {
                sql.push("((").push(expression).push(") @@ (");
                self.push_query(sql, configuration);
                sql.push("))");
            }
            Through::Parts => {
                let mut glue = "(";
                for term in self.search.terms() {
                    sql.push(glue);
                    self.push_part(sql, term);
                    glue = " and ";
                }
                sql.push(")");
            }
        }
    }

    /// `phraseto_tsquery('simple'::regconfig, $1::text) && !! ..`
    fn push_query(&self, sql: &mut Sql, configuration: &str) {
        let configuration = format!("'{}'::regconfig, ", configuration.replace('\'', "''"));
        let mut glue = "";
        for term in self.search.terms() {
            sql.push(glue).push(if term.is_absent { "!! " } else { "" });
            let (function, text) = match term.kind {
                TermKind::Words => ("phraseto_tsquery(", term.text.clone()),
                // Of letters and digits, so there is nothing to quote.
                TermKind::Beginning => ("to_tsquery(", format!("'{}':*", term.text).into()),
            };
            sql.push(function).push(&configuration).bind(Value::Text(text), "text").push(")");
            glue = " && ";
        }
    }

    /// `(t."name" ilike $1::text or ..)`
    fn push_part(&self, sql: &mut Sql, term: &Term) {
        let mut pattern = String::from("%");
        for c in term.text.chars() {
            if matches!(c, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('%');
        let mut glue = if term.is_absent { "(not coalesce(" } else { "(" };
        for column in self.columns {
            sql.push(glue).push("t.").push(&quote(column)).push(" ilike ");
            sql.bind(Value::Text(pattern.clone().into()), "text");
            glue = if term.is_absent { ", false) and not coalesce(" } else { " or " };
        }
        sql.push(if term.is_absent { ", false))" } else { ")" });
    }
}

impl<'a> Select<'a> {
    /// Whether rows come that are not wanted.
    pub(super) fn is_flagged(&self) -> bool {
        if self.found.is_some() { self.walks } else { self.flag.is_some() }
    }

    /// What an index is searched for.
    pub(super) fn gathered(&self) -> Option<&'a Found<'a>> {
        self.found.filter(|_| !self.walks)
    }
}

/// How a transaction begins in which the planner may take the index of words, and sort.
pub(super) fn gather() -> String {
    gathering(GATHERING_MS_MAX).begin() + PLANNER
}

/// The same with one snapshot for several statements.
pub(super) fn gather_whole(acting: &Acting<'_>, timeout_ms: u64) -> String {
    as_whom(acting, gathering(timeout_ms).whole() + PLANNER)
}

fn gathering(timeout_ms: u64) -> Settings {
    Settings { timeout_ms, sorts: true, finds_own: false }
}
