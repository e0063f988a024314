//! `GET /reports/export/csv?start_date=&end_date=`: one line for each day, as it is summed.
//!
//! ```text
//!   Date,Orders,Revenue,Customers
//!   2026-01-31,12,340.50,9          one summary of one day, made when the line before was taken
//! ```
//!
//! Promises: a line is of one moment; the first is made before the head is sent, so that what is
//! refused is refused as a problem; a day without orders has a line.
//! Never: more than two days ahead of whoever reads.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use plimsoll::format::{Csv, CsvOptions, Format, RowEncoder as _};
use plimsoll::record::{Timestamp, Value, ValueRow};
use plimsoll_store::ReportKind;
use tokio::sync::mpsc;

use super::super::analytics::{Params, make};
use super::super::export::attachment;
use super::super::stream::{X_ACCEL_BUFFERING, content_type};
use crate::app::Context;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};
use crate::reports::expect_mapping;
use crate::stream::{Frames, Said};

const PARAMETERS: [&str; 2] = ["start_date", "end_date"];
const TITLES: [&str; 4] = ["Date", "Orders", "Revenue", "Customers"];
const DAY_MICROS: i64 = 86_400_000_000;
/// Days where nothing is said, today among them.
const DAYS_PRESET: i64 = 30;
/// Days at most: ten years.
const DAYS_MAX: i64 = 3_660;

/// Days of UTC: the first, and the one behind the last.
struct Days {
    next: i64,
    until: i64,
}

/// See the module.
pub(super) async fn by_day(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    context.may_mapping()?;
    expect_mapping(context)?;
    let mut days = Days::read(context, request)?;
    let last = date(days.until - DAY_MICROS);
    let name = format!("report_{}_{last}.csv", date(days.next));
    let first = line(context, &mut days, true).await?;
    let (sender, frames) = mpsc::channel(1);
    let mut response = Response::new(Body::new(Frames::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type(Format::Csv));
    headers.insert(header::CONTENT_DISPOSITION, attachment(&name));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    tokio::spawn(send(Arc::clone(context), days, first, sender));
    Ok(response)
}

async fn send(context: Arc<Context>, mut days: Days, first: Bytes, sender: mpsc::Sender<Said>) {
    let mut next = first;
    loop {
        if sender.send(Said::Data(next)).await.is_err() {
            return;
        }
        if days.next >= days.until {
            drop(sender.send(Said::End).await);
            return;
        }
        next = match line(&context, &mut days, false).await {
            Ok(line) => line,
            // Without its end the client sees that the answer is cut.
            Err(problem) => {
                tracing::warn!(target: "http", ?problem, "a report by day is cut");
                return;
            }
        };
    }
}

/// The line of a day, behind the titles where it is the first.
async fn line(context: &Arc<Context>, days: &mut Days, is_first: bool) -> Result<Bytes> {
    let span = (days.next, days.next + DAY_MICROS);
    let params = Params::of_span(span.0, span.1);
    let (report, _reserved) = make(context, &params, ReportKind::Summary).await?;
    let column = |name: &str| {
        let at = report.schema.columns.iter().position(|column| &*column.name == name);
        at.zip(report.rows.first()).map_or(Value::Null, |(at, row)| row[at].clone())
    };
    let day = Value::Text(date(span.0).into());
    let row = [day, column("orders"), column("revenue"), column("customers")];
    let mut text = Vec::new();
    let mut encoder = Csv::new(&TITLES, CsvOptions::default());
    if is_first {
        encoder.begin(&mut text);
    }
    encoder.row(&ValueRow(&row), &mut text).map_err(|e| Problem::internal(&e))?;
    days.next = span.1;
    Ok(text.into())
}

/// E.g. `2026-01-31`.
fn date(micros: i64) -> String {
    let mut text = Timestamp::from_micros(micros).to_string();
    text.truncate("2026-01-31".len());
    text
}

impl Days {
    fn read(context: &Context, request: &Parts) -> Result<Self> {
        let (mut start, mut end) = (None, None);
        for (name, value) in Query::read(request.uri.query())?.pairs() {
            match name {
                "start_date" => start = Some(day(name, value)?),
                "end_date" => end = Some(day(name, value)?),
                _ => return Err(unknown(name, &PARAMETERS, &[])),
            }
        }
        let today = context.clock.now_micros().div_euclid(DAY_MICROS) * DAY_MICROS;
        let last = end.unwrap_or(today);
        let next = start.unwrap_or_else(|| last.saturating_sub((DAYS_PRESET - 1) * DAY_MICROS));
        if next > last {
            let why = format!("start_date ({}) lies behind end_date ({})", date(next), date(last));
            return Err(Problem::new(Kind::InvalidParameter, why));
        }
        let count = (last - next) / DAY_MICROS + 1;
        if count > DAYS_MAX {
            let why = format!("{count} days: a report by day has {DAYS_MAX} at most");
            return Err(Problem::new(Kind::InvalidParameter, why));
        }
        Ok(Self { next, until: last + DAY_MICROS })
    }
}

fn day(name: &str, value: &str) -> Result<i64> {
    let form = "a date as 2026-01-31";
    let time = Some(value).filter(|value| value.len() == "2026-01-31".len());
    let time: Option<Timestamp> = time.and_then(|value| value.parse().ok());
    Ok(time.ok_or_else(|| invalid(name, value, form))?.micros())
}
