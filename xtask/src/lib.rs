//! Checks of the tree itself and the load generator of the measurements.
//!
//! | module | what it is for |
//! |---|---|
//! | [`tidy`] | rules about files, words, documents and dependencies, run as a test |
//! | [`load`] | HTTP clients of a stated speed that check every byte they read |
//!
//! Promises: nothing here is part of the product; nothing here changes a file.
//! Never: an async runtime; threads and blocking sockets are enough for a few hundred clients.

pub mod load;
pub mod tidy;
