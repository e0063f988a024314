//! Streams: every row of a selection, as NDJSON, JSON or CSV.
//!
//! Promises: admitted first, then the first slice is read, then the status is sent; resumable
//! with `after`, in the order of the sort. Where no index runs in that order and the table is
//! large, everything is read and sorted before the status is sent.
//! Never: a snapshot that was not asked for. Every row present throughout appears exactly once; the
//! others may or may not.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use plimsoll::format::{Csv, CsvOptions, Format, JsonObjects, RowEncoder};
use plimsoll_store::{Position, SnapshotRequest, SortRequest};

use crate::access::{Counting, RowCount};
use crate::app::Context;
use crate::negotiate;
use crate::params::{Query, Selection, SelectionParams, flag, invalid};
use crate::problem::{Kind, Result};
use crate::request_id::RequestId;
use crate::served::Served;
use crate::session;
use crate::stream::{Emission, Emitted, Range, Snapshot, Sorted, Source, emit};

pub(crate) const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A stream's parameters.
pub(crate) struct StreamParams {
    pub(crate) selection: Selection,
    pub(crate) format: Option<Format>,
    pub(crate) after: Option<Position>,
    pub(crate) csv: CsvOptions,
    /// All rows of one moment.
    pub(crate) snapshot: bool,
}

impl StreamParams {
    const NAMES: [&'static str; 5] = ["format", "after", "consistency", "formula_guard", "bom"];

    /// Reads the whole query of a stream or export.
    pub(crate) fn read(context: &Context, served: &Served, query: Option<&str>) -> Result<Self> {
        let query = Query::read(query)?;
        let mut selection = SelectionParams::new(served);
        let (mut format, mut after, mut csv) = (None, None, CsvOptions::default());
        // A query is run once, and what it gives is of one moment.
        let mut snapshot = served.is_query();
        for (name, value) in query.pairs() {
            match name {
                "format" => format = Some(negotiate::named(value)?),
                "after" => after = Some(value),
                "consistency" if served.is_query() && value != "snapshot" => {
                    return Err(invalid(name, value, "snapshot where a query is read"));
                }
                "consistency" => snapshot = consistency(value)?,
                "formula_guard" => csv.guard = flag(name, value)?,
                "bom" => csv.bom = flag(name, value)?,
                _ if selection.take(name, value)? => {}
                _ => return Err(selection.unknown(name, &Self::NAMES)),
            }
        }
        let selection = selection.finish()?;
        let after = match after {
            None => None,
            Some(cursor) => Some(context.cursors.open(cursor, &selection, served)?.position),
        };
        Ok(Self { selection, format, after, csv, snapshot })
    }
}

/// Whether a snapshot is asked for.
fn consistency(value: &str) -> Result<bool> {
    match value {
        "keyset" => Ok(false),
        "snapshot" => Ok(true),
        _ => Err(invalid("consistency", value, "keyset or snapshot")),
    }
}

/// `GET` of a stream.
pub(crate) async fn stream(
    context: &Arc<Context>,
    served: &Arc<Served>,
    request: &Parts,
) -> Result<Response<Body>> {
    let params = StreamParams::read(context, served, request.uri.query())?;
    let format = match params.format {
        Some(format) => format,
        None => negotiate::accepted(&request.headers)?,
    };
    let columns = params.selection.fields.clone().unwrap_or_else(|| Arc::clone(&served.columns));
    let titles = served.names(&columns).map(Into::into).collect();
    let titled = Titled { format, titles, csv: params.csv, columns, rows: None };
    send(context, served, request, params, titled).await
}

/// What the rows look like.
pub(crate) struct Titled {
    pub(crate) format: Format,
    pub(crate) titles: Vec<Box<str>>,
    pub(crate) csv: CsvOptions,
    pub(crate) columns: Arc<[usize]>,
    /// Where the rows are counted, if they are.
    pub(crate) rows: Option<RowCount>,
}

impl Titled {
    pub(crate) fn encoder(&self) -> Box<dyn RowEncoder> {
        let titles: Vec<&str> = self.titles.iter().map(|title| &**title).collect();
        self.counted(encoder(self.format, &titles, self.csv))
    }

    fn counted(&self, encoder: Box<dyn RowEncoder>) -> Box<dyn RowEncoder> {
        match self.rows.clone() {
            Some(rows) => Box::new(Counting { encoder, rows }),
            None => encoder,
        }
    }

