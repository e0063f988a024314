//! The resources as one who asks may see them.
//!
//! Promises: what may not be read is not found, not listed and not suggested; seeing less costs no
//! copy.
//! Never: a decision about anything but reading; routes decide the rest by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::principal::Principal;
use super::scope::Verb;
use crate::served::Served;

/// Every resource by its table's name.
#[derive(Clone)]
pub(crate) struct Tables {
    all: Arc<BTreeMap<Box<str>, Arc<Served>>>,
    /// Without one everything is seen.
    seen_by: Option<Arc<Principal>>,
}

impl Tables {
    pub(crate) fn new(all: BTreeMap<Box<str>, Arc<Served>>) -> Self {
        Self { all: Arc::new(all), seen_by: None }
    }

    /// The same, as somebody may see them.
    pub(crate) fn seen_by(&self, principal: &Arc<Principal>) -> Self {
        Self { all: Arc::clone(&self.all), seen_by: Some(Arc::clone(principal)) }
    }

    fn sees(&self, name: &str) -> bool {
        self.seen_by.as_ref().is_none_or(|principal| principal.grants().has(Verb::Read, name))
    }

    /// The one called so, if it may be read.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Served>> {
        self.whole(name).filter(|_| self.sees(name))
    }

    /// The one called so, for a route whose need was decided by its name.
    pub(crate) fn whole(&self, name: &str) -> Option<&Arc<Served>> {
        self.all.get(name)
    }

    /// Whether one is called so and may be read.
    pub(crate) fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All of them, for a caller that decides by name who may have one.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.all.values()
    }

    /// The names of those that may be read.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(|name| &**name).filter(|name| self.sees(name))
    }

    /// Those that may be read.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.all.iter().filter(|(name, _)| self.sees(name)).map(|(_, served)| served)
    }

    /// How many there are, whoever sees them.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
