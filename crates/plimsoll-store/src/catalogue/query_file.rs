//! The file of a named query: a header of TOML in comments, and one statement that reads.
//!
//! ```text
//!   --! title = "Revenue by day"
//!   --! params = { from = "date", to = { type = "date", default = "2026-12-31" } }
//!   --! key = ["day"]            a list in pages needs both
//!   --! order = "-day"
//!   --! columns = { total = "money" }
//!   --! cost_max = 200_000       time_ms = 5_000
//!   select .. where day between :from and :to
//! ```
//!
//! Promises: an unknown key, a parameter that is nowhere used, and a name that is no parameter are
//! refused with the line.
//! Never: a statement that is run, or a second one.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll::record::{Column, ColumnType, Schema, Value};
use serde::Deserialize;

use super::query::{NamedQuery, ParameterKind, Piece, QueryParameter, QueryText};
use super::resource::Handle;
use super::sql_text::{Token, tokens};
use super::{Index, IndexColumn, Nulls, Order, Resource};
use crate::error::{Error, Result};
use crate::suggest::nearest;

/// What a line of the header begins with.
const MARK: &str = "--!";
/// The planner's estimate beyond which a query is not run where its file says nothing: about a
/// million pages read one after another.
const COST_MAX: f64 = 1_000_000.0;
/// How long a query may take where its file says nothing, and at most.
const TIME_MS: u64 = 30_000;
const TIME_MS_MAX: u64 = 3_600_000;
/// Parameters of one query.
const PARAMETERS_MAX: usize = 32;
/// Names that belong to the request itself.
const RESERVED: [&str; 13] = [
    "limit",
    "cursor",
    "fields",
    "filter",
    "sort",
    "include",
    "format",
    "after",
    "consistency",
    "formula_guard",
    "bom",
    "search",
    "q",
];

/// A file that was read, before a database has looked at it.
#[derive(Debug)]
pub struct QueryFile {
    name: Box<str>,
    header: HeaderToml,
    text: Arc<QueryText>,
}

/// What a database says of a query.
pub(crate) struct Described {
    pub(crate) columns: Vec<Column>,
    /// As in [`Resource::collated`].
    pub(crate) collated: Vec<usize>,
    pub(crate) handle: Option<Handle>,
    pub(crate) cost: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderToml {
    title: Option<Box<str>>,
    about: Option<Box<str>>,
    #[serde(default)]
    params: BTreeMap<Box<str>, ParameterToml>,
    #[serde(default)]
    key: Vec<Box<str>>,
    order: Option<Box<str>>,
    #[serde(default)]
    columns: BTreeMap<Box<str>, Box<str>>,
    cost_max: Option<f64>,
    time_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ParameterToml {
    Kind(Box<str>),
    Whole(WholeParameterToml),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WholeParameterToml {
    #[serde(rename = "type")]
    kind: Box<str>,
    default: Option<DefaultToml>,
    #[serde(default)]
    optional: bool,
    about: Option<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DefaultToml {
    Text(Box<str>),
    Int(i64),
    Bool(bool),
    Float(f64),
}

impl DefaultToml {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
        }
    }
}

impl QueryFile {
    /// Reads the text of a file. `name` is the file's, without `.sql`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming what is wrong, and where.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Error::invalid(format!(
                "'{}' cannot be a query's name: it is lower case letters, digits, '-' and '_'",
                plimsoll::error::excerpt(name)
            )));
        }
        let header: HeaderToml = toml::from_str(&header(text))
            .map_err(|e| Error::invalid(format!("the header: {}", e.to_string().trim_end())))?;
        let parameters = parameters(&header)?;
        let pieces = pieces(text, &parameters)?;
        let time_ms = header.time_ms.unwrap_or(TIME_MS);
        if !(1..=TIME_MS_MAX).contains(&time_ms) {
            return Err(Error::invalid(format!("time_ms is 1 to {TIME_MS_MAX}, not {time_ms}")));
        }
        let cost_max = header.cost_max.unwrap_or(COST_MAX);
        if cost_max.is_nan() || cost_max <= 0.0 {
            return Err(Error::invalid(format!("cost_max is above 0, not {cost_max}")));
        }
        let text = Arc::new(QueryText { pieces, parameters, cost_max, time_ms });
        Ok(Self { name: name.into(), header, text })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn text(&self) -> &Arc<QueryText> {
        &self.text
    }

    /// What the header says that a column is served as.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a word that is no type.
    pub(crate) fn declared(&self, column: &str) -> Result<Option<ColumnType>> {
        let kind = self.header.columns.get(column);
        kind.map(|kind| column_kind(column, kind)).transpose()
    }

    /// The query as the database sees it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a column, a key or an order that it does not have.
    pub(crate) fn query(self, described: Described) -> Result<NamedQuery> {
        let Self { name, header, text } = self;
        let schema = self::schema(&header, described.columns)?;
        let mut resource = Resource::new(&name, schema, Vec::new());
        let key = header.key.iter().map(|column| resource.column(column));
        resource.key = key.collect::<Result<_>>()?;
        resource.unique = vec![resource.key.clone()];
        resource.title = header.title.unwrap_or_else(|| name.clone());
        resource.collated = described.collated;
        resource.handle = described.handle;
        // Nobody can make an index on it.
        resource.is_view = true;
        if resource.key.is_empty() != header.order.is_none() {
            return Err(Error::invalid(
                "a key and an order go together: with both it is listed in pages, with neither it \
                 is read as a whole",
            ));
        }
        let order = Order::parse(&resource, header.order.as_deref().unwrap_or_default())?;
        let column = |term: &super::SortTerm| IndexColumn {
            column: term.column,
            descending: term.descending,
            nulls: Nulls::Smallest,
        };
        let columns = order.terms().iter().map(column).collect();
        resource.indexes = vec![Index { name: "the query's order".into(), columns }];
        Ok(NamedQuery {
            resource: Arc::new(resource),
            about: header.about,
            order: Arc::new(order),
            cost: described.cost,
            text,
        })
    }
}

