//! CSV after RFC 4180, with NULL apart from the empty text and a formula guard.
//!
//! Promises: what is written here is read here as the same values.
//! Never: a decision about types; those are the mapping's.

mod delimiter;
mod fields;
mod guard;
mod machine;
mod reader;
mod writer;

pub use delimiter::Delimiter;
pub use guard::{guard, unguard};
pub use reader::CsvReader;
pub use writer::{Csv, CsvOptions, LineEnd};
