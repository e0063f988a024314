//! Rows of one key, to be read again and again: in memory, or in pieces on disk.
//!
//! ```text
//!   hold ─> Rows ─ fits ──────────────────────────────── next(0), next(1), ..
//!            └─ full: piece 0, piece 1, .. on disk ────── one piece after another, from the first
//! ```
//!
//! Promises: rows in the order they were held, as often as asked; nothing is on disk while they
//! fit.
//! Never: a piece larger than the memory, or more than one row of a piece in memory.

use super::encoder::decode;
use super::rows::Rows;
use super::runs::Runs;
use super::sorter::Spillable;
use super::workspace::{self, Workspace};
use crate::error::{ErrorKind, Result};
use crate::spill::RunReader;

/// The rows, and how far they were read.
#[derive(Debug)]
pub(super) struct SameKey<R> {
    rows: Rows<R>,
    runs: Option<Runs>,
    len: u64,
    /// Number of the row given next.
    at: u64,
    /// The piece that is being read and its number.
    reader: Option<(usize, RunReader)>,
}

impl<R: Spillable + Clone> SameKey<R> {
    /// What an operator sets aside so that it can spill.
    pub(super) fn aside_bytes(workspace: &Workspace) -> u64 {
        let memory = workspace.memory_bytes();
        let write = workspace::write_bytes(memory, workspace.engine().codec(), 1);
        write.max(workspace::read_bytes(memory)) + workspace.encode_bytes()
    }

    pub(super) fn new() -> Self {
        Self { rows: Rows::new(), runs: None, len: 0, at: 0, reader: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes one more row.
    pub(super) fn hold(&mut self, workspace: &mut Workspace, row: R) -> Result<()> {
        let heap = row.heap_bytes() as u64;
        if let Err(row) = self.rows.push(row, heap) {
            workspace.check(size_of::<R>() as u64 + heap)?;
            if !self.make_room(workspace, heap)? {
                self.spill(workspace)?;
                self.rows.make_room(workspace, heap, u64::MAX, usize::MAX)?;
            }
            let pushed = self.rows.push(row, heap);
            assert!(pushed.is_ok(), "room was made for it");
        }
        self.len += 1;
        Ok(())
    }

    fn make_room(&mut self, workspace: &mut Workspace, heap: u64) -> Result<bool> {
        match self.rows.make_room(workspace, heap, u64::MAX, usize::MAX) {
            Err(error) if self.rows.items.is_empty() => Err(error),
            Err(error) if error.kind() == ErrorKind::OutOfBudget => {
                // Others need the bytes: the vector goes too.
                self.spill(workspace)?;
                self.rows.give_back(workspace);
                Ok(false)
            }
            room => Ok(room.unwrap_or(false)),
        }
    }

    /// Writes what is in memory as the next piece.
    fn spill(&mut self, workspace: &mut Workspace) -> Result<()> {
        if self.rows.items.is_empty() {
            return Ok(());
        }
        let runs = match &mut self.runs {
            Some(runs) => runs,
            None => self.runs.insert(Runs::new(workspace)?),
        };
        runs.write(workspace, self.rows.items.iter())?;
        self.rows.clear(workspace);
        if runs.set_aside(workspace).is_err() {
            self.rows.give_back(workspace);
            runs.set_aside(workspace)?;
        }
        Ok(())
    }

    /// No more rows come: they are read from the first on.
    pub(super) fn seal(&mut self, workspace: &mut Workspace) -> Result<()> {
        self.rewind();
        if self.runs.is_some() {
            self.spill(workspace)?;
            self.rows.give_back(workspace);
        }
        let Some(runs) = &mut self.runs else { return Ok(()) };
        runs.stop_writing();
        workspace.keep_free(runs.reader_bytes() + workspace.record_bytes_max())
    }

    /// Reads from the first row again.
    pub(super) fn rewind(&mut self) {
        (self.at, self.reader) = (0, None);
    }

    /// The next row, and whether it is the last one.
    pub(super) fn next(&mut self, workspace: &mut Workspace) -> Result<Option<(R, bool)>> {
        if self.at == self.len {
            return Ok(None);
        }
        let row = match &self.runs {
            None => {
                let at = usize::try_from(self.at).expect("it is in memory");
                self.rows.items[at].clone()
            }
            Some(_) => self.next_spilled(workspace)?,
        };
        self.at += 1;
        Ok(Some((row, self.at == self.len)))
    }

    fn next_spilled(&mut self, workspace: &mut Workspace) -> Result<R> {
        let runs = self.runs.as_ref().expect("looked at by the caller");
        loop {
            let piece = match &mut self.reader {
                None => 0,
                Some((piece, reader)) => match reader.next()? {
                    Some(row) => return decode(row),
                    None => *piece + 1,
                },
            };
            // The old reader's buffer goes before the new one's comes.
            self.reader = None;
            self.reader = Some((piece, runs.reader(workspace, piece)?));
            workspace.assert_covered();
        }
    }

    /// Drops all rows.
    pub(super) fn clear(&mut self, workspace: &mut Workspace) {
        self.rewind();
        self.len = 0;
        self.runs = None;
        self.rows.clear(workspace);
    }
}
