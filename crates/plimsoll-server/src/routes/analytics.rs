//! Sums and rankings over the pack's mapping.
//!
//! | parameter | meaning |
//! |---|---|
//! | `from` | inclusive; a date is its midnight UTC |
//! | `to` | a date includes that whole day; an instant is exclusive |
//! | `period` | `yesterday` is the last whole day UTC; `1d`, `7d`, `30d`, `90d` end now |
//! | `channel` | only this one |
//! | `by`, `limit` | top only: `revenue`, `quantity` or `orders`; 1 to 500, 10 by default |
//! | `bucket`, `metric` | trends only: `hour`, `day`, `week` or `month`; one field instead of all |
//!
//! Promises: each answer is of one snapshot; a bounded number of reports run at once, the others
//! wait and are refused in the end, not piled up.
//! Never: a table's name; the mapping knows those.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response};
use plimsoll::budget::Reservation;
use plimsoll::format::{JsonArray, JsonObjects, RowEncoder};
use plimsoll::limits::PAGE_ROWS_MAX;
use plimsoll::record::{Timestamp, Value, ValueRow};
use plimsoll_store::{Bucket, Horizon, Report, ReportKind, ReportRequest, TREND_ROWS_MAX, TopBy};
use serde_json::json;
use tokio::sync::SemaphorePermit;

use super::within;
use crate::app::Context;
use crate::held::held;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};
use crate::session;

const DAY_MICROS: i64 = 86_400 * 1_000_000;
const TOP_ROWS_DEFAULT: u64 = 10;
const RANGE_NAMES: [&str; 4] = ["from", "to", "period", "channel"];
pub(crate) const TOP_NAMES: [&str; 6] = ["from", "to", "period", "channel", "by", "limit"];
const TREND_NAMES: [&str; 6] = ["from", "to", "period", "channel", "bucket", "metric"];
const METRICS: [&str; 5] = ["revenue", "orders", "items", "quantity", "average_order"];
const DATE_FORMS: &str = "a date as 2011-01-31 or an instant as 2011-01-31T12:00:00Z";
/// Reserved for a report's rows, twice: as values and as text.
const REPORT_BYTES: u64 = 256 << 10;
/// Of a trend's row: as values of the database, as values of the trend, and as text.
const TREND_ROW_BYTES: u64 = 640;

/// `GET /analytics/summary`.
pub(crate) async fn summary(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let params = Params::of(context, request, &RANGE_NAMES)?;
    answer(context, &params, ReportKind::Summary).await
}

/// `GET /analytics/top-...`.
pub(crate) async fn top(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let params = Params::of(context, request, &TOP_NAMES)?;
    answer(context, &params, params.top()).await
}

/// `GET /analytics/trends`.
pub(crate) async fn trends(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let params = Params::of(context, request, &TREND_NAMES)?;
    answer(context, &params, params.trend()).await
}

/// What a report of the mapping is asked with.
pub(crate) struct Params {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    channel: Option<Box<str>>,
    by: TopBy,
    rows_max: u64,
    bucket: Bucket,
    /// The one field beside the start, where one was named.
    metric: Option<&'static str>,
    horizon: Option<Horizon>,
}

impl Params {
    fn of(context: &Context, request: &Parts, names: &[&str]) -> Result<Self> {
        Self::read(context, request.uri.query(), &request.headers, names)
    }

    /// Everything between two instants.
    pub(crate) fn of_span(from: i64, until: i64) -> Self {
        let [from, until] = [from, until].map(|micros| Some(Timestamp::from_micros(micros)));
        Self { from, until, ..Self::of_all() }
    }

    fn of_all() -> Self {
        Self {
            from: None,
            until: None,
            channel: None,
            by: TopBy::Revenue,
            rows_max: TOP_ROWS_DEFAULT,
            bucket: Bucket::Day,
            metric: None,
            horizon: None,
        }
    }

    /// The ranking that is asked for.
    pub(crate) fn top(&self) -> ReportKind {
        ReportKind::Top { by: self.by, rows_max: self.rows_max }
    }

    /// The trend that is asked for.
    pub(crate) fn trend(&self) -> ReportKind {
        ReportKind::Trend { bucket: self.bucket }
    }

