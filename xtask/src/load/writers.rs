//! Clients that post rows as fast as they are acknowledged, and keep a list of what was.
//!
//! Promises: a row stands in the list only after its 201; each row has a mark of its own.
//! Never: a retry; a server that goes away ends the client.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::client::Client;
use super::json::Object;
use super::options::Options;
use super::percentile_ms;

const ANSWER_BYTES_MAX: usize = 64 << 10;

struct Plan {
    address: SocketAddr,
    path: String,
    /// The JSON body; `MARK` in it becomes the row's own mark.
    body: String,
    mark: String,
    begin: Instant,
    window: Duration,
}

#[derive(Default)]
struct Seen {
    acknowledged: Vec<String>,
    latencies: Vec<Duration>,
    fault: Option<String>,
}

/// `load writers --address A --path P --body JSON --mark M --connections C --seconds S
/// [--acknowledged FILE]`.
pub(super) fn run(options: &mut Options) -> Result<String> {
    let plan = Arc::new(Plan {
        address: options.address()?,
        path: options.text("path").context("--path is missing")?,
        body: options.text("body").context("--body is missing")?,
        mark: options.take("mark", "w".to_owned())?,
        begin: Instant::now(),
        window: Duration::from_secs_f64(options.take("seconds", 5.0)?),
    });
    let connections = options.take("connections", 64_u32)?;
    let out = options.text("acknowledged");
    let clients: Vec<_> = (0..connections)
        .map(|i| {
            let plan = Arc::clone(&plan);
            std::thread::spawn(move || {
                let mut seen = Seen::default();
                let fault = post(&plan, i, &mut seen).err();
                seen.fault = fault.map(|error| format!("{error:#}"));
                seen
            })
        })
        .collect();
    let seen: Vec<Seen> =
        clients.into_iter().map(|client| client.join().unwrap_or_default()).collect();
    let seconds = plan.begin.elapsed().as_secs_f64();
    let marks: Vec<&str> =
        seen.iter().flat_map(|s| s.acknowledged.iter().map(String::as_str)).collect();
    if let Some(out) = out {
        std::fs::write(out, marks.join("\n"))?;
    }
    let mut latencies: Vec<Duration> = seen.iter().flat_map(|s| s.latencies.clone()).collect();
    latencies.sort_unstable();
    let faults: Vec<String> = seen.iter().filter_map(|s| s.fault.clone()).collect();
    #[allow(clippy::cast_precision_loss)] // a measurement
    let rate = marks.len() as f64 / seconds;
    Ok(Object::default()
        .count("acknowledged", marks.len() as u64)
        .number("acknowledged_per_second", rate)
        .number("ms_p50", percentile_ms(&latencies, 0.5))
        .number("ms_p99", percentile_ms(&latencies, 0.99))
        .number("ms_max", percentile_ms(&latencies, 1.0))
        .count("faults", faults.len() as u64)
        .texts("first_faults", &faults[..faults.len().min(5)])
        .finish())
}

fn post(plan: &Plan, lane: u32, seen: &mut Seen) -> Result<()> {
    let mut client = Client::connect(plan.address)?;
    for row in 0_u64.. {
        if plan.begin.elapsed() >= plan.window {
            break;
        }
        let mark = format!("{}-{lane}-{row}", plan.mark);
        let body = plan.body.replace("MARK", &mark);
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            plan.path,
            plan.address,
            body.len()
        );
        let begin = Instant::now();
        let mut head = client.send(request.as_bytes())?;
        let text = client.text(&mut head.body, ANSWER_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&text);
        ensure!(head.status == 201, "status {}: {text}", head.status);
        seen.latencies.push(begin.elapsed());
        seen.acknowledged.push(mark);
    }
    Ok(())
}
