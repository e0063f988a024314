//! Rows of one side on disk, in partitions by the hash of their key.
//!
//! ```text
//!   worker ─ row ─ hash ─> writer 0 .. writer P-1      each behind its lock
//!                             └─ full block ─> the worker's own lane ─> file
//!   record: | length of key LEB128 | key | piece |
//! ```
//!
//! Promises: equal keys of both sides are in partitions of the same number.
//! Never: a row without a key.

use std::sync::{Arc, Mutex, PoisonError};

use super::side::LevelHash;
use super::table::entry_bytes;
use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::spill::{
    LENGTH_BYTES_MAX, Run, RunReader, RunWriter, SpillFile, WriteLane, length_at, put_length,
};

/// A finished partition of one side.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) run: Arc<Run>,
    /// What its rows take in a table's arena.
    pub(super) table_bytes: u64,
}

impl Part {
    pub(super) fn rows(&self) -> u64 {
        self.run.records()
    }

    /// Reads it from its start; a part without rows holds nothing.
    pub(super) fn reader(&self, consumer: &Consumer) -> Result<PartReader> {
        let some = self.rows() > 0;
        Ok(PartReader(if some { Some(self.run.reader(consumer)?) } else { None }))
    }
}

/// Reads the rows of a part.
pub(super) struct PartReader(Option<RunReader>);

impl PartReader {
    /// The next row's key and piece, as one record.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        self.0.as_mut().map_or(Ok(None), RunReader::next)
    }
}

/// The partitions of one side while they are written.
pub(super) struct Partitions {
    hash: LevelHash,
    writers: Vec<Mutex<PartWriter>>,
}

struct PartWriter {
    writer: RunWriter,
    table_bytes: u64,
}

impl Partitions {
    pub(super) fn new(
        level: u32,
        count: usize,
        file: &Arc<SpillFile>,
        consumer: &Consumer,
        block_bytes: usize,
    ) -> Result<Self> {
        let writer = |_| {
            let writer = RunWriter::new(file, consumer, block_bytes)?;
            Ok(Mutex::new(PartWriter { writer, table_bytes: 0 }))
        };
        let writers = (0..count).map(writer).collect::<Result<_>>()?;
        Ok(Self { hash: LevelHash::new(level), writers })
    }

    #[inline]
    pub(super) fn hash(&self, key: &[u8]) -> u64 {
        self.hash.of(key)
    }

    /// Adds a row whose key has this hash.
    pub(super) fn push(
        &self,
        lane: &mut WriteLane,
        hash: u64,
        key: &[u8],
        piece: &[u8],
    ) -> Result<()> {
        let place = ((hash >> 32) * self.writers.len() as u64) >> 32;
        let place = usize::try_from(place).expect("below a length");
        let mut length = [0; LENGTH_BYTES_MAX];
        let end = put_length(&mut length, 0, key.len());
        let mut part = self.writers[place].lock().unwrap_or_else(PoisonError::into_inner);
        part.table_bytes += entry_bytes(key.len(), piece.len()) as u64;
        part.writer.push(lane, &[&length[..end], key, piece])?;
        Ok(())
    }

    /// Ends them. Every other lane has been settled.
    pub(super) fn finish(self, lane: &mut WriteLane) -> Result<Vec<Part>> {
        let finished = self.writers.into_iter().map(|part| {
            let part = part.into_inner().unwrap_or_else(PoisonError::into_inner);
            let run = Arc::new(part.writer.finish(lane)?);
            Ok(Part { run, table_bytes: part.table_bytes })
        });
        finished.collect()
    }
}

/// Key and piece of a record.
#[inline]
pub(super) fn parts(record: &[u8]) -> Result<(&[u8], &[u8])> {
    length_at(record, 0)
        .and_then(|(key, at)| record[at..].split_at_checked(key))
        .ok_or_else(|| Error::corrupt("a spilled row has no key: run the command again"))
}
