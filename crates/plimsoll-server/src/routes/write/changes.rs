//! The rows of a bulk update, read one after another.
//!
//! ```text
//!   {"id": 7, "set": {"price": 2.50}}  ─> key [7], set [(price, 2.50)]
//!      │         └ as the body of a PATCH
//!      └ each column of the key by its name; `id` stands for a key of one column, too
//! ```
//!
//! Promises: a list of objects and objects one after another are the same; a wrong one is told with
//! its line, and the next one is read.
//! Never: more than one row in memory.

use std::io::Read;
use std::sync::Arc;

use plimsoll::error::excerpt;
use plimsoll::format::{
    Field, Format, Position, ReadError, ReaderOptions, Record, RecordReader, Source,
};
use plimsoll::limits::BODY_BYTES_MAX;
use plimsoll::record::Value;
use plimsoll_store::Write;

use super::members::{Members, Purpose};
use crate::intake::UNPACKED_BYTES_MAX;
use crate::problem::{Kind, Problem, Result};
use crate::served::Served;

/// Stands for the key where that has one column.
const ID: &str = "id";
/// What is set.
const SET: &str = "set";

/// See the module.
pub(crate) struct Changes {
    served: Arc<Served>,
    reader: Box<dyn RecordReader>,
}

/// A change of one row.
pub(crate) struct Change {
    pub(crate) key: Vec<Value>,
    pub(crate) set: Vec<(usize, Value)>,
    /// Bytes that it holds.
    pub(crate) bytes: usize,
}

/// What is wrong with one.
#[derive(Debug)]
pub(crate) struct Mistake {
    pub(crate) line: u64,
    pub(crate) detail: String,
}

/// A row has as many bytes as a body at most.
fn options() -> ReaderOptions {
    ReaderOptions { line_bytes_max: BODY_BYTES_MAX, ..ReaderOptions::default() }
}

impl Changes {
    /// # Errors
    /// What cannot be read at all.
    pub(crate) fn open(
        served: &Arc<Served>,
        input: Box<dyn Read + Send>,
        format: Format,
    ) -> plimsoll::Result<Self> {
        let source = Source::open(input, Some(UNPACKED_BYTES_MAX))?;
        Ok(Self { served: Arc::clone(served), reader: format.reader(source, options())? })
    }

    /// Bytes that reading holds at most.
    pub(crate) fn memory_bytes(format: Format) -> u64 {
        options().workspace_bytes(format) as u64
    }

    /// The next one; nothing at the end.
    ///
    /// # Errors
    /// Where nothing more can be read.
    pub(crate) fn next(&mut self) -> plimsoll::Result<Option<Result<Change, Mistake>>> {
        let line = self.reader.position().line;
        match self.reader.next_record() {
            Ok(None) => Ok(None),
            Ok(Some(record)) => {
                let line = record.line();
                let read = change(&self.served, &record);
                let mistake = |wrong: Problem| Mistake { line, detail: wrong.detail().to_owned() };
                Ok(Some(read.map_err(mistake)))
            }
            Err(ReadError::Record(error)) => {
                Ok(Some(Err(Mistake { line: error.line.max(line), detail: error.to_string() })))
            }
            Err(ReadError::Fatal(error)) => Err(error),
        }
    }

    /// Where the next one begins.
    pub(crate) fn position(&self) -> Position {
        self.reader.position()
    }

    /// Goes on where an earlier reader of the same file was.
    ///
    /// # Errors
    /// Where the file does not reach as far.
    pub(crate) fn resume_at(&mut self, position: Position) -> plimsoll::Result<()> {
        self.reader.resume_at(position)
    }
}

impl Change {
    /// The key as a path has it, cut where it is long: for people.
    pub(crate) fn name(&self, served: &Served) -> String {
        excerpt(&served.key_segment(&self.key))
    }

    pub(crate) fn write(self, served: &Served) -> Write {
        let resource = Arc::clone(&served.resource);
        Write::Change { resource, key: self.key, set: self.set }
    }
}

fn change(served: &Served, record: &Record<'_>) -> Result<Change> {
    let wrong = |why: String| Problem::new(Kind::Validation, why);
    let columns = &served.resource.key;
    let mut key = vec![None; columns.len()];
    let mut set = None;
    for (at, name) in record.columns().iter().enumerate() {
        let text = match record.field(at) {
            Field::Absent => continue,
            Field::Null => return Err(wrong(format!("'{name}' is null"))),
            Field::Text(text) => text,
        };
        let place = columns.iter().position(|&column| served.column_name(column) == &**name);
        let place = place.or_else(|| (&**name == ID && columns.len() == 1).then_some(0));
        if &**name == SET && place.is_none() {
            set = Some(text);
            continue;
        }
        let Some(place) = place else {
            let names: Vec<&str> = served.names(columns).collect();
            let why = format!(
                "'{}' is not a member of a change; there are {} and '{SET}'",
                excerpt(name),
                names.join(", ")
            );
            return Err(wrong(why));
        };
        if key[place].is_some() {
            return Err(wrong(format!("'{}' names the key a second time", excerpt(name))));
        }
        let column = &served.resource.schema.columns[columns[place]];
        let value = column.parse(text);
        key[place] = Some(value.map_err(|e| wrong(format!("'{}': {e}", excerpt(name))))?);
    }
    let missing = || {
        let names: Vec<&str> = served.names(columns).collect();
        wrong(format!(
            "a change names {} and '{SET}', the columns and their values",
            names.join(", ")
        ))
    };
    let key = key.into_iter().collect::<Option<Vec<Value>>>().ok_or_else(missing)?;
    let text = set.ok_or_else(missing)?;
    let set = Members::read(text.as_bytes())?.row(served, Purpose::Change)?;
    let held = key.iter().chain(set.iter().map(|(_, value)| value));
    let bytes = held.map(|value| size_of::<(usize, Value)>() + value.heap_bytes()).sum();
    Ok(Change { key, set, bytes })
}
