//! `plimsoll import`: a file into a resource, or through a pack's recipe.
//!
//! Promises: resumes a killed import of the same file; prints what was done, and the process's
//! memory peak, in the end.
//! Never: a file taken in twice without being asked to.

use std::fs::File;
use std::io::{Read, Seek as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail};
use plimsoll::budget::Budget;
use plimsoll::format::{Format, MappingOptions, ReaderOptions};
use plimsoll::limits::{IMPORT_BATCH_BYTES, LINE_BYTES_MAX, TOOL_LIMIT_BYTES_MIN};
use plimsoll::record::Value;
use plimsoll::units::ByteSize;
use plimsoll_store::catalogue::{Pack, Recipe};
use plimsoll_store::import::{self, Import, ImportOptions, ImportSummary, OnError};
use plimsoll_store::recipe::{self, RecipeProgress, RecipeRun};
use plimsoll_store::{OnConflict, Store};

use crate::args::{Global, ImportArgs};
use crate::database::Use;
use crate::exit::{Outcome, Usage};
use crate::progress::Bar;
use crate::{database, named, process, setup};

/// Batches in memory at once: one read, one written, one between.
const BATCHES: u64 = 3;

/// What an import may hold under a limit.
#[derive(Clone, Copy)]
struct Bounds {
    line_bytes_max: usize,
    batch_bytes_max: usize,
    /// For sorting: indexes that are built in the end, and a recipe's steps.
    sorting_bytes: u64,
}

impl Bounds {
    fn under(budget: &Budget) -> Self {
        let value_bytes = usize::try_from(database::value_bytes_max(budget)).unwrap_or(usize::MAX);
        Self {
            line_bytes_max: value_bytes.min(LINE_BYTES_MAX),
            batch_bytes_max: value_bytes.min(IMPORT_BATCH_BYTES),
            sorting_bytes: database::sorting_bytes(budget),
        }
    }

    fn reader(self) -> ReaderOptions {
        ReaderOptions { line_bytes_max: self.line_bytes_max, ..ReaderOptions::default() }
    }

    fn reading_bytes(self) -> u64 {
        self.reader().workspace_bytes(Format::Json) as u64 + BATCHES * self.batch_bytes_max as u64
    }
}

pub(crate) fn run(global: &Global, args: &ImportArgs, packs: &[Pack]) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    setup.spill()?;
    let packs = &*setup.packs(packs)?;
    let opened = setup.open_own(packs, Use::Import)?;
    let bounds = Bounds::under(&setup.memory.budget);
    let consumer = setup.memory.budget.consumer("import")?;
    let mut held = consumer.try_reserve(bounds.reading_bytes())?;
    let sorting = held.try_grow(bounds.sorting_bytes);
    // Where the limit has no room for sorting whole indexes, they are kept up row by row.
    let aside = opened.presence.is_alone() && sorting.is_ok();
    let recipe = packs.iter().find_map(|p| p.recipe(&args.target));
    if let Some(recipe) = recipe {
        sorting?;
        refuse_flags(args, &recipe.name)?;
    }
    let (summary, figures) = match recipe {
        Some(recipe) => with_recipe(&opened.store, args, recipe, bounds)?,
        None => (Some(into_resource(&opened.store, args, packs, aside, bounds)?), Vec::new()),
    };
    report(args, summary.as_ref(), &figures, began)?;
    let rejected = summary.as_ref().map_or(0, |s| s.total.rejected);
    Ok(if rejected > 0 { Outcome::Partly } else { Outcome::Done })
}

fn into_resource(
    store: &Store,
    args: &ImportArgs,
    packs: &[Pack],
    aside: bool,
    bounds: Bounds,
) -> anyhow::Result<ImportSummary> {
    let resource = named::resource_or_recipe(store, &args.target, packs)?;
    let options = options(args, aside, bounds)?;
    let (input, size, identity) = open(args, &options)?;
    let import = Import { resource, input, options, identity, now_micros: database::now_micros() };
    let bar = Bar::bytes(&format!("importing {}", args.target), size);
    let summary = import::run(store, import, &mut |p| {
        bar.at(p.bytes);
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok(summary)
}

/// A recipe says itself how its file is read; what would have no effect is refused.
fn refuse_flags(args: &ImportArgs, recipe: &str) -> Result<(), Usage> {
    let given = [
        ("--format", args.format.is_some()),
        ("--map", !args.renames.is_empty()),
        ("--ignore-unknown", args.ignore_unknown),
        ("--strip-guard", args.strip_guard),
        ("--dry-run", args.dry_run),
        ("--on-error", args.on_error != "stop"),
        ("--on-conflict", args.on_conflict != "error"),
        ("--rejects", args.rejects.is_some()),
        ("--unpacked-max", args.unpacked_max.is_some()),
        ("--again", args.again),
    ];
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Usage(format!(
            "{flag} is for imports into a resource; the recipe {recipe} says itself how its file \
             is read"
        ))),
        None => Ok(()),
    }
}

type Recipes = (Option<ImportSummary>, Vec<(String, Value)>);

