//! `GET /system/logs`: the last lines of the log, and those that come.
//!
//! Promises: a request waits for a line at most as long as it says, and ends when the server does.
//! Never: a line about a request; those are the access log's.

use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use plimsoll::record::Timestamp;
use serde_json::{Value as Json, json};
use tokio::time::Instant;
use tracing::Level;

use crate::accept::Phase;
use crate::app::Context;
use crate::held::held;
use crate::logs::{LOG_BYTES_MAX, LogLine, Logs};
use crate::params::{Query, invalid, unknown};
use crate::problem::{Kind, Problem, Result};

const PARAMETERS: [&str; 5] = ["level", "filter", "after", "limit", "wait_ms"];
const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];
const LIMIT_PRESET: usize = 100;
const LIMIT_MAX: usize = 500;
const FILTER_BYTES_MAX: usize = 256;
const WAIT_MS_MAX: u64 = 20_000;

/// What is asked for.
struct Asked {
    level: Level,
    /// In lower case.
    filter: String,
    after: u64,
    limit: usize,
    wait: Duration,
}

/// See the module.
pub(crate) async fn logs(context: &Context, request: &Parts) -> Result<Response<Body>> {
    let asked = Asked::read(request)?;
    let Some(logs) = &context.logs else {
        let why = "no lines are kept for whoever asks: this server listens beyond its machine and \
                   asks nobody who they are, or is not `plimsoll serve`";
        return Err(Problem::new(Kind::NotFound, why));
    };
    let reserved = context.page_bytes.try_reserve(2 * LOG_BYTES_MAX as u64)?;
    let (lines, last) = read(context, logs, &asked).await?;
    let data: Vec<Json> = lines.iter().map(|(number, line)| shown(*number, line)).collect();
    let text = json!({"data": data, "meta": {"next_after": last}}).to_string();
    let mut response = super::json(held(text.into_bytes(), Some(reserved)));
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// What there is, or comes in time.
async fn read(context: &Context, logs: &Logs, asked: &Asked) -> Result<(Vec<(u64, LogLine)>, u64)> {
    let until = Instant::now() + asked.wait;
    let (mut found, mut last) = logs.read(asked.after, asked.limit, |line| asked.wants(line));
    if !found.is_empty() || asked.wait.is_zero() {
        return Ok((found, last));
    }
    let Ok(_seat) = logs.seats.try_acquire() else {
        let why = "as many wait for lines of the log as may; ask without wait_ms, or later";
        return Err(Problem::new(Kind::QueueFull, why).retry_after(5));
    };
    let mut phase = context.phase.subscribe();
    while found.is_empty() {
        tokio::select! {
            () = logs.behind(last) => {}
            () = tokio::time::sleep_until(until) => break,
            _ = phase.wait_for(|phase| *phase != Phase::Serving) => break,
        }
        (found, last) = logs.read(asked.after, asked.limit, |line| asked.wants(line));
    }
    Ok((found, last))
}

fn shown(number: u64, line: &LogLine) -> Json {
    json!({
        "seq": number,
        "at": Timestamp::from_micros(line.at_micros).to_string(),
        "level": line.level.as_str().to_ascii_lowercase(),
        "target": line.target,
        "message": line.message,
        "fields": serde_json::from_str::<Json>(&line.fields).unwrap_or_default(),
    })
}

impl Asked {
    fn read(request: &Parts) -> Result<Self> {
        let mut asked = Self {
            level: Level::TRACE,
            filter: String::new(),
            after: 0,
            limit: LIMIT_PRESET,
            wait: Duration::ZERO,
        };
        for (name, value) in Query::read(request.uri.query())?.pairs() {
            let number = |most: u64| value.parse().ok().filter(|number| *number <= most);
            match name {
                "level" => {
                    let known = LEVELS.iter().find(|(known, _)| *known == value);
                    let names = || format!("one of {}", LEVELS.map(|(name, _)| name).join(", "));
                    asked.level = known.ok_or_else(|| invalid(name, value, &names()))?.1;
                }
                "filter" if value.len() > FILTER_BYTES_MAX => {
                    let allowed = format!("a text of up to {FILTER_BYTES_MAX} bytes");
                    return Err(invalid(name, value, &allowed));
                }
                "filter" => asked.filter = value.to_ascii_lowercase(),
                "after" => {
                    let allowed = "the number of a line: meta.next_after of the answer before";
                    asked.after = number(u64::MAX).ok_or_else(|| invalid(name, value, allowed))?;
                }
                "limit" => {
                    let rows = number(LIMIT_MAX as u64).filter(|rows| *rows > 0);
                    let allowed = || format!("a whole number from 1 to {LIMIT_MAX}");
                    let rows = rows.ok_or_else(|| invalid(name, value, &allowed()))?;
                    asked.limit = usize::try_from(rows).unwrap_or(LIMIT_MAX);
                }
                "wait_ms" => {
                    let allowed = || format!("a whole number from 0 to {WAIT_MS_MAX}");
                    let wait = number(WAIT_MS_MAX);
                    let wait = wait.ok_or_else(|| invalid(name, value, &allowed()))?;
                    asked.wait = Duration::from_millis(wait);
                }
                _ => return Err(unknown(name, &PARAMETERS, &[])),
            }
        }
        Ok(asked)
    }

    fn wants(&self, line: &LogLine) -> bool {
        let has = |text: &str| text.to_ascii_lowercase().contains(&self.filter);
        line.level <= self.level && (has(&line.message) || has(&line.target) || has(&line.fields))
    }
}
