//! Whoever sends a request: a name, what it may do, and as whom the database is asked.
//!
//! Promises: cheap to share; its mark is the same for the same name, role and settings alone.
//! Never: the key or token it was known by.

use std::fmt;
use std::sync::{Arc, OnceLock};

use plimsoll_store::Identity;

use super::scope::Grants;

/// Bytes of a mark.
const MARK_BYTES: usize = 16;

/// Somebody who was found to be who they say.
#[derive(Clone)]
pub(crate) struct Principal {
    name: Box<str>,
    grants: Grants,
    identity: Option<Arc<Identity>>,
    mark: [u8; MARK_BYTES],
}

impl Principal {
    pub(super) fn new(name: &str, grants: Grants, identity: Option<Identity>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&identity.as_ref().map_or([0; 32], Identity::digest));
        hasher.update(name.as_bytes());
        let mut mark = [0; MARK_BYTES];
        mark.copy_from_slice(&hasher.finalize().as_bytes()[..MARK_BYTES]);
        Self { name: name.into(), grants, identity: identity.map(Arc::new), mark }
    }

    /// Somebody who asked earlier for what is done now, and was allowed to then. May nothing else.
    pub(crate) fn remembered(name: &str, identity: Option<Identity>) -> Self {
        Self::new(name, Grants::default(), identity)
    }

    /// For the audit and for people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// As whom the database is asked, where that is not its connection's own role.
    pub(crate) fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    /// What stands for it where something is bound to it: cursors, keys of repeats.
    pub(crate) fn mark(&self) -> &[u8; MARK_BYTES] {
        &self.mark
    }
}

/// Where a request's log line finds who sent it, once that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sender(Arc<OnceLock<Arc<Principal>>>);

impl Sender {
    pub(super) fn is(&self, principal: &Arc<Principal>) {
        // A request is admitted once.
        let _known_before = self.0.set(Arc::clone(principal));
    }

    /// Nothing for somebody who is not known.
    pub(crate) fn name(&self) -> Option<&str> {
        self.0.get().map(|principal| principal.name())
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Principal({})", self.name)
    }
}
