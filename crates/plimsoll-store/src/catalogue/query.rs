//! A named query: SQL from a file, with typed parameters, that is read like a resource.
//!
//! ```text
//!   queries/NAME.sql ─> QueryFile ─ the database describes it ─> NamedQuery
//!                                                                   │ bind(from=.., to=..)
//!                       page, snapshot, aggregate <── Resource with a BoundQuery
//! ```
//!
//! Promises: a value is checked against its parameter before the database sees it, and travels as
//! a parameter; a resource with a bound query is read from `(the SQL) as t` and nothing else.
//! Never: a value in the text, or a write.

use std::sync::Arc;

use plimsoll::record::{Column, ColumnType, Timestamp, Value};

use super::{Order, Resource};
use crate::error::{Error, Result};

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A value of one of the types that columns have.
    Plain(ColumnType),
    /// A day, `2026-01-31`.
    Date,
}

impl ParameterKind {
    /// What may stand in a file, for messages.
    pub(super) const NAMES: &'static str = "text, int, float, money, bool, time, date";

    /// The kind called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "date" {
            return Some(Self::Date);
        }
        let kind = ColumnType::from_name(name)?;
        (!matches!(kind, ColumnType::Any | ColumnType::Bytes)).then_some(Self::Plain(kind))
    }

    /// Its name in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Date => "date",
            Self::Plain(kind) => kind.name(),
        }
    }
}

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryParameter {
    /// `:name` in the SQL, and `name=` in a request.
    pub name: Box<str>,
    /// What it may be.
    pub kind: ParameterKind,
    /// What it is where a request says nothing; NULL where it may be left out. `None` where a
    /// request has to say it.
    pub default: Option<Value>,
    /// For people.
    pub about: Option<Box<str>>,
}

impl QueryParameter {
    /// The value that a text stands for.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] saying what is allowed.
    pub fn parse(&self, text: &str) -> Result<Value> {
        let refused = |why: &dyn std::fmt::Display| {
            Error::invalid(format!("the parameter {} is {}: {why}", self.name, self.kind.name()))
        };
        match self.kind {
            ParameterKind::Plain(kind) => {
                let column = Column { name: self.name.clone(), kind, nullable: false };
                let value = column.parse(text).map_err(|e| refused(&e))?;
                // PostgreSQL has no such character, and nobody means it.
                if matches!(&value, Value::Text(text) if text.contains('\0')) {
                    return Err(refused(&"a text cannot hold a NUL character"));
                }
                Ok(value)
            }
            ParameterKind::Date => {
                let is_day = text.len() == 10 && text.parse::<Timestamp>().is_ok();
                is_day.then(|| Value::Text(text.into())).ok_or_else(|| {
                    let text = plimsoll::error::excerpt(text);
                    refused(&format!("'{text}' is no day; write 2026-01-31"))
                })
            }
        }
    }
}

/// A piece of a query's SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands.
    Text(Box<str>),
    /// The parameter at this position.
    Parameter(usize),
}

/// What of a query does not change from request to request.
#[derive(Debug)]
pub struct QueryText {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) parameters: Vec<QueryParameter>,
    /// The planner's estimate beyond which it is not run, where the database has estimates.
    pub cost_max: f64,
    /// It is given up after this long.
    pub time_ms: u64,
}

/// A query with the values of one request.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    pub(crate) text: Arc<QueryText>,
    /// As many as it has parameters.
    pub(crate) values: Arc<[Value]>,
}

impl BoundQuery {
    /// The values, for whoever has to tell two bindings apart.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The names of its parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.text.parameters.iter().map(|parameter| &*parameter.name)
    }

    /// Whether `name` is one of its parameters.
    #[must_use]
    pub fn has_parameter(&self, name: &str) -> bool {
        self.parameter_names().any(|known| known == name)
    }

    /// It is given up after this long.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.text.time_ms
    }
}

/// A query that is served.
#[derive(Clone, Debug)]
pub struct NamedQuery {
    /// Its columns, its key and, as its only index, the order it names. Bound to no values.
    pub(crate) resource: Arc<Resource>,
    /// What it does, for people.
    pub about: Option<Box<str>>,
    /// Its own order.
    pub order: Arc<Order>,
    /// What the planner thought it costs when it was loaded, where the database says so.
    pub cost: Option<f64>,
    pub(crate) text: Arc<QueryText>,
}

impl NamedQuery {
    /// Its name, which is also the path's segment.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.resource.name
    }

    /// Its columns and its key, which no values are bound to: nothing can be read from it.
    #[must_use]
    pub fn shape(&self) -> &Arc<Resource> {
        &self.resource
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> &[QueryParameter] {
        &self.text.parameters
    }

    /// What it may cost, and how long it may take in milliseconds.
    #[must_use]
    pub fn bounds(&self) -> (f64, u64) {
        (self.text.cost_max, self.text.time_ms)
    }

    /// The query with values: for each parameter that was given its name and text.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a value that is none, or a parameter that is missing.
    pub fn bind<'v>(&self, given: impl Fn(&str) -> Option<&'v str>) -> Result<Resource> {
        let value = |parameter: &QueryParameter| match given(&parameter.name) {
            Some(text) => parameter.parse(text),
            None => parameter.default.clone().ok_or_else(|| {
                let names: Vec<&str> = self.parameters().iter().map(|p| &*p.name).collect();
                Error::invalid(format!(
                    "the query {} needs the parameter {} ({}); its parameters are: {}",
                    self.name(),
                    parameter.name,
                    parameter.kind.name(),
                    names.join(", ")
                ))
            }),
        };
        let values: Vec<Value> = self.parameters().iter().map(value).collect::<Result<_>>()?;
        let query = BoundQuery { text: Arc::clone(&self.text), values: values.into() };
        Ok(Resource { query: Some(query), ..Resource::clone(&self.resource) })
    }
}
