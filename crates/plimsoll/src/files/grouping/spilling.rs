//! The spill area of a grouping, made when the first table is full.
//!
//! Promises: an input that fits never makes a directory.
//! Never: two areas for one grouping.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::files::tool::Tool;
use crate::spill::{Codec, SpillArea, SpillFile, SpillStats};

pub(super) struct Spilling<'a> {
    tool: Tool<'a>,
    kept: bool,
    made: Mutex<Option<(SpillArea, Arc<SpillFile>)>>,
}

impl<'a> Spilling<'a> {
    /// For partitions, whose places are all `kept` to the end, or for runs, which give their
    /// places back as they are merged.
    pub(super) fn new(tool: &Tool<'a>, kept: bool) -> Self {
        Self { tool: *tool, kept, made: Mutex::default() }
    }

    /// The file, made where there is none.
    pub(super) fn file(&self) -> Result<(Arc<SpillFile>, Codec)> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((area, file)) = &*made {
            return Ok((Arc::clone(file), area.codec()));
        }
        let area = self.tool.area()?;
        let file = if self.kept { area.file_kept("group")? } else { area.file("values")? };
        let codec = area.codec();
        *made = Some((area, Arc::clone(&file)));
        Ok((file, codec))
    }

    /// The file, where there is one.
    pub(super) fn made(&self) -> Option<(Arc<SpillFile>, Codec)> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.as_ref().map(|(area, file)| (Arc::clone(file), area.codec()))
    }

    /// What it did; `None` where nothing was spilled.
    pub(super) fn stats(&self) -> Option<SpillStats> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.as_ref().map(|(area, _)| area.stats())
    }
}
