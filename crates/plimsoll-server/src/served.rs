//! A resource or a query as it is served: what every request on it needs, worked out once.
//!
//! Promises: a list with no parameters but `limit` parses no name and builds no order.
//! Never: rows.

use std::borrow::Cow;
use std::sync::Arc;

use plimsoll::record::{ColumnType, Value};
use plimsoll_store::catalogue::{ColumnRole, NamedQuery};
use plimsoll_store::{Order, Resource};

use crate::app::Error;
use crate::cursor::Scope;
use crate::params::decode;
use crate::problem::{Kind, Problem, Result};

/// A resource with its defaults.
pub(crate) struct Served {
    pub(crate) resource: Arc<Resource>,
    /// By the key, ascending.
    pub(crate) order: Arc<Order>,
    /// What a cursor over `order` without a filter is bound to.
    pub(crate) scope: Scope,
    /// All columns.
    pub(crate) columns: Arc<[usize]>,
    /// All columns and, where there is one, the version once more at the end.
    pub(crate) columns_and_version: Arc<[usize]>,
    /// Position of the key's only column where that is an integer.
    pub(crate) integer_key: Option<usize>,
    /// Whether clients may write.
    pub(crate) writable: bool,
}

impl Served {
    pub(crate) fn new(resource: Arc<Resource>, writable: bool) -> Result<Self, Error> {
        let order = Order::new(&resource, &[]).map_err(|e| Error::Invalid(e.to_string()))?;
        let columns = resource.all_columns();
        let columns_and_version = columns.iter().copied().chain(resource.version).collect();
        let integer_key = match *resource.key {
            [only] if resource.schema.columns[only].kind == ColumnType::Int => Some(only),
            _ => None,
        };
        Ok(Self {
            scope: Scope::new(&resource, &order, None, None),
            order: Arc::new(order),
            columns: columns.into(),
            columns_and_version,
            integer_key,
            writable: writable && resource.writable,
            resource,
        })
    }

    /// A query with its values, read in the order that its file names.
    pub(crate) fn of_query(query: &NamedQuery, resource: Resource) -> Self {
        let columns = resource.all_columns();
        Self {
            scope: Scope::new(&resource, &query.order, None, None),
            order: Arc::clone(&query.order),
            columns_and_version: columns.clone().into(),
            columns: columns.into(),
            integer_key: None,
            writable: false,
            resource: Arc::new(resource),
        }
    }

    /// Whether it is a query, which is read in one piece.
    pub(crate) fn is_query(&self) -> bool {
        self.resource.query.is_some()
    }

    /// What the audit calls it: a query is told from a table of its name.
    pub(crate) fn audit_name(&self) -> Cow<'_, str> {
        let name = &*self.resource.name;
        if self.is_query() { format!("query:{name}").into() } else { name.into() }
    }

    /// The names of the columns at these positions.
    pub(crate) fn names<'s>(&'s self, columns: &'s [usize]) -> impl Iterator<Item = &'s str> + 's {
        columns.iter().map(|&column| self.column_name(column))
    }

    pub(crate) fn column_name(&self, column: usize) -> &str {
        &self.resource.schema.columns[column].name
    }

    /// Whether a client may set the column.
    pub(crate) fn is_data(&self, column: usize) -> bool {
        self.resource.roles[column] != ColumnRole::Generated
    }

    /// The key that a path's last segment names: its values, percent-encoded, with commas between.
    ///
    /// # Errors
    /// 400 for an encoding that cannot be read, 404 for a text that is no key of this resource.
    pub(crate) fn key(&self, segment: &str) -> Result<Vec<Value>> {
        let key = &self.resource.key;
        let texts: Vec<&str> = match key.len() {
            // A single key may hold a comma of its own.
            1 => vec![segment],
            width => segment.splitn(width, ',').collect(),
        };
        if texts.len() != key.len() {
            let names: Vec<&str> = self.names(key).collect();
            return Err(Problem::new(
                Kind::InvalidRequest,
                format!("a key of {} is written as {}", self.resource.name, names.join(",")),
            ));
        }
        key.iter()
            .zip(texts)
            .map(|(&column, text)| {
                let text = decode(text, "the key in the path")?;
                self.resource.schema.columns[column]
                    .parse(&text)
                    .map_err(|e| Problem::new(Kind::NotFound, format!("there is no such row: {e}")))
            })
            .collect()
    }

    /// The path's segment of a key.
    pub(crate) fn key_segment(&self, key: &[Value]) -> String {
        let texts: Vec<String> =
            key.iter().map(|value| crate::links::encode_segment(&value_text(value))).collect();
        texts.join(",")
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Money(v) => v.to_string(),
        Value::Time(v) => v.to_string(),
        Value::Text(v) => v.to_string(),
        Value::Bytes(v) => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(v)
        }
    }
}
