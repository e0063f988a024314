//! `--name value` pairs.
//!
//! Promises: an option nobody asked for, and one given twice, is an error.
//! Never: a default address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::Context;

/// The options not yet taken.
#[derive(Debug, Default)]
pub struct Options {
    values: BTreeMap<String, String>,
}

impl Options {
    /// Reads the pairs.
    ///
    /// # Errors
    /// A word that is no pair, or an option given twice.
    pub fn parse(words: &[String]) -> anyhow::Result<Self> {
        let mut values = BTreeMap::new();
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                anyhow::bail!("'{}' has no value", pair[0]);
            };
            let name = name
                .strip_prefix("--")
                .with_context(|| format!("'{name}' is no option: they are --name value"))?;
            let before = values.insert(name.to_owned(), value.clone());
            anyhow::ensure!(before.is_none(), "--{name} is given twice");
        }
        Ok(Self { values })
    }

    /// Takes an option, or its default.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn take<T: FromStr>(&mut self, name: &str, default: T) -> anyhow::Result<T> {
        match self.values.remove(name) {
            None => Ok(default),
            Some(value) => {
                let read = value.parse().ok();
                read.with_context(|| format!("--{name} cannot be '{value}'"))
            }
        }
    }

    /// Takes a text that may be missing.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.values.remove(name)
    }

    /// The server's address: a loopback address, always given.
    ///
    /// # Errors
    /// Missing, unreadable, or not loopback.
    pub fn address(&mut self) -> anyhow::Result<SocketAddr> {
        let text = self.text("address").context("--address IP:PORT is missing")?;
        let address: SocketAddr = text.parse().context("--address is no IP:PORT")?;
        anyhow::ensure!(address.ip().is_loopback(), "{address} is no loopback address");
        Ok(address)
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// Names the options left over.
    pub fn finish(&self) -> anyhow::Result<()> {
        let left: Vec<&str> = self.values.keys().map(String::as_str).collect();
        anyhow::ensure!(left.is_empty(), "unknown options: {}", left.join(", "));
        Ok(())
    }
}
