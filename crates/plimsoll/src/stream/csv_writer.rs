//! A CSV file, row by row.
//!
//! ```text
//!   create ─> write_headers ─> write_row, write_row, .. ─> finish: the file has its name
//!                └─ or none          └─ dropped before: the name is as it was
//! ```
//!
//! Promises: whoever opens the name sees the old file or the whole new one; text that a spreadsheet
//! would run as a formula is guarded; a row of another width than the first is refused.
//! Never: more in memory than a buffer of 128 KiB and the row on its way.

use std::path::{Path, PathBuf};

use super::output::Output;
use crate::error::{Error, Result};
use crate::format::{Csv, CsvOptions, RowEncoder as _};
use crate::record::Row;
use crate::typed::Engine;

/// Writes a CSV file by itself: a temporary file beside it that gets the name when it is whole and
/// on the disk.
///
/// ```
/// # use std::sync::Arc;
/// # use plimsoll::budget::{Budget, Unmeasured};
/// use plimsoll::format::CsvOptions;
/// use plimsoll::record::{Value, ValueRow};
/// use plimsoll::stream::CsvWriter;
/// # use plimsoll::typed::Engine;
/// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
/// # let root = tempfile::tempdir()?;
/// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
/// let path = root.path().join("sales.csv");
/// let mut writer = CsvWriter::create(&engine, &path, CsvOptions::default())?;
/// writer.write_headers(&["date", "note"])?;
/// writer.write_row(&ValueRow(&[Value::Text("2026-01-01".into()), Value::Text("=1+1".into())]))?;
/// assert!(!path.exists());
/// writer.finish()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "date,note\r\n2026-01-01,'=1+1\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CsvWriter {
    path: PathBuf,
    output: Output,
    options: CsvOptions,
    /// Made by the headers, or by the first row.
    encoder: Option<(usize, Csv)>,
}

impl CsvWriter {
    /// A file at `path` of which nothing is seen before [`CsvWriter::finish`]. Costs 128 KiB, and
    /// what a larger row takes until it is written.
    ///
    /// # Errors
    /// [`crate::ErrorKind::OutOfBudget`], [`crate::ErrorKind::Io`] when no file can be made beside
    /// `path`, [`crate::ErrorKind::Invalid`] when it names none.
    pub fn create(engine: &Engine, path: impl AsRef<Path>, options: CsvOptions) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let output = Output::create(engine, &path)?;
        Ok(Self { path, output, options, encoder: None })
    }

    /// Writes the names, unless [`CsvOptions::header`] says there are none; rows have as many
    /// fields from now on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] behind a row or other headers; [`crate::ErrorKind::Io`].
    pub fn write_headers(&mut self, names: &[&str]) -> Result<()> {
        if self.encoder.is_some() {
            return Err(Error::invalid(format!(
                "writing {}: headers come once and before the first row",
                self.path.display()
            )));
        }
        self.begin(names, self.options);
        self.output.flow()
    }

    fn begin(&mut self, names: &[&str], options: CsvOptions) -> &mut Csv {
        let mut csv = Csv::new(names, options);
        csv.begin(&mut self.output.buffer);
        &mut self.encoder.insert((names.len(), csv)).1
    }

    /// Writes a row. Without headers the first row says how many fields there are.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Invalid`] for a row of another width; those of [`Row::value`]: the row
    /// is not written then, and others may follow. [`crate::ErrorKind::OutOfBudget`] and
    /// [`crate::ErrorKind::Io`]: the file cannot be finished.
    pub fn write_row(&mut self, row: &dyn Row) -> Result<()> {
        let width = self.encoder.as_ref().map_or(row.width(), |(width, _)| *width);
        if row.width() != width {
            return Err(Error::invalid(format!(
                "writing {}: a row of {} fields, where the first line has {width}",
                self.path.display(),
                row.width()
            )));
        }
        if self.encoder.is_none() {
            self.begin(&vec![""; width], CsvOptions { header: false, ..self.options });
        }
        let (_, csv) = self.encoder.as_mut().expect("made above");
        csv.row(row, &mut self.output.buffer)?;
        self.output.flow()
    }

    /// Writes the rest, makes it durable and gives the file its name; returns its bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`]. The file is then as it was before.
    pub fn finish(self) -> Result<u64> {
        self.output.finish()
    }
}

impl std::fmt::Debug for CsvWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CsvWriter({})", self.path.display())
    }
}
