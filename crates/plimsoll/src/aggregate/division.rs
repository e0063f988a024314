//! Measures that keep states, and measures that need every value, told apart.
//!
//! ```text
//!   count(*), median(x), sum(y), count(distinct x)
//!      │         └─────────────────────┴──> value column x, with its rank 0.5
//!      └──────────────────────┴───────────> Layout: count(*), sum(y), and count(x) for the median
//!
//!   a group:   states ──────────────────────> begin       count(x) = n: the place is 0.5 (n - 1)
//!              values of x, sorted, each once ─> add       different ones; those at the place
//!                                              finish     one value per measure
//! ```
//!
//! Promises: a group takes the same few bytes whatever the number of its values; measures of the
//! same argument share its values.
//! Never: a sort; values come in order.

use super::partial::Partial;
use super::rank::{Place, Rank};
use super::values::ValueColumn;
use super::wire::{Shape, Source};
use super::{Aggregate, Input, Keeps, Layout, Measure};
use crate::error::{Error, Result};
use crate::record::{ColumnType, Value};

/// How the measures of a grouping are computed.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    layout: Layout,
    columns: Vec<ValueColumn>,
    answers: Vec<Answer>,
}

/// From where a measure's result comes.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// The position among the states.
    State(usize),
    /// How many different values a column has.
    Distinct(usize),
    Quantile {
        column: usize,
        rank: usize,
    },
}

impl Division {
    /// Of `measures`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the first measure that a grouping does not compute.
    pub(crate) fn new(measures: &[Measure]) -> Result<Self> {
        let (mut columns, mut answers) = (Vec::<ValueColumn>::new(), Vec::new());
        let mut states = Vec::new();
        for measure in measures {
            if measure.aggregate.keeps() != Keeps::Values {
                answers.push(Answer::State(states.len()));
                states.push(measure.clone());
                continue;
            }
            let column = column_of(measure, &mut columns)?;
            answers.push(match measure.aggregate {
                Aggregate::Quantile(q) => {
                    columns[column].ranks.push(Rank::new(q)?);
                    Answer::Quantile { column, rank: columns[column].ranks.len() - 1 }
                }
                _ => Answer::Distinct(column),
            });
        }
        for column in columns.iter_mut().filter(|column| !column.ranks.is_empty()) {
            column.count = Some(states.len());
            states.push(Measure::count_of(&column.input, column.kind, &column.measure));
        }
        let layout = Layout::new(&states)?;
        Ok(Self { layout, columns, answers })
    }

    /// Of the measures that keep states, and of the counts that quantiles need.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Arguments whose values are needed.
    pub(crate) fn columns(&self) -> &[ValueColumn] {
        &self.columns
    }

    /// What is kept of equal values of a group: how many, where a quantile has to know it.
    pub(crate) fn multiplicity(&self) -> Result<Layout> {
        let counted = self.columns.iter().any(|column| !column.ranks.is_empty());
        let rows = Measure::count_of(&Input::new(None), ColumnType::Int, "rows");
        Layout::new(if counted { std::slice::from_ref(&rows) } else { &[] })
    }

    /// How many values a state of [`Division::multiplicity`] stands for.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] where it is none.
    #[inline]
    pub(crate) fn multiplicity_of(&self, state: &[u8]) -> Result<u64> {
        if state.is_empty() {
            return Ok(1);
        }
        match Source(state).read(Shape::Count) {
            Some(Partial::Count(count)) => Ok(count),
            _ => Err(torn()),
        }
    }
}

/// The column of a measure's argument, a new one if there is none.
fn column_of(measure: &Measure, columns: &mut Vec<ValueColumn>) -> Result<usize> {
    if measure.input_kind == ColumnType::Any {
        return Err(Error::invalid(format!(
            "measure '{}': its column has no type, and values of several do not sort; give it one",
            measure.name
        )));
    }
    if let Some(position) = columns.iter().position(|column| column.input == measure.input) {
        return Ok(position);
    }
    columns.push(ValueColumn {
        input: measure.input.clone(),
        kind: measure.input_kind,
        measure: measure.name.clone(),
        ranks: Vec::new(),
        count: None,
    });
    Ok(columns.len() - 1)
}

