//! A KLL sketch as bytes.
//!
//! Promises: what is read back goes on exactly as the one that was written, coins included;
//! nothing is allocated before the lengths are found to be possible.
//! Never: values of one type read as another's.
//!
//! ```text
//!   body:  type 1 | k 2 | coins 8 | values 8 | min 8 | max 8 | levels 1 | length 4, each level |
//!          item 8, each, highest level first                         all little-endian
//! ```

use std::marker::PhantomData;

use super::super::envelope::{ENVELOPE_BYTES, Kind};
use super::levels::{LEVELS_MAX, Levels};
use super::{Coins, Kll};
use crate::error::Result;
use crate::limits::{KLL_K_MIN, KLL_VALUES_MAX};
use crate::quantile::OrderKey;

const KIND: Kind = Kind { magic: *b"PSKK", version: 1, name: "KLL" };
/// Everything before the lengths.
const HEAD_BYTES: usize = 1 + 2 + 4 * 8 + 1;

impl<T: OrderKey> Kll<T> {
    /// Bytes that [`Kll::encode`] appends.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        let (lengths, items) = (self.levels.lengths().len(), self.levels.items().len());
        ENVELOPE_BYTES + HEAD_BYTES + lengths * size_of::<u32>() + items * size_of::<u64>()
    }

    /// Appends the sketch as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        KIND.seal(out, |out| {
            out.push(T::TAG);
            out.extend_from_slice(&self.k().to_le_bytes());
            for word in [self.coins.0, self.values, self.min, self.max] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            let lengths = self.levels.lengths();
            out.push(u8::try_from(lengths.len()).expect("there are at most 61 levels"));
            for length in lengths {
                let length = u32::try_from(length).expect("a level is no longer than 4 k");
                out.extend_from_slice(&length.to_le_bytes());
            }
            for item in self.levels.items() {
                out.extend_from_slice(&item.to_le_bytes());
            }
        });
    }

    /// Reads what [`Kll::encode`] appended. Allocates [`Kll::bytes_for`] the k in it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] when it is not whole or of another type, and
    /// [`crate::ErrorKind::Invalid`] when a newer program wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let body = KIND.open(bytes)?;
        let sketch = read::<T>(body).ok_or_else(|| KIND.refused("its parts contradict"))?;
        let kept = sketch.levels.items();
        let bounded = kept.iter().all(|item| (sketch.min..=sketch.max).contains(item));
        let empty = sketch.values == 0 && (sketch.min, sketch.max) == (u64::MAX, 0);
        let ends = empty || sketch.min <= sketch.max;
        let weighs = sketch.levels.weight() == Some(sketch.values);
        if !(bounded && ends && weighs && sketch.values <= KLL_VALUES_MAX) {
            return Err(KIND.refused("its values contradict its counts"));
        }
        Ok(sketch)
    }
}

fn read<T: OrderKey>(body: &[u8]) -> Option<Kll<T>> {
    let mut rest = body;
    let [tag] = take(&mut rest)?;
    let k = u16::from_le_bytes(take(&mut rest)?);
    let mut word = || take(&mut rest).map(u64::from_le_bytes);
    let (coins, values, min, max) = (Coins(word()?), word()?, word()?, word()?);
    let [count] = take(&mut rest)?;
    if tag != T::TAG || k < KLL_K_MIN || usize::from(count) > LEVELS_MAX {
        return None;
    }
    let mut lengths = [0; LEVELS_MAX];
    let lengths = &mut lengths[..usize::from(count)];
    for length in &mut *lengths {
        *length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
    }
    let (items, []) = rest.as_chunks::<8>() else {
        return None;
    };
    let items = items.iter().map(|item| u64::from_le_bytes(*item));
    let levels = Levels::from_parts(k, lengths, items)?;
    Some(Kll { levels, values, min, max, coins, kind: PhantomData })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}
