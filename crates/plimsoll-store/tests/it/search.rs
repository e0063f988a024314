//! Searches: the rows with the words, in order, whatever the slices, the plan and the text.
//!
//! Promises: the index is the one that the refusal names; every search is compared with a model
//! that cuts texts by hand.
//! Never: an order by how well a row matches.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::format::Ndjson;
use plimsoll::limits::FRAME_BYTES;
use plimsoll::record::Value;
use plimsoll::spill::SpillOptions;
use plimsoll::storage::Disk;
use plimsoll_store::{
    ErrorKind, Order, PageEnd, PageRequest, PieceSink, Priority, Resource, Result,
    SORT_WORKSPACE_BYTES_MIN, Scope, Search, SnapshotRequest, SortRequest, SortSpace, Store, Write,
    WriteUnit, sort,
};

use crate::fixture::{
    Fixture, NOW, either, filtered, from, insert, int, kind, lines, on_postgres, page, request,
    searched, text, walk,
};

const SEED: u64 = 0x005e_a6c4;
const GOODS: &str = "
    create table goods (id integer primary key, name text not null, note text, price integer);
    create index by_price on goods (price, id);
    create table codes (code text not null primary key, name text not null);";
const WORDS: [&str; 9] = ["tea", "green", "Leaf", "bag", "KETTLE", "white", "kettles", "42", "x1"];

/// The fixture with the index that the refusal of a search names.
fn indexed(fixture: &Fixture, table: &str) -> Store {
    let asked = searched(request(&fixture.table(table), ""), "tea").expect("a search");
    let refused = page(&fixture.store, asked).map(drop).expect_err("no index");
    assert_eq!(refused.kind(), ErrorKind::Unsearchable, "{refused}");
    fixture.execute(refused.remedy().expect("the index to make"));
    fixture.open(true)
}

fn table(store: &Store, name: &str) -> Arc<Resource> {
    store.catalogue().table(name).expect("a table").clone()
}

/// One row of the model.
struct Good {
    id: i64,
    price: Option<i64>,
    name: String,
    note: Option<String>,
}

fn goods(random: &mut Random, rows: i64) -> Vec<Good> {
    let mut texts = |most: usize| {
        let words: Vec<&str> =
            (0..1 + random.below(most)).map(|_| WORDS[random.below(WORDS.len())]).collect();
        words.join([" ", ", ", "  "][random.below(3)])
    };
    let mut made: Vec<Good> = Vec::new();
    for id in 1..=rows {
        let (name, note) = (texts(4), (id % 3 > 0).then(|| texts(6)));
        made.push(Good { id, price: (id % 7 > 0).then_some(id * 31 % 20), name, note });
    }
    made
}

