//! One export that was asked for, from the link to the end of its file.
//!
//! ```text
//!   untaken ── GET ──> beginning ── first rows ──> kept ──────────> gone (why)
//!      ^                  │ refused, or client     │ expired, evicted, failed
//!      └──────────────────┘ gone before them       └ runs, or is whole: its progress says
//!
//!   the download, which there is one of: given with the beginning, or later where a part was
//!   what it began with
//! ```
//!
//! Promises: of all who come at once one begins it, and one gets the download; whoever is refused
//! before the first byte leaves the link as it was.
//! Never: rows kept beyond the link's end.

use std::mem::replace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use plimsoll::budget::Reservation;
use plimsoll::format::Format;
use tokio::sync::Notify;

use super::kept::{End, KeptFile};
use super::link::{Id, Link};
use super::range::Range;
use crate::access::Principal;
use crate::app::Context;
use crate::problem::Result;
use crate::session::PLIMSOLL_SESSION;

/// What was asked for. Checked when it was, and again when it runs: the catalogue may be another.
pub(crate) struct Asked {
    /// The resource, by its table's name; or the query.
    pub(crate) resource: Box<str>,
    pub(crate) is_query: bool,
    /// As of `GET` of its export, format and all.
    pub(crate) query: Box<str>,
    pub(crate) format: Format,
    /// `Content-Disposition`.
    pub(crate) disposition: HeaderValue,
    pub(crate) caller: Caller,
}

/// Who asked, as far as it counts when the rows are read: whatever of the POST's headers and
/// extensions decides which rows there are is taken here, and stands in the request that reads.
pub(crate) struct Caller {
    /// As whom it is read, whatever the access file says later.
    principal: Option<Arc<Principal>>,
    /// What has to be seen.
    session: Option<HeaderValue>,
}

impl Caller {
    /// Of the request that asks.
    pub(crate) fn of(request: &Parts) -> Self {
        let principal = request.extensions.get::<Arc<Principal>>().cloned();
        Self { principal, session: request.headers.get(&PLIMSOLL_SESSION).cloned() }
    }

    /// Who asked for what is read only now.
    pub(crate) fn remembered(
        principal: Option<Arc<Principal>>,
        session: Option<HeaderValue>,
    ) -> Self {
        Self { principal, session }
    }

    /// The context as they may use it.
    ///
    /// # Errors
    /// When the database cannot be asked as them.
    pub(crate) fn acting(&self, context: &Arc<Context>) -> Result<Arc<Context>> {
        match &self.principal {
            Some(principal) => context.acting(principal),
            None => Ok(Arc::clone(context)),
        }
    }

    /// Makes it a request of theirs.
    pub(crate) fn sign(&self, request: &mut Parts) {
        request.headers = HeaderMap::new();
        if let Some(session) = &self.session {
            request.headers.insert(PLIMSOLL_SESSION, session.clone());
        }
    }

    /// Bytes of the heap.
    fn bytes(&self) -> usize {
        self.session.as_ref().map_or(0, HeaderValue::len)
    }
}

impl Asked {
    /// Bytes of the heap.
    pub(super) fn bytes(&self) -> u64 {
        let Self { resource, query, disposition, caller, .. } = self;
        (resource.len() + query.len() + disposition.len() + caller.bytes()) as u64
    }
}

/// An export with its link.
pub(crate) struct Export {
    pub(crate) link: Link,
    pub(crate) asked: Asked,
    state: Mutex<State>,
    /// Told when its file goes.
    pub(super) file_gone: Notify,
    _reservation: Reservation,
}

enum State {
    Untaken,
    /// `given`: for the download, or else for a part.
    Beginning {
        given: bool,
    },
    Kept {
        file: Arc<KeptFile>,
        /// Whether the download was.
        given: bool,
    },
    Gone(&'static str),
}

/// What a link leads to now.
pub(crate) enum Taken {
    /// To its first rows, for the one who has the turn.
    First(Turn),
    /// To nothing yet: somebody else waits for the first rows, of a part.
    Beginning,
    /// To a file, for the one who has its download.
    Download(Download),
    /// To a file, for parts of it.
    Kept(Arc<KeptFile>),
    /// To parts alone: somebody else has the download.
    Given,
    /// To nothing any more.
    Gone(&'static str),
}

/// The turn to begin an export. Dropped before it has begun, the link is as it was.
pub(crate) struct Turn(Arc<Export>);

/// The one download of a file that a part began with. Dropped before it is sent, it can be had
/// again.
pub(crate) struct Download {
    export: Arc<Export>,
    pub(crate) file: Arc<KeptFile>,
    sent: bool,
}

impl Export {
    pub(super) fn new(link: Link, asked: Asked, reservation: Reservation) -> Self {
        Self {
            link,
            asked,
            state: Mutex::new(State::Untaken),
            file_gone: Notify::new(),
            _reservation: reservation,
        }
    }

    pub(crate) fn id(&self) -> Id {
        self.link.id
    }

    /// Takes the turn where nobody had it; and with it, or later, the download where all of it is
    /// asked for.
    pub(crate) fn take(self: &Arc<Self>, range: Range) -> Taken {
        let all = range == Range::Whole;
        let mut state = self.lock();
        match &mut *state {
            State::Untaken => {
                *state = State::Beginning { given: range.is_all() };
                Taken::First(Turn(Arc::clone(self)))
            }
            State::Beginning { given: true } | State::Kept { given: true, .. } if all => {
                Taken::Given
            }
            State::Beginning { .. } => Taken::Beginning,
            State::Kept { file, given } if all => {
                *given = true;
                let (export, file) = (Arc::clone(self), Arc::clone(file));
                Taken::Download(Download { export, file, sent: false })
            }
            State::Kept { file, .. } => Taken::Kept(Arc::clone(file)),
            State::Gone(why) => Taken::Gone(why),
        }
    }

    /// What it leads to, without taking it: no file is one that has not begun.
    pub(crate) fn look(&self) -> Result<Option<Arc<KeptFile>>, &'static str> {
        match &*self.lock() {
            State::Untaken | State::Beginning { .. } => Ok(None),
            State::Kept { file, .. } => Ok(Some(Arc::clone(file))),
            State::Gone(why) => Err(why),
        }
    }

    /// Lets the file go.
    pub(super) fn leave(&self, why: &'static str) {
        if let State::Kept { .. } = replace(&mut *self.lock(), State::Gone(why)) {
            self.file_gone.notify_one();
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.lock(), State::Gone(_))
    }

    /// When its file was whole, where it is and nobody reads it.
    pub(super) fn idle_since(&self) -> Option<u64> {
        match &*self.lock() {
            State::Kept { file, .. } if Arc::strong_count(file) == 1 => match file.progress().end {
                Some(End::Whole(since)) => Some(since),
                _ => None,
            },
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// There are rows: from now on the link leads to them.
    pub(super) fn begun(self, file: &Arc<KeptFile>) {
        let mut state = self.0.lock();
        if let State::Beginning { given } = *state {
            *state = State::Kept { file: Arc::clone(file), given };
        }
    }

    pub(crate) fn export(&self) -> &Arc<Export> {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let State::Beginning { .. } = *state {
            *state = State::Untaken;
        }
    }
}

impl Download {
    /// From now on it is the client's.
    pub(crate) fn send(mut self) -> Arc<KeptFile> {
        self.sent = true;
        Arc::clone(&self.file)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if let State::Kept { given, .. } = &mut *self.export.lock()
            && !self.sent
        {
            *given = false;
        }
    }
}
