//! What `group` and `distinct` both read from their arguments, and how they show their plan.
//!
//! Promises: a wrong name or type is a usage error that lists what is allowed.
//! Never: a look at the input.

use std::io::Write as _;

use anyhow::anyhow;
use plimsoll::files::{GroupPlan, Output, parse_columns};
use plimsoll::format::Format;
use plimsoll::record::ColumnType;
use plimsoll::units::ByteSize;

use super::tool::Ready;
use crate::exit::Usage;

/// The format that the output's name tells, else the input's.
pub(super) fn output_format(output: &Output, input: Format) -> Format {
    let Output::File { path, .. } = output else { return input };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    match name.and_then(|name| Format::from_file_name(&name)) {
        Some(format @ (Format::Csv | Format::Ndjson)) => format,
        _ => input,
    }
}

/// Names of columns, separated by commas.
pub(super) fn columns(text: &str) -> plimsoll::Result<Vec<Box<str>>> {
    parse_columns(text)
}

/// Types by column, as `name:kind,name:kind`.
pub(super) fn kinds(text: Option<&str>) -> anyhow::Result<Vec<(Box<str>, ColumnType)>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let pairs = parse_columns(text).map_err(|e| anyhow!(Usage(e.to_string())))?;
    let pair = |pair: &str| {
        let (name, kind) = pair.rsplit_once(':')?;
        let kind = ColumnType::from_name(kind)?;
        let read = !matches!(kind, ColumnType::Bytes | ColumnType::Any);
        read.then(|| (Box::from(name), kind))
    };
    pairs
        .iter()
        .map(|text| {
            pair(text).ok_or_else(|| {
                anyhow!(Usage(format!(
                    "--types {text}: write COLUMN:KIND; the kinds are bool, int, float, money, \
                     time, text"
                )))
            })
        })
        .collect()
}

/// Prints the plan.
pub(super) fn explain<'a>(
    plan: &GroupPlan,
    keys: impl Iterator<Item = (&'a str, ColumnType)>,
    ready: &Ready,
) -> anyhow::Result<()> {
    let size = |bytes: u64| ByteSize::new(bytes).to_string();
    let known = |number: Option<String>| number.unwrap_or_else(|| "unknown before".to_owned());
    let keys: Vec<String> = keys.map(|(name, kind)| format!("{name}:{kind}")).collect();
    let spills = match &plan.sort {
        None => ("partitions", format!("{} when a table is full", plan.partitions)),
        Some(sort) => (
            "values",
            format!(
                "sorted with the states, {} x {}, merged {} runs at a time",
                plan.threads,
                size(sort.arena_bytes as u64),
                sort.fan_in
            ),
        ),
    };
    let lines = [
        ("memory limit", ready.limit()),
        ("keys", keys.join(",")),
        ("workspace", size(plan.workspace_bytes)),
        ("tables", format!("{} x {}", plan.threads, size(plan.table_bytes as u64))),
        ("segment", size(plan.segment_bytes as u64)),
        spills,
        ("block", size(plan.block_bytes as u64)),
        ("passes over disk", known(plan.levels.map(|n| format!("{n} at most")))),
        ("temporary bytes", known(plan.temp_bytes.map(|n| format!("{} at most", size(n))))),
        ("spill codec", ready.codec()),
    ];
    let sketches = (plan.sketch_bytes > 0).then(|| {
        let bytes = size(plan.sketch_bytes as u64);
        let error = "counts 1.63 % off (one sigma), ranks 1.33 % (99 of 100)";
        ("sketches", format!("{bytes} a group: {error}"))
    });
    let mut out = crate::exit::stdout();
    for (name, value) in lines.into_iter().chain(sketches) {
        writeln!(out, "{name:<18}{value}")?;
    }
    Ok(())
}
