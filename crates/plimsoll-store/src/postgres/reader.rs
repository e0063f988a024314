//! One slice of reading on one connection.
//!
//! ```text
//!   ranges of the order ─> window ─> rows ─> encode into `out` ─┐
//!        ^                                                      v
//!        │           rows_max | bytes_max | 50 ms | nobody waits any more
//!        └── next window, behind the last row      └─> Position of the last row, End::More
//!   ranges used up ─> End::Exhausted
//! ```
//!
//! A window is one statement in a transaction of its own; its size follows what rows have taken
//! before, so that one statement is usually one frame. What breaks in the middle of a window ends
//! the slice at the last whole row; the next slice goes on there, on another connection or host.
//! Before the first window of a reading its host is asked where it stands, and only a host that has
//! come as far reads the later ones.
//!
//! Promises: no snapshot outlives a window; a row is encoded wholly or not at all.
//! Never: a cursor of the server's, or a statement without a limit.

use std::time::{Duration, Instant};

use plimsoll::limits::{FRAME_BYTES, SLICE_MS_MAX};
use plimsoll::record::{Row as _, Value};

use super::among::select_among;
use super::company::{self, Others};
use super::connection::Link;
use super::dialect::{self, FIELDS_IN_FRONT, Select, Source, Sql, Window};
use super::failure::{explain, is_cut_short};
use super::guise::Acting;
use super::hosts::Need;
use super::native::{Codec, Table};
use super::pace::Pace;
use super::part::Part;
use super::query_page;
use super::ranges::{unindexed, unsought};
use super::row::MessageRow;
use super::search::Found;
use super::small::{SMALL_TABLE, is_small};
use super::transaction::{Settings, fetch_begun};
use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::fields::{append, too_large};
use crate::horizon::Horizon;
use crate::pending::Watch;
use crate::plan::{Condition, access, seek};
use crate::read::{Page, PageEnd, PageRequest, Position, Scope};

/// A statement that reads a window through an index.
pub(super) const WINDOW: Settings = Settings { timeout_ms: 10_000, sorts: false, finds_own: false };
/// Where others are at work, a filtered window looks at a sixteenth: two milliseconds.
const SMALLER: u64 = 16;
/// How often a window that has read nothing yet is begun again, on another host if there is one.
const TRIES_MAX: u32 = 3;
/// Between two tries; a server that restarts takes seconds.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// What a slice is read beside.
pub(super) struct Around<'a> {
    pub(super) pace: &'a Pace,
    pub(super) others: Option<Others<'a>>,
}

/// Reads one slice.
pub(super) fn slice(
    link: &mut Link,
    table: &Table,
    around: &Around<'_>,
    watch: &Watch,
    mut request: PageRequest,
) -> Result<Page> {
    let pace = around.pace;
    let resource = request.resource.clone();
    let source = Source { resource: &resource, table };
    let what = format!("reading {}", resource.name);
    link.choose(Need::Read(request.horizon))?;
    let begins = !request.horizon.is_some_and(Horizon::is_of_reading);
    if begins && !matches!(request.scope, Scope::Key(_)) {
        request.horizon = link.begin_reading(watch)?;
    }
    match request.scope.clone() {
        Scope::Key(key) => {
            let sql = dialect::select_key(source, &request.columns, &key)?;
            let columns = request.columns.to_vec();
            let mut slice = Slice::new(request, source, columns, &[], &what, pace);
            slice.window(link, watch, &sql, &WINDOW.begin(), u64::MAX)?;
            Ok(slice.finish(None))
        }
        Scope::Among { column, values, each_max } => {
            let is_indexed = seek(&resource, column).is_some();
            if !is_indexed && !is_small(link, watch, source, &what)? {
                return Err(unsought(source, column)?);
            }
            let sql = select_among(source, &request, column, &values, each_max);
            let columns = request.columns.to_vec();
            let mut slice = Slice::new(request, source, columns, &[], &what, pace);
            slice.places = Some(Vec::new());
            let settings = if is_indexed { WINDOW } else { SMALL_TABLE };
            let came = slice.window(link, watch, &sql, &settings.begin(), u64::MAX)?;
            let is_whole = matches!(came, Came::All(_));
            Ok(slice.finish((!is_whole).then(|| Position(Vec::new()))))
        }
        Scope::Range { filter, search, order, from, backwards } => {
            let access = access(&resource, &order, filter.as_deref());
            let found = search.as_ref().map(|search| Found::new(&resource, search)).transpose()?;
            if found.is_none() && !access.served && !is_small(link, watch, source, &what)? {
                return Err(unindexed(source, &order));
            }
            let (found, filter) = (found.as_ref(), filter.as_deref());
            let others = around.others.as_ref();
            let makes_way = others.is_some_and(|others| others.are_busy(link, watch));
            let part = Part { source, order: &order, filter, found, backwards, makes_way };
            if let Some(query) = &resource.query {
                return query_page::page(link, watch, pace, &what, (query, part, request, from));
            }
            part.slice(link, watch, pace, &what, (request, access, from))
        }
    }
}

