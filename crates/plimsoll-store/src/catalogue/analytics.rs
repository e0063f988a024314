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
    /// Their sums by day and channel, where they are kept.
    pub rollup: Option<RollupMapping>,
}

/// Where sums by day of UTC and channel are kept.
#[derive(Clone, Debug)]
pub struct RollupMapping {
    /// The table. Its key is the day and the channel, it has a version, and its sums are 0 where
    /// nothing is said.
    pub resource: Arc<Resource>,
    /// The day, as its first instant.
    pub date: usize,
    /// The channel.
    pub channel: usize,
    /// The sum of amounts.
    pub revenue: usize,
    /// The number of orders.
    pub orders: usize,
    /// The number of lines.
    pub items: usize,
    /// The sum of quantities.
    pub quantity: usize,
    /// What of it is out of date.
    pub marks: MarkMapping,
}

/// Where the days stand whose sums are out of date. Triggers write it with what they mark.
#[derive(Clone, Debug)]
pub struct MarkMapping {
    /// The table. Its key is the day, the channel and the generation.
    pub resource: Arc<Resource>,
    /// The day, as its first instant.
    pub date: usize,
    /// The channel.
    pub channel: usize,
    /// 0 where later writes may hide behind the mark; else no later write has it.
    pub generation: usize,
}
