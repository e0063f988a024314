//! A report that is read in one piece: a query, a snapshot, or rows that have to be sorted.
//!
//! Promises: the very bytes of the export; whoever stops it or kills it makes it begin anew.
//! Never: a checkpoint: what is of one moment has no place to go on from.

use std::pin::Pin;

use axum::body::HttpBody as _;
use plimsoll_jobs::{JobError, Run};
use tokio::runtime::Runtime;

use super::file::ReportFile;
use super::generate::{Written, failed, lost};
use crate::access::{Audited, RowCount};
use crate::problem::{Kind, Problem};
use crate::routes::export::export;
use crate::routes::exports::Reading;

/// Writes it.
pub(super) fn write(
    runtime: &Runtime,
    run: &Run<'_>,
    reading: &Reading,
    audited: Audited,
    (file, rows): (&mut ReportFile, &RowCount),
) -> Result<Written, JobError> {
    runtime.block_on(async {
        let Reading { context, served, request } = reading;
        let answer = audited.watch(export(context, served, request, false).await);
        let mut body = answer.map_err(|problem| failed(&problem))?.into_body();
        loop {
            if run.stop().is_some() {
                return Ok(Written::Stopped);
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
            let Some(frame) = frame else { return Ok(Written::Whole(rows.rows())) };
            // Whoever made the body has logged why.
            let cut = |_| Problem::new(Kind::Internal, "the reading was cut midway");
            let frame = frame.map_err(cut).map_err(|problem| failed(&problem))?;
            if let Some(bytes) = frame.data_ref() {
                file.append(bytes).map_err(|e| failed(&lost(&e)))?;
            }
        }
    })
}
