//! What a resource's rows go with in another: foreign keys, from both ends.
//!
//! ```text
//!   lines.sale_id ──> sales.id      lines has "sale", one row or none
//!                                   sales has "lines", any number of rows
//! ```
//!
//! Promises: a name is no column's and no other relation's; every position is within its schema.
//! Never: a relation to what is not served, or between columns of two types.

use std::collections::BTreeMap;

use super::{FoundTable, Resource};
use crate::error::{Error, Result};

/// The rows of another resource that go with a row of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The field that they are shown in.
    pub name: Box<str>,
    /// The other resource's name.
    pub to: Box<str>,
    /// Positions in the schema of the resource that has the relation.
    pub columns: Vec<usize>,
    /// Positions in the other's schema, in the same order.
    pub theirs: Vec<usize>,
    /// Any number of rows; else one or none.
    pub many: bool,
}

/// A foreign key between two of some resources.
pub(super) struct Link {
    /// Who has the foreign key.
    pub(super) from: usize,
    pub(super) columns: Vec<usize>,
    /// Whom it refers to.
    pub(super) to: usize,
    pub(super) theirs: Vec<usize>,
}

impl Link {
    /// The relation of the resource with the foreign key.
    pub(super) fn forth(&self, resources: &[Resource], name: &str) -> Relation {
        Relation {
            name: name.into(),
            to: resources[self.to].name.clone(),
            columns: self.columns.clone(),
            theirs: self.theirs.clone(),
            many: false,
        }
    }

    /// The relation of the resource that is referred to.
    pub(super) fn back(&self, resources: &[Resource], name: &str) -> Relation {
        Relation {
            name: name.into(),
            to: resources[self.from].name.clone(),
            columns: self.theirs.clone(),
            theirs: self.columns.clone(),
            many: true,
        }
    }

    /// Whether both ends hold values of the same types.
    pub(super) fn is_typed(&self, resources: &[Resource]) -> bool {
        let kind = |of: usize, column: usize| resources[of].schema.columns[column].kind;
        let mut pairs = self.columns.iter().zip(&self.theirs);
        self.columns.len() == self.theirs.len()
            && pairs.all(|(&own, &their)| kind(self.from, own) == kind(self.to, their))
    }
}

/// Gives a resource a relation under a name that somebody chose.
pub(super) fn name_relation(resource: &mut Resource, relation: Relation) -> Result<()> {
    if !is_free(resource, &relation.name) {
        return Err(Error::invalid(format!(
            "the relation '{}' of {} has the name of a column or of another relation",
            relation.name, resource.name
        )));
    }
    resource.relations.push(relation);
    Ok(())
}

/// Relates resources by the foreign keys of their tables; `tables` are as long as `resources`.
pub(super) fn relate(resources: &mut [Resource], tables: &[&FoundTable]) {
    let by_name: BTreeMap<&str, usize> =
        tables.iter().enumerate().map(|(at, table)| (&*table.qualified, at)).collect();
    for (from, table) in tables.iter().enumerate() {
        for reference in &table.references {
            let Some(&to) = by_name.get(&*reference.table) else { continue };
            let positions = |of: usize, names: &[Box<str>]| -> Option<Vec<usize>> {
                names.iter().map(|name| resources[of].schema.position(name)).collect()
            };
            let theirs = match &reference.their_columns[..] {
                [] => Some(resources[to].key.clone()),
                names => positions(to, names),
            };
            let (Some(columns), Some(theirs)) = (positions(from, &reference.columns), theirs)
            else {
                continue;
            };
            let link = Link { from, columns, to, theirs };
            if link.is_typed(resources) {
                connect(resources, &link);
            }
        }
    }
}

/// Both relations of a foreign key, each under the first of its names that is free.
fn connect(resources: &mut [Resource], link: &Link) {
    let (own, their) = (short(&resources[link.from].name), short(&resources[link.to].name));
    let names = link.columns.iter().map(|&at| &*resources[link.from].schema.columns[at].name);
    let column = names.collect::<Vec<_>>().join("_");
    let stem = column.strip_suffix("_id").or_else(|| column.strip_suffix("Id"));
    let by_column = format!("{their}_by_{column}");
    let forth = stem.into_iter().chain([their, &by_column]);
    let forth = forth.filter(|n| is_free(&resources[link.from], n)).map(Box::<str>::from).next();
    let by_column = format!("{own}_by_{column}");
    let back = [own, &by_column].into_iter();
    let back = back.filter(|n| is_free(&resources[link.to], n)).map(Box::<str>::from).next();
    if let Some(name) = forth {
        let relation = link.forth(resources, &name);
        resources[link.from].relations.push(relation);
    }
    // A table that refers to itself may have taken the name just now.
    if let Some(name) = back.filter(|name| is_free(&resources[link.to], name)) {
        let relation = link.back(resources, &name);
        resources[link.to].relations.push(relation);
    }
}

/// The name without its schema.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn is_free(resource: &Resource, name: &str) -> bool {
    let is_taken = |relation: &Relation| &*relation.name == name;
    !name.is_empty()
        && !name.contains(',')
        && resource.schema.position(name).is_none()
        && !resource.relations.iter().any(is_taken)
}
