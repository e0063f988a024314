//! `plimsoll cache`: warming is enqueued in the database; the rest is asked of the server, whose
//! process has the cache.
//!
//! Promises: a period or channel that cannot be is refused before anything is written; a key that
//! is not cached says so.
//! Never: a hit counted by looking.

use std::io::Write as _;

use anyhow::bail;
use hyper::Method;
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll_jobs::{Queue, WarmAsked, document, warm_key};
use plimsoll_store::catalogue::Pack;
use serde_json::Value as Json;

use crate::args::{CacheCommand, Global, KeyArgs, ServerArgs, WarmArgs};
use crate::client::{Client, segment};
use crate::config::Config;
use crate::exit::{Outcome, Usage, stdout};
use crate::setup::Setup;
use crate::{jobs, setup};

pub(crate) fn run(
    global: &Global,
    command: &CacheCommand,
    packs: &[Pack],
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let config = &setup.config;
    match command {
        CacheCommand::Warm(args) => warm(&setup, args, packs),
        CacheCommand::Stats(args) => stats(&Client::new(config, args)?, args),
        CacheCommand::Clear(args) => clear(&Client::new(config, &args.server)?, args),
        CacheCommand::Inspect(args) => inspect(config, &Client::new(config, &args.server)?, args),
    }
}

fn warm(setup: &Setup, args: &WarmArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let list = |names: &[String]| {
        let names: Vec<Box<str>> = names.iter().map(|name| name.trim().into()).collect();
        (!names.is_empty()).then_some(names)
    };
    let asked = WarmAsked { periods: list(&args.periods), channels: list(&args.channels) };
    let job = asked.job().map_err(|e| Usage(e.to_string()))?;
    let opened = jobs::open(setup, packs)?;
    if opened.store.catalogue().sales().is_none() {
        opened.store.close()?;
        bail!(Usage("there are no sales to keep warm: no pack with a mapping is served".into()));
    }
    let queue = jobs::queue(&opened.store);
    let outcome = enqueue(&queue, &job, args);
    opened.store.close()?;
    outcome
}

fn enqueue(queue: &Queue, job: &plimsoll_jobs::NewJob, args: &WarmArgs) -> anyhow::Result<Outcome> {
    let enqueued = queue.enqueue(job)?.wait()?;
    let job = queue.show(enqueued.id).wait()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let why = runtime.block_on(queue.why(&job))?;
    let mut out = stdout();
    if args.json {
        writeln!(out, "{}", document(&job, why.as_ref(), queue.now_micros()))?;
        return Ok(Outcome::Done);
    }
    let was = if enqueued.existed { ", which was asked for already," } else { "" };
    writeln!(out, "job {0}{was} warms the cache by the batch warm-{0}", job.id)?;
    if why.is_some_and(|why| why.code == "worker") {
        writeln!(std::io::stderr(), "it waits for a server: `plimsoll serve` does it")?;
    }
    Ok(Outcome::Done)
}

fn stats(client: &Client, args: &ServerArgs) -> anyhow::Result<Outcome> {
    let stats = client.get("/cache")?;
    let mut out = stdout();
    if args.json {
        writeln!(out, "{stats}")?;
        return Ok(Outcome::Done);
    }
    for tier in ["hot", "cold"] {
        let of = &stats[tier];
        let (entries, bytes, hits) = (&of["entries"], &of["bytes"], &of["hits"]);
        writeln!(out, "{tier:<6} {entries} entries, {bytes} bytes, {hits} hits")?;
    }
    let ratio = stats["hit_ratio"].as_f64().unwrap_or_default() * 100.0;
    writeln!(out, "misses {}, hit ratio {ratio:.1} %", stats["misses"])?;
    writeln!(out, "stale  {} hits; evicted {}", stats["stale_hits"], stats["evictions"])?;
    Ok(Outcome::Done)
}

fn clear(client: &Client, args: &KeyArgs) -> anyhow::Result<Outcome> {
    let path = args.key.as_deref().map_or_else(|| "/cache".to_owned(), path);
    let removed = client.ask(Method::DELETE, &path, None)?;
    let mut out = stdout();
    match args.server.json {
        true => writeln!(out, "{removed}")?,
        false => writeln!(out, "{} entries are gone", removed["removed"])?,
    }
    Ok(Outcome::Done)
}

fn path(key: &str) -> String {
    format!("/cache/{}", segment(key))
}

fn inspect(config: &Config, client: &Client, args: &KeyArgs) -> anyhow::Result<Outcome> {
    let seen = match &args.key {
        Some(key) => vec![client.get(&path(key))?],
        None => kept_warm(config, client)?,
    };
    let mut out = stdout();
    if args.server.json {
        writeln!(out, "{}", Json::Array(seen))?;
        return Ok(Outcome::Done);
    }
    for one in seen {
        let key = one["key"].as_str().unwrap_or_default();
        if one["tier"].is_null() {
            writeln!(out, "{key:<32} not cached")?;
            continue;
        }
        let tier = one["tier"].as_str().unwrap_or_default();
        let how = if one["stale"] == true { "stale" } else { "fresh" };
        let (bytes, age, left) = (&one["bytes"], &one["age_s"], &one["fresh_left_s"]);
        writeln!(out, "{key:<32} {tier:<5} {bytes} bytes, {age} s old, {how}, {left} s left")?;
    }
    Ok(Outcome::Done)
}

/// Each entry that the settings say is kept warm.
fn kept_warm(config: &Config, client: &Client) -> anyhow::Result<Vec<Json>> {
    let list = |key: &str| -> Vec<String> {
        config.text(key).split(',').map(|name| name.trim().to_owned()).collect()
    };
    let channels = list("cache.warm.channels");
    let mut seen = Vec::new();
    for period in list("cache.warm.periods") {
        for channel in &channels {
            let key = warm_key(&period, Some(channel));
            let found = client.find(&path(&key))?;
            seen.push(found.unwrap_or_else(|| serde_json::json!({"key": key, "tier": null})));
        }
    }
    Ok(seen)
}
