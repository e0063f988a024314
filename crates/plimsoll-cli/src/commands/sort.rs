//! `plimsoll sort`: a file by some of its columns.
//!
//! Promises: as [`plimsoll::files::SortFile`]; a closed pipe ends it quietly.
//! Never: a sort begun before its plan was made.

use std::io::Write as _;

use anyhow::anyhow;
use plimsoll::files::{Input, SortFile};
use plimsoll::record::key::{KeyKind, Nulls, parse_by};
use plimsoll::units::ByteSize;

use super::tool::{self, Ready};
use crate::args::{Global, SortArgs};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &SortArgs) -> anyhow::Result<Outcome> {
    let usage = |e: plimsoll::Error| anyhow!(Usage(e.to_string()));
    let input = Input::from_argument(&args.input);
    let (format, delimiter) = tool::format(&args.tool, &input)?;
    let mut ready = Ready::new(global, &args.tool, "sort")?;
    let job = SortFile {
        output: tool::output(&args.tool),
        input,
        format,
        delimiter,
        by: parse_by(&args.by).map_err(usage)?,
        filter: args.filter.clone(),
        resume: args.resume,
        strategy: args.chunk_strategy.parse().map_err(usage)?,
        record_bytes_max: ready.record_bytes_max(&args.tool)?,
    };
    ready.adapt(&[&job.input]);
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        explain(&planned, &ready, args)?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}

fn explain(
    planned: &plimsoll::files::PlannedSort<'_>,
    ready: &Ready,
    args: &SortArgs,
) -> anyhow::Result<()> {
    let plan = planned.plan();
    let size = |bytes: u64| ByteSize::new(bytes).to_string();
    let known = |number: Option<String>| number.unwrap_or_else(|| "unknown before".to_owned());
    let keys: Vec<String> = planned
        .terms()
        .iter()
        .map(|term| {
            let kind = if term.kind == KeyKind::Number { "num" } else { "text" };
            let direction = if term.descending { "desc" } else { "asc" };
            let nulls = if term.nulls == Nulls::First { "nulls-first" } else { "nulls-last" };
            format!("{}:{kind}:{direction}:{nulls}", planned.columns()[term.column])
        })
        .collect();
    let lines = [
        ("memory limit", ready.limit()),
        ("keys", keys.join(",")),
        ("filter", tool::filter(args.filter.as_deref())),
        ("chunk strategy", plan.strategy.to_string()),
        ("workspace", size(plan.workspace_bytes)),
        (
            "run generation",
            format!("{} x {} of rows and keys", plan.generators, size(plan.arena_bytes as u64)),
        ),
        ("rows of a run", size(plan.run_bytes)),
        ("runs", known(plan.runs.map(|n| n.to_string()))),
        ("block", size(plan.block_bytes as u64)),
        ("fan-in", plan.fan_in.to_string()),
        ("passes over disk", known(plan.passes.map(|n| n.to_string()))),
        ("merging threads", plan.merge_workers.to_string()),
        ("temporary bytes", known(plan.temp_bytes.map(size))),
        ("spill codec", ready.codec()),
    ];
    let mut out = crate::exit::stdout();
    for (name, value) in lines {
        writeln!(out, "{name:<18}{value}")?;
    }
    Ok(())
}
