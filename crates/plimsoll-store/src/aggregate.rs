//! Sums, counts and the like over the groups of any resource.
//!
//! ```text
//!   Aggregation { group_by, measures, order } ── checked against the schema ──> Schema of the rows
//!        │
//!        v  one statement, one snapshot, on the thread of reports
//!   Aggregated { spool: whole frames in a file without a name, out: the last one, in memory }
//! ```
//!
//! Promises: what was checked has a type per field; sums of integers and amounts are exact whatever
//! the order of the rows, and an average of amounts is rounded half to even at the fourth decimal.
//! Never: an answer that fails midway: it is finished before anybody sees its first byte.

use std::fmt;
use std::fs::File;
use std::sync::Arc;

use plimsoll::aggregate::Rank;
use plimsoll::budget::Reservation;
use plimsoll::expr::Expr;
use plimsoll::format::RowEncoder;
use plimsoll::record::{Column, ColumnType, Schema};

use crate::catalogue::Resource;
use crate::error::{Error, Result};
use crate::horizon::Horizon;

/// Columns that may form a group: as many as a sort may have.
pub const GROUP_COLUMNS_MAX: usize = plimsoll::limits::SORT_TERMS_MAX;
/// Measures of one aggregation: more are a report of their own.
pub const MEASURES_MAX: usize = 32;
/// Measures that need every value: for each that counts different ones the database keeps a tree of
/// its own, for each quantile it sorts the rows once more.
pub const VALUE_MEASURES_MAX: usize = 4;

/// What is made of the rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateFunction {
    /// The number of rows.
    CountAll,
    /// The number of rows whose value is not NULL.
    Count,
    /// The number of different values, NULL not among them.
    CountDistinct,
    /// The sum; NULL where no row has a value.
    Sum,
    /// The average; NULL where no row has a value.
    Avg,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The continuous quantile of a rank; NULL where no row has a value.
    Quantile(Rank),
}

impl AggregateFunction {
    /// The names a request may use, [`AggregateFunction::CountAll`] being `count` without an
    /// argument.
    pub const NAMES: [&'static str; 8] =
        ["count", "count_distinct", "sum", "avg", "min", "max", "median", "quantile"];

    /// The function a name stands for; a quantile has the median's rank until it is given another.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "count_distinct" => Self::CountDistinct,
            "sum" => Self::Sum,
            "avg" => Self::Avg,
            "min" => Self::Min,
            "max" => Self::Max,
            "median" | "quantile" => Self::Quantile(Rank::new(0.5).ok()?),
            _ => return None,
        })
    }

    /// The name in requests and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountAll | Self::Count => "count",
            Self::CountDistinct => "count_distinct",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Quantile(_) => "quantile",
        }
    }

    /// Whether it needs every value of a group.
    fn needs_values(self) -> bool {
        matches!(self, Self::CountDistinct | Self::Quantile(_))
    }

    /// The type of its result over values of `kind`; `None` where there is none.
    fn result(self, kind: ColumnType) -> Option<ColumnType> {
        use ColumnType::{Any, Float, Int, Money};
        match (self, kind) {
            (Self::CountAll | Self::Count | Self::CountDistinct, _) => Some(Int),
            (Self::Min | Self::Max, kind) => Some(kind),
            (Self::Sum, Int | Float | Money | Any) => Some(kind),
            (Self::Avg | Self::Quantile(_), Money) => Some(Money),
            (Self::Avg | Self::Quantile(_), Int | Float | Any) => Some(Float),
            (Self::Sum | Self::Avg | Self::Quantile(_), _) => None,
        }
    }
}

/// One field of the result that is made of a group's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// How.
    pub function: AggregateFunction,
    /// Of what; `None` for [`AggregateFunction::CountAll`] alone.
    pub argument: Option<Expr>,
    /// The field's name.
    pub name: Box<str>,
}

/// One term of the result's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateTerm {
    /// Position among the result's fields: the group's columns, then the measures.
    pub field: usize,
    /// Largest first; NULL, the smallest value, then comes last.
    pub descending: bool,
}

/// A checked aggregation.
#[derive(Clone, Debug)]
pub struct Aggregation {
    pub(crate) resource: Arc<Resource>,
    pub(crate) group_by: Vec<usize>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) order: Vec<AggregateTerm>,
    schema: Schema,
}

