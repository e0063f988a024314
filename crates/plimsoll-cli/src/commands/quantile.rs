//! `plimsoll quantile`: quantiles of a column of numbers.
//!
//! Promises: as [`plimsoll::files::QuantileFile`].
//! Never: an approximate value without its error beside it.

use plimsoll::files::{QuantileFile, QuantileMethod};

use super::tool::{self, Ready};
use crate::args::{Global, QuantileArgs};
use crate::exit::Outcome;

pub(crate) fn run(global: &Global, args: &QuantileArgs) -> anyhow::Result<Outcome> {
    let approximate = args.approximate;
    let ready = Ready::new(global, &args.tool, "quantile")?;
    let job = QuantileFile {
        reading: ready.reading(&args.tool, &args.input)?,
        output: tool::output(&args.tool),
        column: args.column.as_str().into(),
        quantiles: args.quantiles.clone(),
        filter: args.filter.clone(),
        method: if approximate { QuantileMethod::Approximate } else { QuantileMethod::Exact },
    };
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        tool::explain(&[
            ("memory limit", ready.limit()),
            ("threads", planned.workers().to_string()),
            ("column", format!("{}:{}", args.column, planned.kind())),
            ("filter", tool::filter(args.filter.as_deref())),
            ("method", if approximate { "KLL sketch" } else { "exact, in passes" }.to_owned()),
        ])?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}