fn with_recipe(
    store: &Store,
    args: &ImportArgs,
    recipe: &Recipe,
    bounds: Bounds,
) -> anyhow::Result<Recipes> {
    let (mut file, size) = open_file(&args.file)?;
    let digest = digest(&mut file)?;
    let run = RecipeRun {
        recipe,
        input: Box::new(file),
        identity: digest.into(),
        reader: bounds.reader(),
        batch_bytes_max: bounds.batch_bytes_max,
        now_micros: database::now_micros(),
    };
    let bar = Bar::bytes("loading", size);
    let summary = recipe::run(store, run, &mut |p| {
        match p {
            RecipeProgress::Load(p) => bar.at(p.bytes),
            RecipeProgress::Step(p) => {
                bar.restart(&format!("{}/{} {}", p.step, p.steps, p.title), p.total);
                bar.at(p.done);
            }
        }
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok((summary.import, summary.figures))
}

type Opened = (Box<dyn Read + Send>, u64, Option<Box<str>>);

/// The input, its size on disk, and its identity for resuming: of standard input there is none.
fn open(args: &ImportArgs, options: &ImportOptions) -> anyhow::Result<Opened> {
    if args.file == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), 0, None));
    }
    let (mut file, size) = open_file(&args.file)?;
    // A pipe can be read only once, so it has no digest to resume by.
    let is_regular = file.metadata().is_ok_and(|m| m.is_file());
    if args.dry_run || args.again || !is_regular {
        return Ok((Box::new(file), size, None));
    }
    let identity = format!(
        "{}:{}:{}:{:?}:{:?}",
        args.target,
        digest(&mut file)?,
        options.format.name(),
        options.on_conflict,
        options.mapping.renames,
    );
    Ok((Box::new(file), size, Some(identity.into())))
}

fn open_file(path: &Path) -> anyhow::Result<(File, u64)> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let metadata = file.metadata().with_context(|| format!("opening {}", path.display()))?;
    if metadata.is_dir() {
        bail!(Usage(format!("{} is a directory", path.display())));
    }
    Ok((file, metadata.len()))
}

fn digest(file: &mut File) -> anyhow::Result<String> {
    let digest = plimsoll_store::import::digest(file).context("reading the file for its digest")?;
    file.rewind().context("going back to the file's beginning")?;
    Ok(digest)
}

fn options(args: &ImportArgs, aside: bool, bounds: Bounds) -> anyhow::Result<ImportOptions> {
    let named = args.format.as_deref().map(|name| {
        Format::from_name(name)
            .ok_or_else(|| Usage(format!("--format {name}: allowed are csv, ndjson, json")))
    });
    let by_name = || args.file.to_str().and_then(Format::from_file_name).unwrap_or(Format::Csv);
    let format = named.transpose()?.unwrap_or_else(by_name);
    let renames = args.renames.iter().map(|rename| match rename.split_once('=') {
        Some((from, to)) => Ok((from.into(), to.into())),
        None => Err(Usage(format!("--map {rename}: write FROM=TO"))),
    });
    let output_bytes_max = match &args.unpacked_max {
        Some(text) => {
            let size = text.parse::<ByteSize>();
            Some(size.map_err(|e| Usage(format!("--unpacked-max: {e}")))?.bytes())
        }
        None => None,
    };
    let on_error = if args.on_error == "continue" { OnError::Continue } else { OnError::Stop };
    Ok(ImportOptions {
        format,
        mapping: MappingOptions {
            renames: renames.collect::<Result<_, _>>()?,
            ignore_unknown: args.ignore_unknown,
            strip_guard: args.strip_guard,
        },
        on_error,
        on_conflict: match args.on_conflict.as_str() {
            "skip" => OnConflict::Skip,
            "update" => OnConflict::Update,
            _ => OnConflict::Error,
        },
        dry_run: args.dry_run,
        rejects: (on_error == OnError::Continue).then(|| rejects(args)),
        rejects_max: None,
        number_column: None,
        set_indexes_aside: aside,
        reader: bounds.reader(),
        batch_bytes_max: bounds.batch_bytes_max,
        output_bytes_max,
    })
}

fn rejects(args: &ImportArgs) -> PathBuf {
    args.rejects.clone().unwrap_or_else(|| {
        let is_input = args.file == Path::new("-");
        let name = if is_input { None } else { args.file.file_name() };
        let mut name = name.unwrap_or("stdin".as_ref()).to_owned();
        // A trial must not touch what a real import keeps.
        name.push(if args.dry_run { ".rejected.dry-run.csv" } else { ".rejected.csv" });
        args.file.with_file_name(name)
    })
}

fn report(
    args: &ImportArgs,
    summary: Option<&ImportSummary>,
    figures: &[(String, Value)],
    began: Instant,
) -> anyhow::Result<()> {
    let seconds = began.elapsed().as_secs_f64();
    let peak = process::resident_peak_bytes();
    let mut out = crate::exit::stdout();
    let done_before = summary.is_none_or(|s| s.was_done);
    let total = summary.map(|s| s.total).unwrap_or_default();
    if args.json {
        let figures: serde_json::Map<_, _> =
            figures.iter().map(|(title, value)| (title.clone(), text(value).into())).collect();
        let resumed = summary.map_or(0, |s| s.resumed_rows);
        let line = serde_json::json!({
            "rows": total.rows, "skipped": total.skipped, "rejected": total.rejected,
            "resumed_rows": resumed, "bytes": total.byte_offset, "done_before": done_before,
            "dry_run": args.dry_run, "seconds": seconds, "rss_peak_bytes": peak,
            "figures": figures,
        });
        writeln!(out, "{line}")?;
        return Ok(());
    }
    for (title, value) in figures {
        writeln!(out, "{title:<32} {}", text(value))?;
    }
    if done_before {
        writeln!(out, "this file was imported before; nothing was done")?;
    } else {
        let what = if args.dry_run { "would be imported" } else { "imported" };
        writeln!(
            out,
            "{} rows {what}, {} skipped, {} rejected in {seconds:.1} s",
            total.rows, total.skipped, total.rejected
        )?;
    }
    writeln!(out, "VmHWM {}", ByteSize::new(peak))?;
    Ok(())
}

/// A value for people.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Money(v) => v.to_string(),
        Value::Time(v) => v.to_string(),
        Value::Text(v) => v.to_string(),
        Value::Bytes(v) => format!("{} bytes", v.len()),
    }
}
