//! An append-only file of checksummed records: what a killed process had finished.
//!
//! ```text
//!   | "PLSJ" version | length u32 | crc u32 | bytes | length u32 | crc u32 | bytes | torn ...
//!                      └ all little-endian; the crc is CRC-32 (IEEE) over length and bytes
//! ```
//!
//! Promises: what is read back is a prefix of what was appended, record by record, in the memory
//! of one.
//! Never: a record believed without its checksum, or one longer than the bound.

use std::path::Path;
use std::sync::Arc;

use crate::budget::Consumer;
use crate::error::{Error, Result};
use crate::storage::{Storage, StorageFile};

const MAGIC: [u8; 8] = *b"PLSJ\x02\0\0\0";
const HEAD_BYTES: usize = 8;
/// Longest record: what a sort depends on, with the path and the names of its columns.
const RECORD_BYTES_MAX: usize = 64 << 10;

/// The file, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Arc<dyn StorageFile>,
    end: u64,
    name: String,
}

impl Journal {
    /// Makes a journal at `path`.
    pub(crate) fn create(storage: &dyn Storage, path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let made = storage.create(path).and_then(|file| {
            file.write_at(&MAGIC, 0)?;
            Ok(file)
        });
        let file = made.map_err(|e| Error::io(format!("making {name}"), e))?;
        Ok(Self { file, end: MAGIC.len() as u64, name })
    }

    /// Opens the journal at `path`; `record` is given every whole record. `None` where it is no
    /// journal of this version.
    pub(crate) fn open(
        storage: &dyn Storage,
        path: &Path,
        consumer: &Consumer,
        record: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<Self>> {
        let _held = consumer.try_reserve(RECORD_BYTES_MAX as u64)?;
        let name = path.display().to_string();
        let failed = |e| Error::io(format!("reading {name}"), e);
        let file = match storage.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut magic = [0; MAGIC.len()];
        file.read_at(&mut magic, 0).map_err(failed)?;
        if magic != MAGIC {
            return Ok(None);
        }
        let len = file.len().map_err(failed)?;
        let mut end = MAGIC.len() as u64;
        let mut bytes = vec![0; RECORD_BYTES_MAX];
        loop {
            let mut head = [0; HEAD_BYTES];
            if file.read_at(&mut head, end).map_err(failed)? < HEAD_BYTES {
                break;
            }
            let length = u32::from_le_bytes(head[..4].try_into().expect("four bytes")) as usize;
            let crc = u32::from_le_bytes(head[4..].try_into().expect("four bytes"));
            let next = end + (HEAD_BYTES + length) as u64;
            if length > RECORD_BYTES_MAX || next > len {
                break;
            }
            let bytes = &mut bytes[..length];
            let read = file.read_at(bytes, end + HEAD_BYTES as u64).map_err(failed)?;
            if read < length || checksum(&head[..4], bytes) != crc {
                break;
            }
            record(bytes)?;
            end = next;
        }
        Ok(Some(Self { file, end, name }))
    }

    /// Appends a record.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len()).ok().filter(|_| bytes.len() <= RECORD_BYTES_MAX);
        let length = length.ok_or_else(|| {
            Error::too_large(format!(
                "noting {} bytes in {}: {RECORD_BYTES_MAX} are the most; give shorter paths and \
                 column names, or take --resume away",
                bytes.len(),
                self.name
            ))
        })?;
        let mut record = Vec::with_capacity(HEAD_BYTES + bytes.len());
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&checksum(&length.to_le_bytes(), bytes).to_le_bytes());
        record.extend_from_slice(bytes);
        let written = self.file.write_at(&record, self.end);
        written.map_err(|e| Error::io(format!("writing {}", self.name), e))?;
        self.end += record.len() as u64;
        Ok(())
    }
}

fn checksum(length: &[u8], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(length);
    hasher.update(bytes);
    hasher.finalize()
}
