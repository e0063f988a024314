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
//! The texts of `min` and `max` and new sketches may find no room; they go first: adding a text
//! twice is adding it once, and a sketch is made before anything is added to it. So a row that met
//! [`UpdateError::Full`] is added again as if it had never been tried.
//!
//! Promises: a row, a group or spilled bytes count exactly once, however often they were refused
//! for want of room.
//! Never: an allocation per row or group.

use super::arena::Full;
use super::finish;
use super::group::{Group, GroupRef};
use super::partial::{Extreme, Partial, tag_of};
use super::sketched::Sketched;
use super::slot::{
    SlotKind, add_sketch, add_text, make_sketch, read_sketch, read_text, touch_text,
};
use super::wire::{self, Source};
use super::{Input, Keeps, Measure};
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
    /// Behind the last slot that takes room beside the state.
    roomy_end: usize,
    sketch_bytes: usize,
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
    /// The layout of `measures`, none of which keeps values.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the first measure that keeps values.
    pub fn new(measures: &[Measure]) -> Result<Self> {
        let mut state_bytes = 0;
        let mut slots = Vec::with_capacity(measures.len());
        for measure in measures {
            if measure.aggregate.keeps() == Keeps::Values {
                return Err(Error::invalid(format!(
                    "measure '{}': it needs every value of a group, and a state of fixed size \
                     holds none; sort the rows by group and value instead",
                    measure.name
                )));
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
        let roomy = |slot: &Slot| slot.kind.takes_room();
        let roomy_end = slots.iter().rposition(roomy).map_or(0, |i| i + 1);
        let sketch_bytes = slots.iter().map(|slot| slot.kind.sketch_bytes()).sum();
        Ok(Self { slots: slots.into(), roomy_end, sketch_bytes, state_bytes })
    }

    /// Bytes of a state, without the texts of `min` and `max` and without sketches.
    #[must_use]
    pub fn state_bytes(&self) -> usize {
        self.state_bytes
    }

    /// Bytes of the sketches of a group.
    #[must_use]
    pub fn sketch_bytes(&self) -> usize {
        self.sketch_bytes
    }

    /// Whether groups keep texts beside their states.
    #[must_use]
    pub fn has_texts(&self) -> bool {
        self.roomy_slots().any(|slot| slot.kind.is_text())
    }

    #[inline]
    fn roomy_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots[..self.roomy_end].iter().filter(|slot| slot.kind.takes_room())
    }

    /// Has the processor fetch the texts of a group that a row is going to be added to soon: who
    /// does so for the groups of a batch waits for memory once.
    #[inline]
    pub fn touch_texts(&self, group: GroupRef<'_>) {
        for slot in self.roomy_slots().filter(|slot| slot.kind.is_text()) {
            touch_text(group.arena, group.place, slot.offset);
        }
    }

    /// None, where no measure is by a sketch.
    #[inline]
    fn sketch_slots(&self) -> impl Iterator<Item = &Slot> {
        let end = if self.sketch_bytes > 0 { self.roomy_end } else { 0 };
        self.slots[..end].iter().filter(|slot| matches!(slot.kind, SlotKind::Sketch(_)))
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
        for slot in self.roomy_slots() {
            let value = slot.input.read(row, &slot.measure)?;
            slot.take_room(group, slot.of_row(value.borrow())?)?;
        }
        let state = group.arena.state_mut(group.place);
        for slot in self.slots.iter().filter(|slot| !slot.kind.takes_room()) {
            let value = slot.input.read(row, &slot.measure)?;
            slot.add(state, slot.of_row(value.borrow())?)?;
        }
        for slot in self.sketch_slots() {
            let value = slot.input.read(row, &slot.measure)?;
            slot.add_sketch(group, slot.of_row(value.borrow())?)?;
        }
        Ok(())
    }

    /// Adds what `other`, a group of the same layout, knows.
    ///
    /// # Errors
    /// [`UpdateError::Full`], after which it may be merged again;
    /// [`crate::ErrorKind::Corrupt`] when counts or sums leave the range no rows leave.
    pub fn merge(&self, group: &mut Group<'_>, other: GroupRef<'_>) -> Result<(), UpdateError> {
        for slot in self.roomy_slots() {
            slot.take_room(group, slot.read(other))?;
        }
        let state = group.arena.state_mut(group.place);
        for slot in &self.slots {
            slot.add(state, slot.read(other))?;
        }
        for slot in self.sketch_slots() {
            slot.add_sketch(group, slot.read(other))?;
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
            for (slot, partial) in self.slots[..self.roomy_end].iter().zip(&decoded) {
                slot.take_room(group, *partial)?;
            }
            let state = group.arena.state_mut(group.place);
            for (slot, partial) in self.slots.iter().zip(&decoded) {
                slot.add(state, *partial)?;
            }
            if self.sketch_bytes > 0 {
                for (slot, partial) in self.slots.iter().zip(&decoded) {
                    slot.add_sketch(group, *partial)?;
                }
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
        for slot in self.slots.iter().take(self.roomy_end) {
            slot.take_room(group, slot.decode(&mut source)?)?;
        }
        let mut source = Source(bytes);
        let state = group.arena.state_mut(group.place);
        for slot in &self.slots {
            slot.add(state, slot.decode(&mut source)?)?;
        }
        let mut source = Source(bytes);
        for slot in self.sketch_slots().next().map_or(&[][..], |_| &self.slots) {
            slot.add_sketch(group, slot.decode(&mut source)?)?;
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
            if let (SlotKind::Sketch(kind), Partial::Sketched(sketched)) = (slot.kind, partial) {
                out.push(kind.answer(sketched, slot.input_kind));
                continue;
            }
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
        if matches!(self.kind, SlotKind::Sketch(_)) {
            return Partial::Sketched(read_sketch(group.arena, group.place, self.offset));
        }
        self.kind.read(&group.arena.state(group.place)[self.offset..])
    }

    /// Adds to the slot of a text, and makes the sketch of one; any other is left for
    /// [`Slot::add`].
    #[inline]
    fn take_room(&self, group: &mut Group<'_>, new: Partial<'_>) -> Result<(), Full> {
        match (self.kind, new) {
            (SlotKind::Text { greatest }, Partial::Extreme(new)) => {
                add_text(group.arena, group.place, self.offset, new, greatest)
            }
            (SlotKind::Sketch(kind), Partial::Sketched(new)) if new != Sketched::None => {
                make_sketch(group.arena, group.place, self.offset, kind)
            }
            _ => Ok(()),
        }
    }

    /// Adds to a sketch that has been made; any other slot is left as it is.
    #[inline]
    fn add_sketch(&self, group: &mut Group<'_>, new: Partial<'_>) -> Result<()> {
        match (self.kind, new) {
            (SlotKind::Sketch(_), Partial::Sketched(new)) => {
                add_sketch(group.arena, group.place, self.offset, new)
            }
            _ => Ok(()),
        }
    }

    /// Adds to the slot of what takes no room beside the state.
    #[inline]
    fn add(&self, state: &mut [u8], new: Partial<'_>) -> Result<()> {
        if self.kind.takes_room() || self.kind.add(&mut state[self.offset..], new) {
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