/// The results of one group after another.
pub(crate) struct GroupValues<'d> {
    division: &'d Division,
    states: Vec<Value>,
    passed: Vec<Passed>,
}

/// What has been seen of one column of the group.
#[derive(Clone, Debug, Default)]
struct Passed {
    /// Values in all, where that is known.
    count: u64,
    passed: u64,
    distinct: u64,
    places: Vec<Place>,
    /// Keys on both sides of each place.
    around: Vec<(u64, u64)>,
}

impl<'d> GroupValues<'d> {
    pub(crate) fn new(division: &'d Division) -> Self {
        let passed = division.columns.iter().map(|column| {
            let (places, around) = (Vec::new(), vec![(0, 0); column.ranks.len()]);
            Passed { places, around, ..Passed::default() }
        });
        Self { division, states: Vec::new(), passed: passed.collect() }
    }

    /// Begins with a group by its finished states; `fill` appends them.
    pub(crate) fn begin(&mut self, fill: impl FnOnce(&mut Vec<Value>) -> Result<()>) -> Result<()> {
        self.states.clear();
        fill(&mut self.states)?;
        for (passed, column) in self.passed.iter_mut().zip(&self.division.columns) {
            let count = match column.count.map(|position| &self.states[position]) {
                Some(Value::Int(count)) => u64::try_from(*count).map_err(|_| torn())?,
                _ => 0,
            };
            (passed.count, passed.passed, passed.distinct) = (count, 0, 0);
            passed.places.clear();
            if count > 0 {
                passed.places.extend(column.ranks.iter().map(|rank| rank.place(count)));
            }
        }
        Ok(())
    }

    /// Adds `count` equal values of a column, whose bytes `value` begins with; `fresh` unless they
    /// equal those before. Values come in order.
    #[inline]
    pub(crate) fn add(
        &mut self,
        column: usize,
        value: &[u8],
        count: u64,
        fresh: bool,
    ) -> Result<()> {
        let passed = self.passed.get_mut(column).ok_or_else(torn)?;
        passed.distinct += u64::from(fresh);
        if self.division.columns[column].ranks.is_empty() {
            return Ok(());
        }
        let end = passed.passed.checked_add(count).ok_or_else(torn)?;
        let key = u64::from_be_bytes(*value.first_chunk().ok_or_else(torn)?);
        for (place, around) in passed.places.iter().zip(&mut passed.around) {
            let here = passed.passed..end;
            if here.contains(&place.lower()) {
                *around = (key, key);
            } else if here.contains(&(place.lower() + 1)) {
                around.1 = key;
            }
        }
        passed.passed = end;
        Ok(())
    }

    /// Appends one value per measure.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Corrupt`] where values are missing.
    pub(crate) fn finish(&mut self, out: &mut Vec<Value>) -> Result<()> {
        if self.passed.iter().any(|passed| passed.passed != passed.count) {
            return Err(torn());
        }
        for answer in &self.division.answers {
            out.push(match *answer {
                Answer::State(position) => {
                    std::mem::replace(&mut self.states[position], Value::Null)
                }
                Answer::Distinct(column) => {
                    Value::Int(i64::try_from(self.passed[column].distinct).map_err(|_| torn())?)
                }
                Answer::Quantile { column, rank } => {
                    let passed = &self.passed[column];
                    let (lower, upper) = passed.around[rank];
                    let kind = self.division.columns[column].kind;
                    let place = passed.places.get(rank);
                    place.map_or(Value::Null, |place| place.value(kind, lower, upper))
                }
            });
        }
        Ok(())
    }
}

#[cold]
fn torn() -> Error {
    Error::corrupt(
        "the values of a group are not as many as its rows: spilled bytes were lost; group the \
         input again",
    )
}
