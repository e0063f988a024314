//! The resources a server knows: from packs, and from looking at a database.
//!
//! Promises: names are resolved here once; everything later works on positions.
//! Never: SQL but that of named queries, which is kept as it is.

mod analytics;
mod analytics_toml;
mod dataset_toml;
mod found;
mod order;
mod pack;
mod pack_toml;
mod query;
mod query_file;
mod query_toml;
mod relation;
mod relation_toml;
mod resource;
mod resources_text;
mod resources_toml;
mod sales;
mod searchable;
mod sql_text;
#[cfg(test)]
pub(crate) mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use analytics::{
    Analytics, ItemMapping, MarkMapping, OrderMapping, RollupMapping, SubjectMapping,
};
pub use dataset_toml::Dataset;
pub use found::{FoundColumn, FoundIndex, FoundTable, Reference, TableKind};
pub use order::{Order, SortTerm};
pub use pack::{
    Figure, Migration, MigrationState, Pack, PackFiles, Recipe, Seed, SeedCount, Step, StepBatch,
    Words,
};
pub use query::{BoundQuery, NamedQuery, ParameterKind, QueryParameter, QueryText};
pub use query_file::QueryFile;
pub use relation::Relation;
pub use resource::{ColumnRole, ExportColumn, Handle, Index, IndexColumn, Nulls, Resource, Synced};
pub use resources_text::resources_text;
pub use resources_toml::resources;
pub use sales::{JsonLines, JsonPath, Lines, SalesMapping};
pub use searchable::{Finds, SearchIndex, Searchable};

pub(crate) use found::{Notes, all};
pub(crate) use query::Piece;
pub(crate) use query_file::Described;
pub(crate) use resource::looks_secret;
pub(crate) use searchable::{FoundSearch, Searching};
pub(crate) use sql_text::{Token, tokens};

use crate::error::{Error, ErrorKind, Result};

/// All resources, by table name and by short path, named queries, and the analytics mapping if
/// there is one.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    resources: BTreeMap<Box<str>, Arc<Resource>>,
    queries: BTreeMap<Box<str>, Arc<NamedQuery>>,
    analytics: Option<Arc<Analytics>>,
    sales: Option<Arc<SalesMapping>>,
    datasets: Arc<[Dataset]>,
}

impl Catalogue {
    /// Takes resources and mapping together.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when two resources claim one name or one short path.
    pub fn new(resources: Vec<Resource>, analytics: Option<Analytics>) -> Result<Self> {
        let mut catalogue = Self { analytics: analytics.map(Arc::new), ..Self::default() };
        for resource in resources {
            if let Some(path) = &resource.path
                && catalogue.resources.values().any(|r| r.path.as_ref() == Some(path))
            {
                return Err(Error::invalid(format!("two resources claim the path '/{path}'")));
            }
            let name = resource.name.clone();
            if catalogue.resources.insert(name.clone(), Arc::new(resource)).is_some() {
                return Err(Error::invalid(format!("two resources are called '{name}'")));
            }
        }
        Ok(catalogue)
    }

    /// With what sales are worked out from.
    #[must_use]
    pub fn with_sales(self, sales: SalesMapping) -> Self {
        Self { sales: Some(Arc::new(sales)), ..self }
    }

    /// With what jobs walk over.
    #[must_use]
    pub fn with_datasets(self, datasets: Vec<Dataset>) -> Self {
        Self { datasets: datasets.into(), ..self }
    }

    /// What jobs walk over.
    #[must_use]
    pub fn datasets(&self) -> &Arc<[Dataset]> {
        &self.datasets
    }

    /// With named queries.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] when two have one name.
    pub fn with_queries(mut self, queries: Vec<NamedQuery>) -> Result<Self> {
        for query in queries {
            let name: Box<str> = query.name().into();
            if self.queries.insert(name.clone(), Arc::new(query)).is_some() {
                return Err(Error::invalid(format!("two queries are called '{name}'")));
            }
        }
        Ok(self)
    }

    /// The same with no named queries.
    #[must_use]
    pub fn without_queries(&self) -> Self {
        Self { queries: BTreeMap::new(), ..self.clone() }
    }

    /// All named queries, in order of name.
    pub fn queries(&self) -> impl Iterator<Item = &Arc<NamedQuery>> {
        self.queries.values()
    }

    /// The resource over the table called `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] listing what there is.
    pub fn table(&self, name: &str) -> Result<&Arc<Resource>> {
        self.resources.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.resources.keys().map(|n| &**n).take(50).collect();
            Error::new(
                ErrorKind::NotFound,
                format!(
                    "there is no resource '{}'; there are: {}",
                    plimsoll::error::excerpt(name),
                    names.join(", ")
                ),
            )
        })
    }

    /// All resources in order of name.
    pub fn resources(&self) -> impl Iterator<Item = &Arc<Resource>> {
        self.resources.values()
    }

    /// The analytics mapping.
    #[must_use]
    pub fn analytics(&self) -> Option<&Arc<Analytics>> {
        self.analytics.as_ref()
    }

    /// What sales are worked out from.
    #[must_use]
    pub fn sales(&self) -> Option<&Arc<SalesMapping>> {
        self.sales.as_ref()
    }
}
