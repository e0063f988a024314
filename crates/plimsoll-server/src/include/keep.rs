//! An encoder that keeps the values by which rows are related, while another writes the rows.
//!
//! Promises: as many values per row as there are relations; a value has a bound, so that what is
//! kept is reserved beforehand.
//! Never: a value of a row that was not written.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll::format::RowEncoder;
use plimsoll::record::{ColumnType, Row, Value, ValueRef};

use super::Included;
use crate::served::Served;

/// A text that rows are related by has this many bytes at most.
const KEY_BYTES_MAX: usize = 256;

/// The values of all rows, one after the other.
#[derive(Clone)]
pub(crate) struct Kept(Arc<Mutex<Vec<Value>>>);

impl Kept {
    /// What so many rows can take.
    pub(crate) fn bytes_max(rows: u64, served: &Served, included: &[Included]) -> u64 {
        let value = |included: &Included| {
            let texts = match served.resource.schema.columns[included.own].kind {
                ColumnType::Text | ColumnType::Bytes | ColumnType::Any => KEY_BYTES_MAX,
                _ => 0,
            };
            (size_of::<Value>() + texts) as u64
        };
        rows * included.iter().map(value).sum::<u64>()
    }

    /// The values, which are then no longer kept.
    pub(crate) fn take(&self) -> Vec<Value> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes all but the last columns with `inner`, and keeps those.
pub(crate) fn keep(
    inner: Box<dyn RowEncoder>,
    columns: &[usize],
    included: &[Included],
) -> (Box<dyn RowEncoder>, Arc<[usize]>, Kept) {
    let kept = Kept(Arc::default());
    let keeping = Keeping { inner, width: columns.len(), kept: kept.clone() };
    let own = included.iter().map(|included| included.own);
    (Box::new(keeping), columns.iter().copied().chain(own).collect(), kept)
}

struct Keeping {
    inner: Box<dyn RowEncoder>,
    width: usize,
    kept: Kept,
}

/// A row's first columns.
struct First<'r> {
    row: &'r dyn Row,
    width: usize,
}

impl Row for First<'_> {
    fn width(&self) -> usize {
        self.width
    }

    fn value(&self, position: usize) -> plimsoll::Result<ValueRef<'_>> {
        self.row.value(position)
    }
}

impl Keeping {
    fn values(&self, row: &dyn Row) -> plimsoll::Result<Vec<Value>> {
        let bounded = |position| {
            let value = row.value(position)?;
            let bytes = match value {
                ValueRef::Text(text) | ValueRef::Json(text) => text.len(),
                ValueRef::Bytes(bytes) => bytes.len(),
                _ => 0,
            };
            if bytes > KEY_BYTES_MAX {
                return Err(plimsoll::Error::too_large(format!(
                    "a value of {bytes} bytes is not looked up in another table; at most \
                     {KEY_BYTES_MAX}"
                )));
            }
            Ok(value.to_owned())
        };
        (self.width..row.width()).map(bounded).collect()
    }
}

impl RowEncoder for Keeping {
    fn begin(&mut self, out: &mut Vec<u8>) {
        self.inner.begin(out);
    }

    fn row(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> plimsoll::Result<()> {
        let values = self.values(row)?;
        self.inner.row(&First { row, width: self.width }, out)?;
        self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.inner.end(out);
    }

    fn row_bytes_max(&self, row: &dyn Row) -> plimsoll::Result<usize> {
        self.inner.row_bytes_max(&First { row, width: self.width })
    }
}
