//! Fast, slow and export clients at once, each on its own thread.
//!
//! ```text
//!   0 s ──────────────────────── --seconds ─────────── + grace
//!   fast:  download, download, ..  last one finishes ──┘ (no new one after --seconds)
//!   slow:  one download at --rate, left where it is ───┘
//!   rank:  the ranking's request, again and again ──────
//! ```
//!
//! Promises: every byte of every client is compared with the reference; a refusal is judged
//! (typed, with Retry-After) and obeyed.
//! Never: more than one connection per client at a time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::client::{Client, Head, READ_BYTES, get};
use super::exact::Exact;
use super::json::Object;
use super::options::Options;
use super::percentile_ms;

/// How long after `--seconds` the downloads under way may go on, as a multiple of it.
const GRACE_FACTOR: u32 = 4;
/// A slow client looks at its socket so often.
const SLOW_TICK: Duration = Duration::from_millis(100);
/// A problem document is small.
const PROBLEM_BYTES_MAX: usize = 64 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fast,
    Slow { bytes_per_second: u64 },
    Ranking,
}

/// What all clients share.
struct Plan {
    address: SocketAddr,
    begin: Instant,
    window: Duration,
    bytes_in_window: AtomicU64,
    fast_left: AtomicU64,
}

impl Plan {
    fn in_window(&self) -> bool {
        self.begin.elapsed() < self.window
    }

    fn is_over(&self) -> bool {
        self.begin.elapsed() > self.window * GRACE_FACTOR
    }
}

/// What one client asks for.
#[derive(Clone)]
struct Wish {
    kind: Kind,
    path: String,
    accept: &'static str,
    reference: Option<Arc<Vec<u8>>>,
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    admitted: u64,
    completed: u64,
    bytes: u64,
    seconds: f64,
    refusals: u64,
    faults: Vec<String>,
    latencies: Vec<Duration>,
}

fn wait(duration: Duration) {
    std::thread::park_timeout(duration);
}

/// One client from its first connection to the end of the run.
fn client(plan: &Plan, wish: &Wish) -> Seen {
    let mut seen = Seen::default();
    let begin = Instant::now();
    let mut counted = false;
    while plan.in_window() && seen.faults.len() < 3 {
        if let Err(error) = attempt(plan, wish, &mut seen) {
            seen.faults.push(format!("{} {error:#}", wish.path));
        }
        if wish.kind == Kind::Fast && seen.completed > 0 && !counted {
            // The slow ones go on until each fast one is done.
            plan.fast_left.fetch_sub(1, Ordering::Relaxed);
            counted = true;
        }
        if matches!(wish.kind, Kind::Slow { .. }) && seen.admitted > 0 {
            break;
        }
    }
    if wish.kind == Kind::Fast && !counted {
        plan.fast_left.fetch_sub(1, Ordering::Relaxed);
    }
    if seen.seconds == 0.0 {
        seen.seconds = begin.elapsed().as_secs_f64();
    }
    seen
}

fn attempt(plan: &Plan, wish: &Wish, seen: &mut Seen) -> Result<()> {
    let begin = Instant::now();
    let mut client = Client::connect(plan.address)?;
    let mut head = client.send(&get(plan.address, &wish.path, wish.accept))?;
    if head.status != 200 {
        let retry = refusal(&mut client, &mut head)?;
        seen.refusals += 1;
        let left = plan.window.saturating_sub(plan.begin.elapsed());
        wait(retry.min(left));
        return Ok(());
    }
    seen.admitted += 1;
    let mut exact = Exact::new(wish.reference.clone());
    let result = download(plan, wish, &mut client, &mut head, &mut exact);
    seen.bytes += exact.seen() as u64;
    if let Kind::Slow { .. } = wish.kind {
        seen.seconds = begin.elapsed().as_secs_f64();
    }
    if result? {
        exact.finish()?;
        seen.completed += 1;
        seen.latencies.push(begin.elapsed());
    }
    Ok(())
}

/// A refusal is 429 or 503, a problem document, and says when to come back.
fn refusal(client: &mut Client, head: &mut Head) -> Result<Duration> {
    let (status, kind) = (head.status, head.header("content-type").unwrap_or("").to_owned());
    let retry = head.header("retry-after").and_then(|v| v.parse::<u64>().ok());
    let text = client.text(&mut head.body, PROBLEM_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    ensure!(matches!(status, 429 | 503), "status {status}: {text}");
    ensure!(kind.starts_with("application/problem+json"), "{status} as '{kind}': {text}");
    ensure!(text.contains("\"type\""), "{status} without a type: {text}");
    let retry = retry.with_context(|| format!("{status} without Retry-After in seconds"))?;
    Ok(Duration::from_secs(retry.clamp(1, 60)))
}

/// Reads the body at the client's speed. False when the run ended before the body did.
fn download(
    plan: &Plan,
    wish: &Wish,
    client: &mut Client,
    head: &mut Head,
    exact: &mut Exact,
) -> Result<bool> {
    let begin = Instant::now();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let mut take = buffer.len();
        if let Kind::Slow { bytes_per_second } = wish.kind {
            let due = begin.elapsed().as_secs_f64() * to_f64(bytes_per_second);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a small positive
            let due = (due as u64).saturating_sub(exact.seen() as u64);
            take = usize::try_from(due).unwrap_or(take).min(take);
            let fast_done = plan.fast_left.load(Ordering::Relaxed) == 0;
            if plan.is_over() || (!plan.in_window() && fast_done) {
                return Ok(false);
            }
            if take == 0 {
                wait(SLOW_TICK);
                continue;
            }
        }
        if plan.is_over() {
            return Ok(false);
        }
        let before = exact.seen();
        let mut sink = |bytes: &[u8]| exact.next(bytes);
        let more = client.read(&mut head.body, &mut buffer[..take], &mut sink)?;
        if plan.in_window() {
            let read = (exact.seen() - before) as u64;
            plan.bytes_in_window.fetch_add(read, Ordering::Relaxed);
        }
        if !more {
            return Ok(true);
        }
    }
}

