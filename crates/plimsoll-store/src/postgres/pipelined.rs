//! Units of plain statements, many in one round trip.
//!
//! ```text
//!   ──> savepoint; unit 1 ..; unit 2 ..; unit 3 ..; constraints      all sent before any answer
//!   <──  all well ────────────> release
//!        one of them is not ──> rollback to the savepoint, and each by itself, as otherwise
//! ```
//!
//! A unit is plain that consists of statements about own tables and of SQL: what they have to meet
//! is looked at when the answers are there, so nothing has to be decided in between.
//!
//! Promises: what comes of a unit is what would have come of it by itself.
//! Never: a unit that reads back, is remembered, tried or written as somebody.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as PgError, Row};

use super::control::FIND_OWN;
use super::dialect::Sql;
use super::failure::explain;
use super::report::any;
use super::script;
use super::value::Bind;
use crate::error::Result;
use crate::own::{Own, fenced};
use crate::write::{Write, WriteOutcome, WriteUnit};
use crate::writer_lane::Job;

/// Whether it may go with others.
pub(super) fn is_plain(job: &Job) -> bool {
    let WriteUnit { writes, read_back, remember, trial, report_conflicts, .. } = &job.unit;
    let plain = |write: &Write| matches!(write, Write::Own { .. } | Write::Sql { .. });
    job.identity.is_none()
        && read_back.is_none()
        && remember.is_none()
        && !trial
        && !report_conflicts
        && writes.iter().all(plain)
}

/// A statement on its way, and whose it is.
struct Sent<'a> {
    unit: usize,
    /// Which of the unit's writes.
    write: usize,
    own: Option<(&'static Own, Option<u64>)>,
    answer: Pin<Box<dyn Future<Output = std::result::Result<Answer, PgError>> + 'a>>,
}

enum Answer {
    Rows(Vec<Row>),
    Count(u64),
    Done,
}

/// Runs units behind a savepoint, which the caller releases or rolls back to.
pub(super) async fn run(client: &Client, units: &[&WriteUnit]) -> Result<Vec<WriteOutcome>> {
    let mut statements = Vec::new();
    for (unit, of) in units.iter().enumerate() {
        for (write, one) in of.writes.iter().enumerate() {
            push(&mut statements, (unit, write), one);
        }
    }
    let fail = |e: PgError| explain("writing", &e);
    let mut sent = Vec::with_capacity(statements.len() + 2);
    let other = |text: &'static str| Sent {
        unit: 0,
        write: 0,
        own: None,
        answer: Box::pin(async move { client.batch_execute(text).await.map(|()| Answer::Done) }),
    };
    sent.push(other("savepoint units"));
    let finds_own = statements.iter().any(|(_, own, _)| own.is_none());
    if finds_own {
        sent.push(other(FIND_OWN));
    }
    for ((unit, write), own, sql) in &statements {
        let answer = Box::pin(execute(client, *own, sql));
        sent.push(Sent { unit: *unit, write: *write, own: *own, answer });
    }
    // A deferred rule is checked here, and not by the commit of all.
    sent.push(other("set constraints all immediate; set constraints all deferred"));
    send_all(&mut sent).await;
    let mut outcomes: Vec<WriteOutcome> = units
        .iter()
        .map(|unit| WriteOutcome { rows: vec![0; unit.writes.len()], ..WriteOutcome::default() })
        .collect();
    for one in sent {
        let Some(outcome) = outcomes.get_mut(one.unit) else { continue };
        let count = match one.answer.await.map_err(fail)? {
            Answer::Rows(rows) => {
                for row in &rows {
                    outcome.own.push(any(row)?);
                }
                rows.len() as u64
            }
            Answer::Count(count) => count,
            Answer::Done => continue,
        };
        let expected = one.own.and_then(|(_, expected)| expected);
        outcome.rows[one.write] += fenced(count, expected)?;
    }
    Ok(outcomes)
}

type Statement = ((usize, usize), Option<(&'static Own, Option<u64>)>, Sql);

fn push(statements: &mut Vec<Statement>, place: (usize, usize), write: &Write) {
    match write {
        Write::Own { statement, params, rows } => {
            let text = statement.for_postgres().to_owned();
            let sql = Sql { text, params: params.clone() };
            statements.push((place, Some((statement, *rows)), sql));
        }
        Write::Sql { text, params } => {
            let each = script::statements(text, params);
            statements.extend(each.into_iter().map(|sql| (place, None, sql)));
        }
        _ => unreachable!("a plain unit has no other writes"),
    }
}

async fn execute(
    client: &Client,
    own: Option<(&'static Own, Option<u64>)>,
    sql: &Sql,
) -> std::result::Result<Answer, PgError> {
    let binds: Vec<Bind<'_>> = sql.params.iter().map(Bind).collect();
    let params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
        binds.iter().map(|bind| (bind as _, Type::UNKNOWN)).collect();
    if own.is_some_and(|(own, _)| own.gives_rows()) {
        client.query_typed(&sql.text, &params).await.map(Answer::Rows)
    } else {
        client.execute_typed(&sql.text, &params).await.map(Answer::Count)
    }
}

/// Sends them in order. A request is on its way once its future was polled.
async fn send_all(sent: &mut [Sent<'_>]) {
    let mut early = Vec::new();
    poll_fn(|context| {
        for (place, one) in sent.iter_mut().enumerate() {
            if let Poll::Ready(answer) = one.answer.as_mut().poll(context) {
                early.push((place, answer));
            }
        }
        Poll::Ready(())
    })
    .await;
    for (place, answer) in early {
        sent[place].answer = Box::pin(std::future::ready(answer));
    }
}
