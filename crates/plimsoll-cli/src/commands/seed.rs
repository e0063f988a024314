//! `plimsoll seed`: the pack's deterministic demo data.
//!
//! Promises: the same counts and seed give the same rows; an interrupted run goes on where it was.
//! Never: adds to a database that was filled with other counts.

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;

use anyhow::bail;
use plimsoll::budget::Budget;
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use plimsoll::record::Value;
use plimsoll_store::catalogue::{Pack, Seed};
use plimsoll_store::steps::{self, StepRun};
use plimsoll_store::{Priority, Store, Write, WriteUnit, recipe};

use crate::args::{Counts, Global, SeedArgs};
use crate::database::Use;
use crate::exit::Outcome;
use crate::progress::Bar;
use crate::{database, setup};

/// The kind of state that says which demo data is there.
const KIND: &str = "seed";

pub(crate) fn run(
    global: &Global,
    args: &SeedArgs,
    packs: &[Pack],
    counts: &Counts,
) -> anyhow::Result<Outcome> {
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    setup.spill()?;
    let packs = &*setup.packs(packs)?;
    let opened = setup.open_own(packs, Use::Tool)?;
    let figures = fill(&opened.store, packs, counts, args.seed, &setup.memory.budget)?;
    let mut out = crate::exit::stdout();
    if args.json {
        let text = crate::commands::import::text;
        let figures = figures.iter().map(|(title, value)| (title.clone(), text(value).into()));
        writeln!(out, "{}", serde_json::Value::Object(figures.collect()))?;
        return Ok(Outcome::Done);
    }
    for (title, value) in figures {
        writeln!(out, "{title:<32} {}", crate::commands::import::text(&value))?;
    }
    Ok(Outcome::Done)
}

/// Fills an empty database; does nothing where the same data is there already.
pub(crate) fn fill(
    store: &Store,
    packs: &[Pack],
    counts: &Counts,
    number: Option<i64>,
    budget: &Budget,
) -> anyhow::Result<Vec<(String, Value)>> {
    let _sorting = budget.consumer("seed")?.try_reserve(database::sorting_bytes(budget))?;
    let Some((pack, seed)) = packs.iter().find_map(|p| Some((p, p.seed.as_ref()?))) else {
        bail!(
            "no pack has demo data in the words of this database: make it in the embedded one, \
             without --database"
        );
    };
    let identity = identity(seed, counts, number);
    match store.state(KIND, &pack.name).wait()? {
        None => {
            let begin = Write::Put { kind: KIND, key: pack.name.clone(), state: identity.clone() };
            store.write(WriteUnit::of(begin, database::now_micros()), Priority::Bulk).wait()?;
        }
        Some(there) if *there == *identity => {}
        Some(there) => bail!(
            "the database already holds demo data of {there}, not {identity}: take the same \
             numbers, or another data directory with --data"
        ),
    }
    let mut params: Vec<(Box<str>, Value)> =
        vec![("seed".into(), Value::Int(number.unwrap_or(seed.default)))];
    for (name, count) in counts {
        params.push((name.clone(), Value::Int(i64::try_from(*count)?)));
    }
    let bar = Bar::count("demo data", 0);
    let run = StepRun {
        steps: &seed.steps,
        params: &params,
        identity: format!("{}:{identity}", pack.name).into(),
        now_micros: database::now_micros(),
    };
    let mut said = "";
    steps::run(store, &run, &mut |p| {
        bar.restart(&format!("{}/{} {}", p.step, p.steps, p.title), p.total);
        bar.at(p.done);
        if !std::io::stderr().is_terminal() && said != p.title {
            said = titles(seed, p.title);
            tracing::info!("demo data: {} ({} of {})", p.title, p.step, p.steps);
        }
        ControlFlow::Continue(())
    })?;
    bar.finish();
    Ok(recipe::figures(store, &seed.figures)?)
}

/// The seed's own copy of a title, which outlives the callback.
fn titles<'a>(seed: &'a Seed, title: &str) -> &'a str {
    seed.steps.iter().map(|s| &*s.title).find(|t| *t == title).unwrap_or_default()
}

fn identity(seed: &Seed, counts: &Counts, number: Option<i64>) -> Box<str> {
    let counts: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    format!("{}, seed {}", counts.join(", "), number.unwrap_or(seed.default)).into()
}
