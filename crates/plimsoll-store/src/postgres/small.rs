//! Whether a table is small enough to be read without an index.
//!
//! Promises: looks at no more rows than the bound and one.
//! Never: the server's statistics, which may be old.

use plimsoll::limits::UNINDEXED_SORT_ROWS_MAX;

use super::connection::Link;
use super::dialect::{Source, Sql};
use super::failure::explain;
use super::transaction::{Settings, fetch};
use crate::error::Result;
use crate::pending::Watch;

/// A statement that sorts or counts a small table.
pub(super) const SMALL_TABLE: Settings =
    Settings { timeout_ms: 10_000, sorts: true, finds_own: false };

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
        let mut rows = fetch(client, &sql, SMALL_TABLE).await.map_err(|e| explain(what, &e))?;
        let row = rows.next().await.map_err(|e| explain(what, &e))?;
        Ok(row.and_then(|row| row.try_get::<_, i64>(0).ok()))
    })?;
    Ok(counted.is_none_or(|rows| rows.cast_unsigned() <= UNINDEXED_SORT_ROWS_MAX))
}
