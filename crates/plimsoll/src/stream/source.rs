//! Where a stream's items come from: once, or as often as it is opened.
//!
//! ```text
//!   Once    an iterator somebody had already: the second reading is refused, not empty
//!   Again   a closure that opens the input anew: every reading is the whole input
//! ```
//!
//! Promises: a reading that would miss items is an error.
//! Never: an item kept for a second reading.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};

/// The items of one reading. Errors travel as items; what comes after one is the source's choice.
pub type Items<T> = Box<dyn Iterator<Item = Result<T>> + Send>;

pub(super) type Opener<T> = Arc<dyn Fn() -> Result<Items<T>> + Send + Sync>;

/// An opener that works once.
pub(super) fn once<T: 'static>(items: Items<T>) -> Opener<T> {
    let items = Mutex::new(Some(items));
    Arc::new(move || {
        // Taking is one step: a panic elsewhere leaves it whole.
        let taken = items.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| {
            Error::invalid(
                "reading a stream again: it was made from an iterator, which gives its items \
                 once; make it with from_source and a closure that opens the input",
            )
        })
    })
}
