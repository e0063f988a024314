//! A pack: resource definitions, migrations, recipes and seed data as TOML and SQL files.
//!
//! ```text
//!   packs/NAME/pack.toml            resources, migrations, named queries, analytics mapping
//!   packs/NAME/recipes/*.toml       how a foreign file becomes rows: staging, steps, figures
//!   packs/NAME/demo.toml            deterministic demo data: counts, steps
//!   packs/NAME/sqlite/**.sql        the SQL those name, in each database's words
//!   packs/NAME/postgres/**.sql
//! ```
//!
//! Promises: unknown keys are errors; every file a pack names exists before anything runs.
//! Never: a pack's nouns in this crate.

use std::sync::Arc;

use plimsoll::record::ColumnType;

use super::analytics_toml::AnalyticsToml;
use super::{Catalogue, Dataset, Resource, pack_toml};
use crate::error::Result;

/// The files of one pack: path below the pack's folder, and text.
pub type PackFiles = [(&'static str, &'static str)];

/// Whose SQL is read of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

/// One schema change, applied once.
#[derive(Clone, Debug)]
pub struct Migration {
    /// Its name, unique in the pack.
    pub id: Box<str>,
    /// The SQL.
    pub sql: Arc<str>,
}

/// A migration and whether it has run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// The migration's name.
    pub id: Box<str>,
    /// When it ran, microseconds UTC.
    pub applied_at: Option<i64>,
}

/// Over what a batched step runs.
#[derive(Clone, Debug)]
pub enum StepBatch {
    /// All at once, in one transaction.
    Once,
    /// Reads only; a row that comes back is why the steps cannot run.
    Check,
    /// Over the values of an integer column.
    Table {
        /// The table.
        table: Box<str>,
        /// The column.
        key: Box<str>,
        /// Values per transaction.
        rows: u64,
    },
    /// Over 1 to a count of the seed.
    Count {
        /// The count's name.
        count: Box<str>,
        /// Numbers per transaction.
        rows: u64,
    },
}

/// One step of a recipe or seed.
#[derive(Clone, Debug)]
pub struct Step {
    /// For the progress bar.
    pub title: Box<str>,
    /// The SQL.
    pub sql: Arc<str>,
    /// How it is cut.
    pub batch: StepBatch,
}

/// What is shown once the steps are done.
#[derive(Clone, Debug)]
pub struct Figure {
    /// For people.
    pub title: Box<str>,
    /// How its value is read.
    pub kind: ColumnType,
    /// Rows of a value, or of a label and a value.
    pub sql: Box<str>,
}

/// How a foreign file becomes rows.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Its name on the command line.
    pub name: Box<str>,
    /// For people.
    pub title: Box<str>,
    /// The table the file is loaded into first.
    pub staging: Resource,
    /// For each column of it, the name in the file's header; the line number has none.
    pub headers: Vec<Option<Box<str>>>,
    /// What happens then.
    pub steps: Vec<Step>,
    /// What is shown at the end.
    pub figures: Vec<Figure>,
}

/// A count that a seed's user may choose.
#[derive(Clone, Debug)]
pub struct SeedCount {
    /// The flag's name.
    pub name: Box<str>,
    /// Without the flag.
    pub default: u64,
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
    /// For people.
    pub help: Box<str>,
}

/// Deterministic demo data.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The seed without the flag.
    pub default: i64,
    /// What may be chosen.
    pub counts: Vec<SeedCount>,
    /// What happens.
    pub steps: Vec<Step>,
    /// What is shown at the end.
    pub figures: Vec<Figure>,
}

/// A pack, read and checked.
#[derive(Clone, Debug)]
pub struct Pack {
    /// Its name.
    pub name: Box<str>,
    /// For people.
    pub title: Box<str>,
    /// Schema changes in order.
    pub migrations: Vec<Migration>,
    /// Resources. Their indexes are filled in by looking at the database.
    pub resources: Vec<Resource>,
    /// Recipes by file.
    pub recipes: Vec<Recipe>,
    /// Named queries: name, and the file's text.
    pub queries: Vec<(Box<str>, Box<str>)>,
    /// What jobs walk over.
    pub datasets: Vec<Dataset>,
    /// Demo data.
    pub seed: Option<Seed>,
    pub(super) analytics: Option<AnalyticsToml>,
}

impl Pack {
    /// Reads a pack from its files, for SQLite.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] naming the file and what is wrong in it.
    pub fn parse(files: &PackFiles) -> Result<Self> {
        Self::parse_for(files, Words::Sqlite)
    }

    /// Reads a pack for a database. Demo data that has no words for it is left out.
    ///
    /// # Errors
    /// As [`Pack::parse`], and for a migration or a recipe's step without words for it.
    pub fn parse_for(files: &PackFiles, words: Words) -> Result<Self> {
        pack_toml::parse(files, words)
    }

    /// The recipe called `name`.
    #[must_use]
    pub fn recipe(&self, name: &str) -> Option<&Recipe> {
        self.recipes.iter().find(|r| &*r.name == name)
    }

    /// The pack's catalogue, once the resources' indexes are known.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when the mapping names what is not there.
    pub fn catalogue(&self, resources: Vec<Resource>) -> Result<Catalogue> {
        let datasets = self.datasets.clone();
        let Some(toml) = &self.analytics else {
            return Ok(Catalogue::new(resources, None)?.with_datasets(datasets));
        };
        let (analytics, sales) = (toml.analytics(&resources)?, toml.sales(&resources)?);
        Ok(Catalogue::new(resources, analytics)?.with_sales(sales).with_datasets(datasets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACK: &str = "
        name = 'a'
        title = 'A'
        [[migration]]
        id = '1'
        sqlite = 's.sql'
        [[migration]]
        id = '2'
        sqlite = 's.sql'
        postgres = 'p.sql'";

    #[test]
    fn what_has_no_words_for_a_database_is_refused_by_name() {
        let files: &PackFiles = &[("pack.toml", PACK), ("s.sql", "S"), ("p.sql", "P")];
        let sqlite = Pack::parse(files).expect("a pack");
        assert!(sqlite.migrations.iter().all(|m| &*m.sql == "S"));
        let refused = Pack::parse_for(files, Words::Postgres).expect_err("no words");
        assert!(refused.to_string().contains("'1' in SQLite's words alone"), "{refused}");
        let with_words = PACK.replace("id = '1'", "id = '1'\npostgres = 'p.sql'").leak();
        let files: &PackFiles = &[("pack.toml", with_words), ("s.sql", "S"), ("p.sql", "P")];
        let postgres = Pack::parse_for(files, Words::Postgres).expect("a pack");
        assert!(postgres.migrations.iter().all(|m| &*m.sql == "P"));
    }
}
