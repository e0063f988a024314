//! Rows on their way into one unit.
//!
//! Promises: bounded in rows and bytes; keeps what is needed to reject a row later: its line and,
//! if asked, its text.
//! Never: grows beyond one record over its bound.

use std::ops::Range;
use std::sync::Arc;

use plimsoll::limits::IMPORT_BATCH_ROWS;
use plimsoll::record::Value;

use crate::catalogue::Resource;
use crate::write::{OnConflict, Write};

/// A run of rows that fill the same columns.
struct Group {
    columns: Arc<[usize]>,
    values: Vec<Value>,
}

/// A record that could not become a row.
pub(super) struct Rejected {
    pub(super) line: u64,
    pub(super) reason: Box<str>,
    pub(super) raw: Box<[u8]>,
}

/// Rows of one unit.
#[derive(Default)]
pub(super) struct Batch {
    groups: Vec<Group>,
    /// For each row, its line and where its text lies in `raw`.
    lines: Vec<(u64, Range<usize>)>,
    raw: Vec<u8>,
    /// Records between them that were rejected, not yet in their file: they belong to the
    /// checkpoint of this batch, and the batch before it may still be sent again.
    rejected: Vec<Rejected>,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, columns: &[usize], row: &mut [Value], line: u64, raw: &[u8]) {
        if self.groups.last().is_none_or(|g| *g.columns != *columns) {
            self.groups.push(Group { columns: columns.into(), values: Vec::new() });
        }
        let Some(group) = self.groups.last_mut() else { return };
        for &column in columns {
            let value = std::mem::replace(&mut row[column], Value::Null);
            self.bytes += size_of::<Value>() + value.heap_bytes();
            group.values.push(value);
        }
        let start = self.raw.len();
        self.raw.extend_from_slice(raw);
        self.bytes += raw.len();
        self.lines.push((line, start..self.raw.len()));
    }

    pub(super) fn reject(&mut self, line: u64, reason: String, raw: &[u8]) {
        self.bytes += size_of::<Rejected>() + reason.len() + raw.len();
        self.rejected.push(Rejected { line, reason: reason.into(), raw: raw.into() });
    }

    pub(super) fn take_rejected(&mut self) -> Vec<Rejected> {
        std::mem::take(&mut self.rejected)
    }

    pub(super) fn rejects(&self) -> usize {
        self.rejected.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_full(&self, bytes_max: usize) -> bool {
        let records = self.lines.len() + self.rejected.len();
        records >= IMPORT_BATCH_ROWS || self.bytes >= bytes_max
    }

    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row].0
    }

    pub(super) fn raw(&self, row: usize) -> &[u8] {
        &self.raw[self.lines[row].1.clone()]
    }

    /// Forgets the rows at `places`, which is sorted; their texts stay until the batch goes.
    pub(super) fn forget(&mut self, places: &[usize]) {
        let mut at = 0;
        self.lines.retain(|_| {
            at += 1;
            places.binary_search(&(at - 1)).is_err()
        });
    }

    /// The statements for all rows; the batch keeps only lines and texts.
    pub(super) fn take_writes(
        &mut self,
        resource: &Arc<Resource>,
        on_conflict: OnConflict,
    ) -> Vec<Write> {
        let groups = std::mem::take(&mut self.groups).into_iter();
        groups
            .map(|g| Write::Insert {
                resource: resource.clone(),
                columns: g.columns,
                values: g.values,
                on_conflict,
            })
            .collect()
    }
}

/// Takes the rows at `places` (sorted, counted over all inserts) out of the statements.
pub(super) fn without(writes: &mut [Write], places: &[usize]) {
    let mut first = 0;
    for write in writes {
        let Write::Insert { columns, values, .. } = write else { continue };
        let width = columns.len();
        let rows = values.len() / width;
        let mut at = 0;
        values.retain(|_| {
            let row = first + at / width;
            at += 1;
            places.binary_search(&row).is_err()
        });
        first += rows;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_taken_out_by_their_place_over_all_statements() {
        let mut batch = Batch::default();
        for (at, columns) in [[0, 1].as_slice(), &[0, 1], &[0]].into_iter().enumerate() {
            let mut row = [Value::Int(at as i64), Value::Bool(true)];
            batch.push(columns, &mut row, 10 + at as u64, b"x");
        }
        assert_eq!((batch.rows(), batch.line(2), batch.raw(1)), (3, 12, &b"x"[..]));
        let resource = crate::catalogue::testing::resource("t", &[("a", "int"), ("b", "bool")]);
        let mut writes = batch.take_writes(&Arc::new(resource), OnConflict::Error);
        without(&mut writes, &[0, 2]);
        let left: Vec<Vec<Value>> = writes
            .into_iter()
            .map(|w| match w {
                Write::Insert { values, .. } => values,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(left, [vec![Value::Int(1), Value::Bool(true)], vec![]]);
    }
}
