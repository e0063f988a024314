//! A resources file: what of somebody's own database is served, reviewed by its owner.
//!
//! ```text
//!   [[resource]]
//!   table = "orders"            key = ["id"]        path, title, time, filters, search,
//!                                                   export_csv
//!   column = [{ name = "id", type = "int" }, ..]    what is not named is not served
//! ```
//!
//! Promises: exactly what it names is served; an unknown key, a table or a column that is not in
//! the database is refused by name, with what there is.
//! Never: a word of one database's dialect, or a key that has no effect.

use plimsoll::limits::SEARCH_COLUMNS_MAX;
use plimsoll::record::ColumnType;
use serde::Deserialize;

use super::found::{FoundColumn, FoundTable};
use super::relation::relate;
use super::{ExportColumn, Resource, Searchable};
use crate::error::{Error, Result};
use crate::suggest::nearest;

/// Names that a message lists at most.
const NAMES_LISTED_MAX: usize = 50;
/// What stands in front of each resource.
const HEADING: &str = "\n[[resource]]";

/// The resources that a file names, out of the tables that were found.
///
/// # Errors
/// [`crate::ErrorKind::Invalid`] naming the line, key, table or column that is wrong, and what
/// there is instead.
pub fn resources(text: &str, found: &[FoundTable]) -> Result<Vec<Resource>> {
    let wanted = parse(text).map_err(|e| {
        let near = unknown_key(e.message());
        let near = near.map(|near| format!("\ndid you mean `{near}`?")).unwrap_or_default();
        Error::invalid(format!("{}{near}", e.to_string().trim_end()))
    })?;
    let mut taken: Vec<&str> = Vec::with_capacity(wanted.len());
    let mut resources = Vec::with_capacity(wanted.len());
    let mut tables = Vec::with_capacity(wanted.len());
    for wanted in &wanted {
        let table = wanted.find(found)?;
        if taken.contains(&&*table.qualified) {
            return Err(Error::invalid(format!("the table {} is named twice", wanted.table)));
        }
        taken.push(&table.qualified);
        tables.push(table);
        let resource = wanted.resource(table);
        resources.push(
            resource
                .map_err(|e| Error::invalid(format!("the resource '{}': {e}", wanted.table)))?,
        );
    }
    relate(&mut resources, &tables);
    Ok(resources)
}

/// One resource after the other, for the parser takes thirty times what it is given. What cannot be
/// read like this, a text over several lines that looks like a heading or a mistake, is read whole,
/// so that the error has its place in the file.
fn parse(text: &str) -> Result<Vec<ResourceToml>, toml::de::Error> {
    let mut all = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(HEADING).map_or(rest.len(), |at| at + "\n".len());
        let (one, behind) = rest.split_at(end);
        match toml::from_str::<FileToml>(one) {
            Ok(file) => all.extend(file.resource),
            Err(_) => return toml::from_str::<FileToml>(text).map(|file| file.resource),
        }
        rest = behind;
    }
    Ok(all)
}

