//! `plimsoll convert`: between CSV and NDJSON.
//!
//! Promises: as [`plimsoll::files::ConvertFile`].
//! Never: a format guessed where neither flag nor name tells it.

use plimsoll::files::ConvertFile;
use plimsoll::format::{Delimiter, Format};

use super::tool::{self, Ready};
use crate::args::{ConvertArgs, Global};
use crate::exit::{Outcome, Usage};

pub(crate) fn run(global: &Global, args: &ConvertArgs) -> anyhow::Result<Outcome> {
    let name = &args.to_delimiter;
    let to_delimiter = Delimiter::from_name(name).ok_or_else(|| {
        Usage(format!("--to-delimiter {name}: allowed are comma, semicolon, tab, pipe"))
    })?;
    let ready = Ready::new(global, &args.tool, "convert")?;
    let job = ConvertFile {
        reading: ready.reading(&args.tool, &args.input)?,
        output: tool::output(&args.tool),
        to: format(args)?,
        to_delimiter,
        columns: args.columns.iter().map(|c| c.as_str().into()).collect(),
        filter: args.filter.clone(),
    };
    let planned = job.plan(ready.tool())?;
    if args.tool.explain {
        let columns: Vec<String> =
            planned.columns().map(|(name, kind)| format!("{name}:{kind}")).collect();
        tool::explain(&[
            ("memory limit", ready.limit()),
            ("threads", planned.workers().to_string()),
            ("from", job.reading.format.name().to_owned()),
            ("to", job.to.name().to_owned()),
            ("columns", columns.join(",")),
            ("filter", tool::filter(args.filter.as_deref())),
        ])?;
        return Ok(Outcome::Done);
    }
    ready.run(|| planned.run())?;
    Ok(Outcome::Done)
}

/// The format to write, by the flag or the output's name.
fn format(args: &ConvertArgs) -> anyhow::Result<Format> {
    if let Some(name) = &args.to {
        let format = Format::from_name(name).filter(|f| *f != Format::Json);
        return Ok(format.ok_or_else(|| Usage(format!("--to {name}: allowed are csv, ndjson")))?);
    }
    let name = args.tool.output.as_ref().and_then(|path| path.file_name());
    let format = name.and_then(|name| Format::from_file_name(&name.to_string_lossy()));
    Ok(format.ok_or_else(|| {
        Usage("--to is needed where the output's name does not end in .csv or .ndjson".to_owned())
    })?)
}
