//! The commands, one file each.

pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod migrate;
pub(crate) mod seed;
pub(crate) mod serve;
