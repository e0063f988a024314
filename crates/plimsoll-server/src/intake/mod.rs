//! What clients send in files, and the jobs that take it in: rows, and changes of rows.
//!
//! ```text
//!   POST /goods/import ─> TOKEN.partial ── fsync, rename ──> TOKEN.upload ─> job import, sealed
//!                            │ bytes taken from the space      │
//!                            └ broken off: removed             v a batch of rows + checkpoint
//!   GET /jobs/{id}/rejects <──────────── TOKEN-LEASE.rejects <─┘ one transaction, fenced
//!   intake.expire: away with files whose job is over for long
//! ```
//!
//! Promises: a job has its file whole or there is no job; the file goes when its job completes, or
//! `keep` after whoever sent it left it with one that failed.
//! Never: a file removed whose job is not over.

mod asked;
mod bulk;
mod correcting;
mod expire;
mod files;
mod import;
mod multipart;
mod outcome;
mod receive;
mod space;
mod told;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll_jobs::{Declared, Registry, Trying};
use tokio::sync::Semaphore;

pub(crate) use self::asked::{Asked, UNPACKED_BYTES_MAX, of_rows};
pub(crate) use self::bulk::CHANGES_BYTES;
pub(crate) use self::correcting::Correcting;
pub(crate) use self::files::{Upload, is_rejects_of};
pub(crate) use self::import::State;
pub(crate) use self::outcome::{Outcome, Rejected};
pub(crate) use self::receive::{Received, receive};
use self::space::Space;
pub(crate) use self::told::told;
use crate::app::Error;
use crate::home::Home;
use crate::sealed::Sealed;

/// The kind that imports a file.
pub(crate) const IMPORT: &str = "import";
/// The kind that changes the rows that a file names.
pub(crate) const BULK: &str = "bulk.update";
/// The kind that removes what nobody needs any more.
pub(crate) const EXPIRE: &str = "intake.expire";
/// Where they wait: the server's own worker alone works there unless another is told to, for the
/// files are the server's.
pub(crate) const QUEUE: &str = "intake";

const CONTEXT: &str = "plimsoll 2026-11-22 intake";
/// An attempt is asked to stop after this long, and goes on from its checkpoint.
const TIMEOUT_MS: u64 = 6 * 3_600_000;
/// Files that are received at one time: each holds two pieces of memory and an open file.
const RECEIVED_MAX: usize = 16;

/// Where files that clients send are, and for how long.
#[derive(Clone, Debug)]
pub struct IntakeConfig {
    /// A directory on a real disk; made where it is missing.
    pub directory: PathBuf,
    /// How long the file of a job that failed stays, and rows that were rejected.
    pub keep: Duration,
    /// Bytes of all files together.
    pub disk_bytes_max: u64,
}

/// See the module.
pub(crate) struct Intake {
    pub(crate) config: IntakeConfig,
    /// What a payload is sealed with: nobody but this server writes in somebody's name.
    key: [u8; 32],
    home: Arc<Home>,
    space: Arc<Space>,
    places: Arc<Semaphore>,
    /// Tokens of files that are being replaced.
    corrected: Mutex<BTreeSet<Box<str>>>,
}

impl Intake {
    /// Adds the kinds to those that the server's worker knows.
    ///
    /// # Errors
    /// Where the directory cannot be made or read.
    pub(crate) fn start(
        config: IntakeConfig,
        server_key: &[u8; 32],
        home: &Arc<Home>,
        registry: &mut Registry,
    ) -> Result<Arc<Self>, Error> {
        let directory = &config.directory;
        let made = std::fs::create_dir_all(directory);
        let there = made.and_then(|()| files::bytes(directory)).map_err(|e| {
            let directory = directory.display();
            Error::Invalid(format!("the directory of files that are sent, {directory}: {e}"))
        })?;
        let intake = Arc::new(Self {
            key: blake3::derive_key(CONTEXT, server_key),
            home: Arc::clone(home),
            space: Arc::new(Space::new(there, config.disk_bytes_max)),
            places: Arc::new(Semaphore::new(RECEIVED_MAX)),
            corrected: Mutex::default(),
            config,
        });
        let trying = Trying { timeout_ms: TIMEOUT_MS, ..Trying::default() };
        let declared = Declared { queue: QUEUE, trying, ..Declared::default() };
        registry
            .add(IMPORT, declared, import::Import(Arc::clone(&intake)))
            .and_then(|()| registry.add(BULK, declared, bulk::Bulk(Arc::clone(&intake))))
            .and_then(|()| registry.add(EXPIRE, declared, expire::Expire(Arc::clone(&intake))))
            .map_err(|e| Error::Invalid(format!("the kinds of intake: {e}")))?;
        Ok(intake)
    }

    /// What a payload says, sealed.
    pub(crate) fn seal(&self, asked: Asked) -> Sealed<Asked> {
        Sealed::new(&self.key, asked)
    }

    /// What was asked for, where the payload was made here.
    pub(crate) fn unseal(&self, sealed: Sealed<Asked>) -> Option<Asked> {
        sealed.open(&self.key)
    }

    /// The path of a file that was sent.
    pub(crate) fn upload_path(&self, token: &str) -> PathBuf {
        self.path(&files::whole(token))
    }

    /// Nothing of the file is needed any more.
    pub(crate) fn discard(&self, token: &str) {
        let name = files::whole(token);
        if let Err(error) = files::remove(&self.config.directory, &name, &self.space) {
            // It goes when it expires.
            tracing::warn!(%error, name, "removing a file that was sent");
        }
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.config.directory.join(name)
    }
}
