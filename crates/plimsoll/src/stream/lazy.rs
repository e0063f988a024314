//! Items that are fetched page by page, when they are asked for.
//!
//! ```text
//!   LazyIterator ── page(after cursor, batch_size) ──> PageSource: a keyset query, an API, ...
//!        item by item  <── Page { items, next cursor } ──┘
//! ```
//!
//! Pages follow cursors (keys) and not offsets: a page at offset n makes its source read n rows
//! again, and rows that come and go in front of it are skipped or given twice. Where a source
//! only has offsets, [`OffsetPages`] makes cursors of them.
//!
//! Promises: no page is fetched before its first item is asked for, unless prefetch is on; none
//! after the last item wanted.
//! Never: more than one page in memory, or with prefetch three.

use super::ahead::Ahead;
use crate::budget::{Consumer, Reservation};
use crate::error::{Error, Result};
use crate::heap_size::HeapSize;
use crate::typed::Engine;

/// Where the next page begins: opaque, made and read by the source alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// A cursor of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Items and where those after them begin; `None` at the end.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Behind them.
    pub next: Option<Cursor>,
}

/// Something that can be read page by page.
///
/// ```
/// use plimsoll::Result;
/// use plimsoll::stream::{Cursor, Page, PageSource};
/// /// Keys from 1 on.
/// struct Keys;
/// impl PageSource<u64> for Keys {
///     fn page(&mut self, after: Option<&Cursor>, limit: usize) -> Result<Page<u64>> {
///         let last = after.map_or(0, |c| u64::from_le_bytes(c.as_bytes().try_into().unwrap()));
///         let items: Vec<u64> = (last + 1..).take(limit).collect();
///         let next = items.last().map(|last| Cursor::new(last.to_le_bytes()));
///         Ok(Page { items, next })
///     }
/// }
/// assert_eq!(Keys.pass(None, 10, 4)?.items, 4, "it reads what it passes over");
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub trait PageSource<T> {
    /// Up to `limit` items behind `after`, or the first ones.
    ///
    /// # Errors
    /// The source's.
    fn page(&mut self, after: Option<&Cursor>, limit: usize) -> Result<Page<T>>;

    /// Passes over up to `count` items behind `after`, or the first ones; at least one, if there
    /// is one. This reads and drops them, `limit` at a time: a source that knows a shorter way has
    /// its own.
    ///
    /// # Errors
    /// The source's.
    fn pass(&mut self, after: Option<&Cursor>, count: u64, limit: usize) -> Result<Passed> {
        let limit = usize::try_from(count).unwrap_or(usize::MAX).min(limit);
        let page = self.page(after, limit)?;
        Ok(Passed { items: page.items.len() as u64, next: page.next })
    }
}

/// How many items were passed over and where those after them begin; `None` at the end.
#[derive(Clone, Debug)]
pub struct Passed {
    /// At most as many as were asked for.
    pub items: u64,
    /// Behind them.
    pub next: Option<Cursor>,
}

/// A source of pages from a function of an offset and a number of items. A page that is short is
/// the last one.
#[derive(Debug)]
pub struct OffsetPages<F>(
    /// Gives the items from an offset on, as many as asked.
    pub F,
);

impl<T, F: FnMut(u64, usize) -> Result<Vec<T>>> PageSource<T> for OffsetPages<F> {
    fn page(&mut self, after: Option<&Cursor>, limit: usize) -> Result<Page<T>> {
        let offset = offset_of(after)?;
        let items = (self.0)(offset, limit)?;
        let behind = offset + items.len() as u64;
        let next = (items.len() == limit).then(|| Cursor::new(behind.to_le_bytes()));
        Ok(Page { items, next })
    }

    /// Adds up: nothing is read.
    fn pass(&mut self, after: Option<&Cursor>, count: u64, _limit: usize) -> Result<Passed> {
        let behind = offset_of(after)?.saturating_add(count);
        Ok(Passed { items: count, next: Some(Cursor::new(behind.to_le_bytes())) })
    }
}

fn offset_of(after: Option<&Cursor>) -> Result<u64> {
    let Some(cursor) = after else { return Ok(0) };
    let bytes = cursor.as_bytes().try_into().map_err(|_| {
        Error::invalid("reading a page by its offset: the cursor is not one of this source")
    })?;
    Ok(u64::from_le_bytes(bytes))
}

/// How a [`LazyIterator`] reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LazyOptions {
    /// Items of a page; 500 by default.
    pub batch_size: usize,
    /// Items passed over first; none by default. The source passes over them by its keys, page by
    /// page, so that their number costs time but no memory: going on behind a [`Cursor`] is quicker
    /// than a large offset.
    pub offset: u64,
    /// Items in all at most; the last page is asked for no more than is left.
    pub limit: Option<u64>,
    /// Whether a thread fetches the next page while one is used; not by default.
    pub prefetch: bool,
}

