//! The states of a group's measures as one run of bytes, and what is done with them.
//!
//! ```text
//!                     row ── update ──┐      ┌── encode ──> spilled bytes ──┐
//!                                     v      │                              │
//!   measures ──> Layout ──> state of a group ┤<────── merge_encoded ────────┘
//!                                     ^      │
//!          another table's group ── merge    └── finish ──> values
//! ```
//!
//! The texts of `min` and `max` may find no room; they go first, and adding one twice is adding
//! it once. So a row that met [`UpdateError::Full`] is added again as if it had never been tried.
//!
//! Promises: a row, a group or spilled bytes count exactly once, however often they were refused
//! for want of room.
//! Never: an allocation per row or group.

use super::arena::Full;
use super::finish;
use super::group::{Group, GroupRef};
use super::partial::{Extreme, Partial, tag_of};
use super::slot::{SlotKind, add_text, read_text, touch_text};
use super::wire::{self, Source};
use super::{Aggregate, Input, Keeps, Measure};
use crate::error::{Error, Result};
use crate::record::{ColumnType, Row, Value, ValueRef};

/// Measures whose spilled states are decoded side by side; with more they are decoded twice.
const DECODED_MAX: usize = 4;

/// Why something was not added to a group.
#[derive(Debug)]
pub enum UpdateError {
    /// A text found no room: write the groups out, clear the table, and add it again.
    Full,
    /// Adding it again fails again.
    Failed(Error),
}

impl From<Full> for UpdateError {
    fn from(Full: Full) -> Self {
        Self::Full
    }
}

impl From<Error> for UpdateError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where each measure's slot lies in a state. See [`crate::group::Table`] for an example.
#[derive(Clone, Debug)]
pub struct Layout {
    slots: Box<[Slot]>,
    /// Behind the last slot of a text.
    texts_end: usize,
    state_bytes: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    kind: SlotKind,
    offset: usize,
    input: Input,
    input_kind: ColumnType,
    measure: Box<str>,
}

impl Layout {
    /// The layout of `measures`, none of which keeps values or a sketch.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the first measure that keeps no state.
    pub fn new(measures: &[Measure]) -> Result<Self> {
        let mut state_bytes = 0;
        let mut slots = Vec::with_capacity(measures.len());
        for measure in measures {
            match measure.aggregate.keeps() {
                Keeps::State => {}
                Keeps::Sketch => {
                    return Err(Error::invalid(format!(
                        "measure '{}': not in a grouping yet; take {} in its stead",
                        measure.name,
                        if measure.aggregate == Aggregate::ApproxCountDistinct {
                            "count(distinct x)"
                        } else {
                            "quantile(x, q)"
                        }
                    )));
                }
                Keeps::Values => {
                    return Err(Error::invalid(format!(
                        "measure '{}': it needs every value of a group, and a state of fixed \
                         size holds none; sort the rows by group and value instead",
                        measure.name
                    )));
                }
            }
            let kind = SlotKind::of(measure);
            slots.push(Slot {
                kind,
                offset: state_bytes,
                input: measure.input.clone(),
                input_kind: measure.input_kind,
                measure: measure.name.clone(),
            });
            state_bytes += kind.bytes();
        }
        let texts_end = slots.iter().rposition(|slot| slot.kind.is_text()).map_or(0, |i| i + 1);
        Ok(Self { slots: slots.into(), texts_end, state_bytes })
    }

