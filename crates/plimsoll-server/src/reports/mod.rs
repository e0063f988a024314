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
use std::sync::Arc;
use std::time::Duration;

use plimsoll_jobs::{Declared, Registry, Trying};

pub(crate) use self::asked::{Asked, Maker};
pub(crate) use self::file::remove_all;
pub(crate) use self::outcome::Outcome;
pub(crate) use self::sums::{Sums, expect_mapping};
use crate::app::Error;
use crate::home::Home;
use crate::sealed::Sealed;

/// The kind that writes a report.
pub(crate) const GENERATE: &str = "report.generate";
/// The kind that removes what expired.
pub(crate) const EXPIRE: &str = "report.expire";
/// Where both wait: the server's own worker alone works there unless another is told to.
pub(crate) const QUEUE: &str = "reports";

const CONTEXT: &str = "plimsoll 2026-11-22 reports";
/// An attempt is asked to stop after this long, and goes on from its checkpoint.
const TIMEOUT_MS: u64 = 6 * 3_600_000;

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
    home: Arc<Home>,
}

impl Reports {
    /// Adds the kinds to those that the server's worker knows.
    ///
    /// # Errors
    /// Where the directory cannot be made.
    pub(crate) fn start(
        config: ReportsConfig,
        server_key: &[u8; 32],
        home: &Arc<Home>,
        registry: &mut Registry,
    ) -> Result<Arc<Self>, Error> {
        std::fs::create_dir_all(&config.directory).map_err(|e| {
            let directory = config.directory.display();
            Error::Invalid(format!("making the directory of the reports, {directory}: {e}"))
        })?;
        let key = blake3::derive_key(CONTEXT, server_key);
        let reports = Self { config, key, home: Arc::clone(home) };
        let reports = Arc::new(reports);
        let trying = Trying { timeout_ms: TIMEOUT_MS, ..Trying::default() };
        let declared = Declared { queue: QUEUE, trying, ..Declared::default() };
        registry
            .add(GENERATE, declared, generate::Generate(Arc::clone(&reports)))
            .and_then(|()| registry.add(EXPIRE, declared, expire::Expire(Arc::clone(&reports))))
            .map_err(|e| Error::Invalid(format!("the kinds of reports: {e}")))?;
        Ok(reports)
    }

    /// What a payload says, sealed.
    pub(crate) fn seal(&self, asked: Asked) -> Sealed<Asked> {
        Sealed::new(&self.key, asked)
    }
}