fn fill(fixture: &Fixture, goods: &[Good]) {
    let optional = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
    for some in goods.chunks(500) {
        let values = some.iter().flat_map(|good| {
            let price = good.price.map_or(Value::Null, Value::Int);
            [Value::Int(good.id), text(&good.name), optional(&good.note), price]
        });
        let columns = ["id", "name", "note", "price"];
        let insert = fixture.insert("goods", &columns, values.collect());
        fixture.write(vec![insert]).expect("rows");
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// A search as it was put together: words next to one another, a beginning, and what is absent.
struct Wanted {
    text: String,
    terms: Vec<(Vec<String>, bool, bool)>,
}

fn wanted(random: &mut Random) -> Wanted {
    let (mut text, mut terms) = (String::new(), Vec::new());
    for at in 0..1 + random.below(3) {
        let is_absent = at > 0 && random.below(3) == 0;
        let count = 1 + usize::from(random.below(4) == 0);
        let some: Vec<&str> = (0..count).map(|_| WORDS[random.below(WORDS.len())]).collect();
        // SQLite's index has whole words only.
        let begins = on_postgres() && count == 1 && random.below(4) == 0 && some[0].len() > 3;
        let some: Vec<&str> = if begins { vec![&some[0][..some[0].len() - 1]] } else { some };
        let sign = if is_absent { "-" } else { "" };
        let body = some.join(" ");
        text += &match (count, begins) {
            (_, true) => format!("{sign}{body}* "),
            (1, _) => format!("{sign}{} ", body.to_uppercase()),
            _ => format!("{sign}\"{body}\" "),
        };
        terms.push((some.iter().map(|w| w.to_lowercase()).collect(), begins, is_absent));
    }
    Wanted { text, terms }
}

impl Wanted {
    fn holds(&self, good: &Good) -> bool {
        let note = good.note.clone().unwrap_or_default();
        // PostgreSQL's index is over both columns as one text, so a phrase may run across.
        let texts = if on_postgres() {
            vec![words(&format!("{} {note}", good.name))]
        } else {
            vec![words(&good.name), words(&note)]
        };
        self.terms.iter().all(|(some, begins, is_absent)| {
            let is = |word: &String, wanted: &String| {
                word == wanted || *begins && word.starts_with(&**wanted)
            };
            let at = |near: &[String]| near.iter().zip(some).all(|(word, wanted)| is(word, wanted));
            let there = texts.iter().any(|text| text.windows(some.len()).any(at));
            there != *is_absent
        })
    }
}

fn ids(out: &[u8]) -> Vec<i64> {
    let id = |line: &String| {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        row["id"].as_i64().expect("an id")
    };
    lines(out).iter().map(id).collect()
}

/// The model's rows in one of the orders that are asked for.
fn sorted(goods: &[Good], order: &str, backwards: bool, holds: impl Fn(&Good) -> bool) -> Vec<i64> {
    let mut rows: Vec<&Good> = goods.iter().filter(|good| holds(good)).collect();
    rows.sort_by(|a, b| match order {
        "" => a.id.cmp(&b.id),
        "-id" => b.id.cmp(&a.id),
        "price" => (a.price, a.id).cmp(&(b.price, b.id)),
        "-price" => (b.price, b.id).cmp(&(a.price, a.id)),
        _ => (&a.name, a.id).cmp(&(&b.name, b.id)),
    });
    if backwards {
        rows.reverse();
    }
    rows.into_iter().map(|good| good.id).collect()
}

#[test]
fn a_search_finds_the_rows_of_the_model_in_every_order_and_slice() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    let fixture = Fixture::new(GOODS);
    let model = goods(&mut random, 1_500);
    fill(&fixture, &model);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let mut found = 0;
    for _ in 0..80 {
        let asked = wanted(&mut random);
        let order = ["", "-id", "price", "-price", "name"][random.below(5)];
        let (backwards, is_filtered) = (random.below(2) == 0, random.below(2) == 0);
        let again = || {
            let mut again = searched(request(&resource, order), &asked.text).expect("a search");
            again.rows_max = 1 + random.below(200) as u64;
            again.bytes_max = 1 + random.below(9_000);
            if is_filtered { filtered(again, "price >= 7") } else { again }
        };
        let out = walk(&store, backwards, again).expect("rows");
        let holds = |good: &Good| {
            asked.holds(good) && (!is_filtered || good.price.is_some_and(|price| price >= 7))
        };
        let model = sorted(&model, order, backwards, holds);
        assert_eq!(ids(&out), model, "{} by '{order}' backwards {backwards}", asked.text);
        found += model.len();
    }
    assert!(found > 5_000, "{found}: searches that find nothing show nothing");
}

#[test]
fn a_written_row_is_found_at_once_and_by_what_it_holds_now() {
    let fixture = Fixture::new(GOODS);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let write = |write| {
        let unit = WriteUnit { writes: vec![write], now_micros: NOW, ..WriteUnit::default() };
        store.write(unit, Priority::Normal).wait().expect("written");
    };
    let find = |words: &str| {
        let asked = searched(request(&resource, ""), words).expect("a search");
        ids(&page(&store, asked).expect("a page").out)
    };
    let columns = ["id", "name", "note", "price"];
    let row = vec![Value::Int(7), text("Green tea"), Value::Null, Value::Int(3)];
    write(insert(&resource, &columns, row));
    assert_eq!((find("tea"), find("leaf")), (vec![7], vec![]));
    let change = |column: usize, value| Write::Update {
        resource: resource.clone(),
        key: vec![Value::Int(7)],
        set: vec![(column, value)],
        if_version: None,
    };
    write(change(2, text("of one leaf")));
    assert_eq!((find("tea leaf"), find("\"one leaf\"")), (vec![7], vec![7]));
    write(change(3, Value::Int(4)));
    write(change(1, text("Green coffee")));
    assert_eq!((find("tea"), find("coffee leaf")), (vec![], vec![7]));
    let (resource, key) = (resource.clone(), vec![Value::Int(7)]);
    write(Write::Delete { resource, key, if_version: None });
    assert_eq!((find("coffee"), find("leaf")), (vec![], vec![]));
}

/// Texts that mean something in the search language of one database or the other.
const HOSTILE: [&str; 44] = [
    "tea'",
    "tea\" OR \"",
    "tea AND",
    "NOT tea",
    "NEAR(tea leaf)",
    "name:tea",
    "{name} : tea",
    "tea + leaf",
    "^tea",
    "tea)",
    "((tea",
    "tea & | !",
    "tea <-> leaf",
    "tea:*",
    "tea:AB",
    "'tea'",
    "\\'tea\\",
    "%",
    "_e_",
    "tea%",
    "$1",
    "?1",
    ":q",
    "; drop table goods; --",
    "\u{301}",
    "e\u{301}",
    "\u{202e}tea",
    "\u{feff}tea",
    "ﬁ",
    "ß",
    "İ",
    "🙂tea",
    "a\u{345}b*",
    "12345678901234567890123456789012345678901234567890",
    "1.5e300",
    "-0042",
    "tea\ttea\ntea",
    "http://a.b/c?d=e&f",
    "a@b.cd",
    "/usr/x",
    "<b>tea</b>",
    "&amp;",
    "\u{10ffff}",
    "ａｂｃ",
];
/// What random texts are made of.
const PARTS: [&str; 45] = [
    "tea", "'", "\"", "*", "-", " ", "(", ")", ":", "&", "|", "!", "<->", "AND", "OR", "NOT",
    "NEAR", "^", "\\", "%", "_", "$1", "{", "}", "+", ",", ".", "é", "\u{301}", "茶", "\u{0}", "~",
    "@", "/", "=", "<", ">", "0", "-1", ";", "--", "/*", "\u{2028}", "kettle", "x1*",
];

#[test]
fn no_text_is_read_as_a_databases_own_search_language() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 1);
    let fixture = Fixture::new(GOODS);
    let model = goods(&mut random, 50);
    fill(&fixture, &model);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let ask = |words: &str| {
        let asked = searched(request(&resource, ""), words);
        let read = asked.and_then(|asked| page(&store, asked));
        if let Err(error) = &read {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{words:?}: {error}");
        }
        read.map(|page| page.rows)
    };
    for words in HOSTILE {
        let _rows_or_reason = ask(words);
    }
    let mut answered = 0;
    for _ in 0..1_500 {
        let words: String =
            (0..1 + random.below(10)).map(|_| PARTS[random.below(PARTS.len())]).collect();
        answered += u64::from(ask(&words).is_ok());
    }
    assert!(answered > 500, "{answered}: refusing everything shows nothing");
    assert!(ask("tea").expect("rows") > 0);
    assert_eq!(ask("tea nowhere").expect("no rows"), 0);
}

