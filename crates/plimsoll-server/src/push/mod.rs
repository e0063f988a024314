//! Push: a job whose work is a signed request to somebody's server.
//!
//! ```text
//!   job {url, secret's name, body} ─> message ─> secrets: sign ─> deliver ─> outcome ─> Ending
//!                                                                   │
//!                          allow, address: judged ── dial ──────────┘
//! ```
//!
//! Promises: a receiver gets each message at least once, always under the same `webhook-id`; only
//! the world is called, or what the operator allows, judged by the address that is connected to;
//! a worker that ends is not kept waiting.
//! Never: a redirect that is followed; a secret in a job, a log or a message.

mod address;
mod allow;
mod deliver;
mod dial;
mod message;
mod notice;
mod outcome;
mod secrets;
mod tls;
mod webhooks;

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use plimsoll_jobs::{Declared, Ending, Handler, JobError, Run, Trying};

pub use allow::Allow;
pub use dial::Resolve;
pub use notice::{Destination, Notifying, notice};
pub use secrets::Secrets;
pub use webhooks::Webhooks;

use dial::Dialer;

/// The kind of the jobs.
pub const KIND: &str = "http.push";
/// What a job takes: its payload, four times; buffers of hyper and rustls; a runtime.
const MEMORY_BYTES: u64 = 768 << 10;
/// Of the thread that looks a name up; the C library needs a third of it.
const LOOKUP_STACK_BYTES: usize = 256 << 10;
/// How often a delivery looks whether its job is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A job's time, well beyond that of a delivery.
const TIMEOUT_MS: u64 = 120_000;
/// Attempts: with the queue's backoff they lie within about eight hours, sixteen at most.
const TRIES_MAX: u32 = 25;

/// What is known of the kind before one has run.
#[must_use]
pub fn declared() -> Declared {
    let trying = Trying { tries_max: TRIES_MAX, exceptions_max: TRIES_MAX, timeout_ms: TIMEOUT_MS };
    Declared { memory_bytes: MEMORY_BYTES, trying, ..Declared::default() }
}

/// How it pushes.
pub struct Options {
    /// What signs.
    pub secrets: Secrets,
    /// What may be called besides the world.
    pub allow: Allow,
    /// Who signs the receivers' certificates, as PEM; without a file those the system believes.
    pub certificates: Option<PathBuf>,
    /// For the name, the connection and its encryption together.
    pub connect_timeout: Duration,
    /// For all of it, until the status is there.
    pub timeout: Duration,
    /// What finds the addresses of a name.
    pub resolve: Resolve,
}

impl Default for Options {
    /// No secrets, nothing but the world, 10 s to connect, 30 s in all.
    fn default() -> Self {
        Self {
            secrets: Secrets::default(),
            allow: Allow::default(),
            certificates: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            resolve: dial::system(),
        }
    }
}

/// Does the work of jobs of the kind [`KIND`].
pub struct Pusher {
    secrets: Secrets,
    dialer: Dialer,
    timeout: Duration,
}

impl Pusher {
    /// A handler for [`plimsoll_jobs::Registry::add`].
    ///
    /// ```
    /// use plimsoll_server::push;
    /// let mut registry = plimsoll_jobs::Registry::default();
    /// let pusher = push::Pusher::new(push::Options::default())?;
    /// registry.add(push::KIND, push::declared(), pusher).map_err(|e| e.to_string())?;
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// A file of certificates that cannot be read, by its name.
    pub fn new(options: Options) -> Result<Self, String> {
        let tls = tls::connector(options.certificates.as_deref())?;
        let dialer = Dialer::new(options.allow, options.resolve, tls, options.connect_timeout);
        Ok(Self { secrets: options.secrets, dialer, timeout: options.timeout })
    }
}

impl Handler for Pusher {
    fn run(&self, run: &mut Run<'_>) -> Result<Ending, JobError> {
        let message = message::read(&run.job().payload).map_err(JobError::hopeless)?;
        let host = &*message.to.host;
        let secret = self.secrets.get(&message.secret, host).map_err(JobError::hopeless)?;
        // The number stays the job's own through all attempts and a retry by hand.
        let id = match &message.id {
            Some(id) => id.clone(),
            None => format!("job_{}", run.job().lease.id),
        };
        let timestamp = run.queue().now_micros().div_euclid(1_000_000);
        let signature = secret.sign(&id, timestamp, &message.body);
        let signed = headers(&id, timestamp, &signature)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .thread_stack_size(LOOKUP_STACK_BYTES)
            .build()
            .map_err(|e| JobError::again(format!("beginning a delivery to {host}: {e}")))?;
        let answered = runtime.block_on(async {
            tokio::select! {
                biased;
                () = stopped(run) => None,
                answered = deliver::deliver(&self.dialer, &message, signed, self.timeout) => {
                    Some(answered)
                }
            }
        });
        // A lookup that hangs is not waited for.
        runtime.shutdown_background();
        match answered {
            None => Ok(Ending::Stopped),
            Some(answered) => outcome::ending(host, answered, run.queue().now_micros()),
        }
    }
}

/// Ends when the job is to stop.
async fn stopped(run: &Run<'_>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    while run.stop().is_none() {
        look.tick().await;
    }
}

fn headers(id: &str, timestamp: i64, signature: &str) -> Result<HeaderMap, JobError> {
    let timestamp = timestamp.to_string();
    let named =
        [("webhook-id", id), ("webhook-timestamp", &timestamp), ("webhook-signature", signature)];
    let header = |(name, value)| {
        let value = HeaderValue::from_str(value).map_err(|e| JobError::again(e.to_string()))?;
        Ok((HeaderName::from_static(name), value))
    };
    named.into_iter().map(header).collect()
}
