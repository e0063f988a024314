//! A pack's recipe: a foreign file through a staging table into the pack's own tables.
//!
//! ```text
//!   make staging ─> import file ─> step 1 ─ … ─ step n ─> figures ─> drop staging, mark as done
//!        every arrow is a checkpoint; a kill anywhere is resumed at the last committed batch
//! ```
//!
//! Promises: resumed and uninterrupted runs give the same rows; a file that was taken in before is
//! not taken in again.
//! Never: memory beyond an import's and the database's caches; the database spills its own sorts.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::format::{Format, MappingOptions, ReaderOptions};
use plimsoll::limits::FIGURE_ROWS_MAX;
use plimsoll::record::{ColumnType, Money, Timestamp, Value};

use crate::catalogue::{Figure, Recipe};
use crate::error::Result;
use crate::import::{self, Import, ImportOptions, ImportSummary, OnError, Progress};
use crate::steps::{self, StepProgress, StepRun};
use crate::store::Store;
use crate::write::{OnConflict, Priority, Write, WriteUnit};

/// The kind of state a finished recipe keeps.
const KIND: &str = "recipe";

/// A recipe to run.
pub struct RecipeRun<'a> {
    /// Which.
    pub recipe: &'a Recipe,
    /// The file.
    pub input: Box<dyn Read + Send>,
    /// The file's digest.
    pub identity: Box<str>,
    /// How the file is read.
    pub reader: ReaderOptions,
    /// Bytes of rows in one transaction at most.
    pub batch_bytes_max: usize,
    /// What the writer takes as now, microseconds UTC.
    pub now_micros: i64,
}

/// What a recipe is doing.
#[derive(Clone, Copy, Debug)]
pub enum RecipeProgress<'a> {
    /// Loading the file.
    Load(Progress),
    /// Running a step.
    Step(StepProgress<'a>),
}

/// What a recipe did.
#[derive(Clone, Debug, PartialEq)]
pub struct RecipeSummary {
    /// Its loading; `None` when the file had been taken in before and nothing was done.
    pub import: Option<ImportSummary>,
    /// The figures: title and value.
    pub figures: Vec<(String, Value)>,
}

/// Runs the recipe, from where an earlier run stopped. When `progress` breaks, this run stops at
/// the last commit, without figures, to be resumed.
///
/// # Errors
/// What the file, a check or the store gives. What was committed is resumed.
pub fn run(
    store: &Store,
    run: RecipeRun<'_>,
    progress: &mut dyn FnMut(RecipeProgress<'_>) -> ControlFlow<()>,
) -> Result<RecipeSummary> {
    let options = load_options(&run);
    let RecipeRun { recipe, input, identity, now_micros, .. } = run;
    let identity: Box<str> = format!("{}:{identity}", recipe.name).into();
    if store.state(KIND, &identity).wait()?.is_some() {
        return Ok(RecipeSummary { import: None, figures: figures(store, &recipe.figures)? });
    }
    let staging = Arc::new(recipe.staging.clone());
    let make = WriteUnit::of(Write::CreateTable(staging.clone()), now_micros);
    store.write(make, Priority::Bulk).wait()?;
    let import = Import {
        resource: staging.clone(),
        input,
        options,
        identity: Some(identity.clone()),
        now_micros,
    };
    let mut stopped = false;
    let mut progress = |shown: RecipeProgress<'_>| {
        let flow = progress(shown);
        stopped |= flow.is_break();
        flow
    };
    let import = import::run(store, import, &mut |p| progress(RecipeProgress::Load(*p)))?;
    if !import.total.done {
        return Ok(RecipeSummary { import: Some(import), figures: Vec::new() });
    }
    let steps =
        StepRun { steps: &recipe.steps, params: &[], identity: identity.clone(), now_micros };
    steps::run(store, &steps, &mut |p| progress(RecipeProgress::Step(*p)))?;
    if stopped {
        return Ok(RecipeSummary { import: Some(import), figures: Vec::new() });
    }
    let figures = figures(store, &recipe.figures)?;
    let end = WriteUnit {
        writes: vec![
            Write::DropTable(staging),
            Write::Put { kind: KIND, key: identity, state: "{}".into() },
        ],
        now_micros,
        ..WriteUnit::default()
    };
    store.write(end, Priority::Bulk).wait()?;
    Ok(RecipeSummary { import: Some(import), figures })
}

fn load_options(run: &RecipeRun<'_>) -> ImportOptions {
    let recipe = run.recipe;
    let columns = recipe.staging.schema.columns.iter().zip(&recipe.headers);
    let renames = columns
        .filter_map(|(column, header)| Some((header.clone()?, column.name.clone())))
        .filter(|(header, column)| header != column);
    ImportOptions {
        format: Format::Csv,
        mapping: MappingOptions { renames: renames.collect(), ..MappingOptions::default() },
        on_error: OnError::Stop,
        on_conflict: OnConflict::Error,
        dry_run: false,
        rejects: None,
        rejects_max: None,
        number_column: Some(0),
        set_indexes_aside: false,
        reader: run.reader,
        batch_bytes_max: run.batch_bytes_max,
        output_bytes_max: None,
    }
}

/// Reads figures: each row is a value, or a label and a value.
///
/// # Errors
/// When a figure's SQL fails.
pub fn figures(store: &Store, figures: &[Figure]) -> Result<Vec<(String, Value)>> {
    let mut out = Vec::new();
    for figure in figures {
        for row in store.query(&figure.sql, FIGURE_ROWS_MAX).wait()? {
            match row.as_slice() {
                [value] => out.push((figure.title.to_string(), of_kind(figure.kind, value))),
                [Value::Text(label), value] => {
                    out.push((format!("{} {label}", figure.title), of_kind(figure.kind, value)));
                }
                _ => {}
            }
        }
    }
    Ok(out)
}

fn of_kind(kind: ColumnType, value: &Value) -> Value {
    match (kind, value) {
        (ColumnType::Money, Value::Int(units)) => Value::Money(Money::from_units(*units)),
        (ColumnType::Time, Value::Int(micros)) => Value::Time(Timestamp::from_micros(*micros)),
        (_, value) => value.clone(),
    }
}