    /// Reads them from a query that has no others than `names`.
    ///
    /// # Errors
    /// 400 at the first that is wrong.
    pub(crate) fn read(
        context: &Context,
        query: Option<&str>,
        headers: &HeaderMap,
        names: &[&str],
    ) -> Result<Self> {
        let query = Query::read(query)?;
        let mut params = Self { horizon: session::horizon(headers)?, ..Self::of_all() };
        let mut period = None;
        for (name, value) in query.pairs() {
            match name {
                _ if !names.contains(&name) => return Err(unknown(name, names, &[])),
                "from" => params.from = Some(instant(name, value)?.0),
                "to" => {
                    let (time, is_date) = instant(name, value)?;
                    let day = if is_date { DAY_MICROS } else { 0 };
                    params.until = Some(Timestamp::from_micros(time.micros() + day));
                }
                "period" => period = Some(value),
                "channel" => params.channel = Some(value.into()),
                "by" => params.by = measure(value)?,
                "bucket" => params.bucket = bucket(value)?,
                "metric" => params.metric = Some(metric(value)?),
                _ => params.rows_max = rows(value)?,
            }
        }
        if let Some(period) = period {
            if params.from.is_some() || params.until.is_some() {
                return Err(invalid("period", period, "given without from and to"));
            }
            let (from, until) = span(period, context.clock.now_micros())?;
            params.from = Some(Timestamp::from_micros(from));
            params.until = Some(Timestamp::from_micros(until));
        }
        match (params.from, params.until) {
            (Some(from), Some(until)) if from > until => Err(Problem::new(
                Kind::InvalidParameter,
                format!("from ({from}) lies after the end ({until})"),
            )),
            _ => Ok(params),
        }
    }
}

/// The instant, and whether it was given as a date.
fn instant(name: &str, value: &str) -> Result<(Timestamp, bool)> {
    let time: Timestamp = value.parse().map_err(|_| invalid(name, value, DATE_FORMS))?;
    Ok((time, value.len() == "2011-01-31".len()))
}

fn measure(value: &str) -> Result<TopBy> {
    match value {
        "revenue" => Ok(TopBy::Revenue),
        "quantity" => Ok(TopBy::Quantity),
        "orders" => Ok(TopBy::Orders),
        _ => Err(invalid("by", value, "one of revenue, quantity, orders")),
    }
}

fn bucket(value: &str) -> Result<Bucket> {
    match value {
        "hour" => Ok(Bucket::Hour),
        "day" => Ok(Bucket::Day),
        "week" => Ok(Bucket::Week),
        "month" => Ok(Bucket::Month),
        _ => Err(invalid("bucket", value, "one of hour, day, week, month")),
    }
}

fn metric(value: &str) -> Result<&'static str> {
    let found = METRICS.into_iter().find(|name| *name == value);
    found.ok_or_else(|| invalid("metric", value, &format!("one of {}", METRICS.join(", "))))
}

fn rows(value: &str) -> Result<u64> {
    let rows = value.parse().ok().filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
    rows.ok_or_else(|| {
        invalid("limit", value, &format!("a whole number from 1 to {PAGE_ROWS_MAX}"))
    })
}

fn span(period: &str, now_micros: i64) -> Result<(i64, i64)> {
    let days = match period {
        "yesterday" => {
            let midnight = now_micros.div_euclid(DAY_MICROS) * DAY_MICROS;
            return Ok((midnight - DAY_MICROS, midnight));
        }
        "1d" => 1,
        "7d" => 7,
        "30d" => 30,
        "90d" => 90,
        _ => {
            return Err(invalid("period", period, "one of 1d, yesterday, 7d, 30d, 90d"));
        }
    };
    Ok((now_micros - days * DAY_MICROS, now_micros))
}

/// Waits for the right to make a report, as long as a report may take.
pub(super) async fn turn(context: &Context) -> Result<SemaphorePermit<'_>> {
    let timeout = context.limits.report_timeout;
    if let Ok(Ok(turn)) = tokio::time::timeout(timeout, context.reports.acquire()).await {
        return Ok(turn);
    }
    context.metrics.rejected("reports");
    let why = "other reports took all the time there was; try again";
    Err(Problem::new(Kind::Busy, why).retry_after(5))
}

