//! Which page of a list: `limit` and the place to begin.
//!
//! Promises: `limit` is 1 to 500; one place at most; a cursor is checked before it is used.
//! Never: an offset.

use plimsoll::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use plimsoll_store::Position;

use super::selection::SEARCHED_AS;
use super::{Query, Selection, SelectionParams, invalid};
use crate::app::Context;
use crate::cursor::Direction;
use crate::include::{Included, included};
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// A list's parameters.
pub(crate) struct Page {
    pub(crate) selection: Selection,
    pub(crate) included: Vec<Included>,
    pub(crate) rows_max: u64,
    pub(crate) from: Option<Position>,
    pub(crate) direction: Direction,
}

/// The parameters as they are found.
#[derive(Default)]
pub(crate) struct PageParams<'a> {
    limit: Option<u64>,
    place: Option<(&'a str, Option<Direction>)>,
    include: Option<&'a str>,
}

impl<'a> PageParams<'a> {
    const NAMES: [&'static str; 6] =
        ["limit", "cursor", "page[size]", "page[after]", "page[before]", "include"];

    /// Reads the whole query of a list.
    ///
    /// # Errors
    /// 400 naming the parameter and what is allowed.
    pub(crate) fn read(query: Option<&str>, served: &Served, context: &Context) -> Result<Page> {
        let query = Query::read(query)?;
        Self::read_with(SelectionParams::new(served), &query, served, context)
    }

    /// Reads the whole query of a search: as a list's, with what is searched for as `q`.
    ///
    /// # Errors
    /// As for a list, and 400 without `q`.
    pub(crate) fn read_search(
        query: Option<&str>,
        served: &Served,
        context: &Context,
    ) -> Result<Page> {
        let (selection, query) = (SelectionParams::searching(served), Query::read(query)?);
        let page = Self::read_with(selection, &query, served, context)?;
        if page.selection.search.is_none() {
            return Err(Problem::new(
                Kind::InvalidParameter,
                "a search needs q, the words to look for, as in ?q=green+tea",
            )
            .with("parameter", SEARCHED_AS));
        }
        Ok(page)
    }

    fn read_with<'q>(
        mut selection: SelectionParams<'q>,
        query: &'q Query<'q>,
        served: &Served,
        context: &Context,
    ) -> Result<Page> {
        let mut page = PageParams::default();
        for (name, value) in query.pairs() {
            if !page.take(name, value)? && !selection.take(name, value)? {
                return Err(selection.unknown(name, &Self::NAMES));
            }
        }
        page.finish(selection.finish()?, served, context)
    }

    fn take(&mut self, name: &'a str, value: &'a str) -> Result<bool> {
        match name {
            "limit" | "page[size]" => {
                let rows: Option<u64> = value.parse().ok();
                let rows = rows.filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
                let allowed = || format!("a whole number from 1 to {PAGE_ROWS_MAX}");
                let rows = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
                if self.limit.replace(rows).is_some() {
                    return Err(invalid(name, value, "given once, as limit or as page[size]"));
                }
            }
            "include" => self.include = Some(value),
            "cursor" => self.place(value, None)?,
            "page[after]" => self.place(value, Some(Direction::Forwards))?,
            "page[before]" => self.place(value, Some(Direction::Backwards))?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn place(&mut self, cursor: &'a str, direction: Option<Direction>) -> Result<()> {
        match self.place.replace((cursor, direction)) {
            None => Ok(()),
            Some(_) => Err(Problem::new(
                Kind::InvalidParameter,
                "give one of cursor, page[after] and page[before]",
            )),
        }
    }

    fn finish(self, selection: Selection, served: &Served, context: &Context) -> Result<Page> {
        let (from, direction) = match self.place {
            None => (None, Direction::Forwards),
            Some((cursor, direction)) => {
                let opened = context.cursors.open(cursor, &selection, served)?;
                (Some(opened.position), direction.unwrap_or(opened.direction))
            }
        };
        let included = self.include.map(|text| included(context, served, text)).transpose()?;
        let included = included.unwrap_or_default();
        let rows_max = self.limit.unwrap_or(PAGE_ROWS_DEFAULT);
        Ok(Page { selection, included, rows_max, from, direction })
    }
}
