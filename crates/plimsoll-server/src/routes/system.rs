//! Where each byte is: the seed's six fields, and the ledger behind them. And the catalogue's
//! reload, and the newest rows of the audit.
//!
//! Promises: bytes are exact; megabytes are MiB with two decimals, as the field names have always
//! meant; the limit comes with where it was found.
//! Never: a name or value of a row.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use plimsoll::budget::LedgerNode;
use plimsoll::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use plimsoll::pressure::Level;
use serde_json::{Map, Value as Json, json};

use crate::app::Context;
use crate::config::ProcessSample;
use crate::held::held as held_bytes;
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};
use crate::reload::Reloaded;

/// The end of the audit, as it is and as lines.
const AUDIT_BYTES: u64 = 3 << 20;

/// `GET /system/memory`.
pub(crate) fn memory(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let process = context.process.sample();
    let mut response = super::json(document(context, &process).to_string());
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// `GET /system/audit`.
pub(crate) async fn audit(context: &Context, request: &Parts) -> Result<Response<Body>> {
    let query = Query::read(request.uri.query())?;
    let mut rows_max = PAGE_ROWS_DEFAULT;
    for (name, value) in query.pairs() {
        if name != "limit" {
            return Err(unknown(name, &["limit"], &[]));
        }
        let rows = value.parse().ok().filter(|rows| (1..=PAGE_ROWS_MAX).contains(rows));
        let allowed = || format!("a whole number from 1 to {PAGE_ROWS_MAX}");
        rows_max = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
    }
    let Some(audit) = context.audit.clone() else {
        let why = "no audit is kept: it needs an access file, or a file of its own";
        return Err(Problem::new(Kind::NotFound, why));
    };
    let held = context.page_bytes.try_reserve(AUDIT_BYTES)?;
    let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
    let reading = tokio::task::spawn_blocking(move || audit.newest(rows_max));
    let rows = reading.await.map_err(|e| Problem::internal(&e))?;
    let rows = rows.map_err(|e| Problem::internal(&e))?;
    let document = format!("{{\"data\":[{}]}}", rows.join(",\n"));
    let mut response = super::json(held_bytes(document.into_bytes(), Some(held)));
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// `POST /system/catalog/reload`.
pub(crate) async fn reload(context: &Context, request: &Parts) -> Result<Response<Body>> {
    Query::expect_none(request.uri.query())?;
    let Reloaded { resources, added, removed } = context.reload.now().await?;
    let document = json!({"resources": resources, "added": added, "removed": removed});
    let mut response = super::json(document.to_string());
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

fn document(context: &Context, process: &ProcessSample) -> Json {
    let ledger = context.budget.ledger();
    let database = context.store.stats();
    let mut lines = Vec::new();
    list(&ledger.root, "", &mut lines);
    let allocator = process.allocator;
    json!({
        "current_usage_mb": mebibytes(process.rss_bytes),
        "peak_usage_mb": mebibytes(process.rss_peak_bytes),
        "available_mb": mebibytes(ledger.reservable_bytes.saturating_sub(ledger.root.held_bytes)),
        "pressure_level": level_word(process.rss_bytes, ledger.limit_bytes),
        // There is no cache tier yet; the database's own page caches stand in the ledger.
        "cache_stats": {"entries": 0, "bytes": 0, "hits": 0, "misses": 0},
        "external_files": process.spill_files,
        "budget_bytes": ledger.limit_bytes,
        "limit_source": context.limit_source,
        "reserved_bytes": ledger.root.held_bytes,
        "reservable_bytes": ledger.reservable_bytes,
        "headroom_bytes": ledger.headroom_bytes,
        "outside_bytes": ledger.outside_bytes,
        "unreserved_bytes": ledger.unreserved_bytes,
        "waiting": ledger.waiting,
        "ledger": lines,
        "rss_bytes": process.rss_bytes,
        "rss_peak_bytes": process.rss_peak_bytes,
        "threads": process.threads,
        "allocator": {
            "allocated_bytes": allocator.allocated_bytes,
            "resident_bytes": allocator.resident_bytes,
            "retained_bytes": allocator.retained_bytes,
        },
        "sqlite_memory_bytes": database.memory_bytes,
        "spill": {"bytes": process.spill_bytes, "files": process.spill_files},
        "cgroup": process
            .cgroup
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), json!(bytes)))
            .collect::<Map<_, _>>(),
        "streams": {
            "active": context.admission.active(),
            "waiting": context.admission.waiting(),
        },
        "uptime_seconds": context.started.elapsed().as_secs(),
        "version": context.build.version,
    })
}

/// `none`, or the level's own word.
pub(crate) fn level_word(used_bytes: u64, limit_bytes: u64) -> &'static str {
    match Level::of(used_bytes, limit_bytes) {
        Level::Normal => "none",
        level => level.as_str(),
    }
}

fn list(node: &LedgerNode, above: &str, lines: &mut Vec<Json>) {
    let path =
        if above.is_empty() { node.name.to_string() } else { format!("{above}/{}", node.name) };
    lines.push(json!({
        "path": path,
        "kind": "node",
        "held_bytes": node.held_bytes,
        "peak_bytes": node.peak_bytes,
        "cap_bytes": node.cap_bytes,
    }));
    for consumer in &node.consumers {
        lines.push(json!({
            "path": format!("{path}/{}", consumer.name),
            "kind": "consumer",
            "held_bytes": consumer.held_bytes,
            "peak_bytes": consumer.peak_bytes,
            "can_spill": consumer.can_spill,
        }));
    }
    for child in &node.children {
        list(child, &path, lines);
    }
}

#[allow(clippy::cast_precision_loss)] // a page for people, two decimals
fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / f64::from(1 << 20) * 100.0).round() / 100.0
}
