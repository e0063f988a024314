//! A database with its catalogue: what everything above this crate holds.
//!
//! Promises: cheap to clone; the catalogue does not change under a running request.
//! Never: a decision; those are made above (limits, routes) or below (plans).

use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::database::Database;
use crate::error::Result;
use crate::identity::Identity;

/// A database with its catalogue.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
    catalogue: Arc<Catalogue>,
}

impl Store {
    /// Joins the two.
    #[must_use]
    pub fn new(database: Arc<dyn Database>, catalogue: Arc<Catalogue>) -> Self {
        Self { database, catalogue }
    }

    /// The same database under another catalogue, e.g. one that was looked at again.
    #[must_use]
    pub fn with_catalogue(&self, catalogue: Arc<Catalogue>) -> Self {
        Self { database: Arc::clone(&self.database), catalogue }
    }

    /// The same store, asked as somebody.
    ///
    /// # Errors
    /// Those of [`Database::acting_as`].
    pub fn acting_as(&self, identity: &Arc<Identity>) -> Result<Self> {
        let database = self.database.acting_as(identity)?;
        Ok(Self { database, catalogue: Arc::clone(&self.catalogue) })
    }

    /// The resources.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }
}

impl std::ops::Deref for Store {
    type Target = dyn Database;

    fn deref(&self) -> &Self::Target {
        &*self.database
    }
}
