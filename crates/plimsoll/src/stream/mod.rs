//! Streams: items one by one from a source through stages to an end, any number of them.
//!
//! ```text
//!   from_iter, from_source, from_csv, from_jsonl
//!        └─> map filter flat_map take skip ...        one item at a time
//!        └─> chunk chunk_bytes window                 as many as one result has
//!        └─> sort group_by distinct join              crate::typed: spill when memory is full
//!                └─> collect_within reduce count for_each to_csv to_jsonl to_file
//! ```
//!
//! A stream is a description; nothing is read before its end asks. One with a source that can be
//! opened again is read from the start each time.
//!
//! Promises: errors travel as items, past every stage, to the end; no stage asks its source for
//! an item it does not need.
//! Never: a second reading that is silently empty.

mod ahead;
mod csv_writer;
mod ends;
mod files;
mod filtered;
mod lazy;
mod named;
mod operators;
mod output;
mod record;
mod row_bytes;
mod source;
mod stages;
mod streaming;
mod texts;
mod typed_record;

pub use csv_writer::CsvWriter;
pub use ends::Collected;
pub use filtered::{Filter, FilteredIterator};
pub use lazy::{Cursor, LazyIterator, LazyOptions, OffsetPages, Page, PageSource, Passed};
pub use named::NamedRow;
pub use record::Record;
pub use row_bytes::RowBytes;
pub use source::Items;
pub use streaming::{Chunk, ErrorHandling, StreamingIterator, StreamingOptions};
pub use typed_record::TypedRecord;

use std::sync::Arc;

use crate::error::Result;
use crate::typed::Engine;
use source::Opener;

/// A stream of `T`.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::stream::Stream;
/// use plimsoll::typed::Engine;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let numbers = Stream::from_source(&engine, || Ok((0..10_u64).map(Ok)));
/// for _epoch in 0..2 {
///     let batches: Vec<Vec<u64>> = numbers.clone().batch(4).iter().collect::<Result<_, _>>()?;
///     assert_eq!(batches[2], [8, 9]);
/// }
/// assert_eq!(numbers.filter(|n| n % 2 == 0).map(|n| n * n).reduce(|a, b| a + b)?, Some(120));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream<T> {
    engine: Engine,
    open: Opener<T>,
}

impl<T> Clone for Stream<T> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), open: Arc::clone(&self.open) }
    }
}

impl<T> std::fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream of {}", std::any::type_name::<T>())
    }
}

impl<T: Send + 'static> Stream<T> {
    /// The items of `items`, which can be read once.
    pub fn from_iter<I>(engine: &Engine, items: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        let items: Items<T> = Box::new(items.into_iter().map(Ok));
        Self { engine: engine.clone(), open: source::once(items) }
    }

    /// The items that `open` opens, anew for each reading. The iterator gives nothing after an
    /// error it cannot go on from.
    pub fn from_source<I>(
        engine: &Engine,
        open: impl Fn() -> Result<I> + Send + Sync + 'static,
    ) -> Self
    where
        I: Iterator<Item = Result<T>> + Send + 'static,
    {
        let open = move || Ok(Box::new(open()?) as Items<T>);
        Self { engine: engine.clone(), open: Arc::new(open) }
    }

    /// Reads it: the items, from the first. If the source cannot be opened, that error is the
    /// only one.
    pub fn iter(&self) -> Items<T> {
        match (self.open)() {
            Ok(items) => items,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    /// The engine it works with.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// This stream with a stage behind it.
    fn then<U: 'static>(
        self,
        stage: impl Fn(Items<T>) -> Items<U> + Send + Sync + 'static,
    ) -> Stream<U> {
        let open = self.open;
        Stream { engine: self.engine, open: Arc::new(move || Ok(stage(open()?))) }
    }
}

impl<T: Send + 'static> IntoIterator for &Stream<T> {
    type Item = Result<T>;
    type IntoIter = Items<T>;

    fn into_iter(self) -> Items<T> {
        self.iter()
    }
}
