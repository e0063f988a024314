//! The formats by name, media type and file name.
//!
//! Promises: every name that is accepted is the one a person or a client actually sends.
//! Never: a guess from content; the caller names the format, only compression is recognised.

use super::{
    Csv, CsvOptions, CsvReader, JsonArray, JsonReader, Ndjson, NdjsonReader, ReaderOptions,
    RecordReader, RowEncoder, Source,
};
use crate::error::Result;

/// A row format.
///
/// ```
/// use plimsoll::format::Format;
/// assert_eq!(Format::from_name("jsonl"), Some(Format::Ndjson));
/// assert_eq!(Format::from_media_type("Text/CSV; header=present"), Some(Format::Csv));
/// assert_eq!(Format::from_file_name("orders.csv.gz"), Some(Format::Csv));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object per line.
    Ndjson,
    /// One JSON array of objects; a reader also takes objects one after another.
    Json,
    /// RFC 4180 with a header.
    Csv,
}

impl Format {
    /// Every format, in the order messages list them.
    pub const ALL: [Self; 3] = [Self::Ndjson, Self::Json, Self::Csv];

    /// The name in parameters and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// The format a parameter names; `jsonl` is another word for NDJSON.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "jsonl" {
            return Some(Self::Ndjson);
        }
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// What stands in Content-Type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    /// The format of a media type; parameters such as `charset` are not looked at.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(essence));
        if is(&[
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
        ]) {
            Some(Self::Ndjson)
        } else if is(&["application/json", "text/json"]) {
            Some(Self::Json)
        } else if is(&["text/csv", "application/csv"]) {
            Some(Self::Csv)
        } else {
            None
        }
    }

    /// The extension of a file, without a dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        self.name()
    }

    /// The format a file's name ends in, under `.gz`, `.zst` or neither.
    #[must_use]
    pub fn from_file_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let bare =
            [".gz", ".zst"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(&name);
        bare.rsplit_once('.').and_then(|(_, extension)| Self::from_name(extension))
    }

    /// The writer of this format with its default options.
    #[must_use]
    pub fn encoder<I>(self, names: I) -> Box<dyn RowEncoder>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        match self {
            Self::Ndjson => Box::new(Ndjson::new(names)),
            Self::Json => Box::new(JsonArray::new(names)),
            Self::Csv => Box::new(Csv::new(names, CsvOptions::default())),
        }
    }

    /// The reader of this format. Reserve [`ReaderOptions::workspace_bytes`] and the source's
    /// [`Source::workspace_bytes`] first.
    ///
    /// # Errors
    /// Those of the reader's `open`.
    pub fn reader(self, source: Source, options: ReaderOptions) -> Result<Box<dyn RecordReader>> {
        Ok(match self {
            Self::Ndjson => Box::new(NdjsonReader::open(source, options)?),
            Self::Json => Box::new(JsonReader::open(source, options)?),
            Self::Csv => Box::new(CsvReader::open(source, options)?),
        })
    }
}
