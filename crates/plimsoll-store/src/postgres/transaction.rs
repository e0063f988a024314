//! One statement in a transaction of its own, sent in one piece.
//!
//! ```text
//!   ──> begin read only; set local ..   parse, bind, execute   commit
//!   <──                                 rows .. rows           done      one round trip
//! ```
//!
//! Where the connection acts as somebody, the beginning makes the transaction theirs.
//!
//! Promises: nothing that is set outlives the transaction; the statement has a time limit.
//! Never: a name for the statement, which a pooler would have to know.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use futures_util::StreamExt as _;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row, RowStream};

use super::control::FIND_OWN;
use super::dialect::Sql;
use super::guise::Acting;
use super::value::Bind;

/// What holds for one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// The server ends the statement after this long.
    pub(super) timeout_ms: u64,
    /// Whether rows may be sorted. Where an index has them in order, the planner is kept from any
    /// other way, whatever its statistics say.
    pub(super) sorts: bool,
    /// Whether the statement is a pack's, which may name tables that are made for it.
    pub(super) finds_own: bool,
}

impl Settings {
    pub(super) fn begin(self) -> String {
        let planner = if self.sorts {
            ""
        } else {
            "; set local enable_seqscan = off; set local enable_bitmapscan = off; \
             set local enable_sort = off; set local max_parallel_workers_per_gather = 0"
        };
        let path = if self.finds_own { FIND_OWN } else { "" };
        let timeout = self.timeout_ms;
        format!("begin read only; set local statement_timeout = {timeout}{planner}; {path}")
    }

    /// The same with one snapshot for several statements.
    pub(super) fn whole(self) -> String {
        let begin = self.begin();
        begin.replacen("begin read only", "begin isolation level repeatable read read only", 1)
    }
}

/// The beginning of a transaction with as whom its connection acts.
pub(super) fn as_whom(acting: &Acting<'_>, mut begin: String) -> String {
    if let Some(guise) = acting.guise {
        begin.push_str(&guise.begin());
    }
    begin
}

/// How a transaction begins that has one snapshot for several statements.
pub(super) fn whole(acting: &Acting<'_>, timeout_ms: u64, sorts: bool) -> String {
    as_whom(acting, Settings { timeout_ms, sorts, finds_own: false }.whole())
}

/// The rows of a statement of a transaction that was begun before.
pub(super) async fn rows_of(client: &Client, sql: &Sql) -> Result<Rows, Error> {
    let params = sql.params.iter().map(|value| (Bind(value), Type::UNKNOWN));
    let stream = client.query_typed_raw(&sql.text, params).await?;
    Ok(Rows { stream: Box::pin(stream) })
}

/// The rows of a statement, in order.
pub(super) struct Rows {
    stream: Pin<Box<RowStream>>,
}

impl Rows {
    pub(super) async fn next(&mut self) -> Result<Option<Row>, Error> {
        self.stream.next().await.transpose()
    }
}

/// Sends the three and waits for the statement to begin to answer.
pub(super) async fn fetch(
    client: &Acting<'_>,
    sql: &Sql,
    settings: Settings,
) -> Result<Rows, Error> {
    fetch_begun(client, sql, settings.begin()).await
}

/// As [`fetch`], with a beginning of the caller's own.
pub(super) async fn fetch_begun(
    client: &Acting<'_>,
    sql: &Sql,
    begin: String,
) -> Result<Rows, Error> {
    let begin = &as_whom(client, begin);
    let params = sql.params.iter().map(|value| (Bind(value), Type::UNKNOWN));
    let mut begun = pin!(client.batch_execute(begin));
    let mut answer = pin!(client.query_typed_raw(&sql.text, params));
    let mut commit = pin!(client.batch_execute("commit"));
    // A request is on its way once its future was polled, so this order is the order of sending.
    // The commit's answer is nobody's concern: where the statement failed it rolls back.
    let (mut began, mut sent) = (None, false);
    let stream = poll_fn(|context| {
        if began.is_none()
            && let Poll::Ready(result) = begun.as_mut().poll(context)
        {
            began = Some(result);
        }
        let ready = answer.as_mut().poll(context);
        if !sent {
            sent = true;
            let _answered_later = commit.as_mut().poll(context);
        }
        if let Some(Err(_)) = &began
            && let Some(result) = began.take()
        {
            return Poll::Ready(result.map(|()| None));
        }
        ready.map(|stream| stream.map(Some))
    })
    .await?;
    let Some(stream) = stream else { unreachable!("only a failed beginning has no statement") };
    Ok(Rows { stream: Box::pin(stream) })
}
