//! Requests at a fixed rate, whether or not the answers keep up.
//!
//! ```text
//!   connection i of C:  intended  i/R   (i+C)/R   (i+2C)/R ..
//!                          │ latency = answer - intended, so that a late send counts as late
//! ```
//!
//! Promises: open loop; a server that stalls cannot hide it by delaying the next request.
//! Never: more requests in flight than connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::client::{Client, get};
use super::json::Object;
use super::options::Options;
use super::percentile_ms;

const ANSWER_BYTES_MAX: usize = 1 << 20;

struct Lane {
    address: SocketAddr,
    path: String,
    begin: Instant,
    first: Duration,
    step: Duration,
    window: Duration,
}

/// `load paced --address A --path P --rate R --connections C --seconds S`.
pub(super) fn run(options: &mut Options) -> Result<String> {
    let address = options.address()?;
    let path = options.text("path").context("--path is missing")?;
    let rate = options.take("rate", 1000.0_f64)?;
    let connections = options.take("connections", 64_u32)?;
    let window = Duration::from_secs(options.take("seconds", 10)?);
    ensure!(rate > 0.0 && connections > 0, "--rate and --connections are above zero");
    // The clients connect and warm up before the first intended time.
    let begin = Instant::now() + Duration::from_millis(500);
    let lanes: Vec<_> = (0..connections)
        .map(|i| {
            let lane = Lane {
                address,
                path: path.clone(),
                begin,
                first: Duration::from_secs_f64(f64::from(i) / rate),
                step: Duration::from_secs_f64(f64::from(connections) / rate),
                window,
            };
            std::thread::spawn(move || lane.run())
        })
        .collect();
    let mut latencies = Vec::new();
    let mut faults = Vec::new();
    for lane in lanes {
        let (seen, fault) = lane.join().unwrap_or_default();
        latencies.extend(seen);
        faults.extend(fault);
    }
    latencies.sort_unstable();
    #[allow(clippy::cast_precision_loss)] // a measurement
    let answered = latencies.len() as f64 / window.as_secs_f64();
    Ok(Object::default()
        .number("asked_per_second", rate)
        .number("answered_per_second", answered)
        .count("answers", latencies.len() as u64)
        .number("ms_p50", percentile_ms(&latencies, 0.5))
        .number("ms_p90", percentile_ms(&latencies, 0.9))
        .number("ms_p99", percentile_ms(&latencies, 0.99))
        .number("ms_p999", percentile_ms(&latencies, 0.999))
        .number("ms_max", percentile_ms(&latencies, 1.0))
        .count("faults", faults.len() as u64)
        .texts("first_faults", &faults[..faults.len().min(5)])
        .finish())
}

impl Lane {
    fn run(&self) -> (Vec<Duration>, Option<String>) {
        let mut latencies = Vec::new();
        let fault = self.requests(&mut latencies).err();
        (latencies, fault.map(|error| format!("{error:#}")))
    }

    fn requests(&self, latencies: &mut Vec<Duration>) -> Result<()> {
        let request = get(self.address, &self.path, "application/json");
        let mut client = Client::connect(self.address)?;
        let mut intended = self.first;
        while intended < self.window {
            let at = self.begin + intended;
            let mut now = Instant::now();
            while now < at {
                std::thread::park_timeout(at - now);
                now = Instant::now();
            }
            let mut head = client.send(&request)?;
            client.text(&mut head.body, ANSWER_BYTES_MAX)?;
            ensure!(head.status == 200, "status {}", head.status);
            latencies.push(at.elapsed());
            intended += self.step;
        }
        Ok(())
    }
}
