//! How far a database had come, for whoever must not see an earlier state of it.
//!
//! ```text
//!   write ──> WriteOutcome.horizon ─┐                  a client's session: 16 hexadecimal digits
//!                                   ├─> PageRequest.horizon ──> only a host that has come as far
//!   first slice ─> Page.horizon ────┘
//! ```
//!
//! Promises: what was committed at a horizon is seen by every read that is given it.
//! Never: a time, or anything to be compared between two databases.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Digits of a horizon as text.
const DIGITS: usize = 16;

/// How far a database had come. One that was given out as text can be read from it again.
///
/// ```
/// use plimsoll_store::Horizon;
///
/// let horizon: Horizon = "00000000016b3748".parse()?;
/// assert_eq!(horizon.to_string(), "00000000016b3748");
/// assert!("16b3748".parse::<Horizon>().is_err());
/// # Ok::<(), plimsoll_store::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    place: u64,
    /// Taken by a reading when it began, and kept by it to its end.
    of_reading: bool,
}

impl Horizon {
    /// No copy ever comes this far: only the database that is written to will do.
    pub(crate) const BEYOND_ALL: Self = Self::written(u64::MAX);

    /// Everything up to `place` in the database's log.
    pub(crate) const fn written(place: u64) -> Self {
        Self { place, of_reading: false }
    }

    /// Where the host of a reading stood when it began.
    pub(crate) const fn begun(place: u64) -> Self {
        Self { place, of_reading: true }
    }

    /// The place in the database's log.
    pub(crate) const fn place(self) -> u64 {
        self.place
    }

    /// Whether a reading began at it.
    pub(crate) const fn is_of_reading(self) -> bool {
        self.of_reading
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0DIGITS$x}", self.place)
    }
}

impl FromStr for Horizon {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        if text.len() == DIGITS
            && text.as_bytes().iter().all(digits)
            && let Ok(place) = u64::from_str_radix(text, 16)
        {
            return Ok(Self::written(place));
        }
        Err(Error::invalid("it is not what an answer to a write has given out"))
    }
}

#[cfg(test)]
mod tests {
    use super::Horizon;

    #[test]
    fn what_was_given_out_is_read_again_and_nothing_else() {
        for place in [0, 1, 0x16b_3748, u64::MAX] {
            let horizon = Horizon::written(place);
            assert_eq!(horizon.to_string().parse::<Horizon>().expect("its own text"), horizon);
        }
        for text in ["", "0", "0/16B3748", "00000000016B3748", "+000000000000001", "é0000000000000"]
        {
            text.parse::<Horizon>().expect_err(text);
        }
        assert!("0".repeat(17).parse::<Horizon>().is_err());
    }
}
