//! Items that pass every one of some filters, with a count of what each filter stopped.
//!
//! ```text
//!   item ─> filter 0 ─> filter 1 ─> filter 2 ─> given
//!             │ no        │ no        │ no
//!             +1          +1          +1        early exit: the first no is the last question
//! ```
//!
//! Promises: the items given do not depend on early exit, only the counts and the work do.
//! Never: an item held back.

use crate::error::Result;

/// A question about an item; each runs for every item, so it should be quick.
pub type Filter<T> = Box<dyn Fn(&T) -> Result<bool> + Send>;

/// Gives the items that all filters pass. An error of a filter comes in its item's place.
///
/// ```
/// use plimsoll::stream::FilteredIterator;
/// let scores = [10, 60, 51, -60].map(Ok).into_iter();
/// let mut good = FilteredIterator::new(
///     scores,
///     vec![Box::new(|n: &i32| Ok(*n > 0)), Box::new(|n: &i32| Ok(n % 2 == 0 && *n > 50))],
/// );
/// assert_eq!(good.by_ref().collect::<Result<Vec<_>, _>>()?, [60]);
/// assert_eq!(good.stopped(), [1, 2]);
/// # Ok::<(), plimsoll::Error>(())
/// ```
pub struct FilteredIterator<T, I> {
    items: I,
    filters: Vec<Filter<T>>,
    early_exit: bool,
    stopped: Vec<u64>,
}

impl<T, I: Iterator<Item = Result<T>>> FilteredIterator<T, I> {
    /// Asks `filters` in this order, the cheapest first, and stops asking at the first no.
    pub fn new(items: I, filters: Vec<Filter<T>>) -> Self {
        let stopped = vec![0; filters.len()];
        Self { items, filters, early_exit: true, stopped }
    }

    /// Whether an item is asked about no more after its first no; it is so by default. Without
    /// it, [`FilteredIterator::stopped`] counts each filter's noes for themselves.
    #[must_use]
    pub fn with_early_exit(mut self, early_exit: bool) -> Self {
        self.early_exit = early_exit;
        self
    }

    /// How many items each filter said no to.
    #[must_use]
    pub fn stopped(&self) -> &[u64] {
        &self.stopped
    }

    fn passes(&mut self, item: &T) -> Result<bool> {
        let mut passes = true;
        for (filter, stopped) in self.filters.iter().zip(&mut self.stopped) {
            if !filter(item)? {
                *stopped += 1;
                passes = false;
                if self.early_exit {
                    break;
                }
            }
        }
        Ok(passes)
    }
}

impl<T, I: Iterator<Item = Result<T>>> Iterator for FilteredIterator<T, I> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        loop {
            let item = match self.items.next()? {
                Ok(item) => item,
                Err(error) => return Some(Err(error)),
            };
            match self.passes(&item) {
                Ok(true) => return Some(Ok(item)),
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
