//! A reload: the catalogue is looked at again and swapped under the running server.
//!
//! ```text
//!   SIGHUP, POST /system/catalog/reload ─> turn ─> look (blocking thread) ─> Face ─> swapped
//!                                            └ taken: busy   └ error: the old one stays
//! ```
//!
//! Short paths change with it; database, limits and the packs' analytics do not.
//!
//! Promises: requests under way keep the catalogue they came in with; a reload that fails changes
//! nothing and says why.
//! Never: two at once.

use std::sync::{Arc, OnceLock, Weak};

use plimsoll_store::Catalogue;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::app::{Face, Server};
use crate::config::CatalogueSource;
use crate::problem::{Kind, Problem, Result};

/// Names of tables that an answer lists.
const NAMES_LISTED_MAX: usize = 50;

/// What a reload changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Resources that are served now.
    pub resources: usize,
    /// The first of those that were not served before.
    pub added: Vec<String>,
    /// The first of those that are not served any more.
    pub removed: Vec<String>,
}

/// How the catalogue is looked at again.
pub(crate) struct Reload {
    source: Option<Arc<dyn CatalogueSource>>,
    server: OnceLock<Weak<Server>>,
    turn: Arc<Mutex<()>>,
}

impl Reload {
    pub(crate) fn new(source: Option<Arc<dyn CatalogueSource>>) -> Self {
        Self { source, server: OnceLock::new(), turn: Arc::default() }
    }

    /// The server whose catalogue it is.
    pub(crate) fn belongs_to(&self, server: &Arc<Server>) {
        let _set_before = self.server.set(Arc::downgrade(server));
    }

    /// Looks again, and swaps.
    ///
    /// # Errors
    /// 409 when there is nothing to look at or what was found is refused, 503 while another runs.
    pub(crate) async fn now(&self) -> Result<Reloaded> {
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else {
            let why = "a reload is under way; ask again when it has ended";
            return Err(Problem::new(Kind::Busy, why).retry_after(1));
        };
        self.run(turn).await
    }

    async fn run(&self, turn: OwnedMutexGuard<()>) -> Result<Reloaded> {
        self.look(turn).await.inspect_err(|problem| {
            let why = problem.detail();
            tracing::warn!(target: "http", why, "no reload; the catalogue there is stays");
        })
    }

    async fn look(&self, turn: OwnedMutexGuard<()>) -> Result<Reloaded> {
        let Some(source) = self.source.clone() else {
            return Err(Problem::new(
                Kind::CatalogRefused,
                "the embedded database's resources come with the program: there is nothing to \
                 reload",
            ));
        };
        let Some(server) = self.server.get().and_then(Weak::upgrade) else {
            return Err(Problem::new(Kind::NotReady, "the server is stopping"));
        };
        // Whoever asked may go: what was begun ends, and the turn with it.
        let swapped = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let catalogue = source.look().map_err(|e| refused(&e))?;
            swap(&server, catalogue)
        });
        swapped.await.map_err(|e| Problem::internal(&format!("the thread of a reload: {e}")))?
    }
}

fn swap(server: &Server, catalogue: Catalogue) -> Result<Reloaded> {
    let before = server.face();
    let store = before.context.store.with_catalogue(Arc::new(catalogue));
    let after = Face::new(&server.core, store).map_err(|e| refused(&e))?;
    let (old, new) = (&before.context.tables, &after.context.tables);
    let names = |mut names: Vec<String>| {
        names.truncate(NAMES_LISTED_MAX);
        names
    };
    let reloaded = Reloaded {
        resources: new.len(),
        added: names(
            new.keys().filter(|n| !old.contains_key(n)).map(ToString::to_string).collect(),
        ),
        removed: names(
            old.keys().filter(|n| !new.contains_key(n)).map(ToString::to_string).collect(),
        ),
    };
    tracing::info!(
        target: "http",
        resources = reloaded.resources,
        added = reloaded.added.len(),
        removed = reloaded.removed.len(),
        "the catalogue was reloaded"
    );
    server.show(after);
    Ok(reloaded)
}

/// The operator asks for a reload, so the cause is told.
fn refused(cause: &dyn std::fmt::Display) -> Problem {
    Problem::new(Kind::CatalogRefused, cause.to_string())
}

impl Server {
    /// Looks at the catalogue's source again and serves what it finds, as
    /// `POST /system/catalog/reload` does, once no other reload is under way. What becomes of it
    /// stands in the log too.
    ///
    /// # Errors
    /// Why the old catalogue stays.
    pub async fn reload(&self) -> Result<Reloaded, String> {
        let reload = &self.core.reload;
        let turn = Arc::clone(&reload.turn).lock_owned().await;
        reload.run(turn).await.map_err(|problem| problem.detail().to_owned())
    }
}
