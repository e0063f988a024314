//! JSON: arrays, objects one after another, and objects line by line.

mod array;
mod escape;
mod extent;
mod lines;
mod object;
mod writer;

pub use array::JsonReader;
pub use lines::NdjsonReader;
pub use writer::{JsonArray, JsonObjects, Ndjson};
