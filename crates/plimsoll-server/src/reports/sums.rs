//! Reports of sums by name: what the analytics have, as rows of a file.
//!
//! ```text
//!   sales        start, revenue, orders, items, quantity, average_order     by bucket
//!   PATH         the subject's ranking: key, labels, revenue, quantity, orders
//!   analytics    section, key, label, revenue, orders, items, quantity, average_order
//!                  section: total, previous, day, channel, top
//! ```
//!
//! Promises: the rows are those of `/analytics`, read as whoever asked for the report; their bytes
//! are reserved, as values and as text.
//! Never: a name of a pack; the subject's is its path.

use std::sync::Arc;

use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Uri};
use plimsoll::budget::Reservation;
use plimsoll::format::{CsvOptions, Format};
use plimsoll::record::{Value, ValueRow};
use plimsoll_jobs::{Ending, JobError, Run};
use plimsoll_store::sales::{Document, Summed};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;

use super::file::{ReportFile, remove_all};
use super::generate::{failed, finish, lost};
use super::{Asked, Reports};
use crate::app::Context;
use crate::problem::{Kind, Problem, Result};
use crate::routes::analytics::{self, Params};
use crate::routes::sales;
use crate::routes::stream::encoder;

/// The columns of the document as one table.
const DOCUMENT: [&str; 8] =
    ["section", "key", "label", "revenue", "orders", "items", "quantity", "average_order"];

/// Which sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sums {
    Sales,
    Ranking,
    Analytics,
}

/// Rows with their names.
struct Table {
    names: Vec<Box<str>>,
    rows: Vec<Vec<Value>>,
    _reserved: Option<Reservation>,
}

impl Sums {
    /// What a name stands for, where orders are mapped.
    pub(crate) fn named(context: &Context, name: &str) -> Option<Self> {
        let analytics = context.store.catalogue().analytics()?;
        let subject = &analytics.subject.resource;
        match name {
            "sales" => Some(Self::Sales),
            "analytics" => Some(Self::Analytics),
            _ if subject.path.as_deref().unwrap_or(&subject.name) == name => Some(Self::Ranking),
            _ => None,
        }
    }

    /// What there is.
    pub(crate) fn names(context: &Context) -> Vec<Box<str>> {
        let analytics = context.store.catalogue().analytics();
        let subject = analytics.map(|analytics| &analytics.subject.resource);
        let path = subject.map(|subject| subject.path.as_deref().unwrap_or(&subject.name));
        let path = path.into_iter().flat_map(|path| ["sales", "analytics", path]);
        path.map(Into::into).collect()
    }

    /// Whether the analytics take these parameters.
    ///
    /// # Errors
    /// As they refuse them.
    pub(crate) fn check(self, context: &Context, query: &str) -> Result<()> {
        match self {
            Self::Analytics => sales::wanted(Some(query)).map(drop),
            _ => self.params(context, query, &HeaderMap::new()).map(drop),
        }
    }

    fn params(self, context: &Context, query: &str, headers: &HeaderMap) -> Result<Params> {
        let names: &[&str] = match self {
            Self::Ranking => &analytics::TOP_NAMES,
            Self::Sales | Self::Analytics => &["from", "to", "period", "channel", "bucket"],
        };
        Params::read(context, Some(query), headers, names)
    }

