//! One measure's place in a state, and how a partial is added there.
//!
//! ```text
//!   count           count u64                                            8
//!   sum int, money  sum i128 | any u8                                   17
//!   avg int, money  sum i128 | count u64                                24
//!   sum float       sum f64 | lost f64 | strange u8 | any u8            18
//!   avg float       sum f64 | lost f64 | strange u8 | count u64         25
//!   min max bool ..  tag u8 | value 8 bytes                              9
//!   min max text ..  place u32 | length u32, 0 is none | beginning u64  16 + text
//!   sketch           number u32, 0 is none                               4 + sketch
//! ```
//!
//! All zero is the state of no rows. The beginning of a text are its first eight bytes, filled up
//! with zeros, as a number of the same order: most rows are told by it, and the text itself, which
//! lies elsewhere, is not looked at.
//!
//! Promises: a slot is added to wholly or not at all.
//! Never: a slot that says how long it is; the layout knows.

use super::arena::{Arena, Full, Place};
use super::partial::{Extreme, FloatSum, Partial, TAG_BYTES, TAG_TEXT, tag_of};
use super::sketched::{SketchKind, Sketched};
use super::wire::Shape;
use super::{Aggregate, Measure};
use crate::error::Result;
use crate::record::{ColumnType, ValueRef};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum SlotKind {
    Count,
    Exact { mean: bool },
    Float { mean: bool },
    Fixed { greatest: bool },
    Text { greatest: bool },
    Sketch(SketchKind),
}