impl Aggregation {
    /// Checks what is asked for against the resource's schema. Without an order the groups come in
    /// the order of their columns, and where an order leaves groups equal, these decide.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for nothing asked for, too much of it, a name that two fields
    /// would have, or a measure of a type it does not take.
    pub fn new(
        resource: &Arc<Resource>,
        group_by: Vec<usize>,
        measures: Vec<Measure>,
    ) -> Result<Self> {
        let counts = [
            (group_by.len(), GROUP_COLUMNS_MAX, "columns to group by"),
            (measures.len(), MEASURES_MAX, "measures"),
            (
                measures.iter().filter(|m| m.function.needs_values()).count(),
                VALUE_MEASURES_MAX,
                "measures that count different values or are quantiles",
            ),
        ];
        for (count, most, what) in counts {
            if count > most {
                return Err(Error::invalid(format!(
                    "an aggregation has at most {most} {what}, this one has {count}"
                )));
            }
        }
        if group_by.is_empty() && measures.is_empty() {
            return Err(Error::invalid(
                "an aggregation needs a column in group_by or a measure, and this one has neither",
            ));
        }
        let columns = group_by.iter().map(|&column| Ok(resource.schema.columns[column].clone()));
        let columns = columns.chain(measures.iter().map(|measure| field(resource, measure)));
        let schema = Schema { columns: columns.collect::<Result<_>>()? };
        for (place, column) in schema.columns.iter().enumerate() {
            if schema.position(&column.name) != Some(place) {
                return Err(Error::invalid(format!(
                    "two fields of the result would be called '{}': give the measure another name \
                     with 'as', and each column to group by once",
                    plimsoll::error::excerpt(&column.name)
                )));
            }
        }
        Ok(Self { resource: Arc::clone(resource), group_by, measures, order: Vec::new(), schema })
    }

    /// The same in an order.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a field named twice or too many of them.
    ///
    /// # Panics
    /// When a term's field is not one of [`Aggregation::schema`].
    pub fn ordered(mut self, order: Vec<AggregateTerm>) -> Result<Self> {
        if order.len() > plimsoll::limits::SORT_TERMS_MAX {
            return Err(Error::invalid(format!(
                "an order has at most {} fields, this one has {}",
                plimsoll::limits::SORT_TERMS_MAX,
                order.len()
            )));
        }
        for (place, term) in order.iter().enumerate() {
            let name = &self.schema.columns[term.field].name;
            if order[..place].iter().any(|earlier| earlier.field == term.field) {
                return Err(Error::invalid(format!("the order names '{name}' twice")));
            }
        }
        self.order = order;
        Ok(self)
    }

    /// Names and types of the result's fields: the group's columns, then the measures.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The order in full: what was asked for, then the group's columns that are left.
    pub(crate) fn terms(&self) -> impl Iterator<Item = AggregateTerm> + '_ {
        let left = (0..self.group_by.len())
            .filter(|field| self.order.iter().all(|term| term.field != *field))
            .map(|field| AggregateTerm { field, descending: false });
        self.order.iter().copied().chain(left)
    }
}

/// The field a measure makes.
fn field(resource: &Resource, measure: &Measure) -> Result<Column> {
    let Measure { function, argument, name } = measure;
    let kind = match argument {
        None => ColumnType::Int,
        Some(argument) => {
            let kind = argument.kind(&resource.schema);
            function.result(kind).ok_or_else(|| {
                Error::invalid(format!(
                    "the measure '{}' is the {} of {kind}; {} takes int, float and money",
                    plimsoll::error::excerpt(name),
                    function.name(),
                    function.name()
                ))
            })?
        }
    };
    let nullable = !matches!(kind, ColumnType::Int) || argument.is_some();
    Ok(Column { name: name.clone(), kind, nullable })
}

/// An aggregation to be made.
pub struct AggregateRequest {
    /// What.
    pub aggregation: Aggregation,
    /// Only rows for which this is true.
    pub filter: Option<Arc<Expr>>,
    /// Stop after this many groups.
    pub rows_max: Option<u64>,
    /// Writes each row; begun by the caller, and ended by it.
    pub encoder: Box<dyn RowEncoder>,
    /// Where the rows go; what is in it already comes first. It goes to disk whenever it holds
    /// [`plimsoll::limits::FRAME_BYTES`], so its capacity stands for the whole answer.
    pub out: Vec<u8>,
    /// Grown before `out` is, for a row that does not fit its capacity.
    pub extra: Option<Reservation>,
    /// Make a digest of the bytes on the way.
    pub digest: bool,
    /// Give up after this long.
    pub timeout_ms: u64,
    /// What has to be seen.
    pub horizon: Option<Horizon>,
}

/// A finished aggregation.
pub struct Aggregated {
    /// What did not fit one frame; it comes before `out`.
    pub spool: Option<Spool>,
    /// The end of the rows, or all of them.
    pub out: Vec<u8>,
    /// The request's, with what `out` has grown by.
    pub extra: Option<Reservation>,
    /// The encoder, to be ended.
    pub encoder: Box<dyn RowEncoder>,
    /// Rows written.
    pub rows: u64,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// Of the spool's bytes, where one was asked for.
    pub digest: Option<blake3::Hasher>,
}

/// Bytes in a temporary file without a name, which the kernel frees with the last handle.
#[derive(Debug)]
pub struct Spool {
    /// Read it with positions; where its own stands is not said.
    pub file: Arc<File>,
    /// Its length.
    pub bytes: u64,
}

impl fmt::Debug for Aggregated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aggregated({} rows, spool {:?})", self.rows, self.spool)
    }
}
