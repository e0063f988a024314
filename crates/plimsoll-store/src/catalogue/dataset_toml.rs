//! A pack's dataset: a table, and what a job does to it range by range.
//!
//! Promises: read with the pack, so that SQL without a range is refused before anything runs.
//! Never: a statement that touches the whole table in every range unseen.

use std::sync::Arc;

use serde::Deserialize;

use super::pack::{PackFiles, Words};
use super::pack_toml::{in_words, read};
use crate::error::{Error, Result};

/// What a job walks over, and what it does there.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name, as a payload has it.
    pub name: Box<str>,
    /// The table.
    pub table: Box<str>,
    /// Its integer key.
    pub key: Box<str>,
    /// Rows of a range: behind each is a checkpoint.
    pub rows: u64,
    /// One or more statements, with `:after` and `:upto`.
    pub sql: Arc<str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetToml {
    name: Box<str>,
    table: Box<str>,
    key: Box<str>,
    rows: u64,
    sqlite: Box<str>,
    postgres: Option<Box<str>>,
}

impl DatasetToml {
    pub(super) fn read(&self, files: &PackFiles, words: Words) -> Result<Dataset> {
        let path = in_words(words, &self.sqlite, self.postgres.as_deref(), &self.name)?;
        let sql = read(files, path)?;
        let has_range = [":after", ":upto"].iter().all(|name| sql.contains(name));
        if self.rows == 0 || !has_range {
            return Err(Error::invalid(format!(
                "{path}: a dataset has at least one row in a range, and its SQL names :after and \
                 :upto"
            )));
        }
        Ok(Dataset {
            name: self.name.clone(),
            table: self.table.clone(),
            key: self.key.clone(),
            rows: self.rows,
            sql: sql.into(),
        })
    }
}
