//! The related rows of a page, read at once.
//!
//! Promises: one request to the store per relation; none where no row has a value.
//! Never: more than the bounds below, whatever the rows go with.

use std::ops::Range;
use std::sync::Arc;

use plimsoll::budget::Reservation;
use plimsoll::format::JsonObjects;
use plimsoll::limits::FRAME_SLACK_BYTES;
use plimsoll::record::{Value, compare};
use plimsoll_store::{Horizon, PageEnd, PageRequest, ReadLane, Scope};

use super::{Included, Kept};
use crate::app::Context;
use crate::problem::Result;
use crate::routes::within;

/// Related rows of one row; more are a list of their own, by a filter.
pub(super) const EACH_ROWS_MAX: u64 = 100;
/// Related rows of a page by one relation.
const RELATED_ROWS_MAX: u64 = 2_000;
/// A relation reads no more rows of a page once it has this many bytes.
const RELATED_BYTES_MAX: usize = 256 << 10;

/// The related rows of one relation.
pub(crate) struct Related {
    pub(super) included: Included,
    /// The rows' text, end to end.
    pub(super) text: Vec<u8>,
    row_ends: Vec<usize>,
    places: Vec<u32>,
    /// The place that each row of the page looks at; NULL has none.
    place_of: Vec<Option<u32>>,
    /// The last place of which there is a row, where a bound ended the reading: the next ones
    /// were not read, and none of them if there is no row.
    stopped_at: Option<Option<u32>>,
    _reservation: Option<Reservation>,
}

/// What a row shows of a relation.
pub(super) enum Shown {
    /// Some of the related rows, and whether there may be more.
    Rows(Range<usize>, bool),
    /// They were not read.
    LeftOut,
}

/// Reads the related rows of each relation for a page of rows.
pub(crate) async fn related(
    context: &Context,
    included: Vec<Included>,
    kept: &Kept,
    horizon: Option<Horizon>,
) -> Result<Vec<Related>> {
    let (kept, width) = (kept.take(), included.len());
    let mut all = Vec::with_capacity(width);
    for (at, included) in included.into_iter().enumerate() {
        let of_rows: Vec<&Value> = kept.iter().skip(at).step_by(width).collect();
        let (values, place_of) = distinct(&of_rows);
        all.push(read(context, included, values, place_of, horizon).await?);
    }
    Ok(all)
}

/// The different values without NULL, and where each row's own stands among them.
fn distinct(of_rows: &[&Value]) -> (Vec<Value>, Vec<Option<u32>>) {
    let is_null = |value: &Value| matches!(value, Value::Null);
    let mut rows: Vec<usize> = (0..of_rows.len()).filter(|&row| !is_null(of_rows[row])).collect();
    rows.sort_by(|&a, &b| compare(of_rows[a].borrow(), of_rows[b].borrow()));
    let mut values: Vec<Value> = Vec::new();
    let mut place_of = vec![None; of_rows.len()];
    for row in rows {
        if values.last() != Some(of_rows[row]) {
            values.push(of_rows[row].clone());
        }
        place_of[row] = u32::try_from(values.len() - 1).ok();
    }
    (values, place_of)
}

async fn read(
    context: &Context,
    included: Included,
    values: Vec<Value>,
    place_of: Vec<Option<u32>>,
    horizon: Option<Horizon>,
) -> Result<Related> {
    let mut related = Related {
        included,
        text: Vec::new(),
        row_ends: Vec::new(),
        places: Vec::new(),
        place_of,
        stopped_at: None,
        _reservation: None,
    };
    if values.is_empty() {
        return Ok(related);
    }
    let to = &related.included.to;
    let places = 2 * size_of::<usize>() * usize::try_from(RELATED_ROWS_MAX).unwrap_or(usize::MAX);
    let capacity = RELATED_BYTES_MAX + FRAME_SLACK_BYTES;
    let reservation = context.page_bytes.try_reserve((capacity + places) as u64)?;
    let request = PageRequest {
        resource: Arc::clone(&to.resource),
        scope: Scope::Among {
            column: related.included.theirs,
            values: values.into(),
            // One more tells whether there are more.
            each_max: if related.included.many { EACH_ROWS_MAX + 1 } else { 1 },
        },
        columns: Arc::clone(&to.columns),
        rows_max: RELATED_ROWS_MAX,
        bytes_max: RELATED_BYTES_MAX,
        encoder: Box::new(JsonObjects::new(to.names(&to.columns))),
        out: Vec::with_capacity(capacity),
        extra: Some(reservation),
        row_ends: Some(Vec::new()),
        lane: ReadLane::Interactive,
        horizon,
    };
    let timeout = context.limits.request_timeout;
    let page = within(timeout, context.store.page(request), "reading the related rows").await?;
    related.stopped_at = match page.end {
        PageEnd::Exhausted => None,
        PageEnd::More(_) => Some(page.places.last().copied()),
    };
    (related.text, related.places) = (page.out, page.places);
    (related.row_ends, related._reservation) = (page.row_ends.unwrap_or_default(), page.extra);
    Ok(related)
}

impl Related {
    /// For rows of a page that is shown in reverse.
    pub(crate) fn turn_around(&mut self) {
        self.place_of.reverse();
    }

    /// What row `row` of the page shows.
    pub(super) fn shown(&self, row: usize) -> Shown {
        let Some(place) = self.place_of.get(row).copied().flatten() else {
            return Shown::Rows(0..0, false);
        };
        if self.stopped_at.is_some_and(|last| last.is_none_or(|last| place > last)) {
            return Shown::LeftOut;
        }
        let begin = self.places.partition_point(|&p| p < place);
        let end = self.places.partition_point(|&p| p <= place);
        let each_max = usize::try_from(EACH_ROWS_MAX).unwrap_or(usize::MAX);
        let shown = end.min(begin + each_max);
        let is_cut = shown < end || self.included.many && self.stopped_at == Some(Some(place));
        Shown::Rows(begin..shown, is_cut)
    }

    /// The text of a related row.
    pub(super) fn text_of(&self, row: usize) -> &[u8] {
        let begin = row.checked_sub(1).map_or(0, |before| self.row_ends[before]);
        &self.text[begin..self.row_ends[row]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_are_asked_for_once_and_null_never() {
        let values = [Value::Int(7), Value::Null, Value::Int(3), Value::Int(7)];
        let (distinct, places) = distinct(&values.iter().collect::<Vec<_>>());
        assert_eq!(distinct, [Value::Int(3), Value::Int(7)]);
        assert_eq!(places, [Some(1), None, Some(0), Some(1)]);
    }
}
