//! Somebody's own PostgreSQL: every type, every name, and what cannot be served.
//!
//! Promises: the tables are made by their own client, never by this project.
//! Never: a schema this project would have chosen.

use std::io::{Write as _, stdout};
use std::sync::Arc;

use plimsoll::format::Ndjson;
use plimsoll::record::Value;
use plimsoll_store::postgres::{PostgresConfig, introspect};
use plimsoll_store::{ErrorKind, Order, PageEnd, Scope, Store};
use tempfile::TempDir;

use crate::fixture::{
    Served, filtered, from, kind, lines, open_postgres, page, postgres_config, request, walk,
};

/// A database with tables of another's making, or nothing where there is no server.
struct Theirs {
    served: Served,
    spill: TempDir,
}

fn theirs(sql: &str) -> Option<Theirs> {
    if std::env::var_os("TESTED_POSTGRES").is_none() {
        drop(writeln!(stdout(), "SKIPPED: TESTED_POSTGRES names no server"));
        return None;
    }
    let (served, spill) = (Served::new(), tempfile::tempdir().expect("a folder"));
    served.execute(sql);
    Some(Theirs { served, spill })
}

impl Theirs {
    fn config(&self) -> PostgresConfig {
        postgres_config(&self.served, self.spill.path(), false)
    }

    fn open(&self) -> Store {
        open_postgres(&self.config(), &|_| {})
    }

    fn rows(&self, table: &str) -> Vec<String> {
        let store = self.open();
        let table = store.catalogue().table(table).expect("served").clone();
        lines(&walk(&store, false, || request(&table, "")).expect("rows"))
    }
}

#[test]
fn a_row_beyond_the_bound_of_the_survey_is_refused_and_names_it() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, a text);
         insert into t values (1, repeat('x', 70000)), (2, 'y');",
    ) else {
        return;
    };
    let rows = |row_bytes_max| {
        let config = PostgresConfig { row_bytes_max, ..theirs.config() };
        let store = open_postgres(&config, &|_| {});
        let table = store.catalogue().table("t").expect("served").clone();
        walk(&store, false, || request(&table, ""))
    };
    let (refused, message) = kind(rows(64 << 10));
    assert_eq!(refused, ErrorKind::TooLarge, "{message}");
    assert!(message.contains("65536"), "{message}");
    assert_eq!(lines(&rows(128 << 10).expect("both rows")).len(), 2);
}

#[test]
fn every_type_has_its_own_form_or_is_text() {
    let Some(theirs) = theirs(
        "create type mood as enum ('sad', 'so \"la la\"', 'happy');
         create domain percent as numeric(5,2) check (value between 0 and 100);
         create domain code as text;
         create table t (
           id uuid primary key, i2 smallint, i4 int, i8 bigint, f4 real, f8 float8,
           money numeric(12,2), free numeric, share percent, c code, v varchar(9), ch char(4),
           b bytea, flag boolean, at timestamptz, local timestamp, day date, span interval,
           j json, jb jsonb, tags text[], feeling mood, ip inet, grid int[][]
         );
         set timezone = 'UTC';
         insert into t values (
           'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', -32768, 2147483647, -9223372036854775808,
           0.5, 1e300, 12.5, 12345678901234567890.123456789, 99.90, 'c', 'v', 'ch', '\\x00ff', true,
           '2026-01-31 12:00:00.000001+01', '2026-01-31 12:00:00', '2026-01-31', '1 day 2 hours',
           '{\"a\" : 1}', '{\"a\":1}', array['x', 'y,z'], 'so \"la la\"', '10.0.0.1',
           '{{1,2},{3,4}}'
         ); insert into t (id) values ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');",
    ) else {
        return;
    };
    let rows = theirs.rows("t");
    assert_eq!(
        rows[0],
        r#"{"id":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","i2":-32768,"i4":2147483647,"#.to_owned()
            + r#""i8":-9223372036854775808,"f4":0.5,"f8":1e+300,"money":12.5,"#
            + r#""free":"12345678901234567890.123456789","share":99.9,"c":"c","v":"v","#
            + r#""ch":"ch  ","b":"AP8=","flag":true,"at":"2026-01-31T11:00:00.000001Z","#
            + r#""local":"2026-01-31T12:00:00Z","day":"2026-01-31","span":"1 day 02:00:00","#
            + r#""j":{"a" : 1},"jb":{"a": 1},"tags":["x","y,z"],"#
            + r#""feeling":"so \"la la\"","ip":"10.0.0.1/32","grid":[[1,2],[3,4]]}"#
    );
    assert_eq!(rows[1].matches("null").count(), 23, "{}", rows[1]);
}

