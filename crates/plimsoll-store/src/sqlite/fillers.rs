//! The triggers of a table that do nothing but fill FTS5 tables beside it.
//!
//! Promises: an FTS5 table is filled by all of its triggers together or by none; filling it anew
//! from the table gives what they would have.
//! Never: a trigger with a condition, or with anything else to do.

use rusqlite::Connection;

use super::fts::{Declared, declared};

/// A trigger, and the FTS5 table that it fills.
pub(super) struct Filler {
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) fts: Box<str>,
}

/// All of them.
pub(super) fn fillers(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Filler>> {
    let mut found = connection
        .prepare("select name, sql from sqlite_schema where type = 'trigger' and tbl_name = ?1")?;
    let triggers: Vec<(String, String)> = found
        .query_map([table], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut all = Vec::new();
    for Declared { name: fts, content, .. } in declared(connection)? {
        let names_it = |(_, sql): &&(String, String)| {
            sql.to_ascii_lowercase().contains(&fts.to_ascii_lowercase())
        };
        let filling: Vec<_> = triggers.iter().filter(names_it).collect();
        let is_own = content.eq_ignore_ascii_case(table);
        if is_own && filling.iter().all(|(_, sql)| only_fills(sql, &fts)) {
            all.extend(filling.into_iter().map(|(name, sql)| Filler {
                name: name.clone(),
                sql: sql.clone(),
                fts: fts.clone(),
            }));
        }
    }
    Ok(all)
}

/// Whether every statement of a trigger inserts into an FTS5 table, whatever the row.
fn only_fills(sql: &str, fts: &str) -> bool {
    let sql = sql.to_ascii_lowercase();
    let words: Vec<&str> = sql.split_whitespace().collect();
    let sql = words.join(" ");
    let Some((head, body)) = sql.split_once(" begin ") else { return false };
    let Some(body) = body.strip_suffix("end") else { return false };
    let fts = fts.to_ascii_lowercase();
    let into = |statement: &str| {
        let Some(rest) = statement.trim().strip_prefix("insert into ") else { return false };
        let quoted = [format!("\"{}\"", fts.replace('"', "\"\"")), format!("[{fts}]"), fts.clone()];
        quoted.iter().any(|name| {
            rest.strip_prefix(&**name).is_some_and(|behind| behind.starts_with([' ', '(']))
        })
    };
    let statements: Vec<&str> = body.split(';').filter(|s| !s.trim().is_empty()).collect();
    !head.contains(" when ") && !statements.is_empty() && statements.into_iter().all(into)
}

#[cfg(test)]
mod tests {
    use super::only_fills;

    #[test]
    fn a_trigger_with_a_condition_or_another_statement_stays() {
        let one = "insert into f(rowid, a) values (new.id, new.a);";
        let delete = "INSERT INTO \"f\" (f, rowid, a)\n values ('delete', old.id, old.a);";
        for (body, only) in [
            (format!("after insert on t begin {one} end"), true),
            (format!("after update of a on t BEGIN\n {delete} {one}\nEND"), true),
            (format!("after insert on t when new.a > 1 begin {one} end"), false),
            (format!("after insert on t begin {one} update t set a = 1; end"), false),
            ("after insert on t begin insert into f2(rowid) values (new.id); end".into(), false),
            ("after insert on t begin end".into(), false),
        ] {
            assert_eq!(only_fills(&format!("create trigger x {body}"), "f"), only, "{body}");
        }
    }
}
