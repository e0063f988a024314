//! The text of a pack's TOML files, and how it becomes a [`Pack`].
//!
//! Promises: an unknown key, a missing file or a column that is not there is refused by name.
//! Never: a default for something a pack must say.

use plimsoll::record::{Column, ColumnType, Schema};
use serde::Deserialize;

use super::analytics_toml::AnalyticsToml;
use super::dataset_toml::DatasetToml;
use super::pack::{
    Figure, Migration, Pack, PackFiles, Recipe, Seed, SeedCount, Step, StepBatch, Words,
};
use super::query_toml::QueryToml;
use super::relation_toml::RelationToml;
use super::{ColumnRole, ExportColumn, Resource, Searching, Synced};
use crate::error::{Error, Result};

/// Reads `pack.toml` and everything it stands beside.
pub(super) fn parse(files: &PackFiles, words: Words) -> Result<Pack> {
    let toml: PackToml = read_toml(files, "pack.toml")?;
    let migrations = toml
        .migration
        .iter()
        .map(|m| {
            let path = in_words(words, &m.sqlite, m.postgres.as_deref(), &m.id)?;
            Ok(Migration { id: m.id.clone(), sql: read(files, path)?.into() })
        })
        .collect::<Result<_>>()?;
    let mut resources =
        toml.resource.iter().map(ResourceToml::resource).collect::<Result<Vec<_>>>()?;
    for (from, of) in toml.resource.iter().enumerate() {
        for relation in &of.relation {
            relation.relate(&mut resources, from)?;
        }
    }
    let recipes = files
        .iter()
        .filter(|(path, _)| path.starts_with("recipes/") && path.ends_with(".toml"))
        .map(|(path, _)| read_toml::<RecipeToml>(files, path)?.recipe(files, words))
        .collect::<Result<_>>()?;
    let seed = if files.iter().any(|(path, _)| *path == "demo.toml") {
        let seed: SeedToml = read_toml(files, "demo.toml")?;
        let has_words = words == Words::Sqlite || seed.step.iter().all(|s| s.postgres.is_some());
        if has_words { Some(seed.seed(files, words)?) } else { None }
    } else {
        None
    };
    let (name, title, analytics) = (toml.name, toml.title, toml.analytics);
    let queries = toml.query.iter().map(|query| query.read(files, words)).collect::<Result<_>>()?;
    let datasets = toml.dataset.iter().map(|dataset| dataset.read(files, words));
    let datasets = datasets.collect::<Result<_>>()?;
    Ok(Pack { name, title, migrations, resources, recipes, queries, datasets, seed, analytics })
}

pub(super) fn read<'a>(files: &'a PackFiles, path: &str) -> Result<&'a str> {
    files
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::invalid(format!("the pack names '{path}', which it does not hold")))
}

/// The text, or its path, in a database's words.
pub(super) fn in_words<'a>(
    words: Words,
    sqlite: &'a str,
    postgres: Option<&'a str>,
    of: &str,
) -> Result<&'a str> {
    match (words, postgres) {
        (Words::Sqlite, _) => Ok(sqlite),
        (Words::Postgres, Some(postgres)) => Ok(postgres),
        (Words::Postgres, None) => Err(Error::invalid(format!(
            "the pack has '{of}' in SQLite's words alone: name its file for PostgreSQL as \
             'postgres'"
        ))),
    }
}