#[test]
fn a_word_is_the_same_in_either_case_and_as_the_index_cuts_it() {
    let fixture = Fixture::new(GOODS);
    let names = [
        "WHITE T-LIGHT holder",
        "Tee aus Österreich",
        "ЧАЙ чёрный",
        "naïve café",
        "85123A o'clock",
        "o clock",
    ];
    let model: Vec<Good> = (1..)
        .zip(names)
        .map(|(id, name)| Good { id, price: None, name: name.to_owned(), note: None })
        .collect();
    fill(&fixture, &model);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let find = |words: &str| {
        let asked = searched(request(&resource, ""), words).expect("a search");
        ids(&page(&store, asked).expect("a page").out)
    };
    assert_eq!(find("t-light HOLDER"), [1]);
    assert_eq!(find("light"), [1]);
    // Beyond ASCII, case is the locale's of a PostgreSQL database.
    let folds = !on_postgres() || fixture.value("select lower('ЧÖ')") == text("чö");
    if folds {
        assert_eq!((find("ÖSTERREICH"), find("чай")), (vec![2], vec![3]));
    }
    assert_eq!((find("Österreich"), find("ЧАЙ")), (vec![2], vec![3]));
    assert_eq!((find("85123a"), find("85123")), (vec![5], vec![]));
    assert_eq!(find("o'clock"), [5, 6]);
    // Accents are SQLite's index's own matter: it takes them off.
    let without = if on_postgres() { vec![] } else { vec![4] };
    assert_eq!((find("café"), find("cafe")), (vec![4], without));
}

