//! A record's texts to the values of a table's row.
//!
//! ```text
//!   Record    | Field | Field | Field |     by column of the file
//!                 │       └──────────────┐
//!   targets       2       ignored        0     found once per name (see `header`)
//!   row       [ Value, NULL, Value ]        by column of the table, each through Column::parse
//! ```
//!
//! Promises: a value that does not fit its column names line, column and what is allowed.
//! Never: two columns of the file in one of the table, or a default that nobody asked for.

use super::csv::unguard;
use super::header::{Names, Target};
use super::read_error::RecordError;
use super::record::{Field, Record};
use crate::error::Result;
use crate::record::{Column, ColumnType, Schema, Value};

/// How columns are matched and texts are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappingOptions {
    /// Column of the file, column of the table: goes before any match by name.
    pub renames: Vec<(Box<str>, Box<str>)>,
    /// Whether columns of the file without a counterpart are passed over; refused by default.
    pub ignore_unknown: bool,
    /// Whether the formula guard's apostrophe is taken off text and bytes; a file written here
    /// has it, a foreign one usually does not.
    pub strip_guard: bool,
}

/// Turns records into rows of a schema.
///
/// ```
/// use plimsoll::format::{Format, Mapping, MappingOptions, ReaderOptions, Source};
/// use plimsoll::record::{Column, ColumnType, Schema, Value};
/// let source = Source::open(Box::new(&b"Unit Price\n2.55\n"[..]), None)?;
/// let mut reader = Format::Csv.reader(source, ReaderOptions::default())?;
/// let schema = Schema { columns: vec![Column::nullable("unit_price", ColumnType::Money)] };
/// let mut mapping = Mapping::from_header(reader.columns(), &schema, MappingOptions::default())?;
/// let mut row = Vec::new();
/// let record = reader.next_record()?.ok_or("one record")?;
/// mapping.apply(&record, &mut row)?;
/// assert_eq!(row, [Value::Money("2.55".parse()?)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mapping {
    names: Names,
    strip_guard: bool,
    /// For each column of the file met so far, where it goes.
    targets: Vec<Target>,
}

impl Mapping {
    /// A mapping for a file whose columns are known before its records.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when a column of the file is unknown, two go to one column, a
    /// column that must have a value has none, or a rename names a column that is not there.
    pub fn from_header(
        header: &[Box<str>],
        schema: &Schema,
        options: MappingOptions,
    ) -> Result<Self> {
        let mut mapping = Self::by_name(schema, options)?;
        mapping.learn(header);
        mapping.names.check(header, &mapping.targets)?;
        Ok(mapping)
    }

    /// A mapping for a file whose records each bring their names, such as JSON.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] when a rename names a column the schema does not have.
    pub fn by_name(schema: &Schema, options: MappingOptions) -> Result<Self> {
        let strip_guard = options.strip_guard;
        Ok(Self { names: Names::new(schema, options)?, strip_guard, targets: Vec::new() })
    }

    /// Replaces `columns` with the positions of the schema's columns that this record has a field
    /// for, NULL or not, in the schema's order. A JSON record need not have all of them, and what
    /// it does not say must not be written. To be called after [`Mapping::apply`].
    pub fn fed_by(&self, record: &Record<'_>, columns: &mut Vec<usize>) {
        columns.clear();
        for (position, target) in self.targets.iter().enumerate() {
            if let Target::Column(column) = *target
                && record.field(position) != Field::Absent
            {
                columns.push(column);
            }
        }
        columns.sort_unstable();
    }

    /// Replaces `row` with the record's values, one per column of the schema in its order. On an
    /// error `row` holds nothing of use.
    ///
    /// # Errors
    /// A [`RecordError`] for an unknown or doubled column, a text that does not fit its column's
    /// type, or NULL where none is allowed.
    pub fn apply(&mut self, record: &Record<'_>, row: &mut Vec<Value>) -> Result<(), RecordError> {
        if self.targets.len() < record.columns().len() {
            self.learn(record.columns());
        }
        row.clear();
        row.resize(self.names.columns.len(), Value::Null);
        for (position, target) in self.targets.iter().enumerate() {
            let field = record.field(position);
            match *target {
                _ if field == Field::Absent => {}
                Target::Ignored => {}
                Target::Unknown => {
                    return Err(refuse(record, Some(position), self.names.unknown()));
                }
                Target::Column(column) => self.assign(record, position, column, row)?,
            }
        }
        for (column, value) in self.names.columns.iter().zip(row.iter()) {
            if *value == Value::Null && !column.nullable {
                return Err(self.missing(record, column));
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        record: &Record<'_>,
        position: usize,
        target: usize,
        row: &mut [Value],
    ) -> Result<(), RecordError> {
        let Field::Text(text) = record.field(position) else {
            return Ok(());
        };
        let column = &self.names.columns[target];
        if row[target] != Value::Null {
            let message = format!("another name of this record is column '{}' too", column.name);
            return Err(refuse(record, Some(position), message));
        }
        let guarded = self.strip_guard
            && matches!(column.kind, ColumnType::Text | ColumnType::Bytes | ColumnType::Any);
        let text = if guarded { unguard(text) } else { text };
        row[target] = column.parse(text).map_err(|error| {
            // The sentence names the table's column; the error has the file's.
            let sentence = error.to_string();
            let prefix = format!("column '{}': ", column.name);
            let sentence = sentence.strip_prefix(&prefix).unwrap_or(&sentence);
            refuse(record, Some(position), sentence.into())
        })?;
        Ok(())
    }

    /// Finds the target of every column not met before.
    fn learn(&mut self, names: &[Box<str>]) {
        for name in &names[self.targets.len()..] {
            let target = self.names.find(name);
            self.targets.push(target);
        }
    }

    fn missing(&self, record: &Record<'_>, column: &Column) -> RecordError {
        RecordError {
            line: record.line(),
            column: Some(column.name.clone()),
            message: format!("a value of type {} is needed and there is none", column.kind).into(),
        }
    }
}

fn refuse(record: &Record<'_>, position: Option<usize>, message: String) -> RecordError {
    RecordError {
        line: record.line(),
        column: position.map(|position| record.columns()[position].clone()),
        message: message.into(),
    }
}
