//! A measure: what is computed of the rows of a group, and what it is called.
//!
//! Promises: a measure that was read fits its argument's type.
//! Never: a state; those are in [`super::Layout`].

use super::{Input, read};
use crate::error::Result;
use crate::expr::Expr;
use crate::record::{ColumnType, Schema};

/// What a measure computes. NULLs are skipped, but by `count(*)`; of no rows every one but the
/// counts is NULL.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregate {
    /// `count(*)`: the rows; `count(x)`: those whose `x` is not NULL.
    Count,
    /// `count(distinct x)`
    CountDistinct,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `median(x)` is `quantile(x, 0.5)`.
    Quantile(f64),
    /// `approx_count_distinct(x)`
    ApproxCountDistinct,
    /// `approx_quantile(x, 0.9)`
    ApproxQuantile(f64),
}

/// What a measure keeps between two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// A few bytes and, of texts, one: [`super::Layout`] keeps it.
    State,
    /// A sketch of fixed size.
    Sketch,
    /// The group's values themselves: no state of bounded size gives the exact result.
    Values,
}

impl Aggregate {
    /// What it keeps between two rows.
    #[must_use]
    pub fn keeps(self) -> Keeps {
        match self {
            Self::Count | Self::Sum | Self::Avg | Self::Min | Self::Max => Keeps::State,
            Self::ApproxCountDistinct | Self::ApproxQuantile(_) => Keeps::Sketch,
            Self::CountDistinct | Self::Quantile(_) => Keeps::Values,
        }
    }
}

/// One output column of a grouping.
///
/// ```
/// use plimsoll::aggregate::{self, Aggregate};
/// use plimsoll::record::{Column, ColumnType, Schema};
/// let schema = Schema {
///     columns: vec![
///         Column::nullable("qty", ColumnType::Int),
///         Column::nullable("price", ColumnType::Money),
///     ],
/// };
/// let measures = aggregate::parse("sum(qty*price) as revenue, avg(qty)", &schema)?;
/// assert_eq!(measures[0].name(), "revenue");
/// assert_eq!(measures[0].kind(), ColumnType::Money);
/// assert_eq!(measures[1].name(), "avg(qty)");
/// assert_eq!(measures[1].kind(), ColumnType::Float);
/// assert_eq!(measures[1].aggregate(), Aggregate::Avg);
/// # Ok::<(), plimsoll::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    pub(super) name: Box<str>,
    pub(super) text: Box<str>,
    pub(super) aggregate: Aggregate,
    pub(super) input: Input,
    pub(super) input_kind: ColumnType,
}

impl Measure {
    /// Name of the output column: what stands after `as`, else [`Measure::text`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The measure as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it computes.
    #[must_use]
    pub fn aggregate(&self) -> Aggregate {
        self.aggregate
    }

    /// What it computes it of; `None` for `count(*)`.
    #[must_use]
    pub fn argument(&self) -> Option<&Expr> {
        self.input.expr()
    }

    /// Type of the result: int for a count; float for the mean or a quantile of ints, else the
    /// argument's.
    #[must_use]
    pub fn kind(&self) -> ColumnType {
        match self.aggregate {
            Aggregate::Count | Aggregate::CountDistinct | Aggregate::ApproxCountDistinct => {
                ColumnType::Int
            }
            Aggregate::Avg | Aggregate::Quantile(_) if self.input_kind == ColumnType::Int => {
                ColumnType::Float
            }
            _ => self.input_kind,
        }
    }

    /// `count(x)` of an argument.
    pub(super) fn count_of(input: &Input, input_kind: ColumnType, name: &str) -> Self {
        let (name, input) = (Box::<str>::from(name), input.clone());
        Self { text: name.clone(), name, aggregate: Aggregate::Count, input, input_kind }
    }
}

/// Reads a list of measures over `schema`'s columns, with at most
/// [`crate::limits::MEASURES_MAX`] of them:
///
/// ```text
///   count(*)            rows                                            int
///   count(x)            rows whose x is not NULL                        int
///   count(distinct x)   different values of x                           int
///   sum(x)              int, money: exact; float: compensated           x's type
///   avg(x)              int: the exact mean, to the nearest float       float
///                       money: the exact mean, half to even at the
///                       fourth decimal                                  money
///                       float: compensated                              float
///   min(x) max(x)       any type, by record::compare                    x's type
///   median(x)           quantile(x, 0.5)                                as that
///   quantile(x, 0.9)    int: to the nearest float                       float
///                       money, time: half to even at the last digit     x's type
///                       float                                           float
///   approx_count_distinct(x)  HyperLogLog: 1.63 % off, one sigma        int
///   approx_quantile(x, 0.9)   KLL: a value whose rank is at most 1.33 %
///                       off in 99 of 100 groups                         x's type
/// ```
///
/// `x` is an expression of [`crate::expr`]. Without `as name` a measure is called as it is
/// written. `distinct` right after the parenthesis is the word; a column of that name is written
/// `"distinct"`. The list takes what a filter takes: at most 192 KiB while it is read.
///
/// ```
/// use plimsoll::aggregate;
/// use plimsoll::record::{Column, ColumnType, Schema};
/// let schema = Schema { columns: vec![Column::nullable("price", ColumnType::Money)] };
/// let refused = aggregate::parse("count(*), sum(prise)", &schema).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "measure list, character 15: there is no column 'prise'; the columns are price\n  \
///      count(*), sum(prise)\n                \
///                    ^^^^^"
/// );
/// # Ok::<(), plimsoll::Error>(())
/// ```
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] with the place and what is allowed there, also for two measures
/// of one name; [`crate::ErrorKind::TooLarge`] beyond `MEASURES_MAX` or a bound of
/// [`crate::limits`] whose name starts with `FILTER_`.
pub fn parse(text: &str, schema: &Schema) -> Result<Vec<Measure>> {
    read::measures(text, schema)
}
