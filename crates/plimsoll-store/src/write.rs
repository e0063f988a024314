//! What a writer is asked for: a unit of owned statements that happens wholly or not at all.
//!
//! ```text
//!   caller builds WriteUnit (no lock held)
//!      │ bounded queue, by priority
//!      v
//!   BEGIN IMMEDIATE ─ unit 1 ─ RELEASE ─ unit 2 ─ ROLLBACK TO ─ … ─ COMMIT (flush)
//!                     each in its SAVEPOINT       │                  │
//!                                            fails alone    acknowledged only here
//! ```
//!
//! Promises: acknowledged means durable; one failing unit never rolls back another; effects and a
//! checkpoint in one unit stand or fall together.
//! Never: a closure that runs inside the writer.

use std::sync::Arc;

use plimsoll::format::RowEncoder;
use plimsoll::record::Value;
use serde::{Deserialize, Serialize};

use crate::catalogue::Resource;
use crate::error::{Error, ErrorKind, Result};
use crate::horizon::Horizon;
use crate::own::Own;

/// Which units go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Lease renewals and other work that others depend on.
    Urgent,
    /// A client waits.
    Normal,
    /// Imports and steps.
    Bulk,
}

/// What an insert does where the key or another unique column is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The unit fails.
    #[default]
    Error,
    /// The row is left out.
    Skip,
    /// The row that is there takes the new values.
    Update,
}

/// One statement.
#[derive(Clone, Debug)]
pub enum Write {
    /// Inserts `values.len() / columns.len()` rows.
    Insert {
        /// Into.
        resource: Arc<Resource>,
        /// Positions of the columns given.
        columns: Arc<[usize]>,
        /// Row after row.
        values: Vec<Value>,
        /// What to do where a row is already there.
        on_conflict: OnConflict,
    },
    /// Changes the one row with this key; no such row fails the unit.
    Update {
        /// In.
        resource: Arc<Resource>,
        /// The row's key.
        key: Vec<Value>,
        /// Column positions and their new values.
        set: Vec<(usize, Value)>,
        /// Fails as [`crate::ErrorKind::Stale`] unless the row has this version.
        if_version: Option<i64>,
    },
    /// Changes the row with this key where it is there: the count of rows says whether.
    Change {
        /// In.
        resource: Arc<Resource>,
        /// The row's key.
        key: Vec<Value>,
        /// Column positions and their new values.
        set: Vec<(usize, Value)>,
    },
    /// Deletes the one row with this key; no such row fails the unit.
    Delete {
        /// From.
        resource: Arc<Resource>,
        /// The row's key.
        key: Vec<Value>,
        /// As for [`Write::Update`].
        if_version: Option<i64>,
    },
    /// Makes the table of a resource that no migration made, e.g. a recipe's staging table.
    CreateTable(Arc<Resource>),
    /// Drops it again.
    DropTable(Arc<Resource>),
    /// Drops a table's plain indexes if it is empty, and keeps their definitions: building them in
    /// the end costs half of keeping them up row by row.
    SetIndexesAside(Arc<Resource>),
    /// Builds the indexes that were set aside, if any were.
    RestoreIndexes(Arc<Resource>),
    /// Text from a pack, in this database's own language.
    Sql {
        /// One or more statements.
        text: Arc<str>,
        /// Named parameters, without the colon. A statement binds those it names.
        params: Vec<(Box<str>, Value)>,
    },
    /// Sets a named piece of small state, e.g. an import's checkpoint.
    Put {
        /// Which kind of state.
        kind: &'static str,
        /// Which one.
        key: Box<str>,
        /// JSON.
        state: Box<str>,
    },
    /// Removes a named piece of small state, if it is there.
    Forget {
        /// Which kind of state.
        kind: &'static str,
        /// Which one.
        key: Box<str>,
    },
    /// A statement about tables that Plimsoll keeps for itself.
    Own {
        /// Which.
        statement: &'static Own,
        /// Its values.
        params: Vec<Value>,
        /// Fails the unit as [`crate::ErrorKind::Fenced`] unless it is so many rows.
        rows: Option<u64>,
    },
}

