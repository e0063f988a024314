//! A small input as statements, to stand in one unit with other effects.
//!
//! Promises: all its rows or, at the first wrong one, none; the same columns and values as an
//! import of it.
//! Never: more rows than the caller's bound, nor more plain bytes than its other one and a row,
//! however few they are compressed.

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
/// than `rows_max`, or they are longer than `bytes_max` together.
///
/// # Errors
/// The first wrong row with its line, and what cannot be read at all.
pub fn few(
    resource: &Arc<Resource>,
    input: Box<dyn Read + Send>,
    options: &ImportOptions,
    rows_max: usize,
    bytes_max: u64,
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
        if batch.rows() > rows_max || reader.position().byte_offset > bytes_max {
            return Ok(None);
        }
    }
    let rows = batch.rows();
    Ok(Some((batch.take_writes(resource, options.on_conflict), rows)))
}

#[cfg(test)]
mod tests {
    use plimsoll::format::{Format, MappingOptions, ReaderOptions};

    use super::*;
    use crate::catalogue::testing::resource;
    use crate::import::OnError;
    use crate::write::OnConflict;

    #[test]
    fn few_bytes_that_unpack_to_many_are_not_held() {
        let table = Arc::new(resource("t", &[("id", "int"), ("name", "text")]));
        let options = ImportOptions {
            format: Format::Csv,
            mapping: MappingOptions::default(),
            on_error: OnError::Stop,
            on_conflict: OnConflict::Error,
            dry_run: false,
            rejects: None,
            rejects_max: None,
            number_column: None,
            set_indexes_aside: false,
            reader: ReaderOptions::default(),
            batch_bytes_max: 1 << 20,
            output_bytes_max: None,
        };
        let rows = |length: usize| {
            let rows = (0..1_000).map(|id| format!("{id},{}\n", "x".repeat(length)));
            format!("id,name\n{}", rows.collect::<String>())
        };
        let read = |bytes: Vec<u8>| {
            let input = Box::new(std::io::Cursor::new(bytes));
            few(&table, input, &options, 1_000, 256 << 10).expect("readable").map(|(_, rows)| rows)
        };
        let packed = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("packed");
        let long = packed(&rows(10_000));
        assert!(long.len() < 256 << 10, "{} bytes", long.len());
        assert_eq!(read(long), None);
        let short = rows(100);
        assert_eq!((read(packed(&short)), read(short.into_bytes())), (Some(1_000), Some(1_000)));
    }
}
