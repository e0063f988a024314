//! Reports: a resource or a query written to a file by a job.
//!
//! ```text
//!   POST /reports ─> Asked, sealed ─> job report.generate ─> page, page, ... ─> FILE.partial
//!                                        │ checkpoint: cursor and bytes          │ fsync, rename
//!                                        └ kill -9: cut back to them             v
//!   GET .../download <─ result {url, size, digest, expires_at, rows} <─────── FILE
//!   report.expire: away with what nobody may have any more
//! ```
//!
//! Promises: a file appears whole or not at all, with every row once, however often its job was
//! killed; it is read as whom it was asked for.
//! Never: a file removed whose job is not over.

mod asked;
mod expire;
mod file;
mod generate;
mod outcome;
mod paged;
mod sums;
mod whole;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use plimsoll_jobs::{Declared, Registry, Trying};

pub(crate) use self::asked::{Asked, Maker, Sealed};
pub(crate) use self::file::remove_all;
pub(crate) use self::outcome::Outcome;
pub(crate) use self::sums::{Sums, expect_mapping};
use crate::app::{Context, Error, Server};

/// The kind that writes a report.
pub(crate) const GENERATE: &str = "report.generate";
/// The kind that removes what expired.
pub(crate) const EXPIRE: &str = "report.expire";
/// Where both wait: the server's own worker alone works there unless another is told to.
pub(crate) const QUEUE: &str = "reports";

const CONTEXT: &str = "plimsoll 2026-11-22 reports";
/// An attempt is asked to stop after this long, and goes on from its checkpoint.
const TIMEOUT_MS: u64 = 6 * 3_600_000;
/// A job that was claimed before the server stands waits for it so long.
const SERVER_WAIT: Duration = Duration::from_secs(10);

/// Where reports are, and for how long.
#[derive(Clone, Debug)]
pub struct ReportsConfig {
    /// A directory on a real disk; made where it is missing.
    pub directory: PathBuf,
    /// How long a report can be fetched once it is there.
    pub keep: Duration,
}

/// See the module.
pub(crate) struct Reports {
    pub(crate) config: ReportsConfig,
    /// What a payload is sealed with: nobody but this server asks in somebody's name.
    key: [u8; 32],
    server: Mutex<Option<Weak<Server>>>,
    stands: Condvar,
}

impl Reports {
    /// Adds the kinds to those that the server's worker knows.
    ///
    /// # Errors
    /// Where the directory cannot be made.
    pub(crate) fn start(
        config: ReportsConfig,
        server_key: &[u8; 32],
        registry: &mut Registry,
    ) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(&config.directory).map_err(|e| {
            let directory = config.directory.display();
            Error::Invalid(format!("making the directory of the reports, {directory}: {e}"))
        })?;
        let key = blake3::derive_key(CONTEXT, server_key);
        let reports = Self { config, key, server: Mutex::default(), stands: Condvar::new() };
        let reports = Arc::new(reports);
        let trying = Trying { timeout_ms: TIMEOUT_MS, ..Trying::default() };
        let declared = Declared { queue: QUEUE, trying, ..Declared::default() };
        registry
            .add(GENERATE, declared, generate::Generate(Arc::clone(&reports)))
            .and_then(|()| registry.add(EXPIRE, declared, expire::Expire(Arc::clone(&reports))))
            .map_err(|e| Error::Invalid(format!("the kinds of reports: {e}")))?;
        Ok(reports)
    }

    /// The server whose rows are reported.
    pub(crate) fn belongs_to(&self, server: &Arc<Server>) {
        let mut place = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::downgrade(server));
        self.stands.notify_all();
    }

    /// What is served now; `None` where the server goes.
    fn context(&self) -> Option<Arc<Context>> {
        let place = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stands.wait_timeout_while(place, SERVER_WAIT, |place| place.is_none());
        let (place, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let server = place.as_ref().and_then(Weak::upgrade)?;
        Some(Arc::clone(&server.face().context))
    }

    /// What a payload says, sealed.
    pub(crate) fn seal(&self, asked: Asked) -> Sealed {
        Sealed::new(&self.key, asked)
    }
}