/// How a pass over ranges ended.
pub(super) enum End {
    /// No row follows.
    Exhausted,
    /// The slice is full, or its time is over.
    Stopped(Position),
    /// The window is used up, the slice is not.
    Window(Position),
    /// What is searched for could not be gathered in time.
    TooSlow,
}

pub(super) struct Slice<'a> {
    pub(super) request: PageRequest,
    resource: &'a Resource,
    codecs: Vec<Codec>,
    row_bytes_max: u64,
    /// Where each term of the order stands in the columns.
    stands: &'a [usize],
    what: &'a str,
    pace: &'a Pace,
    began: Instant,
    until: Instant,
    /// Others are at work: one small window, and a rest.
    pub(super) makes_way: bool,
    pub(super) rows: u64,
    /// Which value each row goes with, where that is asked.
    places: Option<Vec<u32>>,
    scanned: u64,
    /// Of the largest row that came.
    largest_row_bytes: u64,
    first: Option<Position>,
    /// The last row of this window that was looked at.
    last: Option<tokio_postgres::Row>,
    last_written: Option<Position>,
    /// The row limit is reached: only look whether another row follows.
    looking_ahead: bool,
    full: bool,
    /// A statement that takes too long is not tried again: the rows can be read another way.
    pub(super) gathers: bool,
}

impl<'a> Slice<'a> {
    pub(super) fn new(
        request: PageRequest,
        source: Source<'a>,
        columns: Vec<usize>,
        stands: &'a [usize],
        what: &'a str,
        pace: &'a Pace,
    ) -> Self {
        let codecs = columns.iter().map(|&c| source.table.columns[c].codec).collect();
        Self {
            request,
            resource: source.resource,
            codecs,
            row_bytes_max: source.table.row_bytes_max,
            stands,
            what,
            pace,
            began: Instant::now(),
            until: Instant::now() + Duration::from_millis(SLICE_MS_MAX),
            makes_way: false,
            rows: 0,
            places: None,
            scanned: 0,
            largest_row_bytes: 0,
            first: None,
            last: None,
            last_written: None,
            looking_ahead: false,
            full: false,
            gathers: false,
        }
    }

