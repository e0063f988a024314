//! Many rows into a table by COPY.
//!
//! ```text
//!   error          copy t (..) from stdin
//!   skip, update   copy pg_temp.plimsoll_rows (..) from stdin
//!                  insert into t (..) select .. from pg_temp.plimsoll_rows on conflict ..
//!
//!   a\b ⇥ NULL  ──>  a\\b, \t, \N       one line per row, a tab between its fields
//! ```
//!
//! Promises: what the rows, one after another, would have made, or nothing: a copy that meets a
//! row it cannot take is undone, and the caller's statements find out which row, and say why.
//! Never: a value that ends its field, its line or the copy; the text of all rows in memory.

use std::fmt;
use std::io::Cursor;
use std::pin::pin;

use futures_util::SinkExt as _;
use plimsoll::record::{Timestamp, Value};
use tokio_postgres::Client;

use super::apply::{rows, run};
use super::dialect::{Sql, quote};
use super::failure::{explain, explain_write};
use super::insert::{Insert, Made, is_int, push_conflict, stamps};
use super::value::write_text;
use crate::error::{ErrorKind, Result};
use crate::write::OnConflict;

/// Text that is sent at a time: what fills a socket's buffer.
const PIECE_BYTES: usize = 64 << 10;

/// Where rows wait that are merged.
const WAITING: &str = "pg_temp.plimsoll_rows";

/// How rows come into the table.
enum Way<'a> {
    Straight,
    /// Where a row is sought by these columns; without any, one that is there is left alone.
    Merged(Option<&'a [usize]>),
}

/// Copies the rows. Nothing was done where there is no answer.
///
/// # Errors
/// When the database is busy or gone.
pub(super) async fn insert(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
) -> Result<Option<Made>> {
    let what = format!("writing {}", insert.source.resource.name);
    let fail = |e: tokio_postgres::Error| explain(&what, &e);
    let fits = |row: &[Value]| {
        let mut fields = insert.columns.iter().zip(row);
        fields.all(|(&column, value)| insert.source.check(column, value).is_ok())
    };
    let Some(way) = way(insert, values) else { return Ok(None) };
    let Some(key) = last_key(client, insert, values).await.map_err(fail)? else { return Ok(None) };
    if !values.chunks(insert.columns.len()).all(fits) {
        return Ok(None);
    }
    client.batch_execute("savepoint bulk").await.map_err(fail)?;
    match copied(client, insert, values, &way, &key).await {
        Ok(made) => {
            client.batch_execute("release bulk").await.map_err(fail)?;
            Ok(Some(made))
        }
        Err(error) => {
            let explained = explain_write(&what, &error);
            // What waits for others would wait once more.
            if explained.kind() == ErrorKind::Busy {
                return Err(explained);
            }
            client.batch_execute("rollback to bulk; release bulk").await.map_err(fail)?;
            Ok(None)
        }
    }
}

/// How the rows go, if that is the same for all of them.
fn way<'a>(insert: &Insert<'a>, values: &[Value]) -> Option<Way<'a>> {
    let source = insert.source;
    let place = |column: &usize| insert.columns.iter().position(|c| c == column);
    let given =
        |column: usize| values.chunks(insert.columns.len()).all(|row| row[column] != Value::Null);
    // A key that is NULL in some rows is made for those alone.
    if !source.resource.key.iter().filter_map(place).all(given) {
        return None;
    }
    match insert.on_conflict {
        OnConflict::Error => Some(Way::Straight),
        OnConflict::Skip => Some(Way::Merged(None)),
        OnConflict::Update => {
            // Of several sets the first: a row that is the same in another one breaks that one's
            // rule, and the copy is undone. So does a row that hits another of the unit.
            let places = |set: &'a Vec<usize>| {
                Some((set.as_slice(), set.iter().map(place).collect::<Option<Vec<_>>>()?))
            };
            let Some((set, places)) = source.table.unique.iter().find_map(places) else {
                return Some(Way::Straight);
            };
            places.into_iter().all(given).then_some(Way::Merged(Some(set)))
        }
    }
}

/// Where the last row's key comes from.
enum LastKey {
    /// It is not one integer, or nobody is told it.
    Untold,
    Given(i64),
    /// From this sequence.
    Made(String),
}

