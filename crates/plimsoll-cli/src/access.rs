//! The access file and the secrets it names, as they lie on this machine.
//!
//! Promises: each file has a bound; a path in the access file is looked for beside it; what others
//! may read, and should not, is told.
//! Never: a secret in a message.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use plimsoll::budget::Budget;
use plimsoll_server::{Access, Secret};

use crate::config::Config;
use crate::exit::Usage;

/// A file with a thousand keys has a fifth of that.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What the parser takes for each byte of it, until it is read.
const PARSER_FACTOR: u64 = 30;
/// The file in the data directory where no other is named.
const AUDIT_FILE: &str = "audit.ndjson";

/// Who may ask, where a file says so.
pub(crate) fn access(config: &Config, budget: &Budget) -> anyhow::Result<Option<Access>> {
    let Some(file) = config.path("access.file") else { return Ok(None) };
    let what = || format!("the access file {}", file.display());
    let text = read(file).with_context(what)?;
    let bytes = PARSER_FACTOR * text.len() as u64;
    let _parsed = budget.consumer("access")?.try_reserve(bytes).with_context(what)?;
    let text = String::from_utf8(text).with_context(what)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    match Access::parse(&text, &mut |secret| fetch(folder, secret)) {
        Ok(access) => Ok(Some(access)),
        Err(why) => bail!(Usage(format!("{}: {why}", what()))),
    }
}

/// Where exports are recorded, if they are.
pub(crate) fn audit(config: &Config, data: &Path) -> Option<PathBuf> {
    let named = config.path("audit.file").map(Path::to_owned);
    named.or_else(|| config.path("access.file").map(|_| data.join(AUDIT_FILE)))
}

fn fetch(folder: &Path, secret: &Secret) -> Result<Vec<u8>, String> {
    match secret {
        Secret::File(file) => {
            let file = folder.join(file);
            let named = |e: anyhow::Error| format!("reading {}: {e:#}", file.display());
            let others =
                std::fs::metadata(&file).is_ok_and(|m| m.permissions().mode() & 0o077 != 0);
            let bytes = read(&file).map_err(named)?;
            // A public key is everybody's.
            if others && !bytes.starts_with(b"-----BEGIN PUBLIC KEY") {
                let file = file.display();
                tracing::warn!(%file, "others on this machine can read a secret: chmod 600");
            }
            Ok(bytes)
        }
        Secret::Variable(name) => std::env::var_os(name)
            .map(std::os::unix::ffi::OsStringExt::into_vec)
            .ok_or_else(|| format!("the variable {name} is not set")),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() as u64 <= FILE_BYTES_MAX, "it has more than 1 MiB");
    Ok(bytes)
}