    /// Reads one window of each range until something stops it.
    pub(super) fn ranges(
        &mut self,
        link: &mut Link,
        watch: &Watch,
        select: &Select<'_>,
        ranges: &[Vec<Condition>],
        begin: &str,
    ) -> Result<End> {
        for range in ranges {
            let window = self.next_window(select.is_flagged());
            let sql = dialect::select(select, range, window);
            let wanted = window.rows;
            let began = Instant::now();
            let came = self.window(link, watch, &sql, begin, wanted)?;
            let whole = match came {
                Came::All(rows) => rows < wanted && self.last_place() != window.scanned,
                Came::Broken | Came::Full => false,
                Came::TooSlow => return Ok(End::TooSlow),
            };
            if select.is_flagged() && !matches!(came, Came::Broken) {
                let looked_at = self.last_place();
                self.scanned += looked_at;
                self.pace.scanned(looked_at, began.elapsed());
            }
            if self.full {
                return Ok(End::Stopped(self.stopped_at()?));
            }
            if whole {
                continue;
            }
            let position = self.position()?;
            let over = matches!(came, Came::Broken)
                || self.makes_way
                || Instant::now() >= self.until
                || self.is_nearly_full();
            return Ok(if over { End::Stopped(position) } else { End::Window(position) });
        }
        Ok(End::Exhausted)
    }

    fn next_window(&self, filtered: bool) -> Window {
        let bytes_left = self.request.bytes_max.saturating_sub(self.request.out.len());
        // One row more than is wanted tells whether more follow.
        let rows_left = (self.request.rows_max - self.rows).saturating_add(1);
        let rows = self.pace.rows_of(bytes_left).min(rows_left).max(1);
        let looked_at = self.pace.window_rows() / if self.makes_way { SMALLER } else { 1 };
        let scanned = if filtered { looked_at.max(rows) } else { rows };
        Window { scanned, rows }
    }

    /// The rest is not worth a statement.
    fn is_nearly_full(&self) -> bool {
        self.request.out.len() > self.request.bytes_max - self.request.bytes_max / 8
    }

    /// Reads the rows of one statement. What breaks before a row has come is tried again.
    pub(super) fn window(
        &mut self,
        link: &mut Link,
        watch: &Watch,
        sql: &Sql,
        begin: &str,
        wanted: u64,
    ) -> Result<Came> {
        let what = self.what;
        let mut tries = 0;
        loop {
            tries += 1;
            let mut came = 0;
            let read = link.run(watch, async |client| {
                Ok(self.read(client, sql, begin, wanted, &mut came).await)
            });
            if self.largest_row_bytes > FRAME_BYTES as u64 {
                link.swelled();
            }
            let broken = match read {
                Ok(Ok(came)) => return Ok(came),
                Ok(Err(Broken::Row(error))) => return Err(error),
                Ok(Err(Broken::Server(error))) => {
                    if self.gathers && came == 0 && is_cut_short(&error) {
                        return Ok(Came::TooSlow);
                    }
                    link.give_up_if_lost(&error);
                    explain(what, &error)
                }
                Err(error) => error,
            };
            if broken.kind() != ErrorKind::Busy {
                return Err(broken);
            }
            tracing::warn!(error = %broken, rows = came, "a read broke off");
            if came > 0 {
                return Ok(Came::Broken);
            }
            if tries == TRIES_MAX {
                return Err(broken);
            }
            if !link.elsewhere() {
                link.pause(watch, TRY_AGAIN_AFTER * tries);
            }
        }
    }

    async fn read(
        &mut self,
        client: &Acting<'_>,
        sql: &Sql,
        begin: &str,
        wanted: u64,
        came: &mut u64,
    ) -> std::result::Result<Came, Broken> {
        let mut rows = fetch_begun(client, sql, begin.to_owned()).await.map_err(Broken::Server)?;
        let bytes_before = self.request.out.len();
        let rows_before = self.rows;
        self.last = None;
        let mut stopped = false;
        while let Some(row) = rows.next().await.map_err(Broken::Server)? {
            *came += 1;
            stopped = self.take(row).map_err(Broken::Row)?;
            if stopped {
                break;
            }
        }
        let bytes = self.request.out.len().saturating_sub(bytes_before);
        self.pace.wrote(self.rows - rows_before, bytes);
        if stopped {
            return Ok(Came::Full);
        }
        debug_assert!(*came <= wanted, "the statement has a limit");
        Ok(Came::All(*came))
    }