    /// The same rows for a sort, where none knows which comes before it, and what parts them.
    pub(crate) fn apart(&self) -> (Box<dyn RowEncoder>, &'static [u8]) {
        match self.format {
            Format::Json => (self.counted(Box::new(JsonObjects::new(&self.titles))), b",\n"),
            Format::Csv | Format::Ndjson => (self.encoder(), b""),
        }
    }
}

pub(crate) fn encoder(format: Format, titles: &[&str], csv: CsvOptions) -> Box<dyn RowEncoder> {
    match format {
        Format::Csv => Box::new(Csv::new(titles, csv)),
        Format::Ndjson | Format::Json => format.encoder(titles),
    }
}

/// Admits, reads the first slice, and answers.
pub(crate) async fn send(
    context: &Arc<Context>,
    served: &Arc<Served>,
    request: &Parts,
    params: StreamParams,
    titled: Titled,
) -> Result<Response<Body>> {
    let titled = Titled { rows: request.extensions.get().cloned(), ..titled };
    let range = Range {
        resource: Arc::clone(&served.resource),
        filter: params.selection.filter,
        search: params.selection.search,
        order: params.selection.order,
        columns: Arc::clone(&titled.columns),
        horizon: session::horizon(&request.headers)?,
    };
    let id = request.extensions.get::<RequestId>().cloned();
    let request_id = id.unwrap_or_else(|| context.request_ids.of(&HeaderMap::new()));
    let emission = |source| Emission {
        source,
        encoder: titled.encoder(),
        format: titled.format,
        request_id: request_id.clone(),
    };
    let source = if params.snapshot && request.method != Method::HEAD {
        Source::Snapshot(snapshot(context, range.clone(), params.after.clone(), &titled).await?)
    } else {
        Source::Range(range.clone(), params.after.clone())
    };
    let permit = context.admission.admit().await?;
    let Emitted { body, horizon } = match emit(context, permit, emission(source)).await {
        // Nothing of the rows is sent, so nothing is sorted for it.
        Err(problem) if unindexed(problem.kind()) && request.method == Method::HEAD => {
            Emitted { body: Body::empty(), horizon: None }
        }
        Err(problem) if unindexed(problem.kind()) && !params.snapshot => {
            let sorted = sorted(context, range, params.after, &titled).await?;
            let permit = context.admission.admit().await?;
            emit(context, permit, emission(Source::Sorted(sorted))).await?
        }
        emitted => emitted?,
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(titled.format));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    session::tell(horizon, headers);
    Ok(response)
}

fn unindexed(kind: Kind) -> bool {
    kind == Kind::SortUnindexed
}

/// The rows in an order that no index has. A place among the streams is asked for when they are
/// sorted: until then they have nothing to send.
async fn sorted(
    context: &Arc<Context>,
    range: Range,
    from: Option<Position>,
    titled: &Titled,
) -> Result<Sorted> {
    let (encoder, separator) = titled.apart();
    let Range { resource, filter, search, order, columns, horizon } = range;
    let request =
        SortRequest { resource, filter, search, order, from, columns, encoder, separator, horizon };
    Sorted::sort(context, request).await
}

/// The rows of one moment, read as fast as the database says them.
async fn snapshot(
    context: &Arc<Context>,
    range: Range,
    from: Option<Position>,
    titled: &Titled,
) -> Result<Snapshot> {
    let Range { resource, filter, search, order, columns, horizon } = range;
    let mut encoder = titled.encoder();
    let (timeout, is_query) = (context.limits.snapshot_timeout, resource.query.is_some());
    let make = Box::new(move |mut out: Vec<u8>, extra, sink| {
        // What stands before the rows is written by whoever sends them.
        encoder.begin(&mut out);
        out.clear();
        SnapshotRequest {
            resource,
            filter,
            search,
            order,
            from,
            horizon,
            columns,
            encoder,
            out,
            extra: Some(extra),
            sink,
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        }
    });
    Snapshot::begin(context, is_query, make).await
}

pub(crate) fn content_type(format: Format) -> HeaderValue {
    HeaderValue::from_static(match format {
        Format::Ndjson => "application/x-ndjson",
        Format::Json => "application/json",
        Format::Csv => "text/csv; charset=utf-8; header=present",
    })
}