impl SlotKind {
    /// The slot of a measure that keeps a state.
    pub(super) fn of(measure: &Measure) -> Self {
        let mean = measure.aggregate == Aggregate::Avg;
        let greatest = measure.aggregate == Aggregate::Max;
        match (measure.aggregate, measure.input_kind) {
            (Aggregate::Sum | Aggregate::Avg, ColumnType::Float) => Self::Float { mean },
            (Aggregate::Sum | Aggregate::Avg, _) => Self::Exact { mean },
            (
                Aggregate::Min | Aggregate::Max,
                ColumnType::Text | ColumnType::Bytes | ColumnType::Any,
            ) => Self::Text { greatest },
            (Aggregate::Min | Aggregate::Max, _) => Self::Fixed { greatest },
            (Aggregate::ApproxCountDistinct, _) => Self::Sketch(SketchKind::Distinct),
            (Aggregate::ApproxQuantile(q), _) => Self::Sketch(SketchKind::Quantile(q)),
            _ => Self::Count,
        }
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Count => 8,
            Self::Text { .. } => 16,
            Self::Exact { mean: false } => 17,
            Self::Exact { mean: true } => 24,
            Self::Float { mean: false } => 18,
            Self::Float { mean: true } => 25,
            Self::Fixed { .. } => 9,
            Self::Sketch(_) => 4,
        }
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Count => Shape::Count,
            Self::Exact { .. } => Shape::Exact,
            Self::Float { .. } => Shape::Float,
            Self::Fixed { .. } | Self::Text { .. } => Shape::Extreme,
            Self::Sketch(kind) => Shape::Sketch(kind),
        }
    }

    #[inline]
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text { .. })
    }

    /// Whether adding to it takes room beside the state.
    #[inline]
    pub(super) fn takes_room(self) -> bool {
        matches!(self, Self::Text { .. } | Self::Sketch(_))
    }

    pub(super) fn sketch_bytes(self) -> usize {
        match self {
            Self::Sketch(kind) => kind.bytes(),
            _ => 0,
        }
    }

    pub(super) fn mean(self) -> bool {
        matches!(self, Self::Exact { mean: true } | Self::Float { mean: true })
    }

    /// What no row knows, and a NULL.
    #[inline]
    pub(super) fn nothing(self) -> Partial<'static> {
        match self {
            Self::Count => Partial::Count(0),
            Self::Exact { .. } => Partial::Exact { sum: 0, count: 0 },
            Self::Float { .. } => Partial::Float { sum: FloatSum::default(), count: 0 },
            Self::Fixed { .. } | Self::Text { .. } => Partial::Extreme(Extreme::None),
            Self::Sketch(_) => Partial::Sketched(Sketched::None),
        }
    }

    /// What a row knows whose value is not NULL; `None` where the value is not of type `kind`.
    #[inline]
    pub(super) fn of_row(self, value: ValueRef<'_>, kind: ColumnType) -> Option<Partial<'_>> {
        Some(match (self, kind, value) {
            (Self::Count, _, _) => Partial::Count(1),
            (Self::Exact { .. }, ColumnType::Int, ValueRef::Int(v)) => {
                Partial::Exact { sum: v.into(), count: 1 }
            }
            (Self::Exact { .. }, ColumnType::Money, ValueRef::Money(v)) => {
                Partial::Exact { sum: v.units().into(), count: 1 }
            }
            (Self::Float { .. }, _, ValueRef::Float(v)) => {
                Partial::Float { sum: FloatSum::of(v), count: 1 }
            }
            (Self::Exact { .. } | Self::Float { .. }, _, _) => return None,
            (Self::Sketch(sketch), kind, value) => Partial::Sketched(sketch.of_row(value, kind)?),
            (Self::Fixed { .. } | Self::Text { .. }, kind, value) => {
                let extreme = Extreme::of(value);
                if tag_of(kind).is_some_and(|tag| tag != extreme.tag()) {
                    return None;
                }
                Partial::Extreme(extreme)
            }
        })
    }

    /// What a slot knows that takes no room beside the state.
    #[inline]
    pub(super) fn read(self, slot: &[u8]) -> Partial<'static> {
        match self {
            Self::Count => Partial::Count(u64_at(slot, 0)),
            Self::Exact { mean } => {
                let count = if mean { u64_at(slot, 16) } else { slot[16].into() };
                Partial::Exact { sum: i128::from_le_bytes(at(slot, 0)), count }
            }
            Self::Float { mean } => {
                let (sum, lost) =
                    (f64::from_le_bytes(at(slot, 0)), f64::from_le_bytes(at(slot, 8)));
                let count = if mean { u64_at(slot, 17) } else { slot[17].into() };
                Partial::Float { sum: FloatSum { sum, lost, strange: slot[16] != 0 }, count }
            }
            Self::Fixed { .. } | Self::Text { .. } => {
                let extreme = Extreme::from_bits(slot[0], u64_at(slot, 1));
                Partial::Extreme(extreme.unwrap_or(Extreme::None))
            }
            Self::Sketch(_) => self.nothing(),
        }
    }

    /// Adds to a slot that takes no room beside the state. `false` when the result leaves what a
    /// slot can hold, or the partial is not of its shape: then the slot is as before.
    #[inline]
    pub(super) fn add(self, slot: &mut [u8], partial: Partial<'_>) -> bool {
        match (self, partial, self.read(slot)) {
            (Self::Count, Partial::Count(more), Partial::Count(old)) => {
                let Some(count) = old.checked_add(more) else { return false };
                slot[..8].copy_from_slice(&count.to_le_bytes());
            }
            (
                Self::Exact { mean },
                Partial::Exact { sum: more, count: rows },
                Partial::Exact { sum, count },
            ) => {
                let (Some(sum), Some(count)) = (sum.checked_add(more), count.checked_add(rows))
                else {
                    return false;
                };
                slot[..16].copy_from_slice(&sum.to_le_bytes());
                put_count(&mut slot[16..], count, mean);
            }
            (
                Self::Float { mean },
                Partial::Float { sum: more, count: rows },
                Partial::Float { sum, count },
            ) => {
                let Some(count) = count.checked_add(rows) else { return false };
                let sum = sum.plus(more);
                slot[..8].copy_from_slice(&sum.sum.to_le_bytes());
                slot[8..16].copy_from_slice(&sum.lost.to_le_bytes());
                slot[16] = u8::from(sum.strange);
                put_count(&mut slot[17..], count, mean);
            }
            (Self::Fixed { greatest }, Partial::Extreme(new), Partial::Extreme(old)) => {
                if matches!(new, Extreme::Text(_) | Extreme::Bytes(_)) {
                    return false;
                }
                if new.beats(old, greatest) {
                    slot[0] = new.tag();
                    slot[1..9].copy_from_slice(&new.bits().to_le_bytes());
                }
            }
            _ => return false,
        }
        true
    }
}

/// A mean needs the count, a sum no more than whether there was any row.
#[inline]
fn put_count(slot: &mut [u8], count: u64, mean: bool) {
    if mean {
        slot[..8].copy_from_slice(&count.to_le_bytes());
    } else {
        slot[0] = u8::from(count != 0);
    }
}

#[inline]
fn at<const N: usize>(slot: &[u8], start: usize) -> [u8; N] {
    // A conversion, and not a copy into an array: that is a call where it is not inlined.
    slot[start..start + N].try_into().expect("as many bytes")
}

#[inline]
fn u64_at(slot: &[u8], start: usize) -> u64 {
    u64::from_le_bytes(at(slot, start))
}