#[test]
fn json_and_arrays_are_nested_on_one_line_and_filtered_by_the_text_that_is_shown() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, j json, tags text[], many numeric[]);
         insert into t values (1, E'{\\n \\t\"a\":\\r\\n \"x\\\\ny\" }', array['a\"b', null, '-1'],
             '{1.50,NaN}'),
           (2, '\"=1+1\"', '{}', '{}'), (3, '-5', null, null), (4, 'null', '{x}', '{1e300}');",
    ) else {
        return;
    };
    let rows = theirs.rows("t");
    let parsed: Vec<serde_json::Value> =
        rows.iter().map(|row| serde_json::from_str(row).expect(row)).collect();
    assert_eq!(parsed[0]["j"], serde_json::json!({"a": "x\ny"}));
    assert_eq!(parsed[0]["tags"], serde_json::json!(["a\"b", null, "-1"]));
    assert!(rows[0].contains(r#""many":[1.50,"NaN"]"#), "{}", rows[0]);
    assert_eq!(rows[1], r#"{"id":2,"j":"=1+1","tags":[],"many":[]}"#);
    assert_eq!(rows[2], r#"{"id":3,"j":-5,"tags":null,"many":null}"#);
    assert!(rows[3].starts_with(r#"{"id":4,"j":null,"tags":["x"],"many":[1000"#), "{}", rows[3]);
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    let shown = filtered(request(&table, ""), "tags = '[\"x\"]' or j = '-5'");
    assert_eq!(page(&store, shown).expect("a page").rows, 2);
    let mut csv = request(&table, "");
    let names = ["id", "j", "tags", "many"];
    csv.encoder =
        Box::new(plimsoll::format::Csv::new(&names, plimsoll::format::CsvOptions::default()));
    let text = String::from_utf8(page(&store, csv).expect("a page").out).expect("text");
    assert!(text.contains("\n2,\"\"\"=1+1\"\"\",[],[]"), "{text}");
    assert!(text.contains("\n3,-5,,"), "{text}");
}

#[test]
fn numbers_whose_digits_are_many_more_than_their_bytes_are_measured() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, many numeric[], j jsonb);
         insert into t (id, many) select 1, array_agg(1e131071) from generate_series(1, 200);
         insert into t (id, j) select 2, jsonb_agg(1e131071) from generate_series(1, 200);",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    for id in 1..=2 {
        let (kind, message) =
            kind(page(&store, filtered(request(&table, ""), &format!("id = {id}"))));
        assert_eq!(kind, ErrorKind::TooLarge, "{id}: {message}");
    }
}

#[test]
fn an_instant_is_the_same_whatever_the_servers_time_zone() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, at timestamptz not null, local timestamp not null);
         create index by_at on t (at, id); create index by_local on t (local, id);
         insert into t select n, '2026-01-01Z'::timestamptz + n * interval '1 hour',
           timestamp '2026-01-01' + n * interval '1 hour' from generate_series(0, 47) n;",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    for column in ["at", "local"] {
        let filter = format!("{column} >= '2026-01-01T10:00:00Z' and {column} < '2026-01-02'");
        for order in ["", column, "-at"] {
            let out = walk(&store, false, || {
                let mut asked = filtered(request(&table, order), &filter);
                asked.rows_max = 3;
                asked
            });
            let found = lines(&out.expect("rows"));
            assert_eq!(found.len(), 14, "{filter} by '{order}'");
        }
    }
}

