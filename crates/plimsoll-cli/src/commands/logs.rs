//! `plimsoll logs tail`: the log of a running server.
//!
//! Promises: each line once, in its order; Ctrl-C ends it with 0.
//! Never: more than four questions a second.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use plimsoll::files::Watch;
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use serde_json::Value as Json;

use crate::args::{Global, LogsCommand, TailArgs};
use crate::client::{Client, segment};
use crate::exit::{Outcome, stdout};
use crate::{interrupt, setup};

/// Between two questions.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A question waits so long for a line: short enough that Ctrl-C is heard.
const WAIT_MS: u32 = 1_000;

pub(crate) fn run(global: &Global, command: &LogsCommand) -> anyhow::Result<Outcome> {
    let LogsCommand::Tail(args) = command;
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let client = Client::new(&setup.config, &args.server)?;
    let watch = Arc::new(Watch::default());
    interrupt::stops(&watch)?;
    let (_hold, never) = sync_channel::<()>(1);
    let mut after = print(args, &client.get(&path(args, 0, args.lines, 0))?)?;
    if args.no_follow {
        return Ok(Outcome::Done);
    }
    loop {
        let _time = never.recv_timeout(ASK_EVERY);
        if watch.check().is_err() {
            return Ok(Outcome::Done);
        }
        after = print(args, &client.get(&path(args, after, 500, WAIT_MS))?)?;
    }
}

fn path(args: &TailArgs, after: u64, limit: u32, wait_ms: u32) -> String {
    let filter = args.filter.as_deref().map(|text| format!("&filter={}", segment(text)));
    let (level, filter) = (&args.level, filter.unwrap_or_default());
    format!("/system/logs?level={level}&after={after}&limit={limit}&wait_ms={wait_ms}{filter}")
}

/// Prints lines; gives the number behind which the next stand.
fn print(args: &TailArgs, answer: &Json) -> anyhow::Result<u64> {
    let mut out = stdout();
    for line in answer["data"].as_array().into_iter().flatten() {
        if args.server.json {
            writeln!(out, "{line}")?;
            continue;
        }
        let text = |name: &str| line[name].as_str().unwrap_or_default();
        let (at, level, target) = (text("at"), text("level"), text("target"));
        write!(out, "{at} {level:<5} {target}: {}", text("message"))?;
        for (name, value) in line["fields"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(text) => write!(out, " {name}={text:?}")?,
                None => write!(out, " {name}={value}")?,
            }
        }
        writeln!(out)?;
    }
    out.flush()?;
    Ok(answer["meta"]["next_after"].as_u64().unwrap_or_default())
}
