//! HyperLogLog: how many distinct values there are, from one byte per register.
//!
//! Promises: 2^p bytes; an estimate with the standard error 1.04 / sqrt(2^p) from none to 2^64;
//! a merge is the sketch of both inputs together, register for register.
//! Never: a table of measured corrections, or another estimate for the same set of values in
//! another order.
//!
//! ```text
//!   hash:  | index, p bits | 0 0 0 1 ...            64 - p bits |
//!                            <-----> leading zeros, and one more, is the rank: here 4
//!   register[index] = max(register[index], rank)       ranks are 0 (nothing seen) to 65 - p
//!
//!   encoded body:  p 1 B | 2^p registers, 1 B each
//! ```
//!
//! Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
//! estimation algorithm" (2007). The estimate is Ertl's improved raw estimator, "New cardinality
//! estimation algorithms for HyperLogLog sketches" (2017), algorithm 6: it needs no switch
//! between ranges and hence has no bump between them.

use super::envelope::{ENVELOPE_BYTES, Kind};
use super::hash::xxh64;
use crate::error::{Error, Result};
use crate::limits::{HLL_PRECISION_MAX, HLL_PRECISION_MIN};

const KIND: Kind = Kind { magic: *b"PSKH", version: 1, name: "HyperLogLog" };
/// The standard error of one register (Flajolet et al. 2007, theorem 1).
const ERROR_OF_ONE_REGISTER: f64 = 1.04;
/// Ranks there are at the lowest precision, "nothing seen" included.
const RANKS_MAX: usize = 66 - HLL_PRECISION_MIN as usize;

/// A count of distinct values. See the module for what it promises; costs
/// [`HyperLogLog::bytes_for`] bytes, which its owner reserves.
///
/// ```
/// use plimsoll::sketch::HyperLogLog;
/// let mut seen = HyperLogLog::with_error(0.01)?;
/// for row in 0..100_000_u32 {
///     seen.add_bytes(&(row % 5_000).to_le_bytes());
/// }
/// let off = (seen.estimate() - 5_000.0).abs() / 5_000.0;
/// assert!(off < 3.0 * seen.standard_error());
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperLogLog {
    precision: u8,
    registers: Box<[u8]>,
}

impl HyperLogLog {
    /// An empty sketch of 2^`precision` registers.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the precision is not 4 to 18.
    pub fn new(precision: u8) -> Result<Self> {
        if !(HLL_PRECISION_MIN..=HLL_PRECISION_MAX).contains(&precision) {
            return Err(Error::invalid(format!(
                "cannot count distinct values with precision {precision}: it is \
                 {HLL_PRECISION_MIN} to {HLL_PRECISION_MAX}"
            )));
        }
        Ok(Self { precision, registers: vec![0; 1 << precision].into() })
    }

    /// An empty sketch of the lowest precision whose standard error is at most `relative_error`,
    /// e.g. 0.01: two answers of three are off by less, 997 of 1000 by less than three times it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when no precision is that exact (below 0.00204), or the
    /// number is none.
    pub fn with_error(relative_error: f64) -> Result<Self> {
        let fits = |precision: &u8| standard_error(*precision) <= relative_error;
        match (HLL_PRECISION_MIN..=HLL_PRECISION_MAX).find(fits) {
            Some(precision) => Self::new(precision),
            None => Err(Error::invalid(format!(
                "cannot count distinct values with a relative error of {relative_error}: the \
                 least is {:.5}; ask for more, or count exactly",
                standard_error(HLL_PRECISION_MAX)
            ))),
        }
    }

    /// Heap bytes of a sketch of this precision, to reserve before one is made.
    #[must_use]
    pub fn bytes_for(precision: u8) -> u64 {
        1 << precision.min(HLL_PRECISION_MAX)
    }

