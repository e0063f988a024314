//! Outcomes that are remembered under a client's key.
//!
//! Promises: kept in the transaction of what they tell; the same key with another request is an
//! error and no answer.
//! Never: an outcome beyond its time.

use rusqlite::{Connection, OptionalExtension};

use super::failure::explain;
use crate::error::{Error, ErrorKind, Result};
use crate::write::{Remember, WriteOutcome, WriteUnit};

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The outcome that is remembered under a client's key, if it is still kept.
pub(super) fn recall(
    connection: &Connection,
    unit: &WriteUnit,
    remember: &Remember,
) -> Result<Option<WriteOutcome>> {
    let fail = |e| explain("looking up an idempotency key", &e);
    let mut expired = connection
        .prepare_cached("delete from plimsoll_idempotency where expires_at <= ?1")
        .map_err(fail)?;
    expired.execute([unit.now_micros]).map_err(fail)?;
    let found = connection
        .prepare_cached(
            "select fingerprint, tag, body, version from plimsoll_idempotency where key = ?1",
        )
        .map_err(fail)?
        .query_row([&*remember.key], |r| {
            let fingerprint: Vec<u8> = r.get(0)?;
            Ok((fingerprint, r.get::<_, u16>(1)?, r.get::<_, Vec<u8>>(2)?, r.get(3)?))
        })
        .optional()
        .map_err(fail)?;
    match found {
        None => Ok(None),
        Some((fingerprint, tag, body, version)) if fingerprint == remember.fingerprint => {
            let replayed = Some(tag);
            let mut replay = WriteOutcome { body, version, replayed, ..Default::default() };
            if unit.read_back.is_none() {
                replay.recall_counts();
            }
            Ok(Some(replay))
        }
        Some(_) => Err(Error::new(
            ErrorKind::KeyReused,
            "this Idempotency-Key was used for a different request: take a new key",
        )),
    }
}

/// Keeps the outcome in the transaction of its effects.
pub(super) fn keep(
    connection: &Connection,
    remember: &Remember,
    now_micros: i64,
    reads_back: bool,
    outcome: &mut WriteOutcome,
) -> Result<()> {
    if !reads_back {
        outcome.keep_counts()?;
    }
    let expires = now_micros + i64::from(remember.keep_seconds) * MICROS_PER_SECOND;
    let run = || {
        connection
            .prepare_cached(
                "insert into plimsoll_idempotency \
                 (key, fingerprint, tag, body, version, expires_at) \
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((
                &*remember.key,
                remember.fingerprint,
                remember.tag,
                &outcome.body,
                outcome.version,
                expires,
            ))
    };
    run().map_err(|e| explain("remembering an idempotency key", &e))?;
    if !reads_back {
        outcome.body.clear();
    }
    Ok(())
}
