//! `plimsoll top`: the first rows by some columns.
//!
//! Promises: as [`plimsoll::files::TopFile`]; a closed pipe ends it quietly.
//! Never: a sort; where the rows do not fit into memory it says so.

use anyhow::anyhow;
use plimsoll::files::TopFile;
use plimsoll::record::key::parse_by;
use plimsoll::units::ByteSize;

use super::tool::{self, Ready};
use crate::args::{Global, TopArgs};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &TopArgs) -> anyhow::Result<Outcome> {
    let ready = Ready::new(global, &args.tool, "top")?;
    let job = TopFile {
        reading: ready.reading(&args.tool, &args.input)?,
        output: tool::output(&args.tool),
        by: parse_by(&args.by).map_err(|e| anyhow!(Usage(e.to_string())))?,
        rows: args.rows,
        filter: args.filter.clone(),
    };
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        let plan = planned.plan();
        tool::explain(&[
            ("memory limit", ready.limit()),
            ("rows", args.rows.to_string()),
            ("filter", tool::filter(args.filter.as_deref())),
            ("workspace", ByteSize::new(plan.workspace_bytes).to_string()),
            ("threads", plan.workers.to_string()),
            ("segment", ByteSize::new(plan.segment_bytes as u64).to_string()),
            ("rows of a thread", ByteSize::new(plan.rows_bytes).to_string()),
        ])?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}