#[test]
fn a_snapshot_and_a_sort_have_the_rows_that_are_searched_for() {
    let mut random = Random::new(SEED ^ 2);
    let fixture = Fixture::new(GOODS);
    let model = goods(&mut random, 1_200);
    fill(&fixture, &model);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let asked = Wanted {
        text: "tea -white".to_owned(),
        terms: vec![(vec!["tea".into()], false, false), (vec!["white".into()], false, true)],
    };
    let search = || Some(Arc::new(Search::parse(&asked.text).expect("a search")));
    for order in ["", "price"] {
        let (taken, order_of) = (Taken::default(), Order::parse(&resource, order));
        let request = SnapshotRequest {
            resource: resource.clone(),
            filter: None,
            search: search(),
            order: Arc::new(order_of.expect("an order")),
            from: None,
            horizon: None,
            columns: resource.all_columns().into(),
            encoder: Box::new(Ndjson::new(resource.column_names())),
            out: Vec::new(),
            extra: None,
            sink: Box::new(taken.clone()),
            timeout_ms: 60_000,
        };
        store.snapshot(request).wait().expect("rows");
        let out = taken.0.lock().expect("not poisoned").clone();
        let model = sorted(&model, order, false, |good| asked.holds(good));
        assert!(model.len() > 100, "{} rows show little", model.len());
        assert_eq!(ids(&out), model, "'{order}'");
    }
    let budget = Budget::new(64 << 20, 0, Arc::new(Unmeasured)).expect("a budget");
    let space = SortSpace {
        storage: Arc::new(Disk),
        directory: fixture.directory.path().to_owned(),
        options: SpillOptions::default(),
        consumer: budget.consumer("sort").expect("a consumer"),
        workspace_bytes: SORT_WORKSPACE_BYTES_MIN,
    };
    let request = SortRequest {
        resource: resource.clone(),
        filter: None,
        search: search(),
        order: Arc::new(Order::parse(&resource, "name").expect("an order")),
        from: None,
        columns: resource.all_columns().into(),
        encoder: Box::new(Ndjson::new(resource.column_names())),
        separator: b"",
        horizon: None,
    };
    let mut range = sort(&store, request, &space, &|| false).expect("sorted");
    let (mut out, mut extra) = (Vec::new(), space.consumer.try_reserve(0).expect("nothing"));
    while range.fill(&mut out, FRAME_BYTES << 8, &mut extra).expect("rows") {}
    assert_eq!(ids(&out), sorted(&model, "name", false, |good| asked.holds(good)));
}

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl PieceSink for Taken {
    fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(())
    }
}

/// A good by number: one in 20,000 is rare, all are common, and half are even.
fn many(fixture: &Fixture, rows: u64) {
    let numbers = either(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < ROWS)
         insert into goods select i, NAME, NOTE, i % 1000 from n;",
        "insert into goods select i, NAME, NOTE, i % 1000 from generate_series(1, ROWS) as n(i);",
    );
    let name = "case when i % 20000 = 7 then 'rare thing' else 'common thing' end";
    let note = "case when i % 2 = 0 then 'even ' || i else 'odd ' || i end";
    let sql = numbers.replace("ROWS", &rows.to_string()).replace("NAME", name);
    fixture.execute(&sql.replace("NOTE", note));
}

