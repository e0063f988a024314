//! Keys of any length, some bytes of them after the other.
//!
//! ```text
//!   level 0   all rows           the word: sign, exponent, 16 digits           nearly always all
//!   level 1   rows of words that are not whole and hold a place, a group each
//!             [number of the group, 16 bits][the next 6 bytes of the key]      12 digits more
//!   level 2   rows of the groups that level 1 leaves open, and so on
//!
//!   place in a level = place in the file - rows before the group that are in no group
//! ```
//! It is a radix selection, most significant digits first, of all places at once; each level is
//! one [`ExactQuantiles`].
//!
//! Promises: exact for numbers of any length up to the bound, in memory that does not grow with
//! the rows.
//! Never: a second level for numbers of 16 digits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result, excerpt};
use crate::limits::{QUANTILE_DIGITS_MAX, QUANTILES_MAX};
use crate::quantile::{self, ExactQuantiles, Fraction, Number, Quantile, changed};
use crate::record::key::{
    KeyKind, KeyTerm, Nulls, WORD_BYTES, encode_field, is_text, is_whole, pack_number, rest_end,
};
use crate::scan::RawField;

/// Bytes of a key that a level tells apart.
const STEP_BYTES: usize = 6;
/// The number of a group stands above them.
const GROUP_SHIFT: usize = 8 * STEP_BYTES;
/// Longest key: two digits a byte, and the one that ends it.
const KEY_BYTES_MAX: usize = WORD_BYTES + QUANTILE_DIGITS_MAX + 1;

const _: () = assert!(2 * QUANTILES_MAX < 1 << 16);

/// What levels hold beside their [`ExactQuantiles`], which are for two places a quantile.
pub(super) fn level_bytes(quantiles: usize) -> u64 {
    // A prefix and a group each, and beside them those of the level before.
    (quantiles.min(QUANTILES_MAX) * 8 * (KEY_BYTES_MAX + STEP_BYTES + size_of::<Side>())) as u64
}

/// What is known of one quantile's two rows.
#[derive(Clone, Debug)]
struct Ends {
    sides: [Side; 2],
    weight: Fraction,
}

/// The row at one place.
#[derive(Clone, Debug)]
struct Side {
    /// Counted from 0 among all rows that are not NULL.
    place: u64,
    /// The first bytes of its key.
    prefix: Vec<u8>,
}

impl Side {
    fn word(&self) -> u64 {
        let word = self.prefix.first_chunk().expect("a prefix has at least a word");
        u64::from_be_bytes(*word)
    }

    /// Where the key ends in the prefix.
    fn end(&self) -> Option<usize> {
        if is_whole(self.word()) {
            return Some(WORD_BYTES);
        }
        rest_end(self.word(), &self.prefix[WORD_BYTES..]).map(|end| WORD_BYTES + end)
    }
}

/// One level, over as many passes as it takes.
pub(super) struct Level {
    quantiles: Box<[Fraction]>,
    workspace_bytes: usize,
    state: Mutex<ExactQuantiles>,
    /// By the quantile as asked; empty in the first level.
    ends: Vec<Ends>,
    /// Prefixes of the rows that are looked at, ascending, all of one length; all rows where
    /// there are none.
    groups: Vec<Vec<u8>>,
    /// Rows in no group that come before each of them, and behind the group before it.
    between: Vec<AtomicU64>,
    /// Passes over this level that are done.
    passes: u32,
    /// Rows of the file that are not NULL.
    count: u64,
}

/// What comes after a pass.
pub(super) enum Next {
    /// The same rows again, in any order.
    AnotherPass(Box<Level>),
    /// One number a quantile; none where there are no rows.
    Done(Vec<Number>),
}

impl Level {
    /// The level of the words.
    pub(super) fn first(quantiles: &[Fraction], workspace_bytes: usize) -> Result<Self> {
        let state = Mutex::new(ExactQuantiles::new(quantiles, workspace_bytes)?);
        let (ends, groups, between) = (Vec::new(), Vec::new(), Vec::new());
        let quantiles = quantiles.into();
        Ok(Self { quantiles, workspace_bytes, state, ends, groups, between, passes: 0, count: 0 })
    }

    /// The key in this level of a field; `None` for NULL and for rows of no group.
    #[inline]
    pub(super) fn key(&self, field: RawField<'_>) -> Result<Option<u64>> {
        let mut scratch = Vec::new();
        let Some(text) = field.decode(&mut scratch) else { return Ok(None) };
        let packed = pack_number(text);
        if is_text(packed.word) {
            return Err(Error::invalid(format!(
                "'{}' is no number, and quantiles are of numbers: correct it, leave it empty, or \
                 leave the row away with --filter",
                excerpt(&String::from_utf8_lossy(text))
            )));
        }
        if self.groups.is_empty() {
            return Ok(Some(packed.word));
        }
        self.key_in_group(text)
    }

