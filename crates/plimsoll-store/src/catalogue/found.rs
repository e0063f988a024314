//! A table as a database has it, before anybody has said what of it is served.
//!
//! ```text
//!   sqlite::survey, postgres::survey ──> FoundTable ─┬─ whole: all that may be seen ──> Resource
//!                                                    ├─ a resources file names some ──> Resource
//!                                                    └─ resources_text: a file to review
//! ```
//!
//! Promises: what may not be shown unasked is marked, not left out; a table without a key says why.
//! Never: rows, or a word of one database's dialect.

use plimsoll::limits::COLUMNS_MAX;
use plimsoll::record::{Column, ColumnType, Schema};

use super::relation::relate;
use super::resource::{Handle, looks_secret};
use super::{Index, IndexColumn, Resource, Searching};

/// What stands behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table of rows.
    Table,
    /// A stored query.
    View,
    /// A stored query whose rows are kept, and which can have indexes.
    MaterializedView,
    /// A table that another server or a module answers for.
    Foreign,
}

/// A column as it was found.
#[derive(Clone, Debug)]
pub struct FoundColumn {
    /// Name, and the type it is served as.
    pub column: Column,
    /// The type in the database's own words.
    pub declared: Box<str>,
    /// What somebody wrote about it.
    pub comment: Option<Box<str>>,
    /// Whether the role may read it.
    pub is_readable: bool,
    /// Whether its order in the database is not that of [`plimsoll::record::compare`].
    pub is_collated: bool,
    /// Types it may be served as instead.
    pub other_kinds: &'static [ColumnType],
}

impl FoundColumn {
    /// Whether its name says that its values are nobody's business.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        looks_secret(&self.column.name)
    }

    /// Whether it is served where nobody named it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.is_readable && !self.is_secret()
    }
}

/// An index as it was found.
#[derive(Clone, Debug)]
pub struct FoundIndex {
    /// Its name.
    pub name: Box<str>,
    /// Whether no two rows share its first `width` columns.
    pub unique: bool,
    /// How many columns it was made with; what follows in `columns` the database appends.
    pub width: usize,
    /// Positions in the table's columns, up to the first column that has no order of its own.
    pub columns: Vec<IndexColumn>,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Names of the table's own columns.
    pub columns: Vec<Box<str>>,
    /// [`FoundTable::qualified`] of the table they refer to.
    pub table: Box<str>,
    /// Names of that table's columns; empty where they are its key.
    pub their_columns: Vec<Box<str>>,
}

/// What a database keeps beside the columns that are served, as the types they are served as.
pub(crate) type Notes = Box<dyn Fn(&[(usize, ColumnType)]) -> Handle + Send + Sync>;

/// A table or view as it was found.
pub struct FoundTable {
    /// The name it is served under where nothing else is said.
    pub name: Box<str>,
    /// Its name with its schema, where the database has schemas.
    pub qualified: Box<str>,
    /// The schema, or nothing.
    pub schema: Box<str>,
    /// What it is.
    pub kind: TableKind,
    /// What somebody wrote about it.
    pub comment: Option<Box<str>>,
    /// All its columns.
    pub columns: Vec<FoundColumn>,
    /// Positions of its key's columns; or why it has none that may be shown.
    pub key: Result<Vec<usize>, &'static str>,
    /// Its indexes, the key's own first.
    pub indexes: Vec<FoundIndex>,
    /// Its foreign keys.
    pub references: Vec<Reference>,
    pub(crate) notes: Option<Notes>,
    pub(crate) searching: Searching,
}

impl FoundTable {
    /// The table with every column that may be shown.
    ///
    /// # Errors
    /// Why it cannot be served like this.
    pub fn whole(&self) -> Result<Resource, &'static str> {
        let key = self.servable().and(self.key.as_ref().map_err(|reason| *reason))?;
        let shown = |at: &usize| self.columns[*at].is_shown() || key.contains(at);
        let columns: Vec<(usize, ColumnType)> = (0..self.columns.len())
            .filter(shown)
            .map(|at| (at, self.columns[at].column.kind))
            .collect();
        let mut resource = self.resource(&self.name, &columns, key);
        resource.search = self.searching.of_shown(|name| resource.schema.position(name).is_some());
        Ok(resource)
    }

    /// Whether it can be served if a key is named.
    ///
    /// # Errors
    /// Why not.
    pub fn servable(&self) -> Result<(), &'static str> {
        if !self.columns.iter().any(|c| c.is_readable) {
            return Err("the role may not read it: grant it SELECT");
        }
        if self.columns.len() > COLUMNS_MAX {
            return Err("it has more than 512 columns");
        }
        Ok(())
    }

    /// The position of the column called `name`.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| &*c.column.name == name)
    }

    /// Some of its columns, as these types, under a name. `key` stands among `columns`.
    pub(crate) fn resource(
        &self,
        name: &str,
        columns: &[(usize, ColumnType)],
        key: &[usize],
    ) -> Resource {
        let place = |found: usize| columns.iter().position(|(at, _)| *at == found);
        let column = |&(at, kind): &(usize, ColumnType)| {
            let Column { name, nullable, .. } = self.columns[at].column.clone();
            Column { name, kind, nullable }
        };
        let schema = Schema { columns: columns.iter().map(column).collect() };
        let positions = key.iter().filter_map(|&at| place(at)).collect();
        let mut resource = Resource::new(name, schema, positions);
        let is_collated = |&(at, kind): &(usize, ColumnType)| {
            self.columns[at].is_collated || kind != self.columns[at].column.kind
        };
        resource.collated =
            (0..columns.len()).filter(|&place| is_collated(&columns[place])).collect();
        resource.is_view = self.kind != TableKind::Table;
        for index in &self.indexes {
            index.add_to(&mut resource, &place);
        }
        resource.handle = self.notes.as_ref().map(|notes| notes(columns));
        resource
    }
}

impl FoundIndex {
    /// Adds it as far as its columns are served. `place` says where a found column is served.
    pub(crate) fn add_to(&self, resource: &mut Resource, place: &dyn Fn(usize) -> Option<usize>) {
        let served = self.columns.iter().map_while(|found| {
            let column = place(found.column)?;
            Some(IndexColumn { column, ..*found })
        });
        let columns: Vec<IndexColumn> = served.collect();
        if columns.is_empty() {
            return;
        }
        if self.unique && columns.len() >= self.width {
            let set: Vec<usize> = columns[..self.width].iter().map(|c| c.column).collect();
            // NULLs do not collide, so only a set without NULL tells rows apart.
            let is_null_free = set.iter().all(|&c| !resource.schema.columns[c].nullable);
            if is_null_free && !resource.unique.contains(&set) {
                resource.unique.push(set);
            }
        }
        resource.indexes.push(Index { name: self.name.clone(), columns });
    }
}

/// Tables as resources with every column that may be shown, and those that cannot be served.
pub(crate) fn all(tables: &[FoundTable]) -> (Vec<Resource>, Vec<(Box<str>, &'static str)>) {
    let (mut resources, mut served, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for table in tables {
        match table.whole() {
            Ok(resource) => {
                resources.push(resource);
                served.push(table);
            }
            Err(reason) => refused.push((table.name.clone(), reason)),
        }
    }
    relate(&mut resources, &served);
    (resources, refused)
}
