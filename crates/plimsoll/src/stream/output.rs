//! A file that appears whole or not at all.
//!
//! ```text
//!   .NAME.PID-N.part ── buffer, write, write ──> fsync ──> rename to NAME ──> fsync directory
//!         └─ dropped before: removed
//! ```
//!
//! Promises: whoever opens the name sees the old file or the whole new one, also after a crash.
//! Never: a file half written under the name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::limits::FRAME_BYTES;
use crate::storage::{Storage, StorageFile};
use crate::typed::Engine;

pub(super) struct Output {
    storage: Arc<dyn Storage>,
    file: Arc<dyn StorageFile>,
    path: PathBuf,
    part: PathBuf,
    /// What is not written yet. May grow beyond a frame by one item.
    pub(super) buffer: Vec<u8>,
    written: u64,
    done: bool,
    reservation: Reservation,
}

impl Output {
    pub(super) fn create(engine: &Engine, path: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = path.file_name().ok_or_else(|| {
            Error::invalid(format!("{} names no file to write; add one", path.display()))
        })?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let part = format!(".{}.{process}-{number}.part", name.to_string_lossy());
        let part = path.with_file_name(part);
        let reservation = engine.consumer().try_reserve(2 * FRAME_BYTES as u64)?;
        let storage = engine.storage();
        let file = storage.create(&part).map_err(|e| failed(path, e))?;
        let (path, buffer) = (path.to_owned(), Vec::with_capacity(2 * FRAME_BYTES));
        Ok(Self { storage, file, path, part, buffer, written: 0, done: false, reservation })
    }

    /// Writes the buffer if it is a frame or more.
    pub(super) fn flow(&mut self) -> Result<()> {
        if self.buffer.len() < FRAME_BYTES { Ok(()) } else { self.write() }
    }

    fn write(&mut self) -> Result<()> {
        let capacity = self.buffer.capacity() as u64;
        if capacity > self.reservation.bytes() {
            // One large item made it grow: it counts until it is written.
            self.reservation.try_grow(capacity - self.reservation.bytes())?;
        }
        let written = self.file.write_at(&self.buffer, self.written);
        written.map_err(|e| failed(&self.path, e))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Writes the rest and gives the file its name; returns its bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.write()?;
        let directory = match self.path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        let named =
            self.file.sync().and_then(|()| self.storage.rename(&self.part, &self.path)).and_then(
                |()| {
                    self.done = true;
                    self.storage.sync_directory(directory)
                },
            );
        named.map_err(|e| failed(&self.path, e))?;
        Ok(self.written)
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::io(format!("writing {}", path.display()), error)
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.done {
            // What stays has a name that says what it is.
            let _left_over = self.storage.remove_file(&self.part);
        }
    }
}
