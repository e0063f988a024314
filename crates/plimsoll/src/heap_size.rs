//! What a value holds on the heap, for the collections that charge a budget for what they keep.
//!
//! Promises: the bytes a value asked its allocator for, by capacity and not by length.
//! Never: the value's own size, which its container counts, or the allocator's rounding.

use std::cmp::Reverse;

use crate::record::{Money, Timestamp, Value};

/// Heap bytes behind a value.
///
/// ```
/// use plimsoll::heap_size::HeapSize;
/// assert_eq!(7_i64.heap_bytes(), 0);
/// assert_eq!(Box::<str>::from("tea").heap_bytes(), 3);
/// let mut words: Vec<Box<str>> = Vec::with_capacity(4);
/// words.push("tea".into());
/// assert_eq!(words.heap_bytes(), 4 * size_of::<Box<str>>() + 3);
/// ```
pub trait HeapSize {
    /// Bytes this value holds on the heap beyond its own size.
    fn heap_bytes(&self) -> usize;
}

macro_rules! on_no_heap {
    ($($kind:ty),+) => {
        $(impl HeapSize for $kind {
            fn heap_bytes(&self) -> usize {
                0
            }
        })+
    };
}

on_no_heap!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
on_no_heap!((), bool, char, f32, f64, Money, Timestamp);

/// What is borrowed is held, and charged, by its owner.
impl<T: ?Sized> HeapSize for &T {
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl HeapSize for String {
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl HeapSize for Box<str> {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl HeapSize for Value {
    fn heap_bytes(&self) -> usize {
        Value::heap_bytes(self)
    }
}

impl<T: HeapSize> HeapSize for Vec<T> {
    fn heap_bytes(&self) -> usize {
        self.capacity() * size_of::<T>() + behind(self)
    }
}

impl<T: HeapSize> HeapSize for Box<[T]> {
    fn heap_bytes(&self) -> usize {
        self.len() * size_of::<T>() + behind(self)
    }
}

impl<T: HeapSize, const N: usize> HeapSize for [T; N] {
    fn heap_bytes(&self) -> usize {
        behind(self)
    }
}

impl<T: HeapSize> HeapSize for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, T::heap_bytes)
    }
}

impl<T: HeapSize> HeapSize for Reverse<T> {
    fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

fn behind<T: HeapSize>(items: &[T]) -> usize {
    items.iter().map(T::heap_bytes).sum()
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {
        $(impl<$($name: HeapSize),+> HeapSize for ($($name,)+) {
            #[allow(non_snake_case, reason = "a macro names a field as its type")]
            fn heap_bytes(&self) -> usize {
                let ($($name,)+) = self;
                0 $(+ $name.heap_bytes())+
            }
        })+
    };
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_what_it_asked_the_allocator_for() {
        assert_eq!(String::with_capacity(100).heap_bytes(), 100);
        assert_eq!(Box::<[u8]>::from(&b"four"[..]).heap_bytes(), 4);
        assert_eq!(Value::Text("four".into()).heap_bytes(), 4);
        assert_eq!(Value::Int(4).heap_bytes(), 0);
        assert_eq!(Some(Box::<str>::from("four")).heap_bytes(), 4);
        assert_eq!(None::<Box<str>>.heap_bytes(), 0);
        assert_eq!([Box::<str>::from("a"), "bc".into()].heap_bytes(), 3);
        assert_eq!(Reverse(Box::<str>::from("a")).heap_bytes(), 1);
    }

    #[test]
    fn nested_values_count_every_level() {
        let mut rows: Vec<(i64, Vec<Value>)> = Vec::with_capacity(3);
        let mut row = Vec::with_capacity(2);
        row.push(Value::Bytes(Box::from(&b"abc"[..])));
        rows.push((1, row));
        let own = 3 * size_of::<(i64, Vec<Value>)>();
        assert_eq!(rows.heap_bytes(), own + 2 * size_of::<Value>() + 3);
        let six = (1_u8, Box::<str>::from("a"), 2.0_f64, Box::<str>::from("bc"), 'c', ());
        assert_eq!(six.heap_bytes(), 3);
    }

    #[test]
    fn what_is_borrowed_is_not_charged() {
        let owner = String::from("held elsewhere");
        assert_eq!((&owner, owner.as_str()).heap_bytes(), 0);
    }
}