/// Nothing where the key is made in some other way.
async fn last_key(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
) -> Result<Option<LastKey>, tokio_postgres::Error> {
    let source = insert.source;
    let key = match *source.resource.key {
        [key] if is_int(source.table.columns[key].codec) => key,
        _ => return Ok(Some(LastKey::Untold)),
    };
    if insert.on_conflict != OnConflict::Error {
        return Ok(Some(LastKey::Untold));
    }
    if let Some(place) = insert.columns.iter().position(|&c| c == key) {
        let from_the_end = insert.columns.len() - place;
        return Ok(match values.len().checked_sub(from_the_end).map(|at| &values[at]) {
            Some(Value::Int(key)) => Some(LastKey::Given(*key)),
            _ => None,
        });
    }
    let name = |text: &str| Value::Text(text.into());
    let sql = Sql {
        text: "select pg_get_serial_sequence($1::text, $2::text)".to_owned(),
        params: vec![name(&source.qualified()), name(source.name(key))],
    };
    let found = rows(client, &sql).await?;
    let sequence = found.first().map_or(Ok(None), |row| row.try_get::<_, Option<String>>(0))?;
    Ok(sequence.map(LastKey::Made))
}

async fn copied(
    client: &Client,
    insert: &Insert<'_>,
    values: &[Value],
    way: &Way<'_>,
    key: &LastKey,
) -> Result<Made, tokio_postgres::Error> {
    let source = insert.source;
    let all: Vec<usize> = insert.columns.iter().copied().chain(stamps(insert)).collect();
    let names: Vec<String> = all.iter().map(|&c| quote(source.name(c))).collect();
    let (names, table) = (names.join(", "), source.qualified());
    let rows = match way {
        Way::Straight => copy(client, &table, &names, insert, values).await?,
        Way::Merged(target) => {
            let make = format!(
                "create temporary table plimsoll_rows on commit drop as \
                 select {names} from {table} with no data"
            );
            client.batch_execute(&make).await?;
            copy(client, WAITING, &names, insert, values).await?;
            let mut sql = Sql::new();
            sql.push(&format!("insert into {table} as t ({names}) select {names} from {WAITING}"));
            push_conflict(&mut sql, insert, &all, *target);
            let rows = run(client, &sql).await?;
            // The next unit of this transaction makes its own.
            client.batch_execute(&format!("drop table {WAITING}")).await?;
            rows
        }
    };
    Ok(Made { rows, last_key: told(client, key).await? })
}

async fn told(client: &Client, key: &LastKey) -> Result<Option<i64>, tokio_postgres::Error> {
    let sequence = match key {
        LastKey::Untold => return Ok(None),
        LastKey::Given(key) => return Ok(Some(*key)),
        LastKey::Made(sequence) => sequence,
    };
    let sql = Sql {
        text: "select currval($1::text::regclass)".to_owned(),
        params: vec![Value::Text(sequence.as_str().into())],
    };
    rows(client, &sql).await?.first().map(|row| row.try_get(0)).transpose()
}

async fn copy(
    client: &Client,
    table: &str,
    names: &str,
    insert: &Insert<'_>,
    values: &[Value],
) -> Result<u64, tokio_postgres::Error> {
    let text = format!("copy {table} ({names}) from stdin (encoding 'UTF8')");
    let mut sink = pin!(client.copy_in::<_, Cursor<Vec<u8>>>(&text).await?);
    let mut behind = Vec::new();
    let now = Value::Time(Timestamp::from_micros(insert.now_micros));
    for _ in stamps(insert) {
        behind.push(b'\t');
        push_field(&mut behind, &now);
    }
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    for row in values.chunks(insert.columns.len()) {
        for (place, value) in row.iter().enumerate() {
            if place > 0 {
                piece.push(b'\t');
            }
            push_field(&mut piece, value);
        }
        piece.extend_from_slice(&behind);
        piece.push(b'\n');
        if piece.len() >= PIECE_BYTES {
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            sink.feed(Cursor::new(full)).await?;
        }
    }
    sink.feed(Cursor::new(piece)).await?;
    sink.finish().await
}

fn push_field(out: &mut Vec<u8>, value: &Value) {
    if *value == Value::Null {
        out.extend_from_slice(b"\\N");
    } else {
        // Writing to a Vec cannot fail.
        let _ = write_text(value, &mut Escaped(out));
    }
}

/// A field, in which nothing can be taken for the end of it or for NULL.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|b| matches!(b, b'\\' | b'\t' | b'\n' | b'\r')) {
            self.0.extend_from_slice(&rest[..at]);
            self.0.extend_from_slice(match rest[at] {
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                _ => b"\\\\",
            });
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_ends_its_field_or_is_taken_for_null() {
        let cases: [(Value, &str); 8] = [
            (Value::Null, "\\N"),
            (Value::Text("".into()), ""),
            (Value::Text("\\N".into()), "\\\\N"),
            (Value::Text("\\.".into()), "\\\\."),
            (Value::Text("a\tb\r\nc\\".into()), "a\\tb\\r\\nc\\\\"),
            (Value::Text("'\"é☃".into()), "'\"é☃"),
            (Value::Bytes([0, b'\n', 0xff].into()), "\\\\x000aff"),
            (Value::Float(f64::NEG_INFINITY), "-inf"),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            push_field(&mut out, &value);
            assert_eq!(String::from_utf8(out).expect("text"), text, "{value:?}");
        }
    }
}
