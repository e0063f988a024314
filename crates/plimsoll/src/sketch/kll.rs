//! KLL: approximate quantiles and ranks from a few thousand bytes.
//!
//! Promises: constant memory; the same answers for the same input, seed and calls; exact while
//! the input is no longer than the sketch; the smallest and largest value are always exact.
//! Never: a value that was not in the input.
//!
//! Karnin, Lang, Liberty, "Optimal quantile approximation in streams" (2016), with the lazy
//! compaction that Ivkin et al. (2019) and Apache DataSketches use. `levels.rs` has the figure.
//! The stated error is that of DataSketches, whose shape this is: 2.296 / k^0.9723 of the number
//! of values, "the best fit to 99 percentile empirically measured max error in thousands of
//! trials" (`KllHelper.getNormalizedRankError`): 1.33 % at k = 200.

mod codec;
mod levels;

use std::marker::PhantomData;

use self::levels::Levels;
use crate::error::{Error, Result};
use crate::limits::{KLL_K_MAX, KLL_K_MIN, KLL_VALUES_MAX};
use crate::quantile::{OrderKey, lower_rank};

/// A sketch of the distribution of `T`: `i64`, `f64`, `Money` or `Timestamp`. Costs
/// [`Kll::bytes_for`] bytes, which its owner reserves.
///
/// ```
/// use plimsoll::sketch::Kll;
/// let mut latencies = Kll::new(200, 1)?;
/// for ms in 0..100_000 {
///     latencies.add(ms)?;
/// }
/// let p99: i64 = latencies.quantile(0.99).expect("it is not empty");
/// let off = (latencies.rank(p99) - 0.99).abs() + (p99 as f64 / 100_000.0 - 0.99).abs();
/// assert!(off < 2.0 * latencies.rank_error());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kll<T> {
    levels: Levels,
    /// Values taken in.
    values: u64,
    /// Smallest and largest key; crossed while there is none.
    min: u64,
    max: u64,
    coins: Coins,
    kind: PhantomData<T>,
}

impl<T: OrderKey> Kll<T> {
    /// An empty sketch. `seed` decides every coin; sketches that are built side by side should
    /// have different ones, so that their errors do not add up in a merge.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when k is below 8.
    pub fn new(k: u16, seed: u64) -> Result<Self> {
        if k < KLL_K_MIN {
            return Err(Error::invalid(format!(
                "cannot sketch quantiles with k = {k}: it is {KLL_K_MIN} to {KLL_K_MAX}"
            )));
        }
        let (levels, coins) = (Levels::new(k), Coins(seed));
        Ok(Self { levels, values: 0, min: u64::MAX, max: 0, coins, kind: PhantomData })
    }

    /// Heap bytes of a sketch with this k, to reserve before one is made: 24 k and some 4 KiB.
    #[must_use]
    pub fn bytes_for(k: u16) -> u64 {
        levels::bytes_for(k)
    }

    /// Heap bytes of this sketch; they never change.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.levels.bytes()
    }

    /// The parameter that decides size and error.
    #[must_use]
    pub fn k(&self) -> u16 {
        self.levels.k()
    }

    /// How far, as a part of all values, a rank or a quantile's rank is off: no further in 99 of
    /// 100 sketches at any of their points.
    #[must_use]
    pub fn rank_error(&self) -> f64 {
        2.296 / f64::from(self.k()).powf(0.9723)
    }

    /// Values taken in.
    #[must_use]
    pub fn values(&self) -> u64 {
        self.values
    }

    /// Takes in a value.
    ///
    /// # Errors
    /// [`crate::ErrorKind::TooLarge`] after 2^62 values, which no input has.
    pub fn add(&mut self, value: T) -> Result<()> {
        self.values = sum(self.values, 1)?;
        let key = value.to_key();
        self.min = self.min.min(key);
        self.max = self.max.max(key);
        self.levels.add(key, &mut self.coins);
        Ok(())
    }

    /// Takes in what another sketch stands for. The error of the result is that of one sketch.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when its k differs, [`crate::ErrorKind::TooLarge`] beyond
    /// 2^62 values; the sketch is as before.
    ///
    /// ```
    /// use plimsoll::sketch::Kll;
    /// let (mut first, mut second) = (Kll::new(200, 1)?, Kll::new(200, 2)?);
    /// (0..50_000).try_for_each(|ms: i64| first.add(ms))?;
    /// (50_000..100_000).try_for_each(|ms| second.add(ms))?;
    /// first.merge(&second)?;
    /// assert_eq!(first.values(), 100_000);
    /// assert_eq!(first.quantile(1.0), Some(99_999));
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.k() != other.k() {
            return Err(Error::invalid(format!(
                "cannot merge KLL sketches of k = {} and k = {}: build both with one",
                self.k(),
                other.k()
            )));
        }
        self.values = sum(self.values, other.values)?;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.levels.merge(&other.levels, &mut self.coins);
        Ok(())
    }

    /// The value below which the part `q` of the values stands, or `None` without values or when
    /// `q` is not 0 to 1. It is the value at place floor(q (n - 1)) of n sorted ones, counted
    /// from 0, which is also what [`crate::quantile`] calls the lower one.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<T> {
        if self.values == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let place = lower_rank(q, self.values);
        if place == 0 {
            return Some(T::from_key(self.min));
        }
        if place == self.values - 1 {
            return Some(T::from_key(self.max));
        }
        // The smallest key with more than `place` values at or below it. It is a kept one,
        // because only there the number grows; so 64 halvings find it without a sorted copy.
        let (mut low, mut high) = (self.min, self.max);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.levels.weight_up_to(middle) > place {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(T::from_key(low))
    }

    /// The part of the values that is at most `value`, 0 to 1; 0 without values.
    #[must_use]
    pub fn rank(&self, value: T) -> f64 {
        let key = value.to_key();
        if key < self.min {
            return 0.0;
        }
        if key >= self.max {
            return 1.0;
        }
        #[allow(clippy::cast_precision_loss)] // far below the stated error
        let part = self.levels.weight_up_to(key) as f64 / self.values as f64;
        part
    }
}

fn sum(values: u64, more: u64) -> Result<u64> {
    match values.checked_add(more) {
        Some(sum) if sum <= KLL_VALUES_MAX => Ok(sum),
        _ => Err(Error::too_large(format!(
            "cannot sketch more than {KLL_VALUES_MAX} values: {values} are in it, {more} more \
             were to come"
        ))),
    }
}

/// Random bits from a seed: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Copy, Debug)]
struct Coins(u64);

impl Coins {
    fn toss(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 63 == 1
    }
}

#[cfg(test)]
mod tests;