impl Default for LazyOptions {
    fn default() -> Self {
        Self { batch_size: 500, offset: 0, limit: None, prefetch: false }
    }
}

/// Gives the items of a [`PageSource`] one by one. After an error there are no more.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::stream::{LazyIterator, LazyOptions, OffsetPages};
/// # use plimsoll::typed::Engine;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let pages = OffsetPages(|offset, limit| {
///     Ok((offset..1_234).take(limit).collect::<Vec<u64>>())
/// });
/// let items = LazyIterator::new(&engine, pages, LazyOptions::default())?;
/// assert_eq!(items.map(Result::unwrap).sum::<u64>(), (0..1_234).sum::<u64>());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LazyIterator<T> {
    pages: Box<dyn Iterator<Item = Result<HeldPage<T>>> + Send>,
    items: std::vec::IntoIter<T>,
    /// Of the page in memory.
    held: Option<Reservation>,
    failed: bool,
}

type HeldPage<T> = (Vec<T>, Reservation);

impl<T: HeapSize + Send + 'static> LazyIterator<T> {
    /// Reads `source` as `options` say.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for pages of no items; the system's when no thread can be
    /// started.
    pub fn new(
        engine: &Engine,
        source: impl PageSource<T> + Send + 'static,
        options: LazyOptions,
    ) -> Result<Self> {
        if options.batch_size == 0 {
            return Err(Error::invalid("reading pages of 0 items: batch_size is at least 1"));
        }
        let pages = Pages {
            source,
            consumer: engine.consumer().clone(),
            batch_size: options.batch_size,
            to_pass: options.offset,
            left: options.limit.unwrap_or(u64::MAX),
            after: None,
            ended: false,
            items: std::marker::PhantomData,
        };
        Ok(Self {
            pages: if options.prefetch { Box::new(Ahead::start(pages)?) } else { Box::new(pages) },
            items: Vec::new().into_iter(),
            held: None,
            failed: false,
        })
    }
}

impl<T> Iterator for LazyIterator<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            if let Some(item) = self.items.next() {
                return Some(Ok(item));
            }
            self.items = Vec::new().into_iter();
            self.held = None;
            if self.failed {
                return None;
            }
            match self.pages.next()? {
                Ok((items, held)) => (self.items, self.held) = (items.into_iter(), Some(held)),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The pages one after another.
struct Pages<T, S> {
    source: S,
    consumer: Consumer,
    batch_size: usize,
    /// Items still to be passed over.
    to_pass: u64,
    left: u64,
    after: Option<Cursor>,
    ended: bool,
    items: std::marker::PhantomData<fn() -> T>,
}

impl<T: HeapSize, S: PageSource<T>> Pages<T, S> {
    /// Passes over what stands in front of the first item wanted.
    fn start(&mut self) -> Result<()> {
        while self.to_pass > 0 && !self.ended {
            // A source that reads what it passes over holds a page of it.
            let _page = self.consumer.try_reserve((self.batch_size * size_of::<T>()) as u64)?;
            let passed = self.source.pass(self.after.as_ref(), self.to_pass, self.batch_size)?;
            if passed.items > self.to_pass || (passed.items == 0 && passed.next.is_some()) {
                return Err(Error::invalid(format!(
                    "passing over {} items: the source passed over {} and did not end; correct it",
                    self.to_pass, passed.items
                )));
            }
            self.to_pass -= passed.items;
            self.ended = passed.next.is_none();
            self.after = passed.next;
        }
        Ok(())
    }

    fn fetch(&mut self) -> Result<HeldPage<T>> {
        let limit = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.batch_size);
        let mut held = self.consumer.try_reserve((limit * size_of::<T>()) as u64)?;
        let page = self.source.page(self.after.as_ref(), limit)?;
        if page.items.len() > limit || (page.items.is_empty() && page.next.is_some()) {
            return Err(Error::invalid(format!(
                "reading a page of {limit} items: the source gave {} and {} cursor; correct it",
                page.items.len(),
                if page.next.is_some() { "a" } else { "no" }
            )));
        }
        // What items point to is known only once they are here.
        held.try_grow(page.items.iter().map(HeapSize::heap_bytes).sum::<usize>() as u64)?;
        self.left -= page.items.len() as u64;
        self.ended = page.next.is_none() || self.left == 0;
        self.after = page.next;
        Ok((page.items, held))
    }
}

impl<T: HeapSize, S: PageSource<T>> Iterator for Pages<T, S> {
    type Item = Result<HeldPage<T>>;

    fn next(&mut self) -> Option<Result<HeldPage<T>>> {
        if self.ended || self.left == 0 {
            return None;
        }
        let started = self.start();
        if started.is_ok() && self.ended {
            return None;
        }
        let page = started.and_then(|()| self.fetch());
        self.ended = self.ended || page.is_err();
        Some(page)
    }
}
