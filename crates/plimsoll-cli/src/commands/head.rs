//! `plimsoll head`: the first rows of a file.
//!
//! Promises: as [`plimsoll::files::HeadFile`].
//! Never: more of the input read than a segment beyond the rows.

use plimsoll::files::HeadFile;

use super::tool::{self, Ready};
use crate::args::{Global, HeadArgs};
use crate::exit::Outcome;

pub(crate) fn run(global: &Global, args: &HeadArgs) -> anyhow::Result<Outcome> {
    let ready = Ready::new(global, &args.tool, "head")?;
    let job = HeadFile {
        reading: ready.reading(&args.tool, &args.input)?,
        output: tool::output(&args.tool),
        rows: args.rows,
        filter: args.filter.clone(),
    };
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        tool::explain(&[
            ("memory limit", ready.limit()),
            ("columns", planned.columns().join(",")),
            ("rows", args.rows.to_string()),
            ("filter", tool::filter(args.filter.as_deref())),
        ])?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}
