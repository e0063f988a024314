//! What `group` and `distinct` share: rows to groups, by several threads, in bounded memory.
//!
//! ```text
//!   Segments ─┬─> worker 0: batch ─> Grouper: table ─ full ─> partitions ─┐
//!             └─> worker 1: batch ─> Grouper: table ─ full ─> partitions ─┴─> runs by hash
//!
//!   nothing was spilled:  one table takes the others in ─> rows ─> Sink
//!   else, by partition:   runs of all workers ─> Grouper ─┬─ fits ─> rows ─> Sink
//!                                                         └─ does not ─> partitions of its own
//! ```
//!
//! Promises: exact for any input; more memory than the workspace is never held.
//! Never: an order of the rows that anybody may count on.

mod batch;
mod columns;
mod emit;
mod grouper;
mod partitions;
mod plan;
mod reading;
mod run;
mod spilling;
mod values;
mod writing;

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use crate::aggregate::{self, Division, Measure};
use crate::error::{Error, Result, excerpt};
use crate::expr::{self, Expr};
use crate::record::{Column, Schema};
use crate::scan::Segments;
use columns::Source;
pub use plan::GroupPlan;
pub(super) use run::Job;
pub use run::PlannedGrouping;

/// All tables and partitions of a grouping hash alike.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is done with each row.
pub(super) struct Work {
    keys: Vec<Source>,
    /// Columns of filter and measures; those of the filter first.
    reads: Vec<Source>,
    filter_reads: usize,
    filter: Option<Expr>,
    division: Division,
    measures: Vec<Measure>,
    names_bytes: usize,
    /// Rows without a key are passed over.
    skip_null: bool,
    hasher: FixedState,
}

impl Work {
    /// Over the columns of `segments`; no key names all of them.
    pub(super) fn new(
        segments: &Segments,
        keys: &[Box<str>],
        measures: Option<&str>,
        filter: Option<&str>,
    ) -> Result<Self> {
        let columns = segments.columns().iter().zip(segments.kinds());
        let schema =
            Schema { columns: columns.map(|(name, kind)| Column::nullable(name, *kind)).collect() };
        let keys = keys.iter().map(|name| source(name, &schema)).collect::<Result<Vec<_>>>()?;
        let keys = if keys.is_empty() { all(&schema) } else { keys };
        // Read over all columns for what they name, and then over those columns alone: a row of
        // a batch holds no more.
        let mut positions: Vec<usize> = Vec::new();
        let named = |expr: &Expr, positions: &mut Vec<usize>| {
            for position in expr.columns() {
                if !positions.contains(&position) {
                    positions.push(position);
                }
            }
        };
        if let Some(filter) = filter {
            named(&expr::parse(filter, &schema)?, &mut positions);
        }
        let filter_reads = positions.len();
        let measured = measures.map_or(Ok(Vec::new()), |text| aggregate::parse(text, &schema))?;
        measured.iter().filter_map(Measure::argument).for_each(|e| named(e, &mut positions));
        let reads: Vec<Source> = positions
            .into_iter()
            .map(|position| Source { position, column: schema.columns[position].clone() })
            .collect();
        let narrow = Schema { columns: reads.iter().map(|read| read.column.clone()).collect() };
        let measures = measures.map_or(Ok(Vec::new()), |text| aggregate::parse(text, &narrow))?;
        let filter = filter.map(|text| expr::parse(text, &narrow)).transpose()?;
        let division = Division::new(&measures)?;
        let mut work = Self {
            keys,
            reads,
            filter_reads,
            filter,
            division,
            measures,
            names_bytes: 0,
            skip_null: false,
            hasher: FixedState::with_seed(SEED),
        };
        work.names_bytes = work.names().map(|name| 6 * name.len() + 4).sum();
        work.check_names()?;
        Ok(work)
    }

    /// Passes over rows whose only key is NULL.
    pub(super) fn skipping_null(mut self) -> Self {
        self.skip_null = self.keys.len() == 1;
        self
    }

    fn check_names(&self) -> Result<()> {
        let names: Vec<&str> = self.names().collect();
        let twice = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name));
        match twice {
            None => Ok(()),
            Some((_, name)) => Err(Error::invalid(format!(
                "two columns of the output would be called '{}': name each key once, and put \
                 another name after the measure's as",
                excerpt(name)
            ))),
        }
    }

    /// Names of the output's columns.
    fn names(&self) -> impl Iterator<Item = &str> {
        let keys = self.keys.iter().map(|key| &*key.column.name);
        keys.chain(self.measures.iter().map(Measure::name))
    }

    fn has_states(&self) -> bool {
        !self.measures.is_empty()
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

fn all(schema: &Schema) -> Vec<Source> {
    let columns = schema.columns.iter().enumerate();
    columns.map(|(position, column)| Source { position, column: column.clone() }).collect()
}

fn source(name: &str, schema: &Schema) -> Result<Source> {
    let Some(position) = schema.position(name) else {
        let known: Vec<_> = schema.columns.iter().map(|column| &*column.name).collect();
        return Err(Error::invalid(format!(
            "there is no column '{}'; the columns are {}",
            excerpt(name),
            known.join(", ")
        )));
    };
    Ok(Source { position, column: schema.columns[position].clone() })
}
