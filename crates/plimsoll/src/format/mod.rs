//! CSV, NDJSON and JSON in and out, and the compression around them.
//!
//! Promises: what a writer here writes, the reader here reads back to equal values: text byte for
//! byte, money digit for digit, NULL apart from the empty text. A reader holds a fixed number of
//! bytes, stated before it is built, whatever the input is.
//! Never: a whole file, array or document in memory, or a number that passes through a float on
//! its way to an integer or an amount.
//!
//! ```text
//!   file ── Source ── Window ──┬─ CsvReader    ─┐
//!          gzip, zstd  fixed   ├─ NdjsonReader ─┼─> Record ── Mapping ──> Vec<Value>
//!          by content  bytes   └─ JsonReader   ─┘  borrowed   types
//!
//!   &dyn Row ── RowEncoder ──> bytes of one frame
//!               Ndjson | JsonArray | JsonObjects | Csv
//! ```

mod base64;
mod csv;
mod encoder;
mod header;
mod input;
mod json;
mod kind;
mod magic;
mod mapping;
mod options;
mod read_error;
mod record;
mod scan;
mod source;
mod window;

pub use self::base64::decode as base64_decode;
pub use self::csv::{Csv, CsvOptions, CsvReader, Delimiter, LineEnd, guard, unguard};
pub use self::encoder::RowEncoder;
pub use self::json::{JsonArray, JsonObjects, JsonReader, Ndjson, NdjsonReader};
pub use self::kind::Format;
pub use self::magic::Compression;
pub use self::mapping::{Mapping, MappingOptions};
pub use self::options::ReaderOptions;
pub use self::read_error::{ReadError, RecordError};
pub use self::record::{Field, Position, Record, RecordReader};
pub use self::source::Source;