#[test]
fn a_rare_and_a_common_word_are_both_found_quickly_among_many_rows() {
    let fixture = Fixture::new(GOODS);
    many(&fixture, 200_000);
    let store = indexed(&fixture, "goods");
    fixture.execute("analyze");
    let resource = table(&store, "goods");
    let rare: Vec<i64> = (0..10).map(|n| n * 20_000 + 7).collect();
    let find = |words: &str, order: &str| {
        let again = |at| {
            let mut asked = searched(request(&resource, order), words).expect("a search");
            asked.rows_max = 50;
            from(asked, at, false)
        };
        let began = Instant::now();
        let mut found = page(&store, again(None)).expect("a page");
        // A slice that only walked goes on.
        while let (0, PageEnd::More(at)) = (found.rows, &found.end) {
            found = page(&store, again(Some(at.clone()))).expect("a page");
        }
        let took = began.elapsed();
        println!("{words} by '{order}': {} rows in {took:?}", found.rows);
        // Reading 200,000 rows takes ten times as long where nothing is optimised.
        assert!(took < Duration::from_millis(800), "{words} by '{order}': {took:?}");
        ids(&found.out)
    };
    assert_eq!(find("rare", ""), rare);
    assert_eq!(find("rare", "-id"), rare.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(find("rare", "price"), rare, "all prices are 7");
    assert_eq!(find("rare", "name"), rare, "a few rows are sorted without an index");
    assert_eq!(find("thing 140007", ""), [140_007]);
    assert_eq!(find("common", ""), (1..=51).filter(|&id| id != 7).collect::<Vec<_>>());
    assert_eq!(find("even", ""), (1..=50).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(find("common", "-id")[..2], [200_000, 199_999]);
    assert_eq!(find("even thing", "-price")[..2], [199_998, 198_998]);
    assert_eq!(find("\"thing odd\" common", "price").len(), if on_postgres() { 50 } else { 0 });
    assert_eq!(find("rare -thing", ""), [0_i64; 0]);
    drop(store);
    if on_postgres() {
        // The server counts once its connections have ended.
        let scans = "select idx_scan::int from pg_stat_user_indexes \
                     where indexrelname = 'goods_search'";
        let until = Instant::now() + Duration::from_secs(20);
        while int(&fixture.value(scans)) < 4 {
            assert!(Instant::now() < until, "the index of words was not used");
            std::thread::yield_now();
        }
    }
}

#[test]
fn more_matches_than_are_sorted_are_walked_or_refused_with_the_index_to_make() {
    if on_postgres() {
        return; // There the limit is a time, see the next test.
    }
    let fixture = Fixture::new(GOODS);
    many(&fixture, 30_000);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let asked = || searched(request(&resource, "-price"), "common even").expect("a search");
    let out = walk(&store, false, || {
        let mut asked = asked();
        asked.rows_max = 4_000;
        asked
    });
    let mut wanted: Vec<i64> = (1..=15_000).map(|n| n * 2).collect();
    wanted.sort_by_key(|id| (-(id % 1_000), -id));
    assert_eq!(ids(&out.expect("rows")), wanted);
    let unsorted = searched(request(&resource, "note"), "common").expect("a search");
    let refused = page(&store, unsorted).map(drop).expect_err("too many to sort");
    assert_eq!(refused.kind(), ErrorKind::Unindexed);
    assert!(refused.remedy().is_some_and(|sql| sql.contains("note")), "{refused}");
}

#[test]
fn what_cannot_be_gathered_in_time_is_walked() {
    if !on_postgres() {
        return; // SQLite decides by the number of rows that match.
    }
    let fixture = Fixture::new(GOODS);
    many(&fixture, 3_000);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let search = Arc::new(Search::parse("even").expect("a search"));
    let asked = || {
        let mut asked: PageRequest = request(&resource, "");
        let Scope::Range { search: wanted, .. } = &mut asked.scope else { panic!("a range") };
        *wanted = Some(Arc::clone(&search));
        asked.rows_max = 700;
        asked
    };
    // Nothing can be read from the table until the lock is given back.
    let held = fixture.hold_all("goods");
    let unsorted = searched(request(&resource, "note"), "even").expect("a search");
    let refused = page(&store, unsorted).map(drop).expect_err("no order to walk in");
    assert_eq!(refused.kind(), ErrorKind::Unindexed, "{refused}");
    let first = store.page(asked());
    let walks = "select count(*)::int from pg_stat_activity where wait_event_type = 'Lock' \
                 and datname = current_database() and query like '%as plimsoll\\_found%'";
    let until = Instant::now() + Duration::from_secs(20);
    while fixture.value(walks) != Value::Int(1) {
        assert!(Instant::now() < until, "the search never walked");
        std::thread::yield_now();
    }
    held.give_back();
    let first = first.wait().expect("rows");
    let (mut found, mut at) = (ids(&first.out), first.end);
    while let PageEnd::More(position) = at {
        let next = page(&store, from(asked(), Some(position), false)).expect("rows");
        found.extend(ids(&next.out));
        at = next.end;
    }
    assert_eq!(found, (1..=1_500).map(|n| n * 2).collect::<Vec<_>>());
}

#[test]
fn a_table_with_another_key_than_a_number_is_searched_in_its_order() {
    let fixture = Fixture::new(GOODS);
    let columns = ["code", "name"];
    let values = (0..800).flat_map(|n| {
        let name = if n % 4 == 0 { "tea" } else { "coffee" };
        [text(&format!("c{:03}", n * 7 % 800)), text(name)]
    });
    fixture.write(vec![fixture.insert("codes", &columns, values.collect())]).expect("rows");
    let store = indexed(&fixture, "codes");
    let resource = table(&store, "codes");
    let again = || {
        let mut asked = searched(request(&resource, ""), "tea").expect("a search");
        asked.rows_max = 33;
        asked
    };
    let found = lines(&walk(&store, false, again).expect("rows"));
    let mut codes: Vec<String> =
        (0..800).step_by(4).map(|n| format!("c{:03}", n * 7 % 800)).collect();
    codes.sort();
    let line = |code: &String| format!("{{\"code\":\"{code}\",\"name\":\"tea\"}}");
    assert_eq!(found, codes.iter().map(line).collect::<Vec<_>>());
}

#[test]
fn an_import_into_an_empty_table_fills_the_index_of_words_in_the_end() {
    if on_postgres() {
        return; // There an import keeps its indexes.
    }
    let fixture = Fixture::new(GOODS);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let write = |write| {
        let unit = WriteUnit { writes: vec![write], now_micros: NOW, ..WriteUnit::default() };
        store.write(unit, Priority::Normal).wait().expect("written").rows
    };
    let find = |words: &str| {
        let asked = searched(request(&resource, ""), words).expect("a search");
        ids(&page(&store, asked).expect("a page").out)
    };
    let row = |id: i64| insert(&resource, &["id", "name"], vec![Value::Int(id), text("tea")]);
    let aside = || Write::SetIndexesAside(resource.clone());
    assert_eq!(write(aside()), [4], "one plain index, and three triggers");
    write(row(1));
    write(row(2));
    assert_eq!(find("tea"), [0_i64; 0]);
    write(Write::RestoreIndexes(resource.clone()));
    assert_eq!(find("tea"), [1, 2]);
    write(row(3));
    assert_eq!(find("tea"), [1, 2, 3], "the triggers are back");
    assert_eq!(write(aside()), [0], "a table with rows keeps its indexes");
    let triggers = "select count(*) from sqlite_schema where type = 'trigger'";
    assert_eq!(fixture.value(triggers), Value::Int(3));
}

#[test]
fn what_the_index_cannot_look_for_is_refused_with_the_reason() {
    let fixture = Fixture::new(GOODS);
    let store = indexed(&fixture, "goods");
    let resource = table(&store, "goods");
    let asked = searched(request(&resource, ""), "kett*").expect("a search");
    let answer = page(&store, asked);
    if on_postgres() {
        assert_eq!(answer.expect("a page").rows, 0);
    } else {
        let (refused, message) = kind(answer);
        assert_eq!(refused, ErrorKind::Invalid);
        assert!(message.contains("kett*") && message.contains("whole words"), "{message}");
    }
}