    /// Handles one row. True when the slice is to stop after it.
    fn take(&mut self, row: tokio_postgres::Row) -> Result<bool> {
        let field = |e: tokio_postgres::Error| explain(self.what, &e);
        let bytes: i64 = row.try_get(0).map_err(field)?;
        let wanted: Option<bool> = row.try_get(1).map_err(field)?;
        if wanted != Some(true) {
            self.last = Some(row);
            return Ok(false);
        }
        if self.looking_ahead {
            self.full = true;
            return Ok(true);
        }
        self.largest_row_bytes = self.largest_row_bytes.max(bytes.cast_unsigned());
        if bytes.cast_unsigned() > self.row_bytes_max {
            return Err(too_large(self.what, bytes.cast_unsigned(), self.row_bytes_max));
        }
        let width = self.request.columns.len();
        let encoded =
            MessageRow { row: &row, codecs: &self.codecs[..width], first: FIELDS_IN_FRONT };
        let request = &mut self.request;
        append(&encoded, self.what, &mut *request.encoder, &mut request.out, &mut request.extra)?;
        if let Some(ends) = &mut request.row_ends {
            ends.push(request.out.len());
        }
        if let Some(places) = &mut self.places {
            let place: i64 = row.try_get(2).map_err(field)?;
            places.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
        self.rows += 1;
        self.last = Some(row);
        if self.first.is_none() {
            self.first = Some(self.position()?);
        }
        if self.rows >= self.request.rows_max {
            self.last_written = Some(self.position()?);
            self.looking_ahead = true;
        } else if self.request.out.len() >= self.request.bytes_max {
            self.last_written = Some(self.position()?);
            self.full = true;
            return Ok(true);
        }
        Ok(false)
    }

    /// Where the window's last row stands in it.
    fn last_place(&self) -> u64 {
        let place = self.last.as_ref().and_then(|row| row.try_get::<_, i64>(2).ok());
        place.map_or(0, i64::cast_unsigned)
    }

    pub(super) fn position(&self) -> Result<Position> {
        let Some(row) = &self.last else {
            return Err(Error::new(ErrorKind::Corrupt, "a window without a row has no end"));
        };
        let fields = MessageRow { row, codecs: &self.codecs, first: FIELDS_IN_FRONT };
        let values = self.stands.iter().map(|&at| Ok::<Value, Error>(fields.value(at)?.to_owned()));
        Ok(Position(values.collect::<Result<_>>()?))
    }

    /// Behind the last row that was written: a row that was only looked at comes again.
    pub(super) fn stopped_at(&self) -> Result<Position> {
        self.last_written.clone().map_or_else(|| self.position(), Ok)
    }

    pub(super) fn finish(self, stopped_at: Option<Position>) -> Page {
        tracing::trace!(resource = %self.resource.name, rows = self.rows, "a slice");
        Page {
            out: self.request.out,
            extra: self.request.extra,
            encoder: self.request.encoder,
            row_ends: self.request.row_ends,
            places: self.places.unwrap_or_default(),
            rows: self.rows,
            rows_scanned: self.scanned.max(self.rows),
            first: self.first,
            last: self.last_written,
            rest: if self.makes_way { company::rest(self.began) } else { Duration::ZERO },
            end: stopped_at.map_or(PageEnd::Exhausted, PageEnd::More),
            horizon: self.request.horizon,
        }
    }
}

/// What came of a statement.
pub(super) enum Came {
    /// So many rows, and no more.
    All(u64),
    /// The slice stopped in the middle.
    Full,
    /// The connection broke after some rows.
    Broken,
    /// None in its time.
    TooSlow,
}

/// What went wrong with a statement.
enum Broken {
    /// A row cannot be written, or its budget was refused.
    Row(Error),
    /// The server or the connection.
    Server(tokio_postgres::Error),
}
