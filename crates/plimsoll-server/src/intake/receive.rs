//! A body on its way into a file.
//!
//! ```text
//!   Content-Type ─ place ─ memory ─ piece, piece, .. ─> 256 KiB ─> disk ─> fsync, rename
//!       415         503      503      408 where none comes          507
//! ```
//!
//! Promises: memory for two pieces, disk and the place are taken before a byte is read; what broke
//! off leaves nothing behind.
//! Never: a body in memory; a Content-Encoding undone (a file that is compressed is read as it is).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, header};
use plimsoll::error::excerpt;
use plimsoll::format::Format;
use plimsoll::units::ByteSize;

use super::Intake;
use super::files::Upload;
use super::multipart::Multipart;
use crate::app::Context;
use crate::problem::{Kind, Problem, Result};

/// Bytes that are written at a time.
const PIECE_BYTES: usize = 256 << 10;
/// What receiving holds: a piece that is filled, with what one read adds to it, and the boundary.
const HELD_BYTES: u64 = 2 * PIECE_BYTES as u64;
/// A body has arrived after so long, however slowly it comes.
const ARRIVED_AFTER: Duration = Duration::from_secs(2 * 3_600);

/// A file that is there, and what it is.
pub(crate) struct Received {
    pub(crate) upload: Upload,
    pub(crate) format: Format,
}

/// Bytes of the file in what was sent.
enum Taking {
    Raw,
    Part(Box<Multipart>),
}

/// Reads a body into a file. `named` is the format that the address names, if it does.
///
/// # Errors
/// 400, 408, 415, 503 or 507.
pub(crate) async fn receive(
    context: &Context,
    intake: &Arc<Intake>,
    headers: &HeaderMap,
    body: Body,
    named: Option<Format>,
) -> Result<Received> {
    let text = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = text.unwrap_or_default();
    let refuse = |why: String| Problem::new(Kind::UnsupportedMediaType, why);
    if headers.contains_key(header::CONTENT_ENCODING) {
        let why = "a body with a Content-Encoding is not read; send the file as it is, which may \
                   itself be compressed by gzip or zstd";
        return Err(refuse(why.to_owned()));
    }
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let mut taking = match essence.eq_ignore_ascii_case("multipart/form-data") {
        true => Taking::Part(Box::new(Multipart::new(content_type).map_err(unreadable)?)),
        false if Format::from_media_type(essence).is_some() => Taking::Raw,
        false if named.is_some() && is_bytes(essence) => Taking::Raw,
        false => {
            return Err(refuse(format!(
                "the body has Content-Type '{}'; allowed: multipart/form-data with a part called \
                 'file', text/csv, application/x-ndjson, application/json",
                excerpt(essence)
            )));
        }
    };
    if body.size_hint().lower() > intake.space.bytes_max {
        return Err(no_room(intake));
    }
    let busy = |_| Problem::new(Kind::Busy, "too many files are received already").retry_after(5);
    let _place = intake.places.try_acquire().map_err(busy)?;
    let _held = context.body_bytes.try_reserve(HELD_BYTES)?;
    let making = {
        let intake = Arc::clone(intake);
        move || Upload::create(&intake.config.directory, &intake.space)
    };
    let upload = on_disk(intake, making).await?;
    let arriving = arrive(context, intake, body, &mut taking, upload);
    let upload = tokio::time::timeout(ARRIVED_AFTER, arriving)
        .await
        .unwrap_or_else(|_| Err(late(ARRIVED_AFTER, "the body did not arrive")))?;
    if upload.bytes() == 0 {
        return Err(Problem::new(Kind::InvalidRequest, "the file is empty: it has no byte"));
    }
    let format = match taking {
        Taking::Raw => named.or(Format::from_media_type(essence)),
        Taking::Part(part) => named.or_else(|| {
            let described = part.described()?;
            let by_type = described.media_type.as_deref().and_then(Format::from_media_type);
            by_type.or_else(|| described.file_name.as_deref().and_then(Format::from_file_name))
        }),
    };
    let unknown = || {
        refuse(
            "neither the Content-Type of the part nor the name of the file says what it is; say \
             format=csv, ndjson or json in the address"
                .to_owned(),
        )
    };
    Ok(Received { upload, format: format.ok_or_else(unknown)? })
}

fn is_bytes(essence: &str) -> bool {
    ["application/octet-stream", "application/gzip", "application/zstd"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(essence))
}

async fn arrive(
    context: &Context,
    intake: &Arc<Intake>,
    body: Body,
    taking: &mut Taking,
    mut upload: Upload,
) -> Result<Upload> {
    let mut body = std::pin::pin!(body);
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    let silence = context.limits.stall_timeout;
    loop {
        let next = std::future::poll_fn(|cx| body.as_mut().poll_frame(cx));
        let Ok(next) = tokio::time::timeout(silence, next).await else {
            return Err(late(silence, "nothing more of the body came"));
        };
        let Some(frame) = next else { break };
        let frame = frame.map_err(|e| unreadable(format!("the body broke off: {e}")))?;
        if let Some(data) = frame.data_ref() {
            match taking {
                Taking::Raw => piece.extend_from_slice(data),
                Taking::Part(part) => part.feed(data, &mut piece).map_err(unreadable)?,
            }
        }
        if piece.len() >= PIECE_BYTES {
            (upload, piece) = append(intake, upload, piece).await?;
        }
    }
    if let Taking::Part(part) = taking {
        part.finish().map_err(unreadable)?;
    }
    (upload, _) = append(intake, upload, piece).await?;
    on_disk(intake, move || upload.finish().map(|()| upload)).await
}

async fn append(
    intake: &Arc<Intake>,
    mut upload: Upload,
    mut piece: Vec<u8>,
) -> Result<(Upload, Vec<u8>)> {
    on_disk(intake, move || {
        upload.append(&piece)?;
        piece.clear();
        Ok((upload, piece))
    })
    .await
}

/// Does what waits for the disk on a thread that may wait.
async fn on_disk<T: Send + 'static>(
    intake: &Arc<Intake>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|e| Problem::internal(&e))?;
    done.map_err(|error| match error.kind() {
        io::ErrorKind::QuotaExceeded => no_room(intake),
        io::ErrorKind::StorageFull => {
            let why = "the disk is full: no room for the file in the data directory";
            Problem::new(Kind::DiskFull, why)
        }
        _ => Problem::internal(&error),
    })
}

fn no_room(intake: &Intake) -> Problem {
    let most = ByteSize::new(intake.space.bytes_max);
    let why = format!(
        "files that are sent may take {most} together, and this one does not fit beside those that \
         jobs have not taken in yet: try again when they are over"
    );
    Problem::new(Kind::DiskFull, why).with("bytes_max", intake.space.bytes_max)
}

fn unreadable(why: String) -> Problem {
    Problem::new(Kind::InvalidRequest, why)
}

fn late(time: Duration, what: &str) -> Problem {
    Problem::new(Kind::BodyTimeout, format!("{what} within {} s", time.as_secs()))
}
