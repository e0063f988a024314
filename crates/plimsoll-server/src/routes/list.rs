//! Lists: one page of rows by keyset, in either direction.
//!
//! ```text
//!   {"data":[ rows as the reader wrote them ],
//!    "meta":{"cursor":{"next":"..","prev":null}},
//!    "links":{"self":"..","next":"..","prev":null}}
//! ```
//!
//! Promises: the rows' bytes are never parsed again; a page ends at `limit` rows, at 256 KiB, or
//! after 2 s of looking for rows that match, and `next` goes on exactly there.
//! Never: a count of all rows; nobody can keep it cheap and true.

use std::mem::take;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use plimsoll::budget::Reservation;
use plimsoll::format::{JsonArray, RowEncoder};
use plimsoll::limits::FRAME_SLACK_BYTES;
use plimsoll_store::{Horizon, PageEnd, PageRequest, Position, ReadLane, Scope};
use serde_json::{Value as Json, json};

use super::{json as json_answer, within};
use crate::app::Context;
use crate::cursor::Direction;
use crate::held::{cover, held};
use crate::include::{Cut, Kept, Related, joined, keep, related};
use crate::links;
use crate::params::{Page, PageParams};
use crate::problem::Result;
use crate::served::Served;
use crate::session;

/// A page holds no more rows once it has this many bytes.
const PAGE_BYTES_MAX: usize = 256 << 10;
/// Reserved and allocated per row asked for, up to [`PAGE_BYTES_MAX`]; a page grows beyond only
/// as its rows do.
const ROW_BYTES_USUAL: usize = 256;
/// How long a page looks for rows that match its filter.
const LOOKING_MAX: Duration = Duration::from_secs(2);
/// What stands around the rows.
const ENVELOPE_BYTES: usize = 1 << 10;

/// `GET` of a collection.
pub(crate) async fn list(
    context: &Context,
    served: &Arc<Served>,
    request: &Parts,
) -> Result<Response<Body>> {
    let page = PageParams::read(request.uri.query(), served, context)?;
    answer(context, served, request, page).await
}

/// The page that was asked for.
pub(super) async fn answer(
    context: &Context,
    served: &Arc<Served>,
    request: &Parts,
    mut page: Page,
) -> Result<Response<Body>> {
    let uri = &request.uri;
    let horizon = session::horizon(&request.headers)?;
    let usual = usize::try_from(page.rows_max).unwrap_or(usize::MAX) * ROW_BYTES_USUAL;
    // The slack lets the reader write usual rows without measuring each first.
    let capacity = ENVELOPE_BYTES + usual.min(PAGE_BYTES_MAX) + FRAME_SLACK_BYTES;
    let kept = Kept::bytes_max(page.rows_max, served, &page.included);
    let reservation = context.page_bytes.try_reserve(capacity as u64 + kept)?;
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(b"{\"data\":");
    let mut rows = read(context, served, &page, horizon, (out, reservation)).await?;
    let cuts = rows.include(context, &mut page).await?;
    let cursors = rows.cursors(context, &page)?;
    let links = Links {
        own: links::to_self(uri.path(), uri.query()),
        next: cursors.next.as_deref().map(|c| links::to_cursor(uri.path(), uri.query(), c)),
        prev: cursors.prev.as_deref().map(|c| links::to_cursor(uri.path(), uri.query(), c)),
    };
    finish(&mut rows.out, &cursors, &cuts, &links);
    if let Some(reservation) = &mut rows.reservation {
        cover(reservation, &rows.out)?;
    }
    let mut response = json_answer(held(rows.out, rows.reservation));
    session::tell(rows.horizon, response.headers_mut());
    if let Some(value) = links.header() {
        response.headers_mut().insert(header::LINK, value);
    }
    Ok(response)
}

/// What was read.
struct Rows {
    out: Vec<u8>,
    reservation: Option<Reservation>,
    first: Option<Position>,
    /// Where more rows are, in the direction of reading.
    more: Option<Position>,
    /// What the next page has to see.
    horizon: Option<Horizon>,
    /// What related rows are looked up by, and where the rows lie, as they will be shown.
    kept: Option<(Kept, Vec<Range<usize>>)>,
}

