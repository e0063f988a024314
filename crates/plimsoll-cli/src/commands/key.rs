//! `plimsoll key new`: a key for a client, and the entry that lets it in.
//!
//! Promises: the key is printed once and kept nowhere; the entry reads as it is printed.
//! Never: a file written; whoever runs it puts the entry where it belongs.

use std::io::Write;

use anyhow::bail;
use plimsoll_server::{Access, NewKey};

use crate::database::random_bytes;
use crate::exit::{Outcome, Usage};

/// Prints a key and its entry.
pub(crate) fn new(name: &str, scopes: &[String], out: &mut dyn Write) -> anyhow::Result<Outcome> {
    let made = NewKey::of(random_bytes()?);
    let entry = entry(name, scopes, &made.hash);
    if let Err(why) = Access::parse(&entry, &mut |_| Ok(Vec::new())) {
        bail!(Usage(format!("such a key could not be let in: {why}")));
    }
    writeln!(
        out,
        "# The key, which is shown this once. The client sends it with every request:\n\
         #   Authorization: Bearer {}\n\
         # The entry for the access file, which is named by access.file or --access:\n\n{entry}",
        made.key
    )?;
    Ok(Outcome::Done)
}

fn entry(name: &str, scopes: &[String], hash: &str) -> String {
    let scopes: Vec<String> = scopes.iter().map(|scope| quoted(scope)).collect();
    let (name, scopes) = (quoted(name), scopes.join(", "));
    format!("[[key]]\nname = {name}\nhash = \"{hash}\"\nscopes = [{scopes}]")
}

/// A text of TOML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
