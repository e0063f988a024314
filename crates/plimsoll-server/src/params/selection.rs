//! Which rows and columns, in which order: the parameters that lists, streams and exports share.
//!
//! ```text
//!   fields=a,b                fields[goods]=a,b
//!   filter=price > 10         filter[price][gt]=10      filter[price]=10      price=10 (if plain)
//!   sort=-price,id
//!   search=green tea
//! ```
//!
//! Promises: several filters all hold (they are joined with `and`); names are resolved to
//! positions here; the defaults cost nothing.
//! Never: a column that the resource does not serve.

use std::sync::Arc;

use plimsoll::error::excerpt;
use plimsoll::expr::{self, CompareOp, Expr};
use plimsoll_store::catalogue::BoundQuery;
use plimsoll_store::{ErrorKind, Order, Search};

use super::unknown;
use crate::cursor::Scope;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;
use plimsoll_store::nearest;

/// What is searched for, where nothing else is asked.
pub(super) const SEARCHED_AS: &str = "q";

/// The parameters as they are found.
pub(crate) struct SelectionParams<'a> {
    served: &'a Served,
    fields: Option<&'a str>,
    filter: Option<Expr>,
    sort: Option<&'a str>,
    search: Option<&'a str>,
    /// The parameter's name.
    searched_as: &'static str,
}

/// What is selected.
pub(crate) struct Selection {
    /// The columns, or `None` for all in their own order.
    pub(crate) fields: Option<Arc<[usize]>>,
    /// Only rows for which this is true.
    pub(crate) filter: Option<Arc<Expr>>,
    /// Only rows with these words.
    pub(crate) search: Option<Arc<Search>>,
    /// A total order.
    pub(crate) order: Arc<Order>,
    /// What a cursor of this selection is bound to.
    pub(crate) scope: Scope,
    /// By the key, ascending, all rows: the plain form of a cursor is accepted.
    pub(crate) plain: bool,
}

