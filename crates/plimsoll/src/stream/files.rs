//! Streams from files and to files.
//!
//! Promises: a file is written whole or not at all; a record that is wrong is an error item with
//! its line, and the next one comes after it.
//! Never: more of a file in memory than its longest allowed record.

use std::path::{Path, PathBuf};

use super::Stream;
use super::named::NamedRow;
use super::output::Output;
use super::record::Record;
use crate::budget::Reservation;
use crate::error::{Error, Result};
use crate::format::{Format, ReadError, ReaderOptions, RecordReader, Source};
use crate::limits::LINE_BYTES_MAX;
use crate::typed::Engine;

/// Share of an operator's memory that a record of a file may take: what a sort can hold.
const LINE_SHARE: u64 = 32;
/// Least bound of a record, however small the memory.
const LINE_BYTES_MIN: u64 = 4 << 10;

impl Stream<Record> {
    /// The records of a CSV file with a header, compressed or not; read anew each time.
    #[must_use]
    pub fn from_csv(engine: &Engine, path: impl Into<PathBuf>) -> Self {
        Self::from_file(engine, path.into(), Format::Csv)
    }

    /// The records of a file with one JSON object a line, compressed or not; read anew each time.
    #[must_use]
    pub fn from_jsonl(engine: &Engine, path: impl Into<PathBuf>) -> Self {
        Self::from_file(engine, path.into(), Format::Ndjson)
    }

    fn from_file(engine: &Engine, path: PathBuf, format: Format) -> Self {
        let opener = engine.clone();
        Self::from_source(engine, move || FileRecords::open(&opener, &path, format))
    }
}

impl<R: NamedRow + Clone + Send + 'static> Stream<R> {
    /// Writes a CSV file with a header; returns its bytes. Without records the file is empty.
    ///
    /// # Errors
    /// The first of the items; [`crate::ErrorKind::Io`]; [`crate::ErrorKind::Invalid`] for records
    /// of different names. The file is then as it was before.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use plimsoll::budget::{Budget, Unmeasured};
    /// use plimsoll::stream::Stream;
    /// # use plimsoll::typed::Engine;
    /// # let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    /// # let root = tempfile::tempdir()?;
    /// # let engine = Engine::new(budget.consumer("work")?, 1 << 20, root.path())?;
    /// let (raw, sorted) = (root.path().join("raw.csv"), root.path().join("sorted.csv"));
    /// std::fs::write(&raw, "id,name\n2,tea\n1,cup\n")?;
    /// let rows = Stream::from_csv(&engine, &raw);
    /// rows.sort_by_key(|row| row.get("id").map(str::to_owned)).to_csv(&sorted)?;
    /// assert_eq!(std::fs::read_to_string(&sorted)?, "id,name\r\n1,cup\r\n2,tea\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_csv(&self, path: impl AsRef<Path>) -> Result<u64> {
        self.to_format(path.as_ref(), Format::Csv)
    }

    /// Writes a file with one JSON object a line; returns its bytes. The fields of a [`Record`] are
    /// texts; those of a [`super::TypedRecord`] are what they are.
    ///
    /// # Errors
    /// As [`Stream::to_csv`].
    pub fn to_jsonl(&self, path: impl AsRef<Path>) -> Result<u64> {
        self.to_format(path.as_ref(), Format::Ndjson)
    }

    fn to_format(&self, path: &Path, format: Format) -> Result<u64> {
        let mut output = Output::create(&self.engine, path)?;
        let mut writer = None;
        for record in self {
            let record = record?;
            let (first, encoder) = match &mut writer {
                Some(writer) => writer,
                None => {
                    let names = (0..record.width()).map(|at| record.name(at));
                    let mut encoder = format.encoder(names);
                    encoder.begin(&mut output.buffer);
                    writer.insert((record.clone(), encoder))
                }
            };
            if !first.has_names_of(&record) {
                return Err(Error::invalid(format!(
                    "writing {}: a record has other names than the first; map them to the same \
                     ones",
                    path.display()
                )));
            }
            encoder.row(&record, &mut output.buffer)?;
            output.flow()?;
        }
        if let Some((_, mut encoder)) = writer {
            encoder.end(&mut output.buffer);
        }
        output.finish()
    }
}

impl<T: Send + 'static> Stream<T> {
    /// Writes a file of what `encode` appends for each item; returns its bytes.
    ///
    /// # Errors
    /// The first of the items or of `encode`; [`crate::ErrorKind::Io`]. The file is then as it was
    /// before.
    pub fn to_file(
        &self,
        path: impl AsRef<Path>,
        mut encode: impl FnMut(&T, &mut Vec<u8>) -> Result<()>,
    ) -> Result<u64> {
        let mut output = Output::create(&self.engine, path.as_ref())?;
        for item in self {
            encode(&item?, &mut output.buffer)?;
            output.flow()?;
        }
        output.finish()
    }
}

/// One reading of a file.
struct FileRecords {
    path: PathBuf,
    reader: Option<Box<dyn RecordReader>>,
    last: Option<Record>,
    _reservation: Reservation,
}

impl FileRecords {
    fn open(engine: &Engine, path: &Path, format: Format) -> Result<Self> {
        let file = std::fs::File::open(path)
            .map_err(|e| Error::io(format!("opening {}", path.display()), e))?;
        let source = Source::open(Box::new(file), None)?;
        let line = (engine.memory_bytes() / LINE_SHARE).max(LINE_BYTES_MIN);
        let line_bytes_max = usize::try_from(line).unwrap_or(usize::MAX).min(LINE_BYTES_MAX);
        let options = ReaderOptions { line_bytes_max, ..ReaderOptions::default() };
        let bytes = options.workspace_bytes(format) + source.workspace_bytes();
        let reservation = engine.consumer().try_reserve(bytes as u64)?;
        let reader = Some(format.reader(source, options)?);
        Ok(Self { path: path.to_owned(), reader, last: None, _reservation: reservation })
    }
}

impl Iterator for FileRecords {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        let reader = self.reader.as_mut()?;
        match reader.next_record() {
            Ok(Some(record)) => {
                let owned = Record::read(&record, self.last.as_ref());
                if let Ok(record) = &owned {
                    // Its names go on to the next one.
                    self.last = Some(record.clone());
                }
                Some(owned)
            }
            Ok(None) => {
                self.reader = None;
                None
            }
            Err(ReadError::Record(error)) => {
                Some(Err(Error::invalid(format!("{}: {error}", self.path.display()))))
            }
            Err(ReadError::Fatal(error)) => {
                self.reader = None;
                Some(Err(error))
            }
        }
    }
}
