//! Whether a table is small enough to be read without an index.
//!
//! Promises: gives no more rows than the bound and one, and looks for them for a second at most:
//! whoever sees few rows of a large table, by its policies, may have to look at all of them.
//! Never: the server's statistics, which may be old.

use plimsoll::limits::UNINDEXED_SORT_ROWS_MAX;

use super::connection::Link;
use super::dialect::{Source, Sql};
use super::failure::{explain, is_cut_short};
use super::transaction::{Settings, fetch};
use crate::error::Result;
use crate::pending::Watch;

/// A statement that sorts or counts a small table.
pub(super) const SMALL_TABLE: Settings =
    Settings { timeout_ms: 10_000, sorts: true, finds_own: false };

/// The look whether it is small.
const LOOK: Settings = Settings { timeout_ms: 1_000, ..SMALL_TABLE };

/// Whether a table may be read whole for a page.
pub(super) fn is_small(
    link: &mut Link,
    watch: &Watch,
    source: Source<'_>,
    what: &str,
) -> Result<bool> {
    let mut sql = Sql::new();
    sql.push("select count(*) from (select from ").push(&source.qualified());
    sql.push(&format!(" limit {}) as t", UNINDEXED_SORT_ROWS_MAX + 1));
    let counted = link.run(watch, async |client| {
        let counted = async {
            let mut rows = fetch(client, &sql, LOOK).await?;
            let row = rows.next().await?;
            Ok(row.and_then(|row| row.try_get::<_, i64>(0).ok()))
        };
        match counted.await {
            Err(e) if is_cut_short(&e) => Ok(Some(i64::MAX)),
            counted => counted.map_err(|e: tokio_postgres::Error| explain(what, &e)),
        }
    })?;
    Ok(counted.is_none_or(|rows| rows.cast_unsigned() <= UNINDEXED_SORT_ROWS_MAX))
}
