//! JSON: arrays, objects one after another, and objects line by line.
//!
//! Promises: numbers keep their digits from text to value and back.
//! Never: a document in memory.

mod array;
mod escape;
mod extent;
mod lines;
mod object;
mod writer;

pub use array::JsonReader;
pub use lines::NdjsonReader;
pub use writer::{JsonArray, JsonObjects, Ndjson};
