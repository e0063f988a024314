//! Schema changes, each once.
//!
//! Promises: recorded, refused when changed, wholly or not at all.
//! Never: a migration of a pack; those are tested with their pack.

use std::path::Path;

use plimsoll_store::ErrorKind;
use plimsoll_store::catalogue::{Migration, MigrationState};
use plimsoll_store::sqlite::{migrate, migration_states};
use rusqlite::Connection;

use crate::fixture::{NOW, kind};

fn migration(id: &str, sql: &str) -> Migration {
    Migration { id: id.into(), sql: sql.into() }
}

fn tables(file: &Path) -> Vec<String> {
    let sql = "select name from sqlite_schema where type = 'table' and name not like 'plimsoll%'
               order by name";
    let connection = Connection::open(file).expect("a connection");
    let mut statement = connection.prepare(sql).expect("a query");
    let rows = statement.query_map([], |r| r.get(0)).and_then(Iterator::collect);
    rows.expect("names")
}

fn applied(states: &[MigrationState]) -> Vec<Option<i64>> {
    states.iter().map(|s| s.applied_at).collect()
}

#[test]
fn each_migration_runs_once_and_is_recorded() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("a.db");
    let all = [migration("1", "create table a (x)"), migration("2", "create table b (x)")];
    let states = migration_states(&file, &all).expect("states");
    assert_eq!(applied(&states), [None, None]);
    assert!(!file.exists(), "looking makes no file");
    assert_eq!(migrate(&file, &all[..1], NOW).expect("ran"), ["1".into()]);
    assert_eq!(applied(&migration_states(&file, &all).expect("states")), [Some(NOW), None]);
    assert_eq!(migrate(&file, &all, NOW + 1).expect("ran"), ["2".into()]);
    assert_eq!(
        applied(&migration_states(&file, &all).expect("states")),
        [Some(NOW), Some(NOW + 1)]
    );
    assert_eq!(migrate(&file, &all, NOW + 2).expect("nothing to do").len(), 0);
    assert_eq!(tables(&file), ["a", "b"]);
}

#[test]
fn a_changed_text_is_refused_and_nothing_behind_it_runs() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("a.db");
    migrate(&file, &[migration("1", "create table a (x)")], NOW).expect("ran");
    let changed = [migration("1", "create table a (x, y)"), migration("2", "create table b (x)")];
    let (kind, message) = kind(migrate(&file, &changed, NOW));
    assert_eq!(kind, ErrorKind::Invalid, "{message}");
    assert!(message.contains("migration 1") && message.contains("changed"), "{message}");
    assert_eq!(tables(&file), ["a"]);
}

#[test]
fn a_migration_that_fails_leaves_nothing_and_runs_again() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("a.db");
    let wrong = [
        migration("1", "create table a (x)"),
        migration("2", "create table b (x); insert into b values (1); create table a (y);"),
    ];
    let (_, message) = kind(migrate(&file, &wrong, NOW));
    assert!(message.contains("migration 2"), "{message}");
    assert_eq!(tables(&file), ["a"]);
    assert_eq!(applied(&migration_states(&file, &wrong).expect("states")), [Some(NOW), None]);
    let right = [wrong[0].clone(), migration("2", "create table b (x)")];
    assert_eq!(migrate(&file, &right, NOW).expect("ran"), ["2".into()]);
}

#[test]
fn a_database_that_was_never_migrated_has_run_nothing() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("theirs.db");
    Connection::open(&file).and_then(|c| c.execute_batch("create table t (x)")).expect("theirs");
    let states = migration_states(&file, &[migration("1", "select 1")]).expect("states");
    assert_eq!(applied(&states), [None]);
}

#[test]
fn a_migration_in_front_of_one_that_ran_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.db");
    let (early, late) =
        (migration("1", "create table a (x)"), migration("2", "create table b (x)"));
    migrate(&file, std::slice::from_ref(&late), 1).expect("migrated");
    let error = migrate(&file, &[early, late], 2).expect_err("out of order");
    assert!(error.to_string().contains("put new migrations at the end"), "{error}");
}
