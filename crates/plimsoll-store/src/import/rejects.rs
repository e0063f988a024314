//! The file of rejected rows: `line,reason,record` as CSV.
//!
//! Promises: on disk, its name as well, before the checkpoint that counts it; cut back to the
//! checkpoint on resume, so that a row stands in it once.
//! Never: the database's rows, or a record it did not get.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

const HEADER: &[u8] = b"line,reason,record\n";

/// The file, open at its end.
pub(super) struct Rejects {
    path: PathBuf,
    out: BufWriter<File>,
    bytes: u64,
    dirty: bool,
    /// Its name is on disk.
    named: bool,
}

impl Rejects {
    /// Opens the file and cuts it back to `keep_bytes`; 0 begins it anew.
    pub(super) fn open(path: &Path, keep_bytes: u64) -> Result<Self> {
        let fail = |e| failed(path, &e);
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(false).open(path).map_err(fail)?;
        let there = file.metadata().map_err(fail)?.len();
        if there < keep_bytes {
            return Err(Error::new(
                ErrorKind::Corrupt,
                format!(
                    "the file of rejected rows {} has {there} bytes, its checkpoint counts \
                     {keep_bytes}: put it back, or start anew with --restart",
                    path.display()
                ),
            ));
        }
        file.set_len(keep_bytes).map_err(fail)?;
        file.seek(SeekFrom::End(0)).map_err(fail)?;
        let path = path.to_owned();
        // What a checkpoint counts was named before it.
        let (out, named) = (BufWriter::new(file), keep_bytes > 0);
        let mut rejects = Self { path, out, bytes: keep_bytes, dirty: false, named };
        if keep_bytes == 0 {
            rejects.write(HEADER)?;
        }
        Ok(rejects)
    }

    pub(super) fn add(&mut self, line: u64, reason: &str, record: &[u8]) -> Result<()> {
        let mut row = line.to_string().into_bytes();
        row.push(b',');
        quote(reason.as_bytes(), &mut row);
        row.push(b',');
        quote(record, &mut row);
        row.push(b'\n');
        self.write(&row)
    }

    /// Puts everything on disk and says how long the file is.
    pub(super) fn sync(&mut self) -> Result<u64> {
        if self.dirty {
            self.out.flush().map_err(|e| failed(&self.path, &e))?;
            self.out.get_ref().sync_data().map_err(|e| failed(&self.path, &e))?;
            self.dirty = false;
        }
        if !self.named {
            let folder = self.path.parent().filter(|folder| *folder != Path::new(""));
            let flushed = File::open(folder.unwrap_or(Path::new("."))).and_then(|f| f.sync_all());
            flushed.map_err(|e| failed(&self.path, &e))?;
            self.named = true;
        }
        Ok(self.bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|e| failed(&self.path, &e))?;
        self.bytes += bytes.len() as u64;
        self.dirty = true;
        Ok(())
    }
}

/// Always quoted: a record may hold anything, and a formula in quotes stays text to be read here.
fn quote(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull => ErrorKind::DiskFull,
        _ => ErrorKind::Io,
    };
    Error::new(kind, format!("writing rejected rows to {}: {error}", path.display()))
}
