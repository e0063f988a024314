//! Units of plain statements, many in one round trip.
//!
//! ```text
//!   ──> savepoint; unit 1 ..; unit 2 ..; unit 3 ..; constraints      all sent before any answer
//!   <──  all well ────────────> release
//!        one of them is not ──> rollback to the savepoint, and each by itself, as otherwise
//! ```
//!
//! A unit is plain that consists of statements about own tables and of SQL: what they have to meet
//! is looked at when the answers are there, so nothing has to be decided in between. Last
//! statements that are the same in many units go as one (see `gathered`).
//!
//! Promises: what comes of a unit is what would have come of it by itself.
//! Never: a unit that reads back, is remembered, tried or written as somebody.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use plimsoll::record::Value;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as PgError, Row};

use super::control::FIND_OWN;
use super::dialect::Sql;
use super::failure::explain;
use super::gathered::{Gathered, gather};
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

/// What the texts of a plain unit take on their way.
pub(super) fn bytes(unit: &WriteUnit) -> usize {
    let of = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    };
    let each = unit.writes.iter().map(|write| match write {
        Write::Own { params, .. } => params.iter().map(of).sum(),
        Write::Sql { params, .. } => params.iter().map(|(_, value)| of(value)).sum(),
        _ => 0_usize,
    });
    each.sum()
}

/// A statement on its way, and whose it is.
struct Sent<'a> {
    whose: Whose<'a>,
    answer: Pin<Box<dyn Future<Output = std::result::Result<Answer, PgError>> + 'a>>,
}

#[derive(Clone, Copy)]
enum Whose<'a> {
    Nobodys,
    /// A write of a unit, and how many rows it has to meet.
    One(Place, Option<u64>),
    Many(&'a Gathered<'a>),
}

/// A unit, and which of its writes.
pub(super) type Place = (usize, usize);

enum Answer {
    Rows(Vec<Row>),
    Count(u64),
    Done,
}

/// Runs units behind a savepoint, which the caller releases or rolls back to.
pub(super) async fn run(client: &Client, units: &[&WriteUnit]) -> Result<Vec<WriteOutcome>> {
    let last = gather(units);
    let mut statements = Vec::new();
    for (unit, of) in units.iter().enumerate() {
        for (write, one) in of.writes.iter().enumerate() {
            if !last.iter().any(|many| many.has((unit, write))) {
                push(&mut statements, (unit, write), one);
            }
        }
    }
    let mut sent = send(client, &statements, &last);
    send_all(&mut sent).await;
    let mut outcomes: Vec<WriteOutcome> = units
        .iter()
        .map(|unit| WriteOutcome { rows: vec![0; unit.writes.len()], ..WriteOutcome::default() })
        .collect();
    for one in sent {
        let answer = one.answer.await.map_err(|e| explain("writing", &e))?;
        match one.whose {
            Whose::Nobodys => {}
            Whose::One((unit, write), expected) => {
                let (count, rows) = count(answer)?;
                outcomes[unit].own.extend(rows);
                outcomes[unit].rows[write] += fenced(count, expected)?;
            }
            Whose::Many(many) => {
                let (count, rows) = count(answer)?;
                fenced(count, Some(many.places.len() as u64))?;
                let mut rows = rows.into_iter();
                for (unit, write) in &many.places {
                    outcomes[*unit].own.extend(rows.next());
                    outcomes[*unit].rows[*write] += 1;
                }
            }
        }
    }
    Ok(outcomes)
}

fn count(answer: Answer) -> Result<(u64, Vec<Vec<Value>>)> {
    match answer {
        Answer::Rows(rows) => {
            let rows = rows.iter().map(any).collect::<Result<Vec<_>>>()?;
            Ok((rows.len() as u64, rows))
        }
        Answer::Count(count) => Ok((count, Vec::new())),
        Answer::Done => Ok((0, Vec::new())),
    }
}

/// All in order, none of it on its way yet.
fn send<'a>(
    client: &'a Client,
    statements: &'a [Statement],
    last: &'a [Gathered<'a>],
) -> Vec<Sent<'a>> {
    let mut sent = Vec::with_capacity(statements.len() + last.len() + 3);
    let other = |text: &'static str| Sent {
        whose: Whose::Nobodys,
        answer: Box::pin(async move { client.batch_execute(text).await.map(|()| Answer::Done) }),
    };
    sent.push(other("savepoint units"));
    if statements.iter().any(|(_, own, _)| own.is_none()) {
        sent.push(other(FIND_OWN));
    }
    for (place, own, sql) in statements {
        let expected = own.and_then(|(_, expected)| expected);
        let answer = Box::pin(execute(client, *own, sql));
        sent.push(Sent { whose: Whose::One(*place, expected), answer });
    }
    for many in last {
        let answer = Box::pin(execute_many(client, many));
        sent.push(Sent { whose: Whose::Many(many), answer });
    }
    // A deferred rule is checked here, and not by the commit of all.
    sent.push(other("set constraints all immediate; set constraints all deferred"));
    sent
}

type Statement = (Place, Option<(&'static Own, Option<u64>)>, Sql);

fn push(statements: &mut Vec<Statement>, place: Place, write: &Write) {
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

async fn execute_many(
    client: &Client,
    many: &Gathered<'_>,
) -> std::result::Result<Answer, PgError> {
    let lists = many.lists.iter().map(|list| (list as _, Type::TEXT_ARRAY));
    let params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = lists.collect();
    if many.own.gives_rows() {
        client.query_typed(many.text, &params).await.map(Answer::Rows)
    } else {
        client.execute_typed(many.text, &params).await.map(Answer::Count)
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