#[test]
fn names_and_values_are_never_read_as_sql() {
    let name = r#"we"ird; drop table t; --"#;
    let quoted = name.replace('"', "\"\"");
    let Some(theirs) = theirs(&format!(
        "create schema \"a.b\"; create table \"a.b\".\"{quoted}\" (\"{quoted}\" text primary key,
           \"select\" text collate \"C\" not null);
         create index \"{quoted}_i\" on \"a.b\".\"{quoted}\" (\"select\", \"{quoted}\");
         insert into \"a.b\".\"{quoted}\" values
           ('''; drop table x; --', '$1'), ('\\', '%s'), ('a''b\"c', '{{}}'), ('$$', ':x');"
    )) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table(&format!("a.b.{name}")).expect("served").clone();
    for order in ["", "select", "-select"] {
        let again = || {
            let mut asked = request(&table, order);
            asked.rows_max = 1;
            asked
        };
        let out = walk(&store, false, again).expect("rows");
        assert_eq!(lines(&out).len(), 4, "'{order}'");
    }
    for value in ["'; drop table x; --", "\\", "a'b\"c", "$$"] {
        let mut asked = request(&table, "");
        asked.scope = Scope::Key(vec![Value::Text(value.into())]);
        assert_eq!(page(&store, asked).expect("a page").rows, 1, "{value}");
        let filter = format!("\"{quoted}\" = '{}'", value.replace('\'', "''"));
        let asked = filtered(request(&table, "select"), &filter);
        assert_eq!(page(&store, asked).expect("a page").rows, 1, "{value}");
    }
}

#[test]
fn what_cannot_be_served_says_why_and_harms_nothing_else() {
    let Some(theirs) = theirs(
        "create table good (id int primary key, api_token text, password_hash text, name text);
         create table keyless (a int); create view seen as select * from good;
         create table unique_only (a int not null, b int not null, unique (b, a));
         create table nullable_unique (a int unique);
         create table partial (a int not null); create unique index on partial (a) where a > 0;
         create table parted (id int primary key) partition by range (id);
         create table parted_1 partition of parted for values from (0) to (10);
         insert into parted values (1); insert into unique_only values (2, 1), (1, 2);
         create schema plimsoll; create table plimsoll.state (id int primary key);",
    ) else {
        return;
    };
    let found = introspect(&theirs.config()).expect("looked at");
    let served: Vec<&str> = found.resources.iter().map(|r| &*r.name).collect();
    assert_eq!(served, ["good", "parted", "unique_only"]);
    let refused: Vec<&str> = found.refused.iter().map(|(name, _)| &**name).collect();
    assert_eq!(refused, ["keyless", "nullable_unique", "partial", "seen"]);
    assert!(found.refused[0].1.contains("no primary key"), "{:?}", found.refused[0]);
    assert_eq!(found.resources[0].column_names(), ["id", "name"]);
    assert_eq!(theirs.rows("unique_only"), [r#"{"a":2,"b":1}"#, r#"{"a":1,"b":2}"#]);
    assert_eq!(theirs.rows("parted"), [r#"{"id":1}"#]);
}

#[test]
fn a_right_that_is_missing_is_told_and_the_other_tables_are_served() {
    let Some(theirs) = theirs(
        "create table open (id int primary key, name text, wage int);
         create table closed (id int primary key); insert into open values (1, 'a', 9);
         drop role if exists reader; create role reader login;
         grant select (id, name) on open to reader;",
    ) else {
        return;
    };
    let mut config = theirs.config();
    config.url = config.url.replace("plimsoll@", "reader@");
    let found = introspect(&config).expect("looked at");
    assert_eq!(found.resources.len(), 1);
    assert_eq!(found.resources[0].column_names(), ["id", "name"]);
    assert!(found.refused[0].1.contains("may not read"), "{:?}", found.refused);
    let store = open_postgres(&config, &|_| {});
    let table = store.catalogue().table("open").expect("served").clone();
    let again = || filtered(request(&table, ""), "name = 'a'");
    assert_eq!(lines(&walk(&store, false, again).expect("rows")), [r#"{"id":1,"name":"a"}"#]);
    theirs.served.execute("revoke select (id, name) on open from reader");
    let (kind, message) = kind(page(&store, request(&table, "")));
    assert_eq!(kind, ErrorKind::Denied, "{message}");
    assert!(message.contains("grant"), "{message}");
    theirs.served.execute("drop owned by reader; drop role reader");
}

#[test]
fn a_cell_beyond_the_bound_is_a_typed_error_and_is_never_sent() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, j jsonb, x text, b bytea);
         insert into t (id, x) values (1, 'small');
         insert into t (id, j)
           values (2, (select jsonb_build_object('a', repeat('ab', 100000000))));
         insert into t (id, x) values (3, repeat('x', 20000000));
         insert into t (id, b) values (4, decode(repeat('00', 20000000), 'hex'));
         alter table t alter x set storage external;
         insert into t (id, x) values (5, repeat('y', 20000000));
         insert into t (id, x) values (6, repeat('z', 1000000));",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    for id in 1..=6 {
        let asked = filtered(request(&table, ""), &format!("id = {id}"));
        match id {
            1 | 6 => assert_eq!(page(&store, asked).expect("a page").rows, 1),
            _ => {
                let (kind, message) = kind(page(&store, asked));
                assert_eq!(kind, ErrorKind::TooLarge, "{id}: {message}");
                assert!(message.contains("fields="), "{message}");
            }
        }
    }
    // Without the large columns all rows come.
    let mut asked = request(&table, "");
    asked.columns = [0].into();
    asked.encoder = Box::new(Ndjson::new(["id"]));
    assert_eq!(page(&store, asked).expect("a page").rows, 6);
}

#[test]
fn an_order_follows_the_index_its_nulls_and_its_collation() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, a int, n text collate \"en-x-icu\",
           m text collate \"C\", k int not null);
         insert into t select i, nullif(i % 7, 0), chr(65 + (i * 7) % 26 + 32 * (i % 2)),
           chr(65 + (i * 5) % 26 + 32 * (i % 2)), i % 3 from generate_series(1, 300) i;
         create index on t (a, id); create index on t (n, id); create index on t (m, id);
         create index on t (k, a desc, id);",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    let ids = |out: &[u8]| -> Vec<String> {
        lines(out).iter().map(|l| l.split([':', ',']).nth(1).expect("an id").to_owned()).collect()
    };
    for (order, words) in [
        ("a", "a nulls first, id"),
        ("-a", "a desc nulls last, id desc"),
        ("n", "n, id"),
        ("-n", "n desc, id desc"),
        ("m", "m, id"),
    ] {
        for backwards in [false, true] {
            let again = || {
                let mut asked = request(&table, order);
                (asked.rows_max, asked.bytes_max) = (13, 400);
                asked
            };
            let out = walk(&store, backwards, again).expect(order);
            let sql = format!("select id from t order by {words}");
            let rows = store.query(&sql, 1_000).wait().expect("rows");
            let mut wanted: Vec<String> = rows
                .iter()
                .map(|row| match row[0] {
                    Value::Int(id) => id.to_string(),
                    ref other => panic!("{other:?}"),
                })
                .collect();
            if backwards {
                wanted.reverse();
            }
            assert_eq!(ids(&out), wanted, "'{order}' backwards {backwards}");
        }
    }
}

#[test]
fn a_changed_schema_is_a_typed_error() {
    let Some(theirs) = theirs("create table t (id int primary key, a int, b int);") else { return };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    theirs.served.execute("alter table t drop column b");
    let (kind, message) = kind(page(&store, request(&table, "")));
    assert_eq!(kind, ErrorKind::Corrupt);
    assert!(message.contains("reload"), "{message}");
    theirs.served.execute("drop table t");
    assert!(page(&store, request(&table, "")).is_err());
}

#[test]
fn a_column_that_is_asked_for_twice_comes_twice() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, a text); insert into t values (1, 'x'), (2, 'y');",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    for filter in ["", "a = 'y'"] {
        let mut asked = request(&table, "");
        asked.columns = [1, 0, 1].into();
        asked.encoder = Box::new(Ndjson::new(["a", "id", "again"]));
        let asked = if filter.is_empty() { asked } else { filtered(asked, filter) };
        let page = page(&store, asked).expect("a page");
        assert_eq!(lines(&page.out).last().expect("a row"), r#"{"a":"y","id":2,"again":"y"}"#);
    }
}

#[test]
fn a_connection_that_is_cut_is_replaced_without_a_word() {
    let Some(theirs) = theirs(
        "create table t (id int primary key, x text);
         insert into t select i, repeat('x', 50) from generate_series(1, 5000) i;",
    ) else {
        return;
    };
    let store = theirs.open();
    let table = store.catalogue().table("t").expect("served").clone();
    let (mut rows, mut at) = (0, None);
    loop {
        let mut asked = from(request(&table, ""), at, false);
        asked.rows_max = 100;
        let page = page(&store, asked).expect("a page");
        rows += page.rows;
        theirs.served.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where application_name = 'plimsoll' and datname = current_database()",
        );
        match page.end {
            PageEnd::Exhausted => break,
            PageEnd::More(next) => at = Some(next),
        }
    }
    assert_eq!(rows, 5_000);
}

#[test]
fn two_thousand_tables_are_looked_at_within_three_seconds() {
    let Some(theirs) = theirs(
        "do $$ begin for i in 1..2000 loop
           execute format('create table t%s (id bigint primary key, a text, b numeric(12,2),
             c timestamptz, d int references t%s (id))', i, greatest(i - 1, 1));
         end loop; end $$;",
    ) else {
        return;
    };
    let began = std::time::Instant::now();
    let found = introspect(&theirs.config()).expect("looked at");
    let took = began.elapsed();
    assert_eq!(found.resources.len(), 2_000);
    assert!(took.as_secs() < 3, "{took:?}");
    let order = Order::new(&Arc::new(found.resources[7].clone()), &[]).expect("an order");
    assert_eq!(order.terms().len(), 1);
}