    /// Bytes of a state, without the texts of `min` and `max`.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// Whether groups keep texts beside their states.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        self.texts_end > 0
    }

    /// Has the processor fetch the texts of a group that a row is going to be added to soon: who
    /// does so for the groups of a batch waits for memory once.
    #[inline]
    pub fn touch_texts(&self, group: GroupRef<'_>) {
        for slot in self.slots[..self.texts_end].iter().filter(|slot| slot.kind.is_text()) {
            touch_text(group.arena, group.place, slot.offset);
        }
    }

    /// Adds a row to a group.
    ///
    /// # Errors
    /// [`UpdateError::Full`], after which the row may be added again;
    /// [`crate::ErrorKind::Invalid`] when arithmetic of an argument leaves its range,
    /// [`crate::ErrorKind::Corrupt`] when a field is not what its column's type says: then the
    /// group may hold a part of the row.
    pub fn update<R: Row + ?Sized>(
        &self,
        group: &mut Group<'_>,
        row: &R,
    ) -> Result<(), UpdateError> {
        for slot in self.slots[..self.texts_end].iter().filter(|slot| slot.kind.is_text()) {
            let value = slot.input.read(row, &slot.measure)?;
            slot.add_text(group, slot.of_row(value.borrow())?)?;
        }
        let state = group.arena.state_mut(group.place);
        for slot in self.slots.iter().filter(|slot| !slot.kind.is_text()) {
            let value = slot.input.read(row, &slot.measure)?;
            slot.add(state, slot.of_row(value.borrow())?)?;
        }
        Ok(())
    }

    /// Adds what `other`, a group of the same layout, knows.
    ///
    /// # Errors
    /// [`UpdateError::Full`], after which it may be merged again;
    /// [`crate::ErrorKind::Corrupt`] when counts or sums leave the range no rows leave.
    pub fn merge(&self, group: &mut Group<'_>, other: GroupRef<'_>) -> Result<(), UpdateError> {
        for slot in &self.slots {
            slot.add_text(group, slot.read(other))?;
        }
        let state = group.arena.state_mut(group.place);
        for slot in &self.slots {
            slot.add(state, slot.read(other))?;
        }
        Ok(())
    }

    /// Appends what the group knows; [`Layout::merge_encoded`] reads it.
    pub fn encode(&self, group: GroupRef<'_>, out: &mut Vec<u8>) {
        self.slots.iter().for_each(|slot| wire::write(slot.read(group), out));
    }

    /// Appends what a group of this one row knows, as [`Layout::encode`] would: a row that passes
    /// by the table.
    ///
    /// # Errors
    /// As [`Layout::update`], but never for want of room; then `out` may hold a part of the row.
    pub fn encode_row<R: Row + ?Sized>(&self, row: &R, out: &mut Vec<u8>) -> Result<()> {
        for slot in &self.slots {
            let value = slot.input.read(row, &slot.measure)?;
            wire::write(slot.of_row(value.borrow())?, out);
        }
        Ok(())
    }

    /// Adds what [`Layout::encode`] wrote; into a new group this is decoding.
    ///
    /// # Errors
    /// [`UpdateError::Full`], after which the bytes may be merged again;
    /// [`crate::ErrorKind::Corrupt`] when they are not what this layout wrote: then nothing was
    /// added.
    pub fn merge_encoded(&self, group: &mut Group<'_>, bytes: &[u8]) -> Result<(), UpdateError> {
        let mut source = Source(bytes);
        if self.slots.len() <= DECODED_MAX {
            // Each is decoded once: all of them are right before the first is added.
            let mut decoded = [Partial::Count(0); DECODED_MAX];
            for (slot, partial) in self.slots.iter().zip(&mut decoded) {
                *partial = slot.decode(&mut source)?;
            }
            if !source.0.is_empty() {
                return Err(torn().into());
            }
            for (slot, partial) in self.slots[..self.texts_end].iter().zip(&decoded) {
                slot.add_text(group, *partial)?;
            }
            let state = group.arena.state_mut(group.place);
            for (slot, partial) in self.slots.iter().zip(&decoded) {
                slot.add(state, *partial)?;
            }
            return Ok(());
        }
        for slot in &self.slots {
            slot.decode(&mut source)?;
        }
        if !source.0.is_empty() {
            return Err(torn().into());
        }
        let mut source = Source(bytes);
        for slot in self.slots.iter().take(self.texts_end) {
            slot.add_text(group, slot.decode(&mut source)?)?;
        }
        let mut source = Source(bytes);
        let state = group.arena.state_mut(group.place);
        for slot in &self.slots {
            slot.add(state, slot.decode(&mut source)?)?;
        }
        Ok(())
    }

    /// Appends one value per measure, in their order.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the measure whose result does not fit its type.
    pub fn finish(&self, group: GroupRef<'_>, out: &mut Vec<Value>) -> Result<()> {
        for slot in &self.slots {
            let partial = slot.read(group);
            out.push(finish::value(partial, slot.kind.mean(), slot.input_kind, &slot.measure)?);
        }
        Ok(())
    }
}

impl Slot {
    #[inline]
    fn of_row<'a>(&self, value: ValueRef<'a>) -> Result<Partial<'a>> {
        if value.is_null() {
            return Ok(self.kind.nothing());
        }
        let partial = self.kind.of_row(value, self.input_kind);
        partial.ok_or_else(|| {
            Error::corrupt(format!(
                "measure '{}': a row holds something that is not {}; correct the column's type \
                 or the row",
                self.measure, self.input_kind
            ))
        })
    }

    fn read<'t>(&self, group: GroupRef<'t>) -> Partial<'t> {
        if self.kind.is_text() {
            return Partial::Extreme(read_text(group.arena, group.place, self.offset));
        }
        self.kind.read(&group.arena.state(group.place)[self.offset..])
    }

    /// Adds to the slot of a text; any other is left for [`Slot::add`].
    #[inline]
    fn add_text(&self, group: &mut Group<'_>, new: Partial<'_>) -> Result<(), Full> {
        if let (SlotKind::Text { greatest }, Partial::Extreme(new)) = (self.kind, new) {
            add_text(group.arena, group.place, self.offset, new, greatest)?;
        }
        Ok(())
    }

    /// Adds to the slot of anything but a text.
    #[inline]
    fn add(&self, state: &mut [u8], new: Partial<'_>) -> Result<()> {
        if self.kind.is_text() || self.kind.add(&mut state[self.offset..], new) {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "measure '{}': the states of a group together leave the range that rows can give; \
             group the input again",
            self.measure
        )))
    }

    #[inline]
    fn decode<'a>(&self, source: &mut Source<'a>) -> Result<Partial<'a>> {
        let partial = source.read(self.kind.shape()).ok_or_else(torn)?;
        if let (Partial::Extreme(extreme), Some(tag)) = (partial, tag_of(self.input_kind))
            && extreme != Extreme::None
            && extreme.tag() != tag
        {
            return Err(torn());
        }
        Ok(partial)
    }
}

#[cold]
fn torn() -> Error {
    Error::corrupt(
        "the state of a group: its bytes are not what this grouping wrote; group the input again",
    )
}