    /// Heap bytes of this sketch; they never change.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.registers.len() as u64
    }

    /// The precision: the logarithm of the number of registers.
    #[must_use]
    pub fn precision(&self) -> u8 {
        self.precision
    }

    /// One sigma of the relative error.
    #[must_use]
    pub fn standard_error(&self) -> f64 {
        standard_error(self.precision)
    }

    /// Takes in a value by its hash, of which all 64 bits are mixed well. Sketches that are
    /// merged have to use one hash.
    pub fn add(&mut self, hash: u64) {
        // The bit stops the count where the index would begin, at rank 65 - p.
        let stop = 1_u64 << (self.precision - 1);
        let rank = ((hash << self.precision) | stop).leading_zeros() + 1;
        #[allow(clippy::cast_possible_truncation)] // below 2^18 and at most 61
        let (index, rank) = ((hash >> (64 - self.precision)) as usize, rank as u8);
        let register = &mut self.registers[index];
        *register = rank.max(*register);
    }

    /// Takes in a value by its bytes, hashed with XXH64. Equal values need equal bytes. Somebody
    /// who chooses the values can make the count wrong; count exactly where that matters.
    pub fn add_bytes(&mut self, value: &[u8]) {
        self.add(xxh64(value));
    }

    /// What each register has seen.
    pub(crate) fn registers(&self) -> &[u8] {
        &self.registers
    }

    /// Takes in that a register of another sketch has seen `rank`.
    pub(crate) fn raise(&mut self, index: usize, rank: u8) {
        let register = &mut self.registers[index];
        *register = rank.max(*register);
    }

    /// Takes in what another sketch has seen.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when its precision differs.
    ///
    /// ```
    /// use plimsoll::sketch::HyperLogLog;
    /// let (mut monday, mut tuesday) = (HyperLogLog::new(12)?, HyperLogLog::new(12)?);
    /// (0..3_000_u32).for_each(|user| monday.add_bytes(&user.to_le_bytes()));
    /// (2_000..5_000_u32).for_each(|user| tuesday.add_bytes(&user.to_le_bytes()));
    /// monday.merge(&tuesday)?;
    /// assert!((monday.estimate() / 5_000.0 - 1.0).abs() < 3.0 * monday.standard_error());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.precision != other.precision {
            return Err(Error::invalid(format!(
                "cannot merge HyperLogLog sketches of precision {} and {}: build both with one",
                self.precision, other.precision
            )));
        }
        for (register, rank) in self.registers.iter_mut().zip(&other.registers) {
            *register = (*rank).max(*register);
        }
        Ok(())
    }

    /// How many distinct values were taken in, estimated. Reads every register: some 2^p steps.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let mut counts = [0_u32; RANKS_MAX];
        for rank in &self.registers {
            counts[usize::from(*rank)] += 1;
        }
        let registers = f64::from(1_u32 << self.precision);
        let last = usize::from(rank_max(self.precision));
        let mut sum = registers * tau(1.0 - f64::from(counts[last]) / registers);
        for count in counts[1..last].iter().rev() {
            sum = 0.5 * (sum + f64::from(*count));
        }
        sum += registers * sigma(f64::from(counts[0]) / registers);
        registers * registers / (2.0 * std::f64::consts::LN_2 * sum)
    }

    /// Bytes that [`HyperLogLog::encode`] appends.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        ENVELOPE_BYTES + 1 + self.registers.len()
    }

    /// Appends the sketch as bytes.
    ///
    /// ```
    /// use plimsoll::sketch::HyperLogLog;
    /// let mut seen = HyperLogLog::new(10)?;
    /// seen.add_bytes(b"tea");
    /// let mut bytes = Vec::with_capacity(seen.encoded_bytes());
    /// seen.encode(&mut bytes);
    /// assert_eq!(HyperLogLog::decode(&bytes)?, seen);
    /// assert!(HyperLogLog::decode(&bytes[1..]).is_err());
    /// # Ok::<(), plimsoll::Error>(())
    /// ```
    pub fn encode(&self, out: &mut Vec<u8>) {
        KIND.seal(out, |out| {
            out.push(self.precision);
            out.extend_from_slice(&self.registers);
        });
    }

    /// Reads what [`HyperLogLog::encode`] appended. Allocates less than `bytes` has.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] when it is not whole, and [`crate::ErrorKind::Invalid`] when
    /// a newer program wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let Some((&precision, registers)) = KIND.open(bytes)?.split_first() else {
            return Err(KIND.refused("it has no precision"));
        };
        let known = (HLL_PRECISION_MIN..=HLL_PRECISION_MAX).contains(&precision);
        if !known || registers.len() != 1 << precision {
            return Err(KIND.refused("its length is not that of its precision"));
        }
        if registers.iter().any(|rank| *rank > rank_max(precision)) {
            return Err(KIND.refused("a register is higher than a hash can make it"));
        }
        Ok(Self { precision, registers: registers.into() })
    }
}

fn standard_error(precision: u8) -> f64 {
    ERROR_OF_ONE_REGISTER / f64::from(1_u32 << precision).sqrt()
}

/// The rank of a hash whose bits after the index are all 0.
fn rank_max(precision: u8) -> u8 {
    65 - precision
}

/// Ertl's sigma: the share of registers that saw nothing corrects small counts. Infinite at 1,
/// where the estimate is 0. Ends because the terms fall below the sum's last bit.
fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum <= before {
            return sum;
        }
    }
}

/// Ertl's tau: the share of registers below the highest rank corrects counts near 2^64. Ends as
/// [`sigma`] does.
fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * factor;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests;