    async fn table(
        self,
        context: &Arc<Context>,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<Table> {
        if self == Self::Analytics {
            let (period, channel) = sales::wanted(Some(query))?;
            let document = sales::work_out(context, period, channel.as_deref()).await?;
            let names = DOCUMENT.map(Into::into).to_vec();
            return Ok(Table { names, rows: rows_of(&document), _reserved: None });
        }
        let params = self.params(context, query, headers)?;
        let kind = match self {
            Self::Ranking => params.top(),
            Self::Sales | Self::Analytics => params.trend(),
        };
        let (report, reserved) = analytics::make(context, &params, kind).await?;
        let names = report.schema.columns.iter().map(|column| column.name.clone()).collect();
        Ok(Table { names, rows: report.rows, _reserved: Some(reserved) })
    }
}

/// The document as one table.
fn rows_of(document: &Document) -> Vec<Vec<Value>> {
    let text = |text: &str| Value::Text(text.into());
    let row = |section: &str, key: Value, sums: &Summed| {
        let average = sums.average_order().map_or(Value::Null, Value::Money);
        let counts = [sums.orders, sums.items, sums.quantity].map(Value::Int);
        let head = [text(section), key, Value::Null, Value::Money(sums.revenue)];
        head.into_iter().chain(counts).chain([average]).collect()
    };
    let mut rows: Vec<Vec<Value>> = vec![
        row("total", Value::Null, &document.sums),
        row("previous", Value::Null, &document.previous),
    ];
    rows.extend(document.per_day.iter().map(|(day, sums)| row("day", Value::Time(*day), sums)));
    for (channel, sums) in &document.per_channel {
        rows.push(row("channel", channel.as_deref().map_or(Value::Null, text), sums));
    }
    for ranked in document.top.iter().flatten() {
        // The last label is the one for people.
        let label = ranked.label.last().map_or(Value::Null, |(_, value)| value.clone());
        let counts = [Value::Int(ranked.orders), Value::Null, Value::Int(ranked.quantity)];
        let head = [text("top"), ranked.subject.value(), label, Value::Money(ranked.revenue)];
        rows.push(head.into_iter().chain(counts).chain([Value::Null]).collect());
    }
    rows
}

fn encoded(table: &Table, format: Format) -> Result<Vec<u8>> {
    let titles: Vec<&str> = table.names.iter().map(|name| &**name).collect();
    let mut encoder = encoder(format, &titles, CsvOptions::default());
    let mut text = Vec::new();
    encoder.begin(&mut text);
    for row in &table.rows {
        encoder.row(&ValueRow(row), &mut text).map_err(|e| Problem::internal(&e))?;
    }
    encoder.end(&mut text);
    Ok(text)
}

impl Reports {
    /// Writes a report of sums in one piece.
    pub(super) fn generate_sums(
        &self,
        run: &Run<'_>,
        runtime: &Runtime,
        context: &Arc<Context>,
        (asked, sums): (&Asked, Sums),
    ) -> std::result::Result<Ending, JobError> {
        let export = asked.export()?;
        let caller = &export.caller;
        let context = caller.acting(context).map_err(|problem| failed(&problem))?;
        let mut request = request(&asked.query).map_err(|problem| failed(&problem))?;
        caller.sign(&mut request);
        let name = format!("sums:{}", asked.resource);
        let writing = async {
            let audited = context.begin_audit("report", &name, &mut request).await?;
            let query = request.uri.query().unwrap_or_default();
            let table = sums.table(&context, query, &request.headers).await?;
            Ok((audited, encoded(&table, export.format)?, table.rows.len() as u64))
        };
        let written = runtime.block_on(writing);
        let (audited, text, rows) = written.map_err(|problem: Problem| failed(&problem))?;
        let directory = &self.config.directory;
        let wrong = |e: std::io::Error| failed(&lost(&e));
        // An attempt before this one may have left its file.
        remove_all(directory, run.job().lease.id, None).map_err(wrong)?;
        let mut file = ReportFile::create(directory, run.job().lease).map_err(wrong)?;
        file.append(&text).map_err(wrong)?;
        audited.whole(export.format.media_type(), file.bytes());
        finish(run, file, rows, asked)
    }
}

/// A request of the parameters, without anybody's headers.
fn request(query: &str) -> Result<Parts> {
    let (mut request, ()) = Request::new(()).into_parts();
    request.uri = Uri::try_from(format!("/?{query}")).map_err(|e| Problem::internal(&e))?;
    Ok(request)
}

/// Whether there are sums at all.
///
/// # Errors
/// 404 where nothing is mapped.
pub(crate) fn expect_mapping(context: &Context) -> Result<()> {
    let mapped = context.store.catalogue().analytics().is_some();
    let why = "there are no sums here: no pack maps orders and their lines";
    mapped.then_some(()).ok_or_else(|| Problem::new(Kind::NotFound, why))
}
