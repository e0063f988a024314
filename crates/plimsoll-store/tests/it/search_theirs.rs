//! Searches in somebody's own database, by the indexes they made.
//!
//! Promises: what is not shown is not searched unasked; what is searched is written into the
//! resources file, and read back.
//! Never: an index of Plimsoll's.

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::sync::Arc;

use plimsoll_store::catalogue::{
    Catalogue, Finds, FoundTable, Resource, resources, resources_text,
};
use plimsoll_store::postgres::{self, PostgresDatabase, reading_role};
use plimsoll_store::sqlite::{self, SqliteConfig, SqliteDatabase};
use plimsoll_store::{ErrorKind, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::fixture::{Served, kind, lines, page, postgres_config, request, searched};

/// Tables of another's making, on a server or in a file.
enum Theirs {
    Server(Served, TempDir),
    File(TempDir),
}

impl Theirs {
    fn on_a_server(sql: &str) -> Option<Self> {
        if std::env::var_os("TESTED_POSTGRES").is_none() {
            drop(writeln!(stdout(), "SKIPPED: TESTED_POSTGRES names no server"));
            return None;
        }
        let served = Served::new();
        served.execute(sql);
        Some(Self::Server(served, tempfile::tempdir().expect("a folder")))
    }

    fn in_a_file(sql: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Connection::open(folder.path().join("theirs.db")).expect("a file");
        file.execute_batch(sql).expect("their tables");
        Self::File(folder)
    }

    fn survey(&self) -> Vec<FoundTable> {
        match self {
            Self::Server(served, spill) => {
                postgres::survey(&postgres_config(served, spill.path(), false)).expect("tables")
            }
            Self::File(folder) => sqlite::survey(&folder.path().join("theirs.db")).expect("tables"),
        }
    }

    fn open(&self, resources: Vec<Resource>) -> Store {
        let database: Arc<dyn plimsoll_store::Database> = match self {
            Self::Server(served, spill) => {
                let config = postgres_config(served, spill.path(), false);
                Arc::new(PostgresDatabase::open(&config, BTreeMap::new()).expect("opened"))
            }
            Self::File(folder) => {
                let config = SqliteConfig {
                    file: folder.path().join("theirs.db"),
                    readers: 1,
                    reader_cache_bytes: 1 << 20,
                    writer_cache_bytes: 1 << 20,
                    value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
                    writable: false,
                };
                Arc::new(SqliteDatabase::open(&config, &mut []).expect("opened"))
            }
        };
        Store::new(database, Arc::new(Catalogue::new(resources, None).expect("a catalogue")))
    }

    /// The keys of the rows of a table with some words, as served unasked and through the file.
    fn find(&self, table: &str, words: &str) -> Vec<String> {
        let found = self.survey();
        let whole: Vec<Resource> = found.iter().filter_map(|t| t.whole().ok()).collect();
        let read = resources(&resources_text(&found), &found).expect("the file that was written");
        let [whole, read] = [whole, read].map(|resources| {
            let store = self.open(resources);
            let resource = store.catalogue().table(table).expect("served").clone();
            let asked = searched(request(&resource, ""), words).expect("a search");
            let page = page(&store, asked).unwrap_or_else(|e| panic!("{words} in {table}: {e}"));
            let key = |line: &String| {
                let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
                row[&*resource.schema.columns[resource.key[0]].name].to_string()
            };
            lines(&page.out).iter().map(key).collect::<Vec<_>>()
        });
        assert_eq!(whole, read, "{words} in {table}");
        whole
    }

    /// Why a table is not searched unasked.
    fn refusal(&self, table: &str) -> (String, Option<String>) {
        let found = self.survey();
        let store = self.open(found.iter().filter_map(|t| t.whole().ok()).collect());
        let resource = store.catalogue().table(table).expect("served").clone();
        let asked = searched(request(&resource, ""), "tea").expect("a search");
        let refused = page(&store, asked).map(drop).expect_err("not searched");
        assert_eq!(refused.kind(), ErrorKind::Unsearchable, "{refused}");
        (refused.to_string(), refused.remedy().map(str::to_owned))
    }
}

const FILMS: &str = "
    create table film (film_id int primary key, title text not null, description text,
      fulltext tsvector not null);
    create index film_fulltext_idx on film using gist (fulltext);
    create trigger film_fulltext_trigger before insert or update on film for each row
      execute function tsvector_update_trigger('fulltext', 'pg_catalog.english', 'title',
        'description');
    insert into film (film_id, title, description) values
      (1, 'ACADEMY DINOSAUR', 'A epic drama of a feminist and a mad scientist'),
      (2, 'ACE GOLDFINGER', 'A astounding epistle of a database administrator'),
      (3, 'DRAMAS RUNNING', null);
    create table post (id int primary key, title varchar(80), body text, secret_token text,
      words tsvector generated always as
        (to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(body, ''))) stored);
    create index post_words on post using gin (words);
    insert into post values (1, 'The drama', 'of dramas'), (2, 'Nothing', 'here');
    create table note (id int primary key, a text not null, \"B c\" text);
    create index note_words on note using gin
      (to_tsvector('german', a || ' ' || coalesce(\"B c\", '')));
    insert into note values (1, 'Die Häuser', null), (2, 'Das', 'haus'), (3, 'nichts', 'davon');";

#[test]
fn a_column_or_an_expression_of_words_is_searched_in_its_own_configuration() {
    let Some(theirs) = Theirs::on_a_server(FILMS) else { return };
    assert_eq!(theirs.find("film", "drama"), ["1", "3"], "english knows the plural");
    assert_eq!(theirs.find("film", "the run"), ["3"], "and passes over the article");
    assert_eq!(theirs.find("film", "the"), [""; 0], "a search of nothing else finds nothing");
    assert_eq!(theirs.find("film", "data*"), ["2"]);
    assert_eq!(theirs.find("film", "\"mad scientist\" -gold*"), ["1"]);
    assert_eq!(theirs.find("post", "drama"), ["1"]);
    assert_eq!(theirs.find("post", "dram* -dramas"), [""; 0], "simple does not");
    assert_eq!(theirs.find("note", "haus"), ["1", "2"], "german knows more plurals");
    assert_eq!(theirs.find("note", "nicht* davon"), ["3"]);
}

#[test]
fn parts_of_texts_are_found_by_trigrams_whatever_the_text_holds() {
    let Some(theirs) = Theirs::on_a_server(
        "create extension pg_trgm;
         create table part (id int primary key, code text not null, name varchar(90));
         create index part_code on part using gin (code gin_trgm_ops);
         create index part_name on part using gist (name gist_trgm_ops);
         insert into part values (1, 'AB-100%', 'left hand side'), (2, 'AB-100x', 'Left-handed'),
           (3, 'A\\B_C', null), (4, 'A\\BxC', 'right');",
    ) else {
        return;
    };
    assert_eq!(theirs.find("part", "hand"), ["1", "2"]);
    assert_eq!(theirs.find("part", "LEFT -side"), ["2"]);
    assert_eq!(theirs.find("part", "\"hand s\""), ["1"]);
    assert_eq!(theirs.find("part", "100%"), ["1"], "a % is a %");
    assert_eq!(theirs.find("part", "lef* 100"), ["1", "2"]);
    let found = theirs.survey();
    let resource = found[0].whole().expect("served");
    let search = resource.search.as_ref().and_then(|s| s.index.as_ref()).expect("searched");
    assert_eq!(search.finds, Finds::Parts);
    let store = theirs.open(vec![resource]);
    let table = store.catalogue().table("part").expect("served").clone();
    let (refused, message) =
        kind(searched(request(&table, ""), "ab").and_then(|asked| page(&store, asked)));
    assert_eq!(refused, ErrorKind::Invalid, "{message}");
    assert!(message.contains("at least 3"), "{message}");
    let long = "x".repeat(33);
    let (refused, message) =
        kind(searched(request(&table, ""), &long).and_then(|asked| page(&store, asked)));
    assert_eq!(refused, ErrorKind::Invalid, "{message}");
    assert!(message.contains("at most 32 characters"), "{message}");
}

#[test]
fn an_index_over_what_is_not_shown_is_not_searched_unasked() {
    let Some(theirs) = Theirs::on_a_server(
        "create table account (id int primary key, name text not null, password text not null,
           seen boolean not null);
         create index account_words on account using gin
           (to_tsvector('simple', name || ' ' || password));
         create index account_seen on account using gin (to_tsvector('simple', name)) where seen;
         insert into account values (1, 'tea', 'hunter2', true);
         create table number (id int primary key, value int);
         create view seen as select * from account;",
    ) else {
        return;
    };
    let (message, remedy) = theirs.refusal("account");
    assert!(message.contains("no index finds words in name of account"), "{message}");
    let remedy = remedy.expect("the index to make");
    assert!(remedy.contains("CONCURRENTLY") && !remedy.contains("password"), "{remedy}");
    let (message, remedy) = theirs.refusal("number");
    assert!(message.contains("no columns of number are searched") && remedy.is_none(), "{message}");
    let Theirs::Server(served, _) = &theirs else { panic!("a server") };
    served.execute(&remedy_of(&theirs, "account"));
    assert_eq!(theirs.find("account", "tea"), ["1"]);
    assert_eq!(theirs.find("account", "hunter2"), [""; 0]);
}

fn remedy_of(theirs: &Theirs, table: &str) -> String {
    theirs.refusal(table).1.expect("the index to make")
}

#[test]
fn a_resources_file_says_what_is_searched_also_of_what_is_not_served() {
    let Some(theirs) = Theirs::on_a_server(FILMS) else { return };
    let found = theirs.survey();
    let text = resources_text(&found);
    for line in [
        "search = [\"fulltext\"]  # by the index film_fulltext_idx",
        "search = [\"a\", \"B c\"]  # by the index note_words",
        "search = [\"words\"]  # by the index post_words",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    let film = |search: &str| {
        let text = format!(
            "[[resource]]\ntable = \"film\"\n{search}\n\
             column = [{{ name = \"film_id\" }}, {{ name = \"title\" }}]"
        );
        resources(&text, &found)
    };
    let served = film("search = [\"fulltext\"]").expect("a file");
    let url = "postgres://x@127.0.0.1/db";
    let role = reading_role(url, &found, &served).expect("a role");
    assert!(role.contains("GRANT SELECT (\"film_id\", \"title\", \"fulltext\")"), "{role}");
    let store = theirs.open(served);
    let table = store.catalogue().table("film").expect("served").clone();
    let asked = searched(request(&table, ""), "running").expect("a search");
    let rows = lines(&page(&store, asked).expect("a page").out);
    assert_eq!(rows, ["{\"film_id\":3,\"title\":\"DRAMAS RUNNING\"}"]);
    for (search, reason) in [
        ("", "no index finds words in title of film"),
        ("search = [\"title\"]", "no index finds words in title of film"),
        ("search = [\"titel\"]", "did you mean 'title'?"),
        ("search = []", "names 0 columns"),
    ] {
        let refused = film(search).and_then(|served| {
            let store = theirs.open(served);
            let table = store.catalogue().table("film").expect("served").clone();
            searched(request(&table, ""), "running").and_then(|asked| page(&store, asked))
        });
        let refused = kind(refused).1;
        assert!(refused.contains(reason), "'{search}': {refused}");
    }
}

#[test]
fn the_fts5_tables_of_somebodys_file_are_searched_as_they_were_made() {
    let theirs = Theirs::in_a_file(
        "create table t (id integer primary key, title text, body text, api_token text);
         insert into t values (1, 'Running teas', 'green', 'k1'), (2, 'Kettle', 'run', 'k2');
         create virtual table \"t words\" using fts5(title, body, content='t', content_rowid='id',
           tokenize = 'porter unicode61');
         insert into \"t words\"(\"t words\") values ('rebuild');
         create table p (name text, token text);
         insert into p values ('left-handed', 'x'), ('100% right', 'x');
         create virtual table p_parts using fts5(name, token UNINDEXED, content=[p],
           tokenize='trigram');
         insert into p_parts(p_parts) values ('rebuild');
         create table s (id integer primary key, name text, password text);
         create virtual table s_words using fts5(name, password, content=s);
         create table w (id text primary key, name text) without rowid;
         create table own (id integer primary key, name text);
         create virtual table own_words using fts5(name);",
    );
    assert_eq!(theirs.find("t", "tea run"), ["1"], "porter knows the plural");
    assert_eq!(theirs.find("t", "run"), ["1", "2"]);
    assert_eq!(theirs.find("t", "run -green"), ["2"]);
    assert_eq!(theirs.find("p", "hand"), ["1"]);
    assert_eq!(theirs.find("p", "100%"), ["2"]);
    let (message, remedy) = theirs.refusal("s");
    assert!(message.contains("words in name of s"), "{message}");
    assert!(!remedy.expect("an index to make").contains("password"));
    assert!(theirs.refusal("w").1.is_none(), "a table without row ids has no index of words");
    assert!(theirs.refusal("own").1.is_some(), "an index of its own texts is of no use");
}

#[test]
fn names_in_what_is_searched_are_never_read_as_sql() {
    let name = "a\"b'c;--";
    let quoted = name.replace('"', "\"\"");
    let ddl = |kind: &str| {
        format!(
            "create table \"{quoted}\" (\"{quoted}\" {kind} primary key, \"select ({quoted}\" text);
             insert into \"{quoted}\" values (1, 'tea');"
        )
    };
    let file = Theirs::in_a_file(&ddl("integer"));
    let Theirs::File(folder) = &file else { panic!("a file") };
    let other = Connection::open(folder.path().join("theirs.db")).expect("a file");
    other.execute_batch(&remedy_of(&file, name)).expect("the index to make");
    assert_eq!(file.find(name, "tea"), ["1"]);
    let Some(server) = Theirs::on_a_server(&ddl("int")) else { return };
    let Theirs::Server(served, _) = &server else { panic!("a server") };
    served.execute(&remedy_of(&server, name));
    assert_eq!(server.find(name, "tea"), ["1"]);
}