/// Reads the written row back inside the same transaction.
pub struct ReadBack {
    /// Of.
    pub resource: Arc<Resource>,
    /// The key, or `None` for the row the unit's last insert made.
    pub key: Option<Vec<Value>>,
    /// Columns for the encoder.
    pub columns: Arc<[usize]>,
    /// Writes the row.
    pub encoder: Box<dyn RowEncoder>,
}

/// Remembers the outcome under a client's key, so that a repeat gets the same answer.
#[derive(Clone, Debug)]
pub struct Remember {
    /// The client's key, scoped by the caller.
    pub key: Box<str>,
    /// Digest of what was asked.
    pub fingerprint: [u8; 32],
    /// Kept this long.
    pub keep_seconds: u32,
    /// An opaque tag that comes back with a replay.
    pub tag: u16,
}

/// A unit of writing.
#[derive(Default)]
pub struct WriteUnit {
    /// The statements, in order.
    pub writes: Vec<Write>,
    /// Read this row back before the commit.
    pub read_back: Option<ReadBack>,
    /// Remember the outcome: the row read back, or where none is, the counts and the numbers that
    /// own statements gave.
    pub remember: Option<Remember>,
    /// What the writer takes as now, microseconds UTC.
    pub now_micros: i64,
    /// Do it all, say what came of it, and take it back.
    pub trial: bool,
    /// Where inserted rows contradict what is there, take the unit back, and answer with all those
    /// rows and the statements instead of failing at the first.
    pub report_conflicts: bool,
}

/// A row that [`WriteUnit::report_conflicts`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Which of the unit's inserted rows, counted over all its statements.
    pub row: usize,
    /// Why.
    pub message: Box<str>,
}

/// What a unit did.
#[derive(Debug, Default)]
pub struct WriteOutcome {
    /// Rows inserted, changed or deleted, per statement.
    pub rows: Vec<u64>,
    /// Key of the last inserted row where the database made it.
    pub inserted_key: Option<i64>,
    /// The row read back, encoded.
    pub body: Vec<u8>,
    /// The version of the row read back.
    pub version: Option<i64>,
    /// Rows found under [`WriteUnit::report_conflicts`], in order. If there are any, nothing was
    /// written.
    pub refused: Vec<RefusedRow>,
    /// With [`WriteOutcome::refused`]: the unit's statements, to be sent again without those rows.
    pub returned: Vec<Write>,
    /// `Some(tag)` when nothing was done and a remembered outcome is given again.
    pub replayed: Option<u16>,
    /// Rows that [`Write::Own`] gave, of all such statements in order.
    pub own: Vec<Vec<Value>>,
    /// For a read that has to see this unit, where the database has hosts that may be behind.
    pub horizon: Option<Horizon>,
}

/// What is remembered of a unit that reads no row back.
#[derive(Serialize, Deserialize)]
struct Counts {
    rows: Vec<u64>,
    /// The first number of each row that own statements gave.
    own: Vec<i64>,
}

impl WriteOutcome {
    /// Takes down what a repeat is told where no row is read back.
    pub(crate) fn keep_counts(&mut self) -> Result<()> {
        let first = |row: &Vec<Value>| match row.first() {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        };
        let own = self.own.iter().filter_map(first).collect();
        let counts = Counts { rows: self.rows.clone(), own };
        let failed = |e| Error::new(ErrorKind::Io, format!("remembering an outcome: {e}"));
        self.body = serde_json::to_vec(&counts).map_err(failed)?;
        Ok(())
    }

    /// A repeat is told the counts of the first time, where they were taken down.
    pub(crate) fn recall_counts(&mut self) {
        if let Ok(Counts { rows, own }) = serde_json::from_slice(&self.body) {
            self.rows = rows;
            self.own = own.into_iter().map(|number| vec![Value::Int(number)]).collect();
        }
        self.body.clear();
    }
}

impl WriteUnit {
    /// A unit of one statement.
    #[must_use]
    pub fn of(write: Write, now_micros: i64) -> Self {
        Self { writes: vec![write], now_micros, ..Self::default() }
    }
}
