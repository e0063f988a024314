//! The state machine of exact quantiles: what is pushed, pass by pass, and what is known.
//!
//! Promises: an input that changed between passes is noticed and refused, where its counts show
//! it.
//! Never: an allocation after construction, but for the answer.
//!
//! ```text
//!   First ──end, all were buffered──────────────────────────> Finished
//!     │ end                                                     ^
//!     v                                                         │
//!   Later ──end, every place has its key────────────────────────┘
//!     └──end──> Later, over regions narrower by the cells each one had
//! ```

use super::Fraction;
use super::first::First;
use super::later::{Later, REGION_BYTES};
use crate::error::{Error, Result};
use crate::limits::{QUANTILE_WORKSPACE_BYTES_MIN, QUANTILES_MAX};
use crate::units::ByteSize;

/// Bits of a key that are left after the first pass at most.
const BITS_LEFT: u32 = 48;

/// What the caller does after a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Push every key of the same input again, in any order.
    AnotherPass,
    /// The quantiles, in the order they were asked for; none where the input is empty.
    Done(Box<[Quantile]>),
}

/// A quantile, as the keys on both sides of its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantile {
    /// The key at floor(q (n - 1)): the nearest rank lower.
    pub lower: u64,
    /// The key at ceil(q (n - 1)).
    pub upper: u64,
    /// How far the place is from the lower to the upper one, 0 to below 1.
    pub weight: Fraction,
}

/// What tells a target's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Quantile(Fraction),
    /// Its number, counted from 0.
    Place(u64),
}

/// One quantile that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    rank: Rank,
    /// Its position among those asked for; targets are kept in order of `q`.
    asked: usize,
    pub(super) place: u64,
    pub(super) upper_place: u64,
    weight: Fraction,
    pub(super) lower: Option<u64>,
    pub(super) upper: Option<u64>,
    pub(super) within: Interval,
}

/// Keys among which a target's lower one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) low: u64,
    pub(super) high: u64,
    /// Keys of the input below `low`.
    pub(super) before: u64,
    /// Keys of the input in it.
    pub(super) count: u64,
}

impl Target {
    pub(super) fn is_known(&self) -> bool {
        self.lower.is_some() && self.upper.is_some()
    }

