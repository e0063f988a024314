//! Days and channels that are out of date.
//!
//! Promises: in order of day and channel, a bounded number at a time.
//! Never: a mark that is not there any more.

use std::sync::Arc;

use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::{Timestamp, Value, ValueRef};
use plimsoll::stream::RowBytes;

use crate::catalogue::{MarkMapping, Order, Resource};
use crate::error::{Error, Result};
use crate::horizon::Horizon;
use crate::read::{Page, PageEnd, PageRequest, Position, ReadLane, Scope};
use crate::store::Store;
use crate::write::{OnConflict, Write};

/// Marks of one batch at most: each is a statement of its unit.
const MARKS_MAX: u64 = 256;

/// A day and channel with its marks.
pub(super) struct Marked {
    pub(super) date: Timestamp,
    pub(super) channel: Box<str>,
    generations: Vec<i64>,
}

/// The generation of a mark that later writes may hide behind.
const OPEN: i64 = 0;
/// What an open mark becomes when it is claimed.
const CLAIMED: i64 = 1;

/// Some days, and where the next ones begin.
pub(super) struct Batch {
    pub(super) marked: Vec<Marked>,
    pub(super) next: Option<Position>,
    pub(super) horizon: Option<Horizon>,
}

/// Reads marks behind a position. What is beyond the bound of one day waits for another batch:
/// those marks stay.
pub(super) fn batch(store: &Store, mapping: &MarkMapping, from: Option<Position>) -> Result<Batch> {
    let resource = &mapping.resource;
    let columns: Arc<[usize]> = [mapping.date, mapping.channel, mapping.generation].into();
    let order = Order::new(resource, &[])?;
    let Some(page) = some_rows(store, resource, columns, order, from)? else {
        return Ok(Batch { marked: Vec::new(), next: None, horizon: None });
    };
    let mut marked: Vec<Marked> = Vec::new();
    for row in rows(&page) {
        let [date, channel, generation] = *row? else { return Err(unlike(resource)) };
        let (ValueRef::Time(date), ValueRef::Text(channel), ValueRef::Int(generation)) =
            (date, channel, generation)
        else {
            return Err(unlike(resource));
        };
        match marked.last_mut() {
            Some(last) if last.date == date && *last.channel == *channel => {
                last.generations.push(generation);
            }
            _ => {
                let (channel, generations) = (channel.into(), vec![generation]);
                marked.push(Marked { date, channel, generations });
            }
        }
    }
    let next = match page.end {
        PageEnd::More(position) => Some(position),
        PageEnd::Exhausted => None,
    };
    Ok(Batch { marked, next, horizon: page.horizon })
}

/// The next rows; a slice may have found none in its time.
fn some_rows(
    store: &Store,
    resource: &Arc<Resource>,
    columns: Arc<[usize]>,
    order: Order,
    mut from: Option<Position>,
) -> Result<Option<Page>> {
    let order = Arc::new(order);
    loop {
        let scope = Scope::Range {
            filter: None,
            search: None,
            order: Arc::clone(&order),
            from,
            backwards: false,
        };
        let page = store.page(request(resource, scope, &columns, None)).wait()?;
        match page.end {
            PageEnd::Exhausted if page.rows == 0 => return Ok(None),
            PageEnd::More(position) if page.rows == 0 => from = Some(position),
            _ => return Ok(Some(page)),
        }
    }
}

/// A request for a few rows as values.
pub(super) fn request(
    resource: &Arc<Resource>,
    scope: Scope,
    columns: &Arc<[usize]>,
    horizon: Option<Horizon>,
) -> PageRequest {
    PageRequest {
        resource: Arc::clone(resource),
        scope,
        columns: Arc::clone(columns),
        rows_max: MARKS_MAX,
        bytes_max: FRAME_BYTES,
        encoder: Box::new(RowBytes),
        out: Vec::new(),
        extra: None,
        row_ends: Some(Vec::new()),
        lane: ReadLane::Bulk,
        horizon,
    }
}

/// The rows of a page as values.
pub(super) fn rows(page: &Page) -> impl Iterator<Item = Result<Vec<ValueRef<'_>>>> {
    let mut begin = 0;
    page.row_ends.as_deref().unwrap_or_default().iter().map(move |&end| {
        let row = &page.out[begin..end];
        begin = end;
        Ok(RowBytes::values(row)?)
    })
}

pub(super) fn unlike(resource: &Resource) -> Error {
    Error::invalid(format!(
        "a row of {} is not as the analytics mapping says: a day is an instant, a channel a text, \
         a generation a whole number",
        resource.name
    ))
}

impl Marked {
    /// Statements that take away what later writes could hide behind.
    pub(super) fn claim(&self, mapping: &MarkMapping) -> Vec<Write> {
        if !self.generations.contains(&OPEN) {
            return Vec::new();
        }
        let insert = Write::Insert {
            resource: Arc::clone(&mapping.resource),
            columns: [mapping.date, mapping.channel, mapping.generation].into(),
            values: self.key(mapping, CLAIMED).1,
            // Another refresh may have left it.
            on_conflict: OnConflict::Skip,
        };
        vec![self.delete(mapping, OPEN), insert]
    }

    /// Statements that remove what a claim has left.
    pub(super) fn remove(&self, mapping: &MarkMapping) -> Vec<Write> {
        let left = |generation: &i64| if *generation == OPEN { CLAIMED } else { *generation };
        let mut left: Vec<i64> = self.generations.iter().map(left).collect();
        left.dedup();
        left.into_iter().map(|generation| self.delete(mapping, generation)).collect()
    }

    fn delete(&self, mapping: &MarkMapping, generation: i64) -> Write {
        let key = self.key(mapping, generation).0;
        Write::Delete { resource: Arc::clone(&mapping.resource), key, if_version: None }
    }

    /// A mark's key in the order of the resource's key, and its values in that of the mapping.
    fn key(&self, mapping: &MarkMapping, generation: i64) -> (Vec<Value>, Vec<Value>) {
        let values =
            vec![Value::Time(self.date), Value::Text(self.channel.clone()), Value::Int(generation)];
        let columns = [mapping.date, mapping.channel, mapping.generation];
        let of = |column: &usize| columns.iter().position(|c| c == column);
        let key = mapping.resource.key.iter().filter_map(of).map(|at| values[at].clone());
        (key.collect(), values)
    }
}
