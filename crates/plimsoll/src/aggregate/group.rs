//! A group: a key, a state, and the texts the state points to.
//!
//! Promises: nothing of a group moves while it is looked at.
//! Never: a copy.

use super::arena::{Arena, Place};

/// A group that can be added to.
#[derive(Debug)]
pub struct Group<'t> {
    pub(super) arena: &'t mut Arena,
    pub(super) place: Place,
}

/// A group that is read.
#[derive(Clone, Copy, Debug)]
pub struct GroupRef<'t> {
    pub(super) arena: &'t Arena,
    pub(super) place: Place,
}

impl<'t> Group<'t> {
    #[inline]
    pub(crate) fn new(arena: &'t mut Arena, place: Place) -> Self {
        Self { arena, place }
    }

    /// The group, to be read.
    #[must_use]
    pub fn view(&self) -> GroupRef<'_> {
        GroupRef { arena: self.arena, place: self.place }
    }
}

impl<'t> GroupRef<'t> {
    #[inline]
    pub(crate) fn new(arena: &'t Arena, place: Place) -> Self {
        Self { arena, place }
    }

    /// The key it was made with.
    #[must_use]
    pub fn key(&self) -> &'t [u8] {
        self.arena.entry(self.place).key
    }
}
