//! `plimsoll report run`: a report of a running server, into a file.
//!
//! ```text
//!   POST /reports ─> FILE.report {server, id, ..} ─> wait ─> FILE.partial, from where it is
//!        ^                    │ the same command again            │ digest
//!        └ none, or gone      └─> goes on                         v sync, rename
//!                                                               FILE
//! ```
//!
//! Promises: killed at any moment, the same command goes on with the same report and the bytes
//! there are; FILE appears whole, with the digest that the server says, or not at all.
//! Never: a report of another definition or another server taken for this one.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hyper::Method;
use plimsoll::files::Watch;
use plimsoll::limits::TOOL_LIMIT_BYTES_MIN;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::args::{Global, ReportArgs, ReportCommand};
use crate::client::Client;
use crate::exit::{Outcome, Usage, stdout};
use crate::{interrupt, setup};

mod download;

/// Between two looks whether the server is done.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Bytes of the file that says which report it is, at most.
const KEPT_BYTES_MAX: u64 = 1 << 20;
/// One that is kept may be gone; the one that is asked for then is there.
const REPORTS_MAX: u32 = 2;

/// What stands beside the output until that is there.
#[derive(Deserialize, Serialize)]
struct Kept {
    /// The server's host and port: another one counts its reports anew.
    server: String,
    definition: Json,
    id: i64,
    /// What the server said it is of, by which one of the same number is known.
    payload: Json,
}

pub(crate) fn run(global: &Global, command: &ReportCommand) -> anyhow::Result<Outcome> {
    let ReportCommand::Run(args) = command;
    let setup = setup::start(global, TOOL_LIMIT_BYTES_MIN)?;
    let client = Client::new(&setup.config, &args.server)?;
    let watch = Arc::new(Watch::default());
    interrupt::stops(&watch)?;
    let task = Task { client: &client, watch: &watch, args };
    let (id, result, fetched) = task.fetched()?;
    remove(&task.beside())?;
    let mut out = stdout();
    let rows = &result["rows"];
    match args.server.json {
        true => writeln!(
            out,
            "{}",
            json!({
                "id": id, "rows": rows, "bytes": fetched.bytes, "resumed_at": fetched.resumed_at,
                "digest": fetched.digest, "output": args.output,
            })
        )?,
        false => writeln!(out, "{rows} rows, {} bytes: {}", fetched.bytes, args.output.display())?,
    }
    Ok(Outcome::Done)
}

struct Task<'a> {
    client: &'a Client,
    watch: &'a Watch,
    args: &'a ReportArgs,
}

impl Task<'_> {
    fn definition(&self) -> Json {
        let params = self.args.parameters.iter();
        let params: serde_json::Map<String, Json> =
            params.map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        json!({"kind": self.args.name, "format": self.args.format, "params": params})
    }

    fn beside(&self) -> PathBuf {
        beside(&self.args.output, ".report")
    }

    /// Has it made, and fetches it; one of an earlier command that is gone is asked for anew.
    fn fetched(&self) -> anyhow::Result<(i64, Json, download::Fetched)> {
        for _ in 0..REPORTS_MAX {
            let id = self.begin()?;
            let result = self.until_made(id)?;
            let fetched = download::download(self.client, self.watch, id, &self.args.output)?;
            if let Some(fetched) = fetched {
                return Ok((id, result, fetched));
            }
            remove(&self.beside())?;
        }
        bail!("the report was gone as soon as it was made: reports.keep of the server is too short")
    }

    /// The report there is of this command, or a new one.
    fn begin(&self) -> anyhow::Result<i64> {
        let definition = self.definition();
        let server = self.client.authority();
        let of_this = |kept: &Kept| kept.definition == definition && kept.server == server;
        if let Some(Kept { id, payload, .. }) = kept(&self.beside())?.filter(of_this)
            && let Some(report) = self.client.find(&format!("/reports/{id}"))?
            && report["payload"] == payload
            && !matches!(report["state"].as_str(), Some("failed" | "cancelled" | "quarantined"))
        {
            return Ok(id);
        }
        let folder = self.args.output.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!(Usage(format!("{} is no directory", folder.display())));
        }
        remove(&beside(&self.args.output, ".partial"))?;
        let made = self.client.ask(Method::POST, "/reports", Some(&definition))?;
        let id = made["id"].as_i64().context("the server gave no number of a report")?;
        let (server, payload) = (server.to_owned(), made["payload"].clone());
        keep(&self.beside(), &Kept { server, definition, id, payload })?;
        Ok(id)
    }

    /// Waits until the file is there; gives the job's result.
    fn until_made(&self, id: i64) -> anyhow::Result<Json> {
        let (_hold, never) = sync_channel::<()>(1);
        loop {
            self.watch.check().context("the report goes on; the same command fetches it")?;
            let report = self.client.get(&format!("/reports/{id}"))?;
            match report["state"].as_str().unwrap_or_default() {
                "completed" => return Ok(report["result"].clone()),
                state @ ("failed" | "cancelled" | "quarantined") => {
                    remove(&self.beside())?;
                    let why = report["error"]["detail"].as_str().unwrap_or("nobody says why");
                    bail!("report {id} is {state}: {why}");
                }
                _ => {}
            }
            let _time = never.recv_timeout(LOOK_EVERY);
        }
    }
}

/// A name beside the output.
fn beside(output: &Path, tail: &str) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(tail);
    name.into()
}

fn kept(file: &Path) -> anyhow::Result<Option<Kept>> {
    match File::open(file) {
        // What cannot be read is of nobody: a new report is made.
        Ok(file) => Ok(serde_json::from_reader(io::Read::take(file, KEPT_BYTES_MAX)).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

fn keep(path: &Path, kept: &Kept) -> anyhow::Result<()> {
    let what = || format!("writing {}", path.display());
    let mut file = File::create(path).with_context(what)?;
    file.write_all(&serde_json::to_vec(kept)?).with_context(what)?;
    file.sync_all().with_context(what)
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}
