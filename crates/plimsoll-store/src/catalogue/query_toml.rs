//! A pack's named query: where its SQL stands in each database's words.
//!
//! Promises: read once, so that a mistake is found when the pack is.
//! Never: looked at by a database here.

use serde::Deserialize;

use super::pack::{PackFiles, Words};
use super::pack_toml::{in_words, read};
use super::query_file::QueryFile;
use crate::error::{Error, Result};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueryToml {
    name: Box<str>,
    sqlite: Box<str>,
    postgres: Option<Box<str>>,
}

impl QueryToml {
    /// Its name, and the file's text in a database's words.
    pub(super) fn read(&self, files: &PackFiles, words: Words) -> Result<(Box<str>, Box<str>)> {
        let path = in_words(words, &self.sqlite, self.postgres.as_deref(), &self.name)?;
        let text = read(files, path)?;
        QueryFile::parse(&self.name, text).map_err(|e| Error::invalid(format!("{path}: {e}")))?;
        Ok((self.name.clone(), text.into()))
    }
}
