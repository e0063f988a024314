//! Exports: streams that arrive as a file with a name.
//!
//! Promises: a CSV has the resource's own export columns and titles where it names some and the
//! request names no fields; the file's name carries the day in UTC.
//! Never: a file on this machine.

use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use plimsoll::format::Format;
use plimsoll::record::Timestamp;

use super::stream::{StreamParams, Titled, send};
use crate::app::Context;
use crate::links::encode_segment;
use crate::params::invalid;
use crate::problem::Result;
use crate::served::Served;

/// `GET` of `/export/csv`, or of `/export` with a format.
pub(crate) async fn export(
    context: &Arc<Context>,
    served: &Arc<Served>,
    request: &Parts,
    csv_only: bool,
) -> Result<Response<Body>> {
    let params = StreamParams::read(context, served, request.uri.query())?;
    let format = match params.format {
        Some(format) if csv_only && format != Format::Csv => {
            return Err(invalid("format", format.name(), "csv at this path; see /export"));
        }
        Some(format) => format,
        None => Format::Csv,
    };
    let titled = titled(served, &params, format);
    let mut response = send(context, served, request, params, titled).await?;
    let name = file_name(context, served, format);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment(&name));
    Ok(response)
}

pub(crate) fn titled(served: &Served, params: &StreamParams, format: Format) -> Titled {
    let own = &served.resource.export_csv;
    if params.selection.fields.is_none() && format == Format::Csv && !own.is_empty() {
        let titles = own.iter().map(|column| column.title.clone()).collect();
        let columns = own.iter().map(|column| column.column).collect();
        return Titled { format, titles, csv: params.csv, columns, rows: None };
    }
    let columns = params.selection.fields.clone().unwrap_or_else(|| Arc::clone(&served.columns));
    let titles = served.names(&columns).map(Into::into).collect();
    Titled { format, titles, csv: params.csv, columns, rows: None }
}

/// E.g. `goods_2026-01-31.csv`.
pub(crate) fn file_name(context: &Context, served: &Served, format: Format) -> String {
    named(context, served.resource.path.as_deref().unwrap_or(&served.resource.name), format)
}

/// The same for any name.
pub(crate) fn named(context: &Context, name: &str, format: Format) -> String {
    let now = Timestamp::from_micros(context.clock.now_micros()).to_string();
    let day = now.get(..10).unwrap_or(&now);
    format!("{name}_{day}.{}", format.extension())
}

/// `attachment; filename="goods_2026-01-31.csv"` and the same for names beyond ASCII.
pub(crate) fn attachment(name: &str) -> HeaderValue {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }
    };
    let text = format!(
        "attachment; filename=\"{}\"; filename*=UTF-8''{}",
        name.chars().map(plain).collect::<String>(),
        encode_segment(name)
    );
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}