/// Slices until the page is full, the rows end, or the time is over.
async fn read(
    context: &Context,
    served: &Served,
    page: &Page,
    mut horizon: Option<Horizon>,
    (mut out, reservation): (Vec<u8>, Reservation),
) -> Result<Rows> {
    let until = Instant::now() + LOOKING_MAX;
    let backwards = page.direction == Direction::Backwards;
    let columns = page.selection.fields.as_ref().unwrap_or(&served.columns);
    let mut encoder: Box<dyn RowEncoder> = Box::new(JsonArray::new(served.names(columns)));
    let (mut columns, mut kept) = (Arc::clone(columns), None);
    if !page.included.is_empty() {
        let (keeping, with_own, values) = keep(encoder, &columns, &page.included);
        (encoder, columns, kept) = (keeping, with_own, Some(values));
    }
    let mut extra = Some(reservation);
    let start = out.len();
    encoder.begin(&mut out);
    let mut row_ends = (backwards || kept.is_some()).then(Vec::new);
    let mut first = None;
    let mut from = page.from.clone();
    let mut rows = 0;
    let more = loop {
        let slice = PageRequest {
            resource: Arc::clone(&served.resource),
            scope: Scope::Range {
                filter: page.selection.filter.clone(),
                search: page.selection.search.clone(),
                order: Arc::clone(&page.selection.order),
                from,
                backwards,
            },
            columns: Arc::clone(&columns),
            rows_max: page.rows_max - rows,
            bytes_max: PAGE_BYTES_MAX,
            encoder,
            out,
            extra,
            row_ends,
            lane: ReadLane::Interactive,
            horizon,
        };
        let timeout = context.limits.request_timeout;
        let answer = within(timeout, context.store.page(slice), "reading the page").await?;
        (out, encoder, row_ends) = (answer.out, answer.encoder, answer.row_ends);
        (extra, horizon) = (answer.extra, answer.horizon);
        first = first.or(answer.first);
        rows += answer.rows;
        match answer.end {
            PageEnd::Exhausted => break None,
            PageEnd::More(position) => {
                let full =
                    rows >= page.rows_max || out.len() >= PAGE_BYTES_MAX || served.is_query();
                if full || Instant::now() >= until {
                    break Some(position);
                }
                from = Some(position);
            }
        }
    };
    encoder.end(&mut out);
    let row_ends = row_ends.unwrap_or_default();
    let kept = kept.map(|values| (values, row_places(&out, start, &row_ends)));
    if backwards && kept.is_none() {
        out = turned_around(&out, start, &row_ends);
    }
    Ok(Rows { out, reservation: extra, first, more, horizon, kept })
}

/// Where the rows' objects lie, in the order they were read in. `row_ends` are absolute.
fn row_places(out: &[u8], start: usize, row_ends: &[usize]) -> Vec<Range<usize>> {
    let mut begin = start;
    let place = |&end: &usize| {
        // What stands between two rows has no brace.
        let brace = out[begin..end].iter().position(|&b| b == b'{').unwrap_or_default();
        let place = begin + brace..end;
        begin = end;
        place
    };
    row_ends.iter().map(place).collect()
}

/// The same array with its rows in reverse. `row_ends` are absolute; a row begins with the comma
/// that parts it from the one before.
fn turned_around(out: &[u8], start: usize, row_ends: &[usize]) -> Vec<u8> {
    let mut turned = Vec::with_capacity(out.len() + ENVELOPE_BYTES);
    turned.extend_from_slice(&out[..start]);
    turned.push(b'[');
    for (place, &end) in row_ends.iter().enumerate().rev() {
        let begin = match place {
            0 => start + 1,
            _ => row_ends[place - 1],
        };
        let row = out[begin..end].trim_ascii_start();
        let row = row.strip_prefix(b",").unwrap_or(row).trim_ascii_start();
        if turned.len() > start + 1 {
            turned.extend_from_slice(b",\n");
        }
        turned.extend_from_slice(row);
    }
    turned.push(b']');
    turned
}

struct Cursors {
    next: Option<String>,
    prev: Option<String>,
    /// There are more rows, and no order to say where: those of a query without a key.
    is_cut: bool,
}

