//! `plimsoll group`: measures of groups of a file's rows.
//!
//! Promises: as [`plimsoll::files::GroupFile`]; a closed pipe ends it quietly.
//! Never: a grouping begun before its plan was made.

use anyhow::anyhow;
use plimsoll::files::{GroupFile, Input, Reading};

use super::grouping;
use super::tool::{self, Ready};
use crate::args::{Global, GroupArgs};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &GroupArgs) -> anyhow::Result<Outcome> {
    let usage = |e: plimsoll::Error| anyhow!(Usage(e.to_string()));
    let input = Input::from_argument(&args.input);
    let (format, delimiter) = tool::format(&args.tool, &input)?;
    let output = tool::output(&args.tool);
    let mut ready = Ready::new(global, &args.tool, "group")?;
    let record_bytes_max = ready.record_bytes_max(&args.tool)?;
    let job = GroupFile {
        reading: Reading { input, format, delimiter, record_bytes_max },
        output_format: grouping::output_format(&output, format),
        output,
        key: grouping::columns(&args.key).map_err(usage)?,
        measures: args.agg.clone(),
        filter: args.filter.clone(),
        kinds: grouping::kinds(args.types.as_deref())?,
    };
    ready.adapt(&[&job.reading.input]);
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        grouping::explain(planned.plan(), planned.keys(), &ready)?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}
