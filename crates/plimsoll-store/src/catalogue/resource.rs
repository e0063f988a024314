//! A resource: a table or view with a key, typed columns and the indexes that serve it.
//!
//! Promises: every position in it is within its schema.
//! Never: rows.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use plimsoll::record::Schema;

use super::{BoundQuery, Relation, Searchable};
use crate::error::{Error, Result};

/// What hides a column wherever its name holds it.
const SECRET_PARTS: [&str; 8] =
    ["password", "passwd", "token", "secret", "hash", "credential", "api_key", "private_key"];
/// What hides a column where it is a whole word of its name: `user_pass`, not `passengers`.
const SECRET_WORDS: [&str; 4] = ["pass", "pwd", "salt", "otp"];
/// Keys that open something: `session_key`, but not `meta_key`.
const SECRET_KEYS: [&str; 4] = ["session_key", "activation_key", "consumer_key", "access_key"];

/// Whether a column's name says that its values are nobody's business.
pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_PARTS.iter().chain(&SECRET_KEYS).any(|part| name.contains(part))
        || name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| SECRET_WORDS.contains(&word))
}

/// What a database keeps about a resource that it looked at; nobody else reads it. It goes with
/// the resource, so that a request that began before a reload finds what belongs to its columns.
#[derive(Clone)]
pub struct Handle(Arc<dyn Any + Send + Sync>);

impl Handle {
    pub(crate) fn new<T: Any + Send + Sync>(kept: T) -> Self {
        Self(Arc::new(kept))
    }

    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.0).downcast().ok()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

/// One column of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexColumn {
    /// Position in the resource's schema.
    pub column: usize,
    /// Stored largest first.
    pub descending: bool,
    /// Where its NULLs stand.
    pub nulls: Nulls,
}

/// Where an index has the NULLs of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nulls {
    /// As the smallest value, as every [`super::Order`] has them: first ascending.
    #[default]
    Smallest,
    /// As the largest value: last ascending.
    Largest,
}

/// An access path that yields rows in the order of its columns. The columns a database appends
/// by itself (SQLite's row id) are part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Name, for messages.
    pub name: Box<str>,
    /// Columns in order.
    pub columns: Vec<IndexColumn>,
}

/// Who fills a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// The client.
    Data,
    /// The client, or the database where the client says nothing.
    Defaulted,
    /// The database or the store; a client may not set it.
    Generated,
}

/// A column of a CSV export with the title it has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportColumn {
    /// Position in the resource's schema.
    pub column: usize,
    /// Title in the header.
    pub title: Box<str>,
}

/// What a pack says is told when rows of a resource are synced with somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synced {
    /// What the event is about.
    pub topic: Box<str>,
    /// Its name.
    pub event: Box<str>,
    /// Kinds of jobs that listen to it.
    pub listeners: Vec<Box<str>>,
}

/// A table or view that is served.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The table's name, which is also the canonical path segment.
    pub name: Box<str>,
    /// The short path a pack claims, without slashes.
    pub path: Option<Box<str>>,
    /// For people.
    pub title: Box<str>,
    /// The columns that are served.
    pub schema: Schema,
    /// Who fills each column; as long as the schema.
    pub roles: Vec<ColumnRole>,
    /// Positions of the key's columns; never empty.
    pub key: Vec<usize>,
    /// Sets of columns whose values no two rows share, the key first.
    pub unique: Vec<Vec<usize>>,
    /// Access paths, the key's own first.
    pub indexes: Vec<Index>,
    /// Columns whose order in the database is not that of [`plimsoll::record::compare`]: texts with
    /// a collation of their own, and types that are served as text.
    pub collated: Vec<usize>,
    /// Whether it is a view or the like, on which nobody can make an index.
    pub is_view: bool,
    /// What the database that looked at it keeps about it.
    pub handle: Option<Handle>,
    /// Whether rows may be written.
    pub writable: bool,
    /// Counted up by every write.
    pub version: Option<usize>,
    /// Set when a row is made.
    pub created: Option<usize>,
    /// Set by every write.
    pub updated: Option<usize>,
    /// The column that says when.
    pub time: Option<usize>,
    /// Columns that are plain `?name=value` parameters.
    pub filters: Vec<usize>,
    /// The columns of a CSV export where they differ from all.
    pub export_csv: Vec<ExportColumn>,
    /// What its rows go with in other resources.
    pub relations: Vec<Relation>,
    /// What is read in place of a table, for one request.
    pub query: Option<BoundQuery>,
    /// What of it is searched.
    pub search: Option<Searchable>,
    /// What is told when rows of it are synced.
    pub sync: Option<Synced>,
}

impl Resource {
    /// A resource of nothing but columns and a key: read-only, without a short path, and without
    /// access paths until a database fills them in.
    #[must_use]
    pub fn new(name: &str, schema: Schema, key: Vec<usize>) -> Self {
        Self {
            name: name.into(),
            path: None,
            title: name.into(),
            roles: vec![ColumnRole::Data; schema.columns.len()],
            schema,
            unique: vec![key.clone()],
            key,
            indexes: Vec::new(),
            collated: Vec::new(),
            is_view: false,
            handle: None,
            writable: false,
            version: None,
            created: None,
            updated: None,
            time: None,
            filters: Vec::new(),
            export_csv: Vec::new(),
            relations: Vec::new(),
            query: None,
            search: None,
            sync: None,
        }
    }

    /// Position of the column called `name`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] listing the columns there are.
    pub fn column(&self, name: &str) -> Result<usize> {
        self.schema.position(name).ok_or_else(|| {
            Error::invalid(format!(
                "'{}' is not a column of {}; allowed: {}",
                plimsoll::error::excerpt(name),
                self.name,
                self.column_names().join(", ")
            ))
        })
    }

    /// The names of all columns.
    #[must_use]
    pub fn column_names(&self) -> Vec<&str> {
        self.schema.columns.iter().map(|c| &*c.name).collect()
    }

    /// Positions of all columns.
    #[must_use]
    pub fn all_columns(&self) -> Vec<usize> {
        (0..self.schema.columns.len()).collect()
    }
}
