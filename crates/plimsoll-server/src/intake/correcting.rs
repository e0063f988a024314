//! Whoever puts a corrected file in the place of one is alone with it.
//!
//! Promises: what was seen of the job and of its file stays so until the file is replaced, whoever
//! else sends one; given back when it is dropped.
//! Never: a wait: who comes second is told so.

use std::sync::{Arc, PoisonError};

use super::Intake;

/// As long as this is held nobody else corrects the file.
pub(crate) struct Correcting {
    intake: Arc<Intake>,
    token: Box<str>,
}

impl Correcting {
    /// Nothing where somebody else is at it. There are as many at most as files that are received
    /// and compared, which have their bounds.
    pub(crate) fn begin(intake: &Arc<Intake>, token: &str) -> Option<Self> {
        let mut corrected = intake.corrected.lock().unwrap_or_else(PoisonError::into_inner);
        let is_alone = corrected.insert(token.into());
        is_alone.then(|| Self { intake: Arc::clone(intake), token: token.into() })
    }
}

impl Drop for Correcting {
    fn drop(&mut self) {
        let mut corrected = self.intake.corrected.lock().unwrap_or_else(PoisonError::into_inner);
        corrected.remove(&self.token);
    }
}