/// The marked lines at the top, each at its place.
fn header(text: &str) -> String {
    let mut header = String::new();
    for line in text.lines() {
        match line.strip_prefix(MARK) {
            Some(line) => header.extend(["   ", line, "\n"]),
            None if line.trim().is_empty() => header.push('\n'),
            None => break,
        }
    }
    header
}

fn parameters(header: &HeaderToml) -> Result<Vec<QueryParameter>> {
    if header.params.len() > PARAMETERS_MAX {
        return Err(Error::invalid(format!("a query has at most {PARAMETERS_MAX} parameters")));
    }
    header.params.iter().map(|(name, toml)| parameter(name, toml)).collect()
}

fn parameter(name: &str, toml: &ParameterToml) -> Result<QueryParameter> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
        return Err(Error::invalid(format!(
            "'{}' cannot be a parameter's name: it is letters, digits and '_'",
            plimsoll::error::excerpt(name)
        )));
    }
    if RESERVED.contains(&name) {
        return Err(Error::invalid(format!(
            "'{name}' cannot be a parameter's name: requests have a parameter of that name already"
        )));
    }
    let kind = match toml {
        ParameterToml::Kind(kind) => kind,
        ParameterToml::Whole(whole) => &whole.kind,
    };
    let kind = ParameterKind::from_name(kind).ok_or_else(|| {
        Error::invalid(format!(
            "the parameter {name} cannot be '{}'; allowed: {}",
            plimsoll::error::excerpt(kind),
            ParameterKind::NAMES
        ))
    })?;
    let mut parameter = QueryParameter { name: name.into(), kind, default: None, about: None };
    if let ParameterToml::Whole(whole) = toml {
        parameter.about.clone_from(&whole.about);
        parameter.default = match &whole.default {
            Some(_) if whole.optional => {
                let why = format!("the parameter {name} has a default, so it is optional anyway");
                return Err(Error::invalid(why));
            }
            Some(default) => Some(parameter.parse(&default.text())?),
            None => whole.optional.then_some(Value::Null),
        };
    }
    Ok(parameter)
}

/// The statement cut at its parameters.
fn pieces(text: &str, parameters: &[QueryParameter]) -> Result<Vec<Piece>> {
    let (mut pieces, mut current) = (Vec::new(), String::new());
    let mut used = vec![false; parameters.len()];
    let (mut is_over, mut has_words) = (false, false);
    for token in tokens(text) {
        let is_blank = match &token {
            Token::Text(text) => text.trim().is_empty(),
            Token::Quoted(text) => text.starts_with("--") || text.starts_with("/*"),
            _ => false,
        };
        if is_over && !is_blank {
            return Err(Error::invalid("a query is one statement; take away what is behind ';'"));
        }
        has_words |= !is_blank && token != Token::Semicolon;
        match token {
            Token::Semicolon => is_over = true,
            Token::Text(text) | Token::Quoted(text) => current.push_str(text),
            Token::Name(name) => {
                let at = position(name, parameters)?;
                used[at] = true;
                pieces.push(Piece::Text(std::mem::take(&mut current).into()));
                pieces.push(Piece::Parameter(at));
            }
        }
    }
    if !has_words {
        return Err(Error::invalid("there is no statement"));
    }
    if let Some(unused) = used.iter().position(|used| !used) {
        let name = &parameters[unused].name;
        return Err(Error::invalid(format!("the parameter {name} is nowhere used: write :{name}")));
    }
    // What stands behind it stands behind a comment too.
    current.push('\n');
    pieces.push(Piece::Text(current.into()));
    Ok(pieces)
}

fn position(name: &str, parameters: &[QueryParameter]) -> Result<usize> {
    parameters.iter().position(|p| &*p.name == name).ok_or_else(|| {
        let names = || parameters.iter().map(|p| &*p.name);
        let near = nearest(name, names()).map(|near| format!(", did you mean :{near}?"));
        let all: Vec<&str> = names().collect();
        Error::invalid(format!(
            ":{} is no parameter{}; the header names: {}",
            plimsoll::error::excerpt(name),
            near.unwrap_or_default(),
            if all.is_empty() { "none".to_owned() } else { all.join(", ") }
        ))
    })
}

/// The columns, each under a name of its own, and all those that the header names.
fn schema(header: &HeaderToml, columns: Vec<Column>) -> Result<Schema> {
    for (at, column) in columns.iter().enumerate() {
        if columns[..at].iter().any(|earlier| earlier.name == column.name) {
            return Err(Error::invalid(format!(
                "two columns are called '{}': give each a name of its own with AS",
                column.name
            )));
        }
    }
    let unknown = header.columns.keys().find(|name| columns.iter().all(|c| c.name != **name));
    if let Some(name) = unknown {
        let names: Vec<&str> = columns.iter().map(|c| &*c.name).collect();
        return Err(Error::invalid(format!(
            "it has no column '{}'; there are: {}",
            plimsoll::error::excerpt(name),
            names.join(", ")
        )));
    }
    Ok(Schema { columns })
}

fn column_kind(name: &str, kind: &str) -> Result<ColumnType> {
    ColumnType::from_name(kind).ok_or_else(|| {
        Error::invalid(format!(
            "the column '{name}' cannot be served as '{}'",
            plimsoll::error::excerpt(kind)
        ))
    })
}

#[cfg(test)]
mod tests;
