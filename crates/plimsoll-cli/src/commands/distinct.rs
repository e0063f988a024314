//! `plimsoll distinct`: the distinct rows of a file, or how many there are.
//!
//! Promises: as [`plimsoll::files::DistinctFile`]; a closed pipe ends it quietly.
//! Never: a number printed that was not counted to the end.

use std::io::Write as _;

use anyhow::anyhow;
use plimsoll::files::{DistinctFile, Input, Reading};

use super::grouping;
use super::tool::{self, Ready};
use crate::args::{DistinctArgs, Global};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &DistinctArgs) -> anyhow::Result<Outcome> {
    let usage = |e: plimsoll::Error| anyhow!(Usage(e.to_string()));
    let input = Input::from_argument(&args.input);
    let (format, delimiter) = tool::format(&args.tool, &input)?;
    let output = tool::output(&args.tool);
    let mut ready = Ready::new(global, &args.tool, "distinct")?;
    let columns = args.columns.as_deref().map_or(Ok(Vec::new()), grouping::columns);
    let record_bytes_max = ready.record_bytes_max(&args.tool)?;
    let job = DistinctFile {
        reading: Reading { input, format, delimiter, record_bytes_max },
        output_format: grouping::output_format(&output, format),
        output: (!args.count).then_some(output),
        columns: columns.map_err(usage)?,
        filter: args.filter.clone(),
        kinds: grouping::kinds(args.types.as_deref())?,
    };
    ready.adapt(&[&job.reading.input]);
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        grouping::explain(planned.plan(), planned.keys(), &ready)?;
        return Ok(Outcome::Done);
    }
    let summary = ready.run(|| planned.run())?;
    if args.count {
        writeln!(crate::exit::stdout(), "{}", summary.rows_out)?;
    }
    Ok(Outcome::Done)
}
