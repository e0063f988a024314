//! Keeps the sales of some periods and channels in a cache, warm.
//!
//! ```text
//!   event, or somebody who asks ─> cache.warm ─> batch `warm-metrics-cache`
//!              ├─ cache.warm_period(7d, all)   the first works all of them out in one pass
//!              ├─ cache.warm_period(30d, all)  finds its own, newer than the batch
//!              └─ finally: cache.warmed        tells CacheWarmingCompleted
//! ```
//!
//! Whether periods are worked out together or one by one is the budget's word: where the memory for
//! all of them is refused, a job works out its own.
//!
//! Promises: the orders are read once for all periods; what is cached is never older than the event
//! that asked for it; the three messages of the log are those of the seed, with the memory used.
//! Never: two passes at a time in one process.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll::budget::Consumer;
use plimsoll::cache::{Cache, Terms};
use plimsoll::record::Timestamp;
use plimsoll::typed::Engine;
use plimsoll_store::catalogue::SalesMapping;
use plimsoll_store::sales::{Computed, Period, SalesRequest, Wanted, compute};
use serde::{Deserialize, Serialize};

use crate::batch::{NewBatch, When};
use crate::event::NewEvent;
use crate::handler::{Declared, Ending, JobError, Registry};
use crate::job::NewJob;
use crate::run::Run;
use crate::warm_asked::WarmAsked;

/// Begins a batch: the listener of whatever changes the orders.
pub const WARM: &str = "cache.warm";
/// Warms one period and channel.
pub const WARM_PERIOD: &str = "cache.warm_period";
/// Follows the batch.
pub const WARMED: &str = "cache.warmed";
/// Where these jobs wait.
pub const WARM_QUEUE: &str = "low";
/// The name of the batch.
pub const WARM_BATCH: &str = "warm-metrics-cache";
/// The event that tells the end.
pub const WARMED_EVENT: &str = "CacheWarmingCompleted";

/// All channels together.
const ALL: &str = "all";
/// Places of a top list.
const TOP: usize = 10;

/// What the process takes: now, and the most it has taken, in bytes.
pub type Seen = Arc<dyn Fn() -> (u64, u64) + Send + Sync>;

/// What is kept warm, and where.
pub struct Warming {
    /// The cache.
    pub cache: Cache,
    /// From what the sales are worked out.
    pub mapping: Arc<SalesMapping>,
    /// Periods, by the names that [`Period::named`] knows.
    pub periods: Vec<Box<str>>,
    /// Channels, `all` for all of them together.
    pub channels: Vec<Box<str>>,
    /// For how long what is cached is fresh.
    pub fresh: Duration,
    /// Where a pass reserves its memory, how much of it the grouping may take, and where it spills.
    pub consumer: Consumer,
    /// Bytes of the grouping.
    pub engine_bytes: u64,
    /// Where it spills.
    pub spill: PathBuf,
    /// For the log.
    pub seen: Seen,
}

/// The key under which a period's document stands.
#[must_use]
pub fn warm_key(period: &str, channel: Option<&str>) -> String {
    format!("sales/{period}/{}", channel.unwrap_or(ALL))
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct OnePeriod {
    period: Box<str>,
    channel: Box<str>,
    /// What is cached has to be newer, microseconds UTC.
    since: i64,
    /// What is worked out with it in one pass.
    #[serde(default)]
    asked: WarmAsked,
}

/// What follows the batch has.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Followed {
    /// Periods that were warmed.
    #[serde(default)]
    count: usize,
    /// The database puts it in.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    batch: Box<str>,
}

impl Warming {
    /// Periods and channels: those asked for, and where none are those configured.
    fn wanted<'w>(&'w self, asked: &'w WarmAsked) -> (&'w [Box<str>], &'w [Box<str>]) {
        let periods = asked.periods.as_ref().unwrap_or(&self.periods);
        (periods, asked.channels.as_ref().unwrap_or(&self.channels))
    }
}