/// What the text slot at `offset` of the state at `place` knows.
#[inline]
pub(super) fn read_text(arena: &Arena, place: Place, offset: usize) -> Extreme<'_> {
    let slot = &arena.state(place)[offset..];
    let (text, len) = (u32::from_le_bytes(at(slot, 0)), u32::from_le_bytes(at(slot, 4)));
    let Some((tag, bytes)) = arena.text(Place(text), len as usize).split_first() else {
        return Extreme::None;
    };
    match *tag {
        TAG_TEXT => Extreme::Text(bytes),
        TAG_BYTES => Extreme::Bytes(bytes),
        // Anything else that a column without a type held: eight bytes.
        tag => Extreme::from_bits(tag, u64_at(bytes, 0)).unwrap_or(Extreme::None),
    }
}

/// What the sketch slot at `offset` of the state at `place` knows.
pub(super) fn read_sketch(arena: &Arena, place: Place, offset: usize) -> Sketched<'_> {
    let number = u32::from_le_bytes(at(arena.state(place), offset));
    number.checked_sub(1).map_or(Sketched::None, |number| Sketched::Whole(arena.sketch(number)))
}

/// Makes the sketch of the slot at `offset`, if there is none. Doing it twice is doing it once.
pub(super) fn make_sketch(
    arena: &mut Arena,
    place: Place,
    offset: usize,
    kind: SketchKind,
) -> Result<(), Full> {
    if read_sketch(arena, place, offset) == Sketched::None {
        let seed = u64::from(arena.entry(place).hash) << 32;
        let number = arena.insert_sketch(kind, seed)? + 1;
        arena.state_mut(place)[offset..offset + 4].copy_from_slice(&number.to_le_bytes());
    }
    Ok(())
}

/// Adds to the sketch of the slot at `offset`, where there is one.
pub(super) fn add_sketch(
    arena: &mut Arena,
    place: Place,
    offset: usize,
    new: Sketched<'_>,
) -> Result<()> {
    let number = u32::from_le_bytes(at(arena.state(place), offset));
    number.checked_sub(1).map_or(Ok(()), |number| arena.sketch_mut(number).add(new))
}

/// Has the processor fetch the text that the slot at `offset` points to.
#[inline]
pub(super) fn touch_text(arena: &Arena, place: Place, offset: usize) {
    let slot = &arena.state(place)[offset..];
    arena.touch_text(Place(u32::from_le_bytes(at(slot, 0))));
}

/// Adds to the text slot at `offset` of the state at `place`. Doing it twice is doing it once.
#[inline]
pub(super) fn add_text(
    arena: &mut Arena,
    place: Place,
    offset: usize,
    new: Extreme<'_>,
    greatest: bool,
) -> Result<(), Full> {
    let beginning = match new {
        Extreme::Text(bytes) => Some(beginning_of(bytes)),
        _ => None,
    };
    let slot = &arena.state(place)[offset..];
    let (length, old) = (u32::from_le_bytes(at(slot, 4)), u64_at(slot, 8));
    let is_behind = |new: u64| if greatest { new < old } else { new > old };
    if length > 0 && beginning.is_some_and(is_behind) {
        return Ok(());
    }
    let old = read_text(arena, place, offset);
    if !new.beats(old, greatest) {
        return Ok(());
    }
    let bits = new.bits().to_le_bytes();
    let content: &[u8] = match &new {
        Extreme::Text(bytes) | Extreme::Bytes(bytes) => bytes,
        _ => &bits,
    };
    let (tag, len) = ([new.tag()], 1 + content.len());
    let text = if old == Extreme::None {
        arena.insert_text([&tag, content], len)?
    } else {
        let text = Place(u32::from_le_bytes(at(arena.state(place), offset)));
        arena.replace_text(text, [&tag, content])?
    };
    let len = u32::try_from(len).or(Err(Full))?;
    let slot = &mut arena.state_mut(place)[offset..];
    slot[..4].copy_from_slice(&text.0.to_le_bytes());
    slot[4..8].copy_from_slice(&len.to_le_bytes());
    // Of anything but a text the beginning is one that no text is behind.
    let beginning = beginning.unwrap_or(if greatest { 0 } else { u64::MAX });
    slot[8..16].copy_from_slice(&beginning.to_le_bytes());
    Ok(())
}

/// Where these differ, the texts they begin are in the same order.
#[inline]
fn beginning_of(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    match text.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..text.len()].copy_from_slice(text),
    }
    u64::from_be_bytes(bytes)
}