/// What is left of the time of a report that was asked for at `started`.
pub(super) fn left(context: &Context, started: Instant) -> Duration {
    let timeout = context.limits.report_timeout;
    timeout.saturating_sub(started.elapsed()).max(Duration::from_millis(1))
}

async fn answer(
    context: &Arc<Context>,
    params: &Params,
    kind: ReportKind,
) -> Result<Response<Body>> {
    let (report, reservation) = make(context, params, kind).await?;
    Ok(super::json(held(document(&report, params, kind)?, Some(reservation))))
}

/// Makes a report when it is its turn, with the bytes of its rows and their text.
///
/// # Errors
/// 503 where others have the time or the memory, and what the store refuses.
pub(crate) async fn make(
    context: &Arc<Context>,
    params: &Params,
    kind: ReportKind,
) -> Result<(Report, Reservation)> {
    let started = Instant::now();
    let _turn = turn(context).await?;
    let bytes = match kind {
        ReportKind::Trend { .. } => TREND_ROWS_MAX as u64 * TREND_ROW_BYTES,
        ReportKind::Summary | ReportKind::Top { .. } | ReportKind::Rollup => REPORT_BYTES,
    };
    let reservation = context.page_bytes.try_reserve(bytes)?;
    let analytics = context.store.catalogue().analytics();
    let analytics = analytics.ok_or_else(|| Problem::internal(&"no mapping behind the route"))?;
    let left = left(context, started);
    let pending = context.store.report(ReportRequest {
        analytics: Arc::clone(analytics),
        kind,
        from: params.from,
        until: params.until,
        channel: params.channel.clone(),
        timeout_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        horizon: params.horizon,
    });
    // The store stops by itself at its timeout; the second more is for its answer to arrive.
    let report = within(left + Duration::from_secs(1), pending, "the report").await?;
    context.metrics.processed("report", started.elapsed());
    Ok((report, reservation))
}

fn document(report: &Report, params: &Params, kind: ReportKind) -> Result<Vec<u8>> {
    let columns = &report.schema.columns;
    let wanted = |name: &str| params.metric.is_none_or(|metric| name == metric || name == "start");
    let shown: Vec<usize> = (0..columns.len()).filter(|&at| wanted(&columns[at].name)).collect();
    let names = shown.iter().map(|&at| &columns[at].name);
    let mut encoder: Box<dyn RowEncoder> = match kind {
        ReportKind::Summary => Box::new(JsonObjects::new(names)),
        ReportKind::Top { .. } | ReportKind::Trend { .. } | ReportKind::Rollup => {
            Box::new(JsonArray::new(names))
        }
    };
    let mut out = b"{\"data\":".to_vec();
    encoder.begin(&mut out);
    for row in &report.rows {
        let row: Vec<Value> = shown.iter().map(|&at| row[at].clone()).collect();
        encoder.row(&ValueRow(&row), &mut out).map_err(|e| Problem::internal(&e))?;
    }
    encoder.end(&mut out);
    let meta = json!({
        "from": params.from.map(|time| time.to_string()),
        "until": params.until.map(|time| time.to_string()),
        "channel": params.channel,
    });
    out.extend_from_slice(format!(",\"meta\":{meta}}}").as_bytes());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yesterday_is_the_last_whole_day_and_other_periods_end_now() {
        let noon: Timestamp = "2011-01-31T12:00:00Z".parse().expect("a time");
        let as_text = |(from, until): (i64, i64)| {
            [from, until].map(|micros| Timestamp::from_micros(micros).to_string())
        };
        assert_eq!(
            as_text(span("yesterday", noon.micros()).expect("known")),
            ["2011-01-30T00:00:00Z", "2011-01-31T00:00:00Z"]
        );
        assert_eq!(
            as_text(span("7d", noon.micros()).expect("known")),
            ["2011-01-24T12:00:00Z", "2011-01-31T12:00:00Z"]
        );
        assert!(span("2d", 0).is_err());
    }
}
