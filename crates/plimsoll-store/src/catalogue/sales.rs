//! What sales are worked out from: orders, and their lines in either of two shapes.
//!
//! Promises: every name in it was found in a resource when it was made.
//! Never: a look at a row.

use super::{Analytics, ItemMapping, OrderMapping, SubjectMapping};
use crate::error::{Error, Result};

/// Steps of a path into JSON at most: lines nest a level or two.
const PATH_STEPS_MAX: usize = 8;

/// Orders, their lines and what these are about.
#[derive(Clone, Debug)]
pub struct SalesMapping {
    /// Orders.
    pub orders: OrderMapping,
    /// Their lines.
    pub lines: Lines,
    /// What lines are about, where it has a table.
    pub subject: Option<SubjectMapping>,
}

impl From<&Analytics> for SalesMapping {
    fn from(analytics: &Analytics) -> Self {
        Self {
            orders: analytics.orders.clone(),
            lines: Lines::Table(analytics.items.clone()),
            subject: Some(analytics.subject.clone()),
        }
    }
}

/// Where the lines of orders stand.
#[derive(Clone, Debug)]
pub enum Lines {
    /// In a table of their own.
    Table(ItemMapping),
    /// In a column of the orders, as JSON.
    Json(JsonLines),
}

/// Lines within a column of the orders.
#[derive(Clone, Debug)]
pub struct JsonLines {
    /// The column.
    pub column: usize,
    /// Where the array of lines is in it.
    pub lines: JsonPath,
    /// In a line: what it is about, a text or a number.
    pub subject: JsonPath,
    /// In a line: how many, a whole number.
    pub quantity: JsonPath,
    /// In a line: its exact amount.
    pub amount: JsonPath,
}

/// Names of members, outermost first; none of them is the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonPath(Box<[Box<str>]>);

impl JsonPath {
    /// Reads `product.sku`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for an empty step or too many.
    pub fn parse(text: &str) -> Result<Self> {
        let steps: Box<[Box<str>]> = text.split('.').map(Into::into).collect();
        if steps.len() > PATH_STEPS_MAX || steps.iter().any(|step| step.is_empty()) {
            return Err(Error::invalid(format!(
                "'{}' is no path into JSON: 1 to {PATH_STEPS_MAX} names with dots between them",
                plimsoll::error::excerpt(text)
            )));
        }
        Ok(Self(steps))
    }

    /// The names.
    #[must_use]
    pub fn steps(&self) -> &[Box<str>] {
        &self.0
    }
}
