//! Databases in temporary folders, and requests with the parts a test does not care about.
//!
//! Promises: a folder of its own for every test; readers and writer stop before it goes.
//! Never: a clock; what is now is a constant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::format::Ndjson;
use plimsoll::record::Value;
use plimsoll_store::catalogue::{Catalogue, ColumnRole, Migration, Resource};
use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase, introspect, migrate};
use plimsoll_store::{
    Error, Order, Page, PageEnd, PageRequest, Position, Priority, ReadLane, Result, Scope, Store,
    Write, WriteOutcome, WriteUnit,
};
use rusqlite::Connection;
use tempfile::TempDir;

/// 2026-01-01, in microseconds.
pub(crate) const NOW: i64 = 1_767_225_600_000_000;

/// A file, its store and its one or more tables as writable resources.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) store: Store,
}

impl Fixture {
    /// Makes the tables and opens them for writing, with the control tables beside them.
    pub(crate) fn new(ddl: &str) -> Self {
        Self::with(ddl, |_| {})
    }

    /// As [`Fixture::new`], with a say in each resource.
    pub(crate) fn with(ddl: &str, adjust: impl Fn(&mut Resource)) -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let file = directory.path().join("store.db");
        let schema = Migration { id: "schema".into(), sql: ddl.into() };
        migrate(&file, &[schema], NOW).expect("the schema");
        let store = open(&file, true, &adjust);
        Self { directory, store }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    /// A second connection, as another process would have.
    pub(crate) fn other(&self) -> Connection {
        Connection::open(self.file()).expect("a second connection")
    }

    pub(crate) fn table(&self, name: &str) -> Arc<Resource> {
        self.store.catalogue().table(name).expect("a table").clone()
    }

    pub(crate) fn write(&self, writes: Vec<Write>) -> Result<WriteOutcome> {
        let unit = WriteUnit { writes, now_micros: NOW, ..WriteUnit::default() };
        self.store.write(unit, Priority::Normal).wait()
    }

    pub(crate) fn insert(&self, table: &str, columns: &[&str], values: Vec<Value>) -> Write {
        insert(&self.table(table), columns, values)
    }

    /// The first value of a query.
    pub(crate) fn value(&self, sql: &str) -> Value {
        self.store.query(sql, 1).wait().expect("an answer")[0][0].clone()
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        match self.value(&format!("select count(*) from \"{table}\"")) {
            Value::Int(count) => count,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // A test that panicked may have a thread that did too: that is its message, not this.
        drop(self.store.close());
    }
}

/// Opens a file and the tables in it. `writable` also says whether the resources are.
pub(crate) fn open(file: &Path, writable: bool, adjust: &dyn Fn(&mut Resource)) -> Store {
    let (mut resources, _refused) = introspect(file).expect("a database");
    for resource in &mut resources {
        resource.writable = writable;
        // Opening fills them in again, from the same file.
        resource.indexes.clear();
        adjust(resource);
    }
    let config = SqliteConfig {
        file: file.to_owned(),
        readers: 2,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 1 << 20,
        value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
        writable,
    };
    let database = SqliteDatabase::open(&config, &mut resources).expect("opened");
    let catalogue = Catalogue::new(resources, None).expect("a catalogue");
    Store::new(Arc::new(database), Arc::new(catalogue))
}

pub(crate) fn insert(table: &Arc<Resource>, columns: &[&str], values: Vec<Value>) -> Write {
    Write::Insert {
        resource: table.clone(),
        columns: columns.iter().map(|name| table.column(name).expect("a column")).collect(),
        values,
        on_conflict: plimsoll_store::OnConflict::Error,
    }
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Says that `name` is filled by the database.
pub(crate) fn generated(resource: &mut Resource, name: &str) {
    if let Some(at) = resource.schema.position(name) {
        resource.roles[at] = ColumnRole::Generated;
    }
}

/// A request for the whole of a table in an order, as NDJSON.
pub(crate) fn request(table: &Arc<Resource>, order: &str) -> PageRequest {
    let columns = table.all_columns();
    PageRequest {
        resource: table.clone(),
        scope: Scope::Range {
            filter: None,
            order: Arc::new(Order::parse(table, order).expect("an order")),
            from: None,
            backwards: false,
        },
        columns: columns.into(),
        rows_max: u64::MAX,
        bytes_max: plimsoll::limits::FRAME_BYTES,
        encoder: Box::new(Ndjson::new(table.column_names())),
        out: Vec::new(),
        extra: None,
        row_ends: None,
        lane: ReadLane::Interactive,
    }
}

pub(crate) fn filtered(mut request: PageRequest, filter: &str) -> PageRequest {
    let expr = plimsoll::expr::parse(filter, &request.resource.schema).expect("a filter");
    let Scope::Range { filter, .. } = &mut request.scope else { panic!("a key has no filter") };
    *filter = Some(Arc::new(expr));
    request
}

pub(crate) fn from(mut request: PageRequest, at: Option<Position>, back: bool) -> PageRequest {
    let Scope::Range { from, backwards, .. } = &mut request.scope else { panic!("a key") };
    (*from, *backwards) = (at, back);
    request
}

pub(crate) fn page(store: &Store, request: PageRequest) -> Result<Page> {
    store.page(request).wait()
}

/// Every slice of what `again` asks for, until it is exhausted.
pub(crate) fn walk(
    store: &Store,
    backwards: bool,
    mut again: impl FnMut() -> PageRequest,
) -> Result<Vec<u8>> {
    let (mut out, mut at) = (Vec::new(), None);
    loop {
        let page = page(store, from(again(), at, backwards))?;
        out.extend_from_slice(&page.out);
        match page.end {
            PageEnd::Exhausted => return Ok(out),
            PageEnd::More(next) => at = Some(next),
        }
    }
}

/// The lines of NDJSON, for comparing without an order.
pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8(bytes.to_vec()).expect("UTF-8").lines().map(str::to_owned).collect()
}

pub(crate) fn kind<T>(answer: Result<T>) -> (plimsoll_store::ErrorKind, String) {
    let error: Error = answer.map(drop).expect_err("a refusal");
    (error.kind(), error.to_string())
}

pub(crate) fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("{other:?} is no integer"),
    }
}
