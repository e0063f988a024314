//! What a pack says is told when rows of a resource were synced.
//!
//! Promises: event and listeners stand in the transaction that ends what they tell of.
//! Never: a listener of a kind of Plimsoll's own that nobody here does.

use plimsoll_jobs::{NewEvent, NewJob, OWN_KINDS, Queue, Registry};
use plimsoll_store::Write;
use plimsoll_store::catalogue::Synced;
use serde_json::Value as Json;

/// The statements that tell it.
///
/// # Errors
/// Names that a pack cannot have, and a payload beyond its bound.
pub(crate) fn told(
    queue: &Queue,
    registry: &Registry,
    sync: &Synced,
    payload: &Json,
) -> plimsoll_jobs::Result<Vec<Write>> {
    let event = NewEvent {
        topic: sync.topic.clone(),
        name: sync.event.clone(),
        payload: payload.to_string().into(),
    };
    let listener = |kind: &str| match registry.declared(kind) {
        Some(_) => registry.job(kind, "{}").map(Some),
        // Without a cache nothing is kept warm.
        None if OWN_KINDS.contains(&kind) => Ok(None),
        None => Ok(Some(NewJob::new(kind, "{}"))),
    };
    let listeners = sync.listeners.iter().map(|kind| listener(kind));
    let listeners = listeners.collect::<plimsoll_jobs::Result<Vec<_>>>()?;
    let listeners: Vec<NewJob> = listeners.into_iter().flatten().collect();
    queue.event_writes(&event, &listeners)
}
