//! A job, a batch, a schedule and an event as they are shown, in JSON.
//!
//! Promises: times are RFC 3339; what is not known is null; payload and result are JSON, with
//! numbers beyond 64 bits as the nearest float.
//! Never: a rate over a time in which somebody else worked: it is of the last claim alone.

use plimsoll::record::Timestamp;
use serde_json::{Value as Json, json};

use crate::batch::Batch;
use crate::event::Event;
use crate::job::{Job, Progress, Wish};
use crate::schedule::Schedule;
use crate::state::State;
use crate::waits::Why;

fn time(micros: Option<i64>) -> Json {
    micros.map_or(Json::Null, |micros| Timestamp::from_micros(micros).to_string().into())
}

/// A JSON text of the database as a part of the answer.
fn raw(text: Option<&str>) -> Json {
    text.map_or(Json::Null, |text| serde_json::from_str(text).unwrap_or_else(|_| text.into()))
}

/// The whole of it, with why it does not run. `now_micros` is for what is still to come.
#[must_use]
pub fn document(job: &Job, why: Option<&Why>, now_micros: i64) -> Json {
    let mut document = state_document(job, now_micros);
    let more = json!({
        "priority": job.priority,
        "payload": raw(Some(&*job.payload).filter(|text| !text.is_empty())),
        "unique_key": job.unique_key,
        "not_before": matches!(job.state, State::Scheduled | State::Retrying)
            .then(|| time(Some(job.place_micros))),
        "waits": why.map(|why| json!({"for": why.code, "detail": why.detail})),
        "worker": job.worker,
        "timeout_ms": job.trying.timeout_ms,
        "memory": {"budget": job.memory_bytes, "peak": job.peak_bytes},
        "parent_batch": job.batch,
        "links": {
            "self": format!("/api/v2/jobs/{}", job.id),
            "events": format!("/api/v2/jobs/{}/events", job.id),
            "errors": format!("/api/v2/jobs/{}/errors", job.id),
        },
    });
    if let (Json::Object(document), Json::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

/// What changes while it runs.
#[must_use]
pub fn state_document(job: &Job, now_micros: i64) -> Json {
    json!({
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state.name(),
        "wish": job.wish.map(|wish| match wish {
            Wish::Pause => "pause",
            Wish::Cancel => "cancel",
        }),
        "progress": progress(job, now_micros),
        "attempt": job.attempts + u32::from(job.worker.is_some()),
        "max_attempts": job.trying.tries_max,
        "exceptions": job.exceptions,
        "crashes": job.crashes,
        "resumed_count": job.deliveries.saturating_sub(1),
        "checkpoint": (job.checkpoints > 0).then(|| json!({"seq": job.checkpoints})),
        "result": raw(job.result.as_deref()),
        "error": job.error.as_deref().map(|message| json!({
            "type": "/problems/job-failed",
            "title": "An attempt of the job failed",
            "detail": message,
        })),
        "created_at": time(Some(job.enqueued_micros)),
        "started_at": time(job.claimed_micros),
        "finished_at": time(job.finished_micros),
    })
}

/// How far it is; the last four are the names of seed 003.
#[allow(clippy::cast_precision_loss)] // for people, rounded
fn progress(job: &Job, now_micros: i64) -> Json {
    let Progress { done, total, unit } = &job.progress;
    let percent = total
        .filter(|total| *total > 0)
        .map(|total| (*done as f64 / total as f64 * 1_000.0).round().min(1_000.0) / 10.0);
    let until = job.finished_micros.unwrap_or(now_micros);
    // What an earlier claim had done would count as if this one had.
    let first = job.claimed_micros.filter(|_| job.deliveries == 1 && *done > 0);
    let seconds = first.map(|began| until.saturating_sub(began) as f64 / 1e6);
    let rate = seconds.filter(|s| *s > 0.0).map(|s| (*done as f64 / s * 10.0).round() / 10.0);
    let left = total.map(|total| total.saturating_sub(*done));
    let eta = match (left, rate) {
        _ if job.state.is_over() => None,
        (Some(left), Some(rate)) if rate > 0.0 => Some((left as f64 / rate).ceil()),
        _ => None,
    };
    json!({
        "done": done,
        "total": total,
        "unit": unit,
        "percent": percent,
        "rate_per_s": rate,
        "eta_s": eta,
        "processed": done,
        "memory_usage": job.peak_bytes,
        "estimated_remaining": eta,
    })
}

/// A batch, with how much of it is over.
#[must_use]
pub fn batch_document(batch: &Batch) -> Json {
    let over = batch.total.saturating_sub(batch.pending);
    let percent = (over * 1_000).checked_div(batch.total);
    json!({
        "id": batch.batch,
        "name": batch.name,
        "state": batch.state(),
        "sealed": batch.sealed,
        "total": batch.total,
        "pending": batch.pending,
        "completed": batch.completed,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
        "progress": {
            "done": over,
            "total": batch.total,
            "unit": "jobs",
            "percent": percent.map(|tenths| Json::from(f64::from(thousand(tenths)) / 10.0)),
        },
        "first_failure": batch.failure,
        "created_at": time(Some(batch.created_micros)),
        "cancelled_at": time(batch.cancelled_micros),
        "finished_at": time(batch.finished_micros),
        "links": {
            "self": format!("/api/v2/batches/{}", batch.batch),
            "events": format!("/api/v2/batches/{}/events", batch.batch),
        },
    })
}

fn thousand(tenths: u64) -> u32 {
    u32::try_from(tenths).unwrap_or(1_000).min(1_000)
}

/// A schedule, with the job it enqueues.
#[must_use]
pub fn schedule_document(schedule: &Schedule) -> Json {
    json!({
        "name": schedule.name,
        "state": schedule.state(),
        "cron": schedule.cron,
        "zone": schedule.zone,
        "overlaps": schedule.overlaps,
        "job": {
            "kind": schedule.kind,
            "queue": schedule.queue,
            "priority": schedule.priority,
            "payload": raw(Some(&*schedule.payload).filter(|text| !text.is_empty())),
            "tries": schedule.trying.tries_max,
            "max_exceptions": schedule.trying.exceptions_max,
            "timeout_ms": schedule.trying.timeout_ms,
            "memory_bytes": schedule.memory_bytes,
        },
        "next_at": time(Some(schedule.next_micros).filter(|_| schedule.paused_micros.is_none())),
        "last_at": time(schedule.last_micros),
        "last_job": schedule.last_job,
        "skipped": schedule.skipped,
        "paused_at": time(schedule.paused_micros),
        "error": schedule.error,
        "links": {"self": format!("/api/v2/schedules/{}", schedule.name)},
    })
}

/// An event that was told.
#[must_use]
pub fn event_document(event: &Event) -> Json {
    json!({
        "id": event.id,
        "topic": event.topic,
        "name": event.name,
        "payload": raw(Some(&event.payload)),
        "at": time(Some(event.at_micros)),
    })
}
