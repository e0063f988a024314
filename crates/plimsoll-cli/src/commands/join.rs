//! `plimsoll join`: two files by columns of equal value.
//!
//! Promises: as [`plimsoll::files::JoinFile`]; a closed pipe ends it quietly.
//! Never: a join begun before its plan was made.

use std::path::Path;

use anyhow::anyhow;
use plimsoll::files::{JoinFile, JoinKind, JoinMode, JoinSide, PlannedJoin, Reading, parse_on};
use plimsoll::format::Format;
use plimsoll::record::key::KeyKind;
use plimsoll::units::ByteSize;

use super::grouping;
use super::tool::{self, Ready};
use crate::args::{Global, JoinArgs, ToolArgs};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &JoinArgs) -> anyhow::Result<Outcome> {
    let kind = match args.kind.as_str() {
        "inner" => JoinKind::Inner,
        "left" => JoinKind::Left,
        kind => return Err(Usage(format!("--kind {kind}: allowed are inner, left")).into()),
    };
    let build = match args.build.as_deref() {
        None => None,
        Some("left") => Some(JoinSide::Left),
        Some("right") => Some(JoinSide::Right),
        Some(side) => return Err(Usage(format!("--build {side}: allowed are left, right")).into()),
    };
    let on = parse_on(&args.on).map_err(|e| anyhow!(Usage(e.to_string())))?;
    let mut ready = Ready::new(global, &args.tool, "join")?;
    let left = reading(&ready, &args.tool, &args.left)?;
    let mut right = reading(&ready, &args.tool, &args.right)?;
    right.format = right_format(args, left.format)?;
    let output = tool::output(&args.tool);
    let job = JoinFile {
        output_format: grouping::output_format(&output, left.format),
        left,
        right,
        output,
        on,
        kind,
        build,
        sorted: args.sorted,
    };
    ready.adapt(&[&job.left.input, &job.right.input]);
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        explain(&planned, &ready)?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}

/// As other tools read, but with a quarter of their longest record where nobody says: two inputs
/// and their partitions share the memory.
fn reading(ready: &Ready, args: &ToolArgs, path: &Path) -> anyhow::Result<Reading> {
    let mut reading = ready.reading(args, path)?;
    if args.record_max.is_none() {
        reading.record_bytes_max /= 4;
    }
    Ok(reading)
}

/// The flag, else what the name tells, else the left side's.
fn right_format(args: &JoinArgs, left: Format) -> anyhow::Result<Format> {
    if let Some(name) = &args.right_format {
        let format = Format::from_name(name).filter(|f| *f != Format::Json);
        return Ok(format
            .ok_or_else(|| Usage(format!("--right-format {name}: allowed are csv, ndjson")))?);
    }
    let name = args.right.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(name.and_then(|name| Format::from_file_name(&name)).unwrap_or(left))
}

fn explain(planned: &PlannedJoin<'_>, ready: &Ready) -> anyhow::Result<()> {
    let plan = planned.plan();
    let size = |bytes: usize| ByteSize::new(bytes as u64).to_string();
    let kinds: Vec<&str> = planned
        .key_kinds()
        .map(|kind| if kind == KeyKind::Number { "num" } else { "text" })
        .collect();
    let rows = match plan.mode {
        JoinMode::Memory => "in memory",
        JoinMode::Partitions => "in partitions on disk",
        JoinMode::Merge => "those of one key, in memory or on disk",
    };
    let merged = plan.mode == JoinMode::Merge;
    let looked_up = if merged { "right, by merging sorted files" } else { plan.build.name() };
    let mut lines = vec![
        ("memory limit", ready.limit()),
        ("keys", kinds.join(",")),
        ("looked up", looked_up.to_owned()),
        ("its rows", rows.to_owned()),
        ("workspace", ByteSize::new(plan.workspace_bytes).to_string()),
        ("threads", plan.workers.to_string()),
        ("segment", size(plan.segment_bytes)),
        ("frame", size(plan.frame_bytes)),
        (if merged { "rows of a key" } else { "table" }, size(plan.table_bytes)),
    ];
    if plan.mode == JoinMode::Partitions {
        lines.extend([
            ("partitions", plan.partitions.to_string()),
            ("block", size(plan.block_bytes)),
            ("filter", size(plan.filter_bytes)),
            ("spill codec", ready.codec()),
        ]);
    }
    tool::explain(&lines)
}
