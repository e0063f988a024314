//! `GET /events`: what has happened, as server-sent events in the order of the commits.
//!
//! ```text
//!   Last-Event-ID: 41 ─> 42, 43, .. out of the table ─> those that come
//!   without           ─> those that come
//! ```
//!
//! An event's id is its number. Where several topics are asked for, a page of all is read and the
//! others are left out: topic by topic, one that committed between two reads would be missed.
//!
//! Promises: whoever comes again with `Last-Event-ID` misses none that is still kept, and is told
//! none twice.
//! Never: a page held while nothing is read, or more than one for a client that reads slowly.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use axum::http::request::Parts;
use plimsoll_jobs::{Event, PAYLOAD_BYTES_MAX, check_name, event_document};

use super::sse::{self, Next, Teller};
use super::{jobs, soon};
use crate::app::Context;
use crate::jobs::Jobs;
use crate::params::{Query, unknown};
use crate::problem::{Kind, Problem, Result};

/// Topics of one stream at most.
const TOPICS_MAX: usize = 16;
/// Events of one look.
const PAGE: u32 = 16;
/// What they may be, as rows and as text.
const PAGE_BYTES: u64 = 2 * PAGE as u64 * PAYLOAD_BYTES_MAX as u64;

/// See the module.
pub(super) async fn told(context: &Arc<Context>, request: &Parts) -> Result<Response<Body>> {
    let topics = topics(request)?;
    let held = jobs(context)?;
    let behind = match sse::last_id(request)? {
        Some(id) => id,
        None => soon(context, held.queue.last_event()).await?,
    };
    let (teller, response) = sse::open(context, held, behind)?;
    tokio::spawn(tell(Arc::clone(context), teller, topics, behind));
    Ok(response)
}

/// Those asked for; none for all.
fn topics(request: &Parts) -> Result<Vec<Box<str>>> {
    let mut topics: Vec<Box<str>> = Vec::new();
    for (name, value) in Query::read(request.uri.query())?.pairs() {
        if name != "topics" {
            return Err(unknown(name, &["topics"], &[]));
        }
        for topic in value.split(',') {
            let wrong = |why: String| Problem::new(Kind::InvalidParameter, why);
            check_name("topic", topic).map_err(|e| wrong(e.to_string()))?;
            if topics.len() == TOPICS_MAX {
                return Err(wrong(format!("a stream has {TOPICS_MAX} topics at most")));
            }
            topics.push(topic.into());
        }
    }
    Ok(topics)
}

async fn tell(context: Arc<Context>, mut teller: Teller, topics: Vec<Box<str>>, behind: i64) {
    let Some(jobs) = &context.jobs else { return };
    let mut behind = behind;
    // Whoever leaves before the first event comes again behind this number.
    if !teller.say(format!("retry: 3000\nid: {behind}\n\n")).await {
        return;
    }
    loop {
        let more = match page(&context, jobs, &mut teller, &topics, &mut behind).await {
            Ok(Some(more)) => more,
            Ok(None) => return,
            // The client comes again, behind what it was told.
            Err(error) => {
                tracing::debug!(target: "http", %error, "a stream of events ends");
                break;
            }
        };
        let next = if more { teller.look() } else { teller.rest().await };
        match next {
            Next::Look => {}
            Next::Gone => return,
            Next::Bye => {
                teller.bye().await;
                break;
            }
        }
    }
    teller.end().await;
}

/// Tells a page; whether there may be more at once, and nothing where the client has gone.
async fn page(
    context: &Context,
    jobs: &Jobs,
    teller: &mut Teller,
    topics: &[Box<str>],
    behind: &mut i64,
) -> plimsoll_jobs::Result<Option<bool>> {
    let Ok(_reserved) = context.page_bytes.try_reserve(PAGE_BYTES) else {
        // Others need the memory: at the next look there may be some.
        return Ok(Some(false));
    };
    // The index of a topic finds it among many others.
    let only = topics.first().filter(|_| topics.len() == 1);
    let events = jobs.queue.events(only.map(|topic| &**topic), *behind, PAGE).await?;
    let more = events.len() == PAGE as usize;
    for event in events {
        *behind = event.id;
        if !topics.is_empty() && !topics.contains(&event.topic) {
            continue;
        }
        if !teller.say(text(&event)).await {
            return Ok(None);
        }
    }
    Ok(Some(more))
}

fn text(event: &Event) -> String {
    format!("id: {}\ndata: {}\n\n", event.id, event_document(event))
}