impl<'a> SelectionParams<'a> {
    /// The names for messages, beside the resource's plain filters.
    const NAMES: [&'static str; 4] = ["fields", "filter", "filter[column][op]", "sort"];

    pub(crate) fn new(served: &'a Served) -> Self {
        Self { served, fields: None, filter: None, sort: None, search: None, searched_as: "search" }
    }

    /// The same where nothing but a search is asked for.
    pub(crate) fn searching(served: &'a Served) -> Self {
        Self { searched_as: SEARCHED_AS, ..Self::new(served) }
    }

    /// Takes a parameter it knows; false for another.
    ///
    /// # Errors
    /// 400 for a filter that cannot be read.
    pub(crate) fn take(&mut self, name: &'a str, value: &'a str) -> Result<bool> {
        let resource = &self.served.resource;
        match name {
            "fields" => self.fields = Some(value),
            "sort" => self.sort = Some(value),
            _ if name == self.searched_as => self.search = Some(value),
            "filter" => {
                let filter = expr::parse(value, &resource.schema).map_err(|e| filter_error(&e))?;
                self.and(filter);
            }
            _ => {
                if let Some(inner) = inside(name, "fields") {
                    if inner != &*resource.name && Some(inner) != resource.path.as_deref() {
                        return Ok(false);
                    }
                    self.fields = Some(value);
                } else if let Some(inner) = inside(name, "filter") {
                    self.bracket(inner, value)?;
                } else if self.is_bound(name) {
                    // A query's own; it has its value already.
                } else if self.is_plain_filter(name) {
                    self.compare(name, CompareOp::Equal, value)?;
                } else {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// `price][gte` or `price`.
    fn bracket(&mut self, inner: &str, value: &str) -> Result<()> {
        let (column, word) = inner.split_once("][").unwrap_or((inner, "eq"));
        let Some(op) = CompareOp::from_word(word) else {
            return Err(Problem::new(
                Kind::FilterInvalid,
                format!(
                    "'{}' is not an operator; allowed: eq, ne, lt, lte, gt, gte. For more, write \
                     filter=<expression>",
                    excerpt(word)
                ),
            ));
        };
        self.compare(column, op, value)
    }

    fn compare(&mut self, column: &str, op: CompareOp, value: &str) -> Result<()> {
        let filter = expr::compare(&self.served.resource.schema, column, op, value)
            .map_err(|e| filter_error(&e))?;
        self.and(filter);
        Ok(())
    }

    fn and(&mut self, filter: Expr) {
        self.filter = Some(match self.filter.take() {
            Some(earlier) => earlier.and(filter),
            None => filter,
        });
    }

    fn is_bound(&self, name: &str) -> bool {
        self.served.resource.query.as_ref().is_some_and(|query| query.has_parameter(name))
    }

    fn is_plain_filter(&self, name: &str) -> bool {
        let resource = &self.served.resource;
        resource.filters.iter().any(|&column| self.served.column_name(column) == name)
    }

    /// The problem of a name nobody took; `others` are the caller's own.
    pub(crate) fn unknown(&self, name: &str, others: &[&str]) -> Problem {
        let own: Vec<&str> =
            others.iter().chain(&Self::NAMES).copied().chain([self.searched_as]).collect();
        let resource = &self.served.resource;
        let of_query = resource.query.iter().flat_map(BoundQuery::parameter_names);
        let plain: Vec<&str> = self.served.names(&resource.filters).chain(of_query).collect();
        unknown(name, &own, &plain)
    }

    /// Resolves what was taken.
    ///
    /// # Errors
    /// 400 for a field or a sort that is not one.
    pub(crate) fn finish(self) -> Result<Selection> {
        let Self { served, fields, filter, sort, search, .. } = self;
        let fields = fields.map(|text| columns(served, text)).transpose()?;
        let search = search.map(|text| searched(served, text)).transpose()?;
        if sort.is_none() && filter.is_none() && search.is_none() {
            return Ok(Selection {
                fields,
                filter: None,
                search: None,
                order: Arc::clone(&served.order),
                scope: served.scope,
                plain: true,
            });
        }
        let order = match sort {
            None => Arc::clone(&served.order),
            Some(text) => Arc::new(sorted(served, text)?),
        };
        let filter = filter.map(Arc::new);
        Ok(Selection {
            fields,
            scope: Scope::new(&served.resource, &order, filter.as_deref(), search.as_deref()),
            plain: filter.is_none() && search.is_none() && order == served.order,
            filter,
            search,
            order,
        })
    }
}

/// What is searched for, once it is known that an index finds it.
fn searched(served: &Served, text: &str) -> Result<Arc<Search>> {
    let refuse = |error: plimsoll_store::Error| match error.kind() {
        ErrorKind::Invalid => Problem::new(Kind::SearchInvalid, error.to_string()),
        _ => error.into(),
    };
    let search = Search::parse(text).map_err(refuse)?;
    served.resource.searched(&search).map_err(refuse)?;
    Ok(Arc::new(search))
}

/// `filter[..]` without its ends.
fn inside<'n>(name: &'n str, outer: &str) -> Option<&'n str> {
    name.strip_prefix(outer)?.strip_prefix('[')?.strip_suffix(']')
}

fn sorted(served: &Served, text: &str) -> Result<Order> {
    let resource = &served.resource;
    if text.trim_matches([',', ' ']).is_empty() {
        return Err(Problem::new(
            Kind::SortInvalid,
            "sort names no column; write columns parted by commas, with - for descending, or \
             leave it out",
        ));
    }
    Order::parse(resource, text).map_err(|error| {
        Problem::new(Kind::SortInvalid, error.to_string()).with("allowed", resource.column_names())
    })
}

/// The columns a list of names stands for.
///
/// # Errors
/// 400 with the allowed list for a name that is none, or stands there twice.
pub(crate) fn columns(served: &Served, text: &str) -> Result<Arc<[usize]>> {
    let resource = &served.resource;
    let mut columns = Vec::new();
    for name in text.split(',').map(str::trim) {
        let refuse = |why: &str| {
            let names = resource.column_names();
            let mut problem = Problem::new(
                Kind::UnknownField,
                format!("fields: '{}' {why}; allowed: {}", excerpt(name), names.join(", ")),
            );
            if let Some(near) = nearest(name, names.iter().copied()) {
                problem = problem.with("did_you_mean", near);
            }
            problem.with("allowed", names)
        };
        let column = resource
            .schema
            .position(name)
            .ok_or_else(|| refuse("is not a field of this resource"))?;
        if columns.contains(&column) {
            return Err(refuse("is named twice"));
        }
        columns.push(column);
    }
    Ok(columns.into())
}

fn filter_error(error: &plimsoll::Error) -> Problem {
    Problem::new(Kind::FilterInvalid, error.to_string())
}
