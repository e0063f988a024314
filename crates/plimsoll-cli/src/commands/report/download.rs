//! The file of a report, fetched from where it broke off.
//!
//! Promises: a part is taken only where the server says that it is of the same bytes; the whole is
//! hashed before it gets its name.
//! Never: more than a piece of it in memory.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{CONTENT_LENGTH, ETAG, HeaderMap};
use plimsoll::files::Watch;
use ring::digest::{Context as Digest, SHA256};

use super::{beside, remove};
use crate::client::Client;

/// A download that breaks off is gone on with so often.
const TRIES_MAX: u32 = 5;
/// Bytes that are hashed at a time.
const HASH_BYTES: usize = 64 << 10;

/// What was fetched.
pub(super) struct Fetched {
    pub(super) bytes: u64,
    /// Bytes that were there already.
    pub(super) resumed_at: u64,
    pub(super) digest: String,
}

/// The file as the server describes it.
struct Described {
    tag: String,
    bytes: u64,
    digest: String,
}

impl Described {
    fn read(headers: &HeaderMap) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.map(str::to_owned).with_context(|| format!("the server says no {name}"))
        };
        let bytes = text(CONTENT_LENGTH.as_str())?.parse().context("the length of the report")?;
        Ok(Self { tag: text(ETAG.as_str())?, bytes, digest: text("repr-digest")? })
    }
}

/// Fetches the file of a report to `output`; `None` where the server has it no more.
pub(super) fn download(
    client: &Client,
    watch: &Watch,
    id: i64,
    output: &Path,
) -> anyhow::Result<Option<Fetched>> {
    let path = format!("/reports/{id}/download");
    let Some(headers) = client.head(&path)? else { return Ok(None) };
    let described = Described::read(&headers)?;
    let partial = beside(output, ".partial");
    let what = || format!("writing {}", partial.display());
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(&partial).with_context(what)?;
    let there = file.metadata().with_context(what)?.len();
    let resumed_at = if there > described.bytes { 0 } else { there };
    file.set_len(resumed_at).with_context(what)?;
    for attempt in 1.. {
        let fetched = fetch(client, watch, &path, (&mut file, &described));
        match fetched {
            Ok(()) => break,
            Err(error) if attempt == TRIES_MAX || watch.check().is_err() => {
                return Err(error.context("fetching the report; the same command goes on with it"));
            }
            Err(error) => tracing::warn!(%error, attempt, "the download broke off"),
        }
    }
    let digest = hash(&mut file).with_context(what)?;
    if digest != described.digest {
        remove(&partial)?;
        bail!("the bytes that came are not those of the report: run the same command again");
    }
    file.sync_all().with_context(what)?;
    std::fs::rename(&partial, output).with_context(|| format!("naming {}", output.display()))?;
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(Some(Fetched { bytes: described.bytes, resumed_at, digest }))
}

/// What is missing of it.
fn fetch(
    client: &Client,
    watch: &Watch,
    path: &str,
    (file, described): (&mut File, &Described),
) -> anyhow::Result<()> {
    let from = file.seek(SeekFrom::End(0))?;
    if from == described.bytes {
        return Ok(());
    }
    client.fetch(path, (from, &described.tag), |is_part, bytes| {
        watch.check()?;
        if !is_part && from > 0 {
            bail!("the report is another by now: remove FILE.partial and FILE.report");
        }
        Ok(file.write_all(bytes)?)
    })?;
    let there = file.stream_position()?;
    if there != described.bytes {
        bail!("{there} bytes of {} came", described.bytes);
    }
    Ok(())
}

fn hash(file: &mut File) -> std::io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let (mut digest, mut buffer) = (Digest::new(&SHA256), vec![0; HASH_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("sha-256=:{}:", BASE64.encode(digest.finish()))),
            read => digest.update(&buffer[..read]),
        }
    }
}