    fn key_in_group(&self, text: &[u8]) -> Result<Option<u64>> {
        let (kind, nulls) = (KeyKind::Number, Nulls::First);
        let term = KeyTerm { column: 0, kind, descending: false, nulls };
        let mut key = Vec::new();
        encode_field(term, Some(text), &mut key);
        let prefix = &key[..key.len().min(self.groups[0].len())];
        let group = self.groups.partition_point(|group| group.as_slice() < prefix);
        if self.groups.get(group).is_none_or(|found| found != prefix) {
            if self.passes == 0 {
                self.between[group].fetch_add(1, Relaxed);
            }
            return Ok(None);
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(quantile::too_long());
        }
        let mut step = [0; STEP_BYTES];
        let rest = &key[prefix.len()..];
        let taken = rest.len().min(STEP_BYTES);
        step[..taken].copy_from_slice(&rest[..taken]);
        let step = step.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok(Some((group as u64) << GROUP_SHIFT | step))
    }

    /// Takes keys in.
    pub(super) fn take(&self, keys: &[u64]) {
        let mut state = self.state();
        keys.iter().for_each(|key| state.push(*key));
    }

    fn state(&self) -> MutexGuard<'_, ExactQuantiles> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a pass over all rows.
    pub(super) fn end_of_pass(mut self) -> Result<Next> {
        if self.passes == 0 && !self.groups.is_empty() {
            self.tell_places()?;
        }
        let next = self.state().end_of_pass()?;
        self.passes += 1;
        match next {
            quantile::Next::AnotherPass => Ok(Next::AnotherPass(Box::new(self))),
            quantile::Next::Done(answer) if self.groups.is_empty() => {
                let count = self.state().count();
                self.count = count;
                let ends = answer.iter().zip(&self.quantiles);
                self.ends = ends.map(|(found, q)| Ends::new(found, *q, self.count)).collect();
                self.next_level()
            }
            quantile::Next::Done(answer) => {
                let groups = std::mem::take(&mut self.groups);
                let open = open(&mut self.ends);
                for (side, found) in open.into_iter().zip(&answer) {
                    let group = usize::try_from(found.lower >> GROUP_SHIFT).unwrap_or(usize::MAX);
                    if groups.get(group) != Some(&side.prefix) {
                        return Err(changed(self.count, self.count));
                    }
                    let step = found.lower.to_be_bytes();
                    side.prefix.extend_from_slice(&step[WORD_BYTES - STEP_BYTES..]);
                }
                self.next_level()
            }
        }
    }

    /// Tells the state at which places of this level the wanted rows are.
    fn tell_places(&mut self) -> Result<()> {
        let between = self.between.iter().map(|rows| rows.load(Relaxed));
        let before: Vec<u64> = between
            .scan(0, |sum, rows| {
                *sum += rows;
                Some(*sum)
            })
            .collect();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (asked, side) in open(&mut self.ends).into_iter().enumerate() {
            let group = self.groups.partition_point(|group| *group < side.prefix);
            let place = side.place.checked_sub(before[group]);
            let place = place.ok_or_else(|| changed(self.count, before[group]))?;
            state.set_place(asked, place);
        }
        Ok(())
    }

    /// The level of the rows that are still open, or the answer.
    fn next_level(self) -> Result<Next> {
        let Self { quantiles, workspace_bytes, state, mut ends, count, .. } = self;
        // The next one takes its memory.
        drop(state);
        let open = open(&mut ends);
        let places = open.len();
        let mut groups: Vec<Vec<u8>> = open.iter().map(|side| side.prefix.clone()).collect();
        groups.dedup();
        if groups.is_empty() {
            return ends.iter().map(Ends::number).collect::<Result<_>>().map(Next::Done);
        }
        let state = Mutex::new(ExactQuantiles::of_places(places, workspace_bytes));
        let between = (0..=groups.len()).map(|_| AtomicU64::new(0)).collect();
        let passes = 0;
        Ok(Next::AnotherPass(Box::new(Self {
            quantiles,
            workspace_bytes,
            state,
            ends,
            groups,
            between,
            passes,
            count,
        })))
    }
}

/// Sides whose keys go on behind their prefixes, in order of their places.
fn open(ends: &mut [Ends]) -> Vec<&mut Side> {
    let sides = ends.iter_mut().flat_map(|ends| &mut ends.sides);
    let mut open: Vec<_> = sides.filter(|side| side.end().is_none()).collect();
    open.sort_by_key(|side| side.place);
    open
}

impl Ends {
    fn new(found: &Quantile, q: Fraction, count: u64) -> Self {
        let (place, weight) = q.place(count);
        let upper = place + u64::from(weight > Fraction::default());
        let side = |place, word: u64| Side { place, prefix: word.to_be_bytes().into() };
        Self { sides: [side(place, found.lower), side(upper, found.upper)], weight }
    }

    fn number(&self) -> Result<Number> {
        let number = |side: &Side| {
            let end = side.end().expect("no side is open any more");
            Number::of_key(&side.prefix[..end])
        };
        Ok(number(&self.sides[0])?.between(&number(&self.sides[1])?, self.weight))
    }
}