impl Rows {
    /// Puts the related rows into the rows. What they are read from is held until the new text
    /// stands; it is given back with the old one.
    async fn include(&mut self, context: &Context, page: &mut Page) -> Result<Vec<Cut>> {
        let Some((kept, mut rows)) = self.kept.take() else { return Ok(Vec::new()) };
        let included = take(&mut page.included);
        let mut related = related(context, included, &kept, self.horizon).await?;
        if page.direction == Direction::Backwards {
            rows.reverse();
            related.iter_mut().for_each(Related::turn_around);
        }
        let (mut out, reservation, cuts) =
            joined(context, b"{\"data\":[", &self.out, &rows, &related)?;
        out.push(b']');
        (self.out, self.reservation) = (out, Some(reservation));
        Ok(cuts)
    }

    /// Reading forwards, `next` is where more rows are and `prev` stands before the first row;
    /// backwards, the other way round. Without a place to begin there is nothing before.
    fn cursors(&self, context: &Context, page: &Page) -> Result<Cursors> {
        if page.selection.order.terms().is_empty() {
            return Ok(Cursors { next: None, prev: None, is_cut: self.more.is_some() });
        }
        let seal = |direction, position: Option<&Position>| {
            position.map(|p| context.cursors.seal(page.selection.scope, direction, p)).transpose()
        };
        let behind = self.first.as_ref().filter(|_| page.from.is_some());
        Ok(match page.direction {
            Direction::Forwards => Cursors {
                next: seal(Direction::Forwards, self.more.as_ref())?,
                prev: seal(Direction::Backwards, behind)?,
                is_cut: false,
            },
            Direction::Backwards => Cursors {
                next: seal(Direction::Forwards, behind)?,
                prev: seal(Direction::Backwards, self.more.as_ref())?,
                is_cut: false,
            },
        })
    }
}

struct Links {
    own: String,
    next: Option<String>,
    prev: Option<String>,
}

impl Links {
    fn header(&self) -> Option<HeaderValue> {
        let mut text = String::new();
        for (link, relation) in [(&self.next, "next"), (&self.prev, "prev")] {
            if let Some(link) = link {
                let comma = if text.is_empty() { "" } else { ", " };
                text.extend([comma, "<", link, ">; rel=\"", relation, "\""]);
            }
        }
        if text.is_empty() { None } else { HeaderValue::try_from(text).ok() }
    }
}

/// Cursors are base64url and links are encoded, so both fit a JSON string as they are.
fn finish(out: &mut Vec<u8>, cursors: &Cursors, cuts: &[Cut], links: &Links) {
    let put = |out: &mut Vec<u8>, name: &str, value: Option<&str>| {
        out.extend_from_slice(name.as_bytes());
        match value {
            None => out.extend_from_slice(b"null"),
            Some(value) => {
                out.push(b'"');
                out.extend_from_slice(value.as_bytes());
                out.push(b'"');
            }
        }
    };
    put(out, ",\"meta\":{\"cursor\":{\"next\":", cursors.next.as_deref());
    put(out, ",\"prev\":", cursors.prev.as_deref());
    out.push(b'}');
    if cursors.is_cut {
        out.extend_from_slice(b",\"has_more\":true");
    }
    put_cuts(out, cuts);
    put(out, "},\"links\":{\"self\":", Some(&links.own));
    put(out, ",\"next\":", links.next.as_deref());
    put(out, ",\"prev\":", links.prev.as_deref());
    out.extend_from_slice(b"}}");
}

/// `,"truncated":{"lines":{"cut":1,"left_out":0}}` where something is.
fn put_cuts(out: &mut Vec<u8>, cuts: &[Cut]) {
    let of =
        |cut: &Cut| (String::from(&*cut.name), json!({"cut": cut.cut, "left_out": cut.left_out}));
    if !cuts.is_empty() {
        let cuts = Json::Object(cuts.iter().map(of).collect());
        out.extend_from_slice(format!(",\"truncated\":{cuts}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::turned_around;

    #[test]
    fn rows_are_turned_around_whole() {
        let out = b"{\"data\":[{\"a\":1},\n{\"a\":22},\n{\"a\":3}]";
        let ends = [16, 26, 35];
        let turned = turned_around(out, 8, &ends);
        assert_eq!(turned, b"{\"data\":[{\"a\":3},\n{\"a\":22},\n{\"a\":1}]");
        assert_eq!(turned_around(b"{\"data\":[]", 8, &[]), b"{\"data\":[]");
    }
}