/// The known key nearest to the one that the parser does not know.
fn unknown_key(message: &str) -> Option<&str> {
    let mut names = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let wrong = names.next()?;
    nearest(wrong, names)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToml {
    #[serde(default)]
    resource: Vec<ResourceToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceToml {
    table: Box<str>,
    path: Option<Box<str>>,
    title: Option<Box<str>>,
    key: Option<Vec<Box<str>>>,
    time: Option<Box<str>>,
    #[serde(default)]
    filters: Vec<Box<str>>,
    search: Option<Vec<Box<str>>>,
    export_csv: Option<ExportToml>,
    column: Vec<ColumnToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportToml {
    columns: Vec<ExportColumnToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportColumnToml {
    column: Box<str>,
    title: Box<str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnToml {
    name: Box<str>,
    #[serde(rename = "type")]
    kind: Option<Box<str>>,
}

impl ResourceToml {
    /// The table by the name it would have unasked, or with its schema.
    fn find<'f>(&self, found: &'f [FoundTable]) -> Result<&'f FoundTable> {
        let by_name = found.iter().find(|t| t.name == self.table);
        by_name.or_else(|| found.iter().find(|t| t.qualified == self.table)).ok_or_else(|| {
            let names = || found.iter().map(|t| &*t.name);
            Error::invalid(format!(
                "the database has no table '{}'{}; there are: {}",
                plimsoll::error::excerpt(&self.table),
                suggestion(&self.table, names()),
                listed(names())
            ))
        })
    }

    fn resource(&self, table: &FoundTable) -> Result<Resource> {
        table.servable().map_err(Error::invalid)?;
        let mut columns = Vec::with_capacity(self.column.len());
        for wanted in &self.column {
            let at = position(table, &wanted.name)?;
            if columns.iter().any(|&(taken, _)| taken == at) {
                return Err(Error::invalid(format!("the column '{}' is named twice", wanted.name)));
            }
            columns.push((at, wanted.kind(&table.columns[at])?));
        }
        let key = self.key(table)?;
        if let Some(&left_out) = key.iter().find(|at| !columns.iter().any(|(c, _)| c == *at)) {
            return Err(Error::invalid(format!(
                "its key '{}' is not among its columns: name it there too",
                table.columns[left_out].column.name
            )));
        }
        let mut resource = table.resource(&self.table, &columns, &key);
        resource.path.clone_from(&self.path);
        resource.title = self.title.as_ref().unwrap_or(&self.table).clone();
        resource.time = self.time.as_deref().map(|name| time(&resource, name)).transpose()?;
        let filters = self.filters.iter().map(|name| resource.column(name));
        resource.filters = filters.collect::<Result<_>>()?;
        let export = self.export_csv.iter().flat_map(|e| &e.columns).map(|c| {
            Ok(ExportColumn { column: resource.column(&c.column)?, title: c.title.clone() })
        });
        resource.export_csv = export.collect::<Result<_>>()?;
        resource.search = self.search(table, &resource)?;
        Ok(resource)
    }

    /// What is searched: exactly the columns that are named, be they served or not.
    fn search(&self, table: &FoundTable, resource: &Resource) -> Result<Option<Searchable>> {
        let Some(names) = &self.search else {
            let is_served = |name: &str| resource.schema.position(name).is_some();
            return Ok(table.searching.unindexed(is_served));
        };
        if names.is_empty() || names.len() > SEARCH_COLUMNS_MAX {
            return Err(Error::invalid(format!(
                "its search names {} columns; allowed: 1 to {SEARCH_COLUMNS_MAX}",
                names.len()
            )));
        }
        for name in names {
            position(table, name)?;
        }
        Ok(Some(table.searching.of(names.clone())))
    }

    /// The key that is named, else the one that was found.
    fn key(&self, table: &FoundTable) -> Result<Vec<usize>> {
        let Some(names) = &self.key else {
            let own = table.key.clone();
            return own.map_err(|reason| Error::invalid(format!("{reason}: name its key")));
        };
        let mut key = Vec::with_capacity(names.len());
        for name in names {
            let at = position(table, name)?;
            if key.contains(&at) {
                return Err(Error::invalid(format!("its key names the column '{name}' twice")));
            }
            key.push(at);
        }
        if key.is_empty() {
            return Err(Error::invalid("its key names no column"));
        }
        Ok(key)
    }
}

impl ColumnToml {
    fn kind(&self, found: &FoundColumn) -> Result<ColumnType> {
        let own = found.column.kind;
        let Some(name) = &self.kind else { return Ok(own) };
        let kind = ColumnType::from_name(name);
        match kind.filter(|kind| *kind == own || found.other_kinds.contains(kind)) {
            Some(kind) => Ok(kind),
            None => {
                let others = found.other_kinds.iter().map(|kind| kind.name());
                let allowed: Vec<&str> = [own.name()].into_iter().chain(others).collect();
                Err(Error::invalid(format!(
                    "the column '{}' ({}) cannot be served as '{}'; allowed: {}",
                    self.name,
                    found.declared,
                    plimsoll::error::excerpt(name),
                    allowed.join(", ")
                )))
            }
        }
    }
}

/// The column called `name`, which has to be there and readable.
fn position(table: &FoundTable, name: &str) -> Result<usize> {
    let Some(at) = table.position(name) else {
        let names = || table.columns.iter().map(|c| &*c.column.name);
        return Err(Error::invalid(format!(
            "the table has no column '{}'{}; there are: {}",
            plimsoll::error::excerpt(name),
            suggestion(name, names()),
            listed(names())
        )));
    };
    if !table.columns[at].is_readable {
        return Err(Error::invalid(format!(
            "the role may not read the column '{name}': grant it SELECT, or take the column out"
        )));
    }
    Ok(at)
}

fn time(resource: &Resource, name: &str) -> Result<usize> {
    let column = resource.column(name)?;
    match resource.schema.columns[column].kind {
        ColumnType::Time => Ok(column),
        other => Err(Error::invalid(format!("its time '{name}' is {other}, not a time"))),
    }
}

fn suggestion<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> String {
    nearest(wrong, names).map(|near| format!(", did you mean '{near}'?")).unwrap_or_default()
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let all: Vec<&str> = names.collect();
    let shown = all[..all.len().min(NAMES_LISTED_MAX)].join(", ");
    match all.len().saturating_sub(NAMES_LISTED_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
