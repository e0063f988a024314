//! The exports that have a link, and where their files go.
//!
//! Promises: as many as the limit at most, each reserved; one that is full of links that can still
//! be used refuses, and says when to come back; to make room on the disk, the file goes that was
//! finished first and that nobody reads.
//! Never: a file that somebody reads taken away.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plimsoll::budget::{Consumer, Node};

use super::disk::{DiskSpace, Place};
use super::export::{Asked, Export};
use super::link::{Id, Link, LinkKey};
use crate::app;
use crate::config::ServerConfig;
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem, Result};

/// What an entry takes beside the texts in it: itself, its place in the table, and the task that
/// waits for the end of its file.
const ENTRY_BYTES: u64 = 2 << 10;
/// How long to wait at most, told where the table is full; links are often used long before they
/// end.
const RETRY_SECONDS_MAX: i64 = 60;
const EVICTED: &str = "the file was given up for newer ones";

/// All of them.
pub(crate) struct Handoffs {
    key: LinkKey,
    consumer: Consumer,
    exports_max: usize,
    space: Arc<DiskSpace>,
    pub(super) directory: PathBuf,
    /// What stands before the path of a link.
    public_url: Box<str>,
    finished: AtomicU64,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    exports: HashMap<Id, Arc<Export>>,
    /// When those that have ended were looked for.
    purged_seconds: i64,
}

impl Handoffs {
    pub(crate) fn new(config: &ServerConfig, http: &Node) -> Result<Self, app::Error> {
        let limits = &config.limits;
        let public_url = config.public_url.as_deref().unwrap_or_default();
        Ok(Self {
            key: LinkKey::new(&config.cursor_key),
            consumer: http.consumer("exports")?,
            exports_max: limits.exports_max,
            space: Arc::new(DiskSpace::new(limits.exports_bytes_max, limits.exports_kept_max)),
            directory: config.spill_directory.clone(),
            public_url: public_url.trim_end_matches('/').into(),
            finished: AtomicU64::new(0),
            table: Mutex::default(),
        })
    }

    /// Gives an export a link that ends at `expires_seconds`.
    ///
    /// # Errors
    /// 429 when the table is full, 503 without room for the entry.
    pub(crate) fn register(
        &self,
        metrics: &Metrics,
        asked: Asked,
        now_seconds: i64,
        expires_seconds: i64,
    ) -> Result<String> {
        let mut table = self.lock();
        table.purge(now_seconds);
        if table.exports.len() >= self.exports_max && !table.forget_one_that_is_gone() {
            metrics.rejected("exports");
            return Err(self.full(&table, now_seconds));
        }
        let reservation = self
            .consumer
            .try_reserve(ENTRY_BYTES + asked.bytes())
            .inspect_err(|_| metrics.rejected("memory"))?;
        let link = Link { id: self.key.id(), expires_seconds };
        table.exports.insert(link.id, Arc::new(Export::new(link, asked, reservation)));
        Ok(format!("{}{}", self.public_url, self.key.write(link)))
    }

    fn full(&self, table: &Table, now_seconds: i64) -> Problem {
        let next = table.exports.values().map(|export| export.link.expires_seconds).min();
        let left = (next.unwrap_or_default() - now_seconds).clamp(1, RETRY_SECONDS_MAX);
        let why = format!(
            "{} links to exports are given out already, which is the limit (exports.max); try \
             again when one has ended, or ask for links that end sooner",
            self.exports_max
        );
        Problem::new(Kind::QueueFull, why).retry_after(u32::try_from(left).unwrap_or(1))
    }

    /// What a link says; `None` for one that was not made here.
    pub(crate) fn open(&self, segment: &str, query: Option<&str>) -> Option<Link> {
        self.key.open(segment, query)
    }

    /// The export of a link.
    pub(crate) fn find(&self, link: Link) -> Option<Arc<Export>> {
        self.lock().exports.get(&link.id).cloned()
    }

    /// Takes the place of a file, if need be that of one that is whole and that nobody reads.
    ///
    /// # Errors
    /// 429 when all of them are written or read.
    pub(crate) fn place(&self) -> Result<Place> {
        for _ in 0..=self.space.files_max {
            if let Some(place) = self.space.place() {
                return Ok(place);
            }
            if !self.evict() {
                break;
            }
        }
        let why = format!(
            "{} exports by link are written or read already; try again when one has ended",
            self.space.files_max
        );
        Err(Problem::new(Kind::QueueFull, why).retry_after(5))
    }

    /// Takes so many bytes of the disk for a file, if need be those of files that are whole and
    /// that nobody reads.
    ///
    /// # Errors
    /// 507 when there are none of these.
    pub(super) fn take_bytes(&self, place: &Place, bytes: u64) -> Result<()> {
        for _ in 0..=self.space.files_max {
            if place.take(bytes) {
                return Ok(());
            }
            if !self.evict() {
                break;
            }
        }
        Err(Problem::new(
            Kind::DiskFull,
            format!(
                "the files of exports by link may have {} bytes together (exports.disk_max), and \
                 those that are written or read have them; select fewer rows or columns, or try \
                 again when others have ended",
                self.space.bytes_max
            ),
        ))
    }

    /// Lets one file go; false where there is none to.
    fn evict(&self) -> bool {
        let table = self.lock();
        let idle = table.exports.values().filter_map(|export| Some((export.idle_since()?, export)));
        let oldest = idle.min_by_key(|(since, _)| *since);
        oldest.is_some_and(|(_, export)| {
            export.leave(EVICTED);
            true
        })
    }

    /// A number that is greater than all before.
    pub(super) fn next_finished(&self) -> u64 {
        self.finished.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets those that have ended. Looks once a second: the ends are whole seconds.
    fn purge(&mut self, now_seconds: i64) {
        if self.purged_seconds != now_seconds {
            self.purged_seconds = now_seconds;
            self.exports.retain(|_, export| export.link.expires_seconds > now_seconds);
        }
    }

    /// Makes room; false where every link can still be used.
    fn forget_one_that_is_gone(&mut self) -> bool {
        let gone = self.exports.values().find(|export| export.is_gone()).map(|export| export.id());
        gone.is_some_and(|id| self.exports.remove(&id).is_some())
    }
}