fn read_toml<T: for<'de> Deserialize<'de>>(files: &PackFiles, path: &str) -> Result<T> {
    toml::from_str(read(files, path)?).map_err(|e| Error::invalid(format!("{path}: {e}")))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackToml {
    name: Box<str>,
    title: Box<str>,
    #[serde(default)]
    migration: Vec<MigrationToml>,
    #[serde(default)]
    resource: Vec<ResourceToml>,
    #[serde(default)]
    query: Vec<QueryToml>,
    #[serde(default)]
    dataset: Vec<DatasetToml>,
    analytics: Option<AnalyticsToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MigrationToml {
    id: Box<str>,
    sqlite: Box<str>,
    postgres: Option<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceToml {
    table: Box<str>,
    path: Option<Box<str>>,
    title: Box<str>,
    key: Vec<Box<str>>,
    #[serde(default)]
    writable: bool,
    version: Option<Box<str>>,
    created: Option<Box<str>>,
    updated: Option<Box<str>>,
    time: Option<Box<str>>,
    #[serde(default)]
    filters: Vec<Box<str>>,
    export_csv: Option<ExportToml>,
    #[serde(default)]
    search: Vec<Box<str>>,
    sync: Option<SyncToml>,
    #[serde(default)]
    relation: Vec<RelationToml>,
    column: Vec<ColumnToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SyncToml {
    topic: Box<str>,
    event: Box<str>,
    #[serde(default)]
    listeners: Vec<Box<str>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportToml {
    columns: Vec<ExportColumnToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportColumnToml {
    column: Box<str>,
    title: Box<str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ColumnToml {
    name: Box<str>,
    #[serde(rename = "type")]
    kind: Box<str>,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    generated: bool,
    header: Option<Box<str>>,
    default: Option<toml::Value>,
}

impl ColumnToml {
    fn column(&self) -> Result<Column> {
        let kind = ColumnType::from_name(&self.kind).ok_or_else(|| {
            Error::invalid(format!(
                "column '{}' has the type '{}'; allowed: bool, int, float, money, time, text, \
                 bytes",
                self.name, self.kind
            ))
        })?;
        Ok(Column { name: self.name.clone(), kind, nullable: self.nullable })
    }
}

impl ColumnToml {
    fn role(&self) -> ColumnRole {
        match (self.generated, &self.default) {
            (true, _) => ColumnRole::Generated,
            (false, Some(_)) => ColumnRole::Defaulted,
            (false, None) => ColumnRole::Data,
        }
    }
}

fn schema(columns: &[ColumnToml]) -> Result<Schema> {
    Ok(Schema { columns: columns.iter().map(ColumnToml::column).collect::<Result<_>>()? })
}

impl ResourceToml {
    fn resource(&self) -> Result<Resource> {
        let mut resource = Resource::new(&self.table, schema(&self.column)?, Vec::new());
        (resource.path, resource.title) = (self.path.clone(), self.title.clone());
        resource.roles = self.column.iter().map(ColumnToml::role).collect();
        resource.writable = self.writable;
        let find = |name: &str| resource.column(name);
        let key = self.key.iter().map(|c| find(c)).collect::<Result<Vec<_>>>()?;
        let filters = self.filters.iter().map(|c| find(c)).collect::<Result<_>>()?;
        let [version, created, updated, time] =
            [&self.version, &self.created, &self.updated, &self.time]
                .map(|name| name.as_deref().map(find).transpose());
        let (version, created, updated, time) = (version?, created?, updated?, time?);
        let export_csv = self.export_csv.iter().flat_map(|e| &e.columns).map(|c| {
            Ok(ExportColumn { column: resource.column(&c.column)?, title: c.title.clone() })
        });
        let export_csv = export_csv.collect::<Result<_>>()?;
        if key.is_empty() {
            return Err(Error::invalid(format!("resource '{}' has no key", self.table)));
        }
        if !self.search.is_empty() {
            self.search.iter().try_for_each(|c| resource.column(c).map(drop))?;
            // The database that is opened says by what.
            resource.search = Some(Searching::none().of(self.search.clone()));
        }
        resource.sync = self.sync.as_ref().map(|sync| Synced {
            topic: sync.topic.clone(),
            event: sync.event.clone(),
            listeners: sync.listeners.clone(),
        });
        resource.unique = vec![key.clone()];
        resource.key = key;
        resource.filters = filters;
        resource.export_csv = export_csv;
        (resource.version, resource.created) = (version, created);
        (resource.updated, resource.time) = (updated, time);
        Ok(resource)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepToml {
    title: Box<str>,
    sql: Box<str>,
    postgres: Option<Box<str>>,
    batch: Option<BatchToml>,
    #[serde(default)]
    check: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchToml {
    table: Option<Box<str>>,
    key: Option<Box<str>>,
    count: Option<Box<str>>,
    rows: u64,
}

impl StepToml {
    fn step(&self, files: &PackFiles, words: Words) -> Result<Step> {
        let batch = match &self.batch {
            None if self.check => StepBatch::Check,
            None => StepBatch::Once,
            Some(BatchToml { table: Some(table), key: Some(key), count: None, rows: 1.. }) => {
                let rows = self.batch.as_ref().map_or(1, |b| b.rows);
                StepBatch::Table { table: table.clone(), key: key.clone(), rows }
            }
            Some(BatchToml { table: None, key: None, count: Some(count), rows: rows @ 1.. }) => {
                StepBatch::Count { count: count.clone(), rows: *rows }
            }
            Some(_) => {
                return Err(Error::invalid(format!(
                    "step '{}': a batch names a table and a key, or a count, and at least one row",
                    self.title
                )));
            }
        };
        let path = in_words(words, &self.sql, self.postgres.as_deref(), &self.title)?;
        Ok(Step { title: self.title.clone(), sql: read(files, path)?.into(), batch })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipeToml {
    name: Box<str>,
    title: Box<str>,
    staging: StagingToml,
    step: Vec<StepToml>,
    #[serde(default)]
    figure: Vec<FigureToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StagingToml {
    table: Box<str>,
    line: Box<str>,
    column: Vec<ColumnToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FigureToml {
    title: Box<str>,
    #[serde(rename = "type")]
    kind: Box<str>,
    sql: Box<str>,
    /// Where PostgreSQL needs other words.
    postgres: Option<Box<str>>,
}

impl FigureToml {
    fn figure(&self, words: Words) -> Result<Figure> {
        let kind = ColumnType::from_name(&self.kind).ok_or_else(|| {
            Error::invalid(format!("figure '{}' has the type '{}'", self.title, self.kind))
        })?;
        let sql = match (words, &self.postgres) {
            (Words::Postgres, Some(postgres)) => postgres,
            _ => &self.sql,
        };
        Ok(Figure { title: self.title.clone(), kind, sql: sql.clone() })
    }
}

impl RecipeToml {
    fn recipe(&self, files: &PackFiles, words: Words) -> Result<Recipe> {
        let mut schema = schema(&self.staging.column)?;
        let line =
            Column { name: self.staging.line.clone(), kind: ColumnType::Int, nullable: false };
        schema.columns.insert(0, line);
        let mut staging = Resource::new(&self.staging.table, schema, vec![0]);
        staging.title = self.title.clone();
        staging.roles[0] = ColumnRole::Generated;
        staging.writable = true;
        let headers =
            [None].into_iter().chain(self.staging.column.iter().map(|c| c.header.clone()));
        Ok(Recipe {
            name: self.name.clone(),
            title: self.title.clone(),
            staging,
            headers: headers.collect(),
            steps: self.step.iter().map(|s| s.step(files, words)).collect::<Result<_>>()?,
            figures: self.figure.iter().map(|f| f.figure(words)).collect::<Result<_>>()?,
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedToml {
    #[serde(rename = "name")]
    _name: Box<str>,
    #[serde(rename = "title")]
    _title: Box<str>,
    seed: SeedNumberToml,
    #[serde(default)]
    figure: Vec<FigureToml>,
    count: Vec<CountToml>,
    step: Vec<StepToml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedNumberToml {
    default: i64,
    #[serde(rename = "help")]
    _help: Box<str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountToml {
    name: Box<str>,
    default: u64,
    min: u64,
    max: u64,
    help: Box<str>,
}

impl SeedToml {
    fn seed(&self, files: &PackFiles, words: Words) -> Result<Seed> {
        let counts = self.count.iter().map(|c| SeedCount {
            name: c.name.clone(),
            default: c.default,
            min: c.min,
            max: c.max,
            help: c.help.clone(),
        });
        Ok(Seed {
            default: self.seed.default,
            figures: self.figure.iter().map(|f| f.figure(words)).collect::<Result<_>>()?,
            counts: counts.collect(),
            steps: self.step.iter().map(|s| s.step(files, words)).collect::<Result<_>>()?,
        })
    }
}