/// Adds the three kinds.
///
/// # Errors
/// Where one of them is there already.
pub fn add_warming(registry: &mut Registry, warming: Warming) -> crate::Result<()> {
    let declared = Declared { queue: WARM_QUEUE, ..Declared::default() };
    let warming = Arc::new(warming);
    let passes = Arc::new(Mutex::new(()));
    let begins = Arc::clone(&warming);
    registry.add(WARM, declared, move |run: &mut Run<'_>| begin(&begins, run))?;
    registry.add(WARM_PERIOD, declared, move |run: &mut Run<'_>| warm(&warming, &passes, run))?;
    registry.add(WARMED, declared, tell)
}

fn begin(warming: &Warming, run: &mut Run<'_>) -> Result<Ending, JobError> {
    let queue = run.queue();
    let since = queue.now_micros();
    let asked: WarmAsked = run.payload()?;
    asked.check().map_err(|e| JobError::hopeless(e.to_string()))?;
    let (periods, channels) = warming.wanted(&asked);
    let low = |kind: &str, payload: String| NewJob {
        queue: WARM_QUEUE.into(),
        ..NewJob::new(kind, payload)
    };
    let mut jobs = Vec::new();
    for period in periods {
        for channel in channels {
            let (period, channel) = (period.clone(), channel.clone());
            let payload = OnePeriod { period, channel, since, asked: asked.clone() };
            jobs.push(low(WARM_PERIOD, json(&payload)?));
        }
    }
    let followed = Followed { count: periods.len(), batch: Box::default() };
    // Of this job's own number: a repeat begins no second one.
    let batch = NewBatch {
        batch: format!("warm-{}", run.job().lease.id).into(),
        name: WARM_BATCH.into(),
        callbacks: vec![(When::Finally, low(WARMED, json(&followed)?))],
    };
    let count = jobs.len();
    let effects = queue.batch_writes(&batch, &jobs, true)?;
    tracing::info!(
        target: "cache",
        batch = &*batch.batch,
        jobs = count,
        periods = periods.len(),
        "Cache warming jobs dispatched"
    );
    Ok(Ending::Done { effects, result: None })
}

fn warm(warming: &Warming, passes: &Mutex<()>, run: &mut Run<'_>) -> Result<Ending, JobError> {
    let job: OnePeriod = run.payload()?;
    let (used_before, peak_before) = (warming.seen)();
    let mut pass = None;
    if !is_warm(warming, run, &job) {
        // One pass at a time: who waited finds what the one before it left.
        let _alone = passes.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_warm(warming, run, &job) {
            let Some(computed) = work_out(warming, run, &job)? else { return Ok(Ending::Stopped) };
            keep(warming, run, &computed)?;
            pass = Some(computed.read.orders);
        }
    }
    let (used, peak) = (warming.seen)();
    let grown = peak.saturating_sub(peak_before).max(used.saturating_sub(used_before));
    tracing::info!(
        target: "cache",
        period = &*job.period,
        channel = &*job.channel,
        orders_read = pass.unwrap_or_default(),
        memory_used_mb = megabytes(grown),
        peak_memory_mb = megabytes(peak),
        "Cache warmed successfully"
    );
    let result = serde_json::json!({
        "orders_read": pass.unwrap_or_default(),
        "memory_used_mb": megabytes(grown),
        "peak_memory_mb": megabytes(peak),
    });
    Ok(Ending::Done { effects: Vec::new(), result: Some(result.to_string().into()) })
}

/// Whether what is cached is newer than what asked for it.
fn is_warm(warming: &Warming, run: &Run<'_>, job: &OnePeriod) -> bool {
    let now = run.queue().now_micros();
    let key = warm_key(&job.period, Some(&job.channel));
    // No use of it by anybody: it is no hit.
    let found = warming.cache.peek(key.as_bytes(), now.unsigned_abs());
    found.is_some_and(|seen| {
        let age = i64::try_from(seen.age_us).unwrap_or(i64::MAX);
        now.saturating_sub(age) >= job.since
    })
}

/// All periods in one pass, or the job's own where there is no memory for all.
fn work_out(
    warming: &Warming,
    run: &Run<'_>,
    job: &OnePeriod,
) -> Result<Option<Computed>, JobError> {
    let (periods, channels) = warming.wanted(&job.asked);
    let all: BTreeSet<(&str, &str)> = periods
        .iter()
        .flat_map(|period| channels.iter().map(move |channel| (&**period, &**channel)))
        .chain([(&*job.period, &*job.channel)])
        .collect();
    let all: Vec<(&str, &str)> = all.into_iter().collect();
    match pass(warming, run, &all) {
        Err(error) if error.kind() == plimsoll_store::ErrorKind::OutOfBudget && all.len() > 1 => {
            tracing::info!(target: "cache", %error, "one period at a time");
            Ok(pass(warming, run, &[(&*job.period, &*job.channel)])?)
        }
        answer => Ok(answer?),
    }
}

fn pass(
    warming: &Warming,
    run: &Run<'_>,
    all: &[(&str, &str)],
) -> plimsoll_store::Result<Option<Computed>> {
    let now = Timestamp::from_micros(run.queue().now_micros());
    let wanted = all.iter().map(|(period, channel)| {
        let channel = (*channel != ALL).then(|| (*channel).into());
        Ok(Wanted { period: Period::named(period, now)?, channel })
    });
    let wanted = wanted.collect::<plimsoll_store::Result<Vec<Wanted>>>()?;
    let request = SalesRequest { mapping: Arc::clone(&warming.mapping), wanted, top: TOP, now };
    let engine = Engine::new(warming.consumer.clone(), warming.engine_bytes, &warming.spill)?;
    let mut stopped = false;
    let computed = compute(run.store(), &request, &engine, &mut |_| {
        stopped = run.stop().is_some();
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if stopped { Ok(None) } else { computed.map(Some) }
}

fn keep(warming: &Warming, run: &Run<'_>, computed: &Computed) -> Result<(), JobError> {
    let now = run.queue().now_micros().unsigned_abs();
    let terms = Terms::fresh_for(warming.fresh).stale_for(warming.fresh).tag("sales");
    for document in &computed.documents {
        let wanted = &document.wanted;
        let key = warm_key(wanted.period.name(), wanted.channel.as_deref());
        let text = document.to_json()?;
        let kept = warming.cache.put(key.as_bytes(), &text, &terms, now);
        kept.map_err(|e| JobError::again(format!("keeping the sales of {key}: {e}")))?;
    }
    Ok(())
}

fn tell(run: &mut Run<'_>) -> Result<Ending, JobError> {
    let Followed { count, batch: number } = run.payload()?;
    let batch = run.queue().show_batch(&number).wait()?;
    tracing::info!(
        target: "cache",
        batch = &*number,
        count,
        completed = batch.completed,
        failed = batch.failed,
        "Cache warming batch completed"
    );
    let told = NewEvent {
        topic: "cache".into(),
        name: WARMED_EVENT.into(),
        payload: serde_json::json!({"count": count, "batch": number}).to_string().into(),
    };
    let effects = run.queue().event_writes(&told, &[])?;
    Ok(Ending::Done { effects, result: None })
}

fn json(value: &impl Serialize) -> Result<String, JobError> {
    serde_json::to_string(value).map_err(|e| JobError::hopeless(e.to_string()))
}

/// To two decimals, as the seed's log has them.
fn megabytes(bytes: u64) -> f64 {
    let hundredths = bytes.saturating_mul(100) >> 20;
    f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0
}
