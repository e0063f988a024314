//! The analytics mapping: which tables and columns stand for orders, items and their subject.
//!
//! Promises: every name in it was found in a resource when it was made.
//! Never: a default table name.

use std::sync::Arc;

use super::Resource;

/// Where orders stand.
#[derive(Clone, Debug)]
pub struct OrderMapping {
    /// The table.
    pub resource: Arc<Resource>,
    /// Its key.
    pub key: usize,
    /// When it was placed.
    pub time: usize,
    /// Through which channel.
    pub channel: usize,
    /// By whom; NULL is a guest.
    pub customer: Option<usize>,
}

/// Where the lines of orders stand.
#[derive(Clone, Debug)]
pub struct ItemMapping {
    /// The table.
    pub resource: Arc<Resource>,
    /// Refers to [`OrderMapping::key`].
    pub order: usize,
    /// Refers to [`SubjectMapping::key`].
    pub subject: usize,
    /// How many.
    pub quantity: usize,
    /// The line's exact amount.
    pub amount: usize,
}

/// What is ranked.
#[derive(Clone, Debug)]
pub struct SubjectMapping {
    /// The table.
    pub resource: Arc<Resource>,
    /// Its key.
    pub key: usize,
    /// Columns that name it to a person.
    pub label: Vec<usize>,
}

/// The whole mapping.
#[derive(Clone, Debug)]
pub struct Analytics {
    /// Orders.
    pub orders: OrderMapping,
    /// Their lines.
    pub items: ItemMapping,
    /// What the lines are about.
    pub subject: SubjectMapping,
}
