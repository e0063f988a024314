//! A part of an order, read window after window into one slice.
//!
//! ```text
//!   ranges behind the position ─> a window of each ─> full, or its time is over ─> Page
//!        ^                             │
//!        └── what is searched for ─────┘ took too long to gather: from now on each row is asked
//! ```
//!
//! Promises: a slice moves forward, however little matches.
//! Never: an order that no index has, except where what is sorted is little.

use plimsoll::expr::Expr;

use super::connection::Link;
use super::dialect::{Select, Source};
use super::pace::Pace;
use super::ranges::{ranges, unindexed};
use super::reader::{End, Slice, WINDOW};
use super::search::{Found, gather};
use super::small::SMALL_TABLE;
use crate::catalogue::{Nulls, Order};
use crate::error::Result;
use crate::pending::Watch;
use crate::plan::{Access, ServedTerm};
use crate::read::{Page, PageRequest, Position};

/// Which part of an order is read.
pub(super) struct Part<'a> {
    pub(super) source: Source<'a>,
    pub(super) order: &'a Order,
    pub(super) filter: Option<&'a Expr>,
    pub(super) found: Option<&'a Found<'a>>,
    pub(super) backwards: bool,
    /// Others are at work on the server.
    pub(super) makes_way: bool,
}

impl Part<'_> {
    /// Window after window, until the slice is full or its time is over.
    pub(super) fn slice(
        &self,
        link: &mut Link,
        watch: &Watch,
        pace: &Pace,
        what: &str,
        (request, access, from): (PageRequest, Access, Option<Position>),
    ) -> Result<Page> {
        let Part { source, order, filter, found, backwards, makes_way } = *self;
        let by_hand = |&term| ServedTerm { term, nulls: Nulls::Smallest };
        let all = || -> Vec<ServedTerm> { order.terms().iter().map(by_hand).collect() };
        let terms = if access.served { access.terms.clone() } else { all() };
        let columns = order.columns_behind(&request.columns);
        let mut select = Select {
            source,
            columns: &columns,
            flag: filter,
            found,
            walks: access.served && found.is_some_and(|found| found.search.is_slow()),
            equal: &access.equal,
            bounds: &access.bounds,
            terms: &terms,
            backwards,
        };
        let stand = |column: usize| columns.iter().position(|&c| c == column);
        let stands: Vec<usize> = order.terms().iter().filter_map(|t| stand(t.column)).collect();
        let settings = if access.served { WINDOW } else { SMALL_TABLE };
        let mut slice = Slice::new(request, source, columns.clone(), &stands, what, pace);
        slice.makes_way = makes_way;
        let mut next = from;
        loop {
            let ranges = ranges(source.resource, order, &terms, next.as_ref(), backwards)?;
            slice.gathers = found.is_some() && !select.walks;
            let begin = if slice.gathers { gather() } else { settings.begin() };
            match slice.ranges(link, watch, &select, &ranges, &begin)? {
                End::Exhausted => return Ok(slice.finish(None)),
                End::Stopped(position) => return Ok(slice.finish(Some(position))),
                End::Window(position) => next = Some(position),
                End::TooSlow if !access.served => return Err(unindexed(source, order)),
                End::TooSlow => {
                    found.iter().for_each(|found| found.search.was_slow());
                    select.walks = true;
                }
            }
        }
    }
}
