//! A foreign key as a pack's TOML names it.
//!
//! Promises: resources and columns that are not there are refused by name.
//! Never: a foreign key that a pack does not name.

use serde::Deserialize;

use super::Resource;
use super::relation::{Link, name_relation};
use crate::error::{Error, Result};

/// A foreign key: what its row is called here, and what these rows are called there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RelationToml {
    name: Box<str>,
    column: Box<str>,
    table: Box<str>,
    back: Option<Box<str>>,
}

impl RelationToml {
    /// Names the relation on its resource, and on the other one where that is asked for.
    pub(super) fn relate(&self, resources: &mut [Resource], from: usize) -> Result<()> {
        let Some(to) = resources.iter().position(|r| r.name == self.table) else {
            let (name, table) = (&self.name, &self.table);
            return Err(Error::invalid(format!(
                "the relation '{name}' names no resource: '{table}'"
            )));
        };
        let columns = vec![resources[from].column(&self.column)?];
        let link = Link { from, columns, to, theirs: resources[to].key.clone() };
        if !link.is_typed(resources) {
            return Err(Error::invalid(format!(
                "the relation '{}' needs the column '{}' to be of the type of the one key of {}",
                self.name, self.column, self.table
            )));
        }
        let relation = link.forth(resources, &self.name);
        name_relation(&mut resources[from], relation)?;
        if let Some(back) = &self.back {
            let relation = link.back(resources, back);
            name_relation(&mut resources[to], relation)?;
        }
        Ok(())
    }
}
