//! `plimsoll count`: how many rows a file has.
//!
//! Promises: one number on standard output, or in the file that `--output` names.
//! Never: a number before all rows were read.

use std::io::Write as _;

use plimsoll::files::{CountFile, Sink};

use super::tool::{self, Ready};
use crate::args::{CountArgs, Global};
use crate::exit::Outcome;

/// Block of an output of one line.
const OUT_BLOCK_BYTES: usize = 16 << 10;

pub(crate) fn run(global: &Global, args: &CountArgs) -> anyhow::Result<Outcome> {
    let ready = Ready::new(global, &args.tool, "count")?;
    let job =
        CountFile { reading: ready.reading(&args.tool, &args.input)?, filter: args.filter.clone() };
    let output = tool::output(&args.tool);
    output.check_against(&[&job.reading.input])?;
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        tool::explain(&[
            ("memory limit", ready.limit()),
            ("threads", planned.workers().to_string()),
            ("filter", tool::filter(args.filter.as_deref())),
        ])?;
        return Ok(Outcome::Done);
    }
    ready.run(|| {
        let mut summary = planned.run()?;
        let mut line = Vec::new();
        writeln!(line, "{}", summary.rows_out)
            .map_err(|e| plimsoll::Error::io("writing a number", e))?;
        let mut sink = Sink::create(&output, &ready.tool(), OUT_BLOCK_BYTES)?;
        sink.push(&line)?;
        summary.bytes_out = sink.finish()?;
        Ok(summary)
    })?;
    Ok(Outcome::Done)
}