    /// Takes in that the lower key is `key`, and the upper one too where that is so.
    pub(super) fn learn_lower(&mut self, key: u64, places_end: u64) {
        self.lower = Some(key);
        if self.upper_place < places_end {
            self.upper = Some(key);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Pass {
    First,
    Later,
    Finished,
}

/// Exact quantiles of 64-bit keys, for which [`super::OrderKey`] makes numbers into keys. Costs
/// [`ExactQuantiles::bytes_for`] bytes, which its owner reserves; a push into the first pass costs
/// two counters, one into a later pass a binary search over the quantiles.
///
/// ```
/// use plimsoll::quantile::{ExactQuantiles, Next, OrderKey};
/// let prices = [4.0, 1.0, 3.0, 2.0];
/// let mut quantiles = ExactQuantiles::new(&["0.5".parse()?, "1".parse()?], 1 << 20)?;
/// let answer = loop {
///     prices.iter().for_each(|price: &f64| quantiles.push(price.to_key()));
///     if let Next::Done(answer) = quantiles.end_of_pass()? {
///         break answer;
///     }
/// };
/// let (lower, upper) = (f64::from_key(answer[0].lower), f64::from_key(answer[0].upper));
/// assert_eq!((lower, upper), (2.0, 3.0));
/// assert_eq!(lower + (upper - lower) * answer[0].weight.as_f64(), 2.5);
/// assert_eq!(f64::from_key(answer[1].lower), 4.0);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Debug)]
pub struct ExactQuantiles {
    targets: Vec<Target>,
    cells: Vec<u64>,
    pass: Pass,
    first: First,
    later: Later,
    /// Keys of the first pass, and of this one.
    count: u64,
    pushed: u64,
}

impl ExactQuantiles {
    /// For these quantiles in a workspace of `workspace_bytes`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when there are none or more than [`QUANTILES_MAX`], or the
    /// workspace is below 1 MiB.
    pub fn new(quantiles: &[Fraction], workspace_bytes: usize) -> Result<Self> {
        if quantiles.is_empty() || quantiles.len() > QUANTILES_MAX {
            return Err(Error::invalid(format!(
                "cannot compute {} quantiles at once: ask for 1 to {QUANTILES_MAX}",
                quantiles.len()
            )));
        }
        if workspace_bytes < QUANTILE_WORKSPACE_BYTES_MIN {
            return Err(Error::invalid(format!(
                "cannot compute quantiles in {}: the least workspace is {}",
                ByteSize::new(workspace_bytes as u64),
                ByteSize::new(QUANTILE_WORKSPACE_BYTES_MIN as u64)
            )));
        }
        Ok(Self::of(quantiles.iter().map(|q| Rank::Quantile(*q)), workspace_bytes))
    }

    /// For the keys at places that are told before the first pass ends, in ascending order.
    pub(crate) fn of_places(places: usize, workspace_bytes: usize) -> Self {
        assert!(places > 0 && workspace_bytes >= QUANTILE_WORKSPACE_BYTES_MIN);
        Self::of((0..places).map(|_| Rank::Place(0)), workspace_bytes)
    }

    /// Tells the place, counted from 0, of what was asked for as number `asked`.
    pub(crate) fn set_place(&mut self, asked: usize, place: u64) {
        assert!(matches!(self.pass, Pass::First), "places are told in the first pass");
        self.targets[asked].rank = Rank::Place(place);
    }

    fn of(ranks: impl Iterator<Item = Rank>, workspace_bytes: usize) -> Self {
        let target = |(asked, rank): (usize, Rank)| Target {
            rank,
            asked,
            place: 0,
            upper_place: 0,
            weight: Fraction::default(),
            lower: None,
            upper: None,
            within: Interval::default(),
        };
        let mut targets: Vec<Target> = ranks.enumerate().map(target).collect();
        targets.sort_by_key(|target| target.rank);
        let cells = vec![0; workspace_bytes / size_of::<u64>()];
        let (first, later) = (First::new(cells.len()), Later::with_capacity(targets.len()));
        Self { targets, cells, pass: Pass::First, first, later, count: 0, pushed: 0 }
    }

    /// Heap bytes of a state machine, to reserve before one is made: the workspace and under
    /// 256 B for each quantile.
    #[must_use]
    pub fn bytes_for(quantiles: usize, workspace_bytes: usize) -> u64 {
        let each = size_of::<Target>() + REGION_BYTES;
        (workspace_bytes + quantiles.min(QUANTILES_MAX) * each) as u64
    }

    /// Heap bytes of this state machine; they never change.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let cells = self.cells.capacity() * size_of::<u64>();
        let targets = self.targets.capacity() * size_of::<Target>();
        (cells + targets + self.later.bytes()) as u64
    }

    /// The most passes there can be: the first one leaves 48 bits of each key, and every later
    /// one takes as many as the cells of a quantile's share have numbers. 4 where the workspace
    /// is 512 KiB for each quantile.
    #[must_use]
    pub fn passes_max(&self) -> u32 {
        1 + BITS_LEFT.div_ceil((self.cells.len() / self.targets.len()).ilog2())
    }

    /// Keys of the first pass.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Takes in a key. After [`Next::Done`] it changes nothing.
    pub fn push(&mut self, key: u64) {
        self.pushed += 1;
        match self.pass {
            Pass::First => self.first.push(key, &mut self.cells),
            Pass::Later => self.later.push(key, &mut self.cells),
            Pass::Finished => {}
        }
    }

    /// Ends a pass: every key of the input was pushed.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when this pass had other keys than the first one.
    pub fn end_of_pass(&mut self) -> Result<Next> {
        let pushed = std::mem::take(&mut self.pushed);
        match self.pass {
            Pass::First => {
                self.count = pushed;
                if pushed == 0 {
                    return Ok(Next::Done(Box::default()));
                }
                for target in &mut self.targets {
                    (target.place, target.weight) = match target.rank {
                        Rank::Quantile(q) => q.place(pushed),
                        Rank::Place(place) => (place, Fraction::default()),
                    };
                    target.upper_place =
                        target.place + u64::from(target.weight > Fraction::default());
                }
                assert!(self.targets.is_sorted_by_key(|target| target.place));
                if self.targets.iter().any(|target| target.place >= pushed) {
                    return Err(changed(self.count, pushed));
                }
                self.first.end(pushed, &mut self.targets, &mut self.cells);
            }
            Pass::Later => {
                if pushed != self.count || !self.later.is_as_counted() {
                    return Err(changed(self.count, pushed));
                }
                self.later.end(&mut self.targets, &mut self.cells);
            }
            Pass::Finished => {}
        }
        if self.targets.iter().all(Target::is_known) {
            self.pass = Pass::Finished;
            return Ok(Next::Done(self.answer()));
        }
        self.pass = Pass::Later;
        self.later.begin(&self.targets, &mut self.cells);
        Ok(Next::AnotherPass)
    }

    fn answer(&self) -> Box<[Quantile]> {
        let none = Quantile { lower: 0, upper: 0, weight: Fraction::default() };
        let mut answer = vec![none; self.targets.len()];
        for target in &self.targets {
            let known = "a finished target knows both keys";
            answer[target.asked] = Quantile {
                lower: target.lower.expect(known),
                upper: target.upper.expect(known),
                weight: target.weight,
            };
        }
        answer.into()
    }
}

/// The refusal of an input that had `count` values in one pass and `pushed` in another.
pub(crate) fn changed(count: u64, pushed: u64) -> Error {
    Error::invalid(format!(
        "cannot compute quantiles of an input that changes: the first pass had {count} values, a \
         later one {pushed}, or other ones; start again on a copy that nobody writes"
    ))
}
