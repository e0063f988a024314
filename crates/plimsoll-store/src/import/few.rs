//! A small input as statements, to stand in one unit with other effects.
//!
//! Promises: all its rows or, at the first wrong one, none; the same columns and values as an
//! import of it.
//! Never: more rows than the caller's bound.

use std::io::Read;
use std::sync::Arc;

use plimsoll::format::ReadError;

use super::batch::Batch;
use super::columns::filled;
use super::options::ImportOptions;
use super::run::open;
use crate::catalogue::Resource;
use crate::error::{Error, Result};
use crate::write::Write;

/// The statements that write the rows, and how many rows there are; nothing where there are more
/// than `rows_max`.
///
/// # Errors
/// The first wrong row with its line, and what cannot be read at all.
pub fn few(
    resource: &Arc<Resource>,
    input: Box<dyn Read + Send>,
    options: &ImportOptions,
    rows_max: usize,
) -> Result<Option<(Vec<Write>, usize)>> {
    let (mut reader, mut mapping) = open(resource, input, options)?;
    let (mut batch, mut row, mut fed, mut columns) =
        (Batch::default(), Vec::new(), Vec::new(), Vec::new());
    let wrong = |error: plimsoll::format::RecordError| Error::invalid(error.to_string());
    loop {
        let record = match reader.next_record() {
            Ok(None) => break,
            Ok(Some(record)) => record,
            Err(ReadError::Record(error)) => return Err(wrong(error)),
            Err(ReadError::Fatal(error)) => return Err(error.into()),
        };
        mapping.apply(&record, &mut row).map_err(wrong)?;
        mapping.fed_by(&record, &mut fed);
        filled(resource, &fed, &row, &mut columns);
        batch.push(&columns, &mut row, record.line(), &[]);
        if batch.rows() > rows_max {
            return Ok(None);
        }
    }
    let rows = batch.rows();
    Ok(Some((batch.take_writes(resource, options.on_conflict), rows)))
}