#[allow(clippy::cast_precision_loss)] // measurements
fn to_f64(value: u64) -> f64 {
    value as f64
}

/// `load streams --address A --path P --seconds S --fast N --slow N --rate B --reference FILE
/// --export-path P --export N --export-reference FILE --ranking-path P`.
pub(super) fn run(options: &mut Options) -> Result<String> {
    let address = options.address()?;
    let window = Duration::from_secs(options.take("seconds", 60)?);
    let path = options.take("path", "/products/stream".to_owned())?;
    let export_path = options.take("export-path", "/orders/export/csv".to_owned())?;
    let (fast, slow) = (options.take("fast", 0_u64)?, options.take("slow", 0_u64)?);
    let export = options.take("export", 0_u64)?;
    let bytes_per_second = options.take("rate", 10_000)?;
    let read = |path: Option<String>| -> Result<Option<Arc<Vec<u8>>>> {
        let bytes = path.map(|path| std::fs::read(Path::new(&path)).context(path));
        Ok(bytes.transpose()?.map(Arc::new))
    };
    let reference = read(options.text("reference"))?;
    let export_reference = read(options.text("export-reference"))?;
    let wish = |kind, path: &str, accept, reference: &Option<Arc<Vec<u8>>>| Wish {
        kind,
        path: path.to_owned(),
        accept,
        reference: reference.clone(),
    };
    let mut wishes = Vec::new();
    let ndjson = "application/x-ndjson";
    for _ in 0..fast {
        wishes.push(wish(Kind::Fast, &path, ndjson, &reference));
    }
    for _ in 0..slow {
        wishes.push(wish(Kind::Slow { bytes_per_second }, &path, ndjson, &reference));
    }
    for _ in 0..export {
        wishes.push(wish(Kind::Fast, &export_path, "text/csv", &export_reference));
    }
    if let Some(ranking) = options.text("ranking-path") {
        wishes.push(wish(Kind::Ranking, &ranking, "application/json", &None));
    }
    let plan = Arc::new(Plan {
        address,
        begin: Instant::now(),
        window,
        bytes_in_window: AtomicU64::new(0),
        fast_left: AtomicU64::new(fast + export),
    });
    let clients: Vec<_> = wishes
        .into_iter()
        .map(|wish| {
            let (plan, kind) = (Arc::clone(&plan), wish.kind);
            (kind, std::thread::spawn(move || client(&plan, &wish)))
        })
        .collect();
    let seen: Vec<(Kind, Seen)> = clients
        .into_iter()
        .map(|(kind, thread)| (kind, thread.join().unwrap_or_default()))
        .collect();
    Ok(report(&plan, &seen))
}

fn report(plan: &Plan, seen: &[(Kind, Seen)]) -> String {
    let of =
        |wanted: fn(&Kind) -> bool| seen.iter().filter(move |(k, _)| wanted(k)).map(|(_, s)| s);
    let fast = || of(|kind| *kind == Kind::Fast);
    let slow = || of(|kind| matches!(kind, Kind::Slow { .. }));
    let ranking = || of(|kind| *kind == Kind::Ranking);
    let total = |pick: fn(&Seen) -> u64| seen.iter().map(|(_, s)| pick(s)).sum::<u64>();
    let rates = slow().map(|s| to_f64(s.bytes) / s.seconds.max(1e-9));
    let slowest = rates.clone().fold(f64::INFINITY, f64::min);
    let mut latencies: Vec<Duration> = ranking().flat_map(|s| s.latencies.clone()).collect();
    latencies.sort_unstable();
    let faults: Vec<String> = seen.iter().flat_map(|(_, s)| s.faults.clone()).collect();
    let bytes = to_f64(plan.bytes_in_window.load(Ordering::Relaxed));
    let never = |s: &&Seen| s.admitted == 0;
    Object::default()
        .number("seconds", plan.begin.elapsed().as_secs_f64())
        .number("bytes_per_second", bytes / plan.window.as_secs_f64())
        .count("clients", seen.len() as u64)
        .count("never_admitted", seen.iter().map(|(_, s)| s).filter(never).count() as u64)
        .count("refusals", total(|s| s.refusals))
        .count("fast_completions", fast().map(|s| s.completed).sum())
        .count("fast_completions_min", fast().map(|s| s.completed).min().unwrap_or(0))
        .number("slow_bytes_per_second_min", slowest)
        .count("slow_bytes_min", slow().map(|s| s.bytes).min().unwrap_or(0))
        .count("ranking_answers", ranking().map(|s| s.completed).sum())
        .number("ranking_ms_p50", percentile_ms(&latencies, 0.5))
        .number("ranking_ms_max", percentile_ms(&latencies, 1.0))
        .count("faults", faults.len() as u64)
        .texts("first_faults", &faults[..faults.len().min(5)])
        .finish()
}
