//! Streams and exports in an order that no index has: read, sorted and then sent.

use std::path::Path;
use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::format::{Csv, CsvOptions, Format, RowEncoder};
use plimsoll::record::{Value, ValueRow, compare};
use plimsoll_server::ServerConfig;
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::client::Connection;
use crate::served::on_postgres;
use crate::support::{World, failing_after, start, start_with, world};

/// Beyond what is sorted without an index.
const MANY: i64 = 10_500;

/// Pairs (a, b) with a note: NULL, an empty text, one of few words, or a long one.
fn pairs(rows: i64) -> (World, Vec<Vec<Value>>) {
    let world = world(0);
    let text = |text: String| Value::Text(text.into());
    // PostgreSQL has no NUL in a text.
    let least = if on_postgres() { '\u{1}' } else { '\u{0}' };
    let mut model = Vec::new();
    for id in 0..rows {
        let note = match id * 7919 % 11 {
            0 | 1 => Value::Null,
            2 => text(String::new()),
            3..=6 => text(format!("word {}", id % 5)),
            7 => text(format!("{least} \"n\"; {}", id % 3)),
            _ => text(format!("ä{}{}", "long ".repeat(20), id * 31 % 997)),
        };
        model.push(vec![text(format!("a{}", id % 3)), Value::Int(id * 13 % rows), note]);
    }
    for rows in model.chunks(1_000) {
        world.insert("pairs", &[0, 1, 2], rows.concat());
    }
    (world, model)
}

/// The model in the order of these columns, then of the key.
fn sorted(model: &[Vec<Value>], terms: &[(usize, bool)]) -> Vec<Vec<Value>> {
    let last = terms.last().is_some_and(|term| term.1);
    let mut rows = model.to_vec();
    rows.sort_by(|x, y| {
        let mut all = terms.iter().copied().chain([(0, last), (1, last)]);
        let order = all.find_map(|(column, descending)| {
            let order = compare(x[column].borrow(), y[column].borrow());
            order.is_ne().then_some(if descending { order.reverse() } else { order })
        });
        order.expect("keys differ")
    });
    rows
}

fn encoded(rows: &[Vec<Value>], format: Format) -> String {
    let titles = ["a", "b", "note"];
    let mut encoder: Box<dyn RowEncoder> = match format {
        Format::Csv => Box::new(Csv::new(titles, CsvOptions::default())),
        other => other.encoder(titles),
    };
    let mut out = Vec::new();
    encoder.begin(&mut out);
    for row in rows {
        encoder.row(&ValueRow(row), &mut out).expect("encodes");
    }
    encoder.end(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

const FORMATS: [Format; 3] = [Format::Ndjson, Format::Json, Format::Csv];
const PATH: &str = "/api/v2/tables/pairs";

fn files_in(directory: &Path) -> usize {
    std::fs::read_dir(directory).expect("a directory").count()
}

/// A server whose sorts have about a mebibyte, and spill where nobody else does.
fn small(config: &mut ServerConfig, directory: &TempDir) {
    config.budget = Budget::new(16 << 20, 0, Arc::new(Unmeasured)).expect("a budget");
    config.http_cap_bytes = 8 << 20;
    config.spill_directory = directory.path().to_owned();
}

#[test]
fn an_unindexed_stream_has_the_order_of_the_model_in_every_format_and_direction() {
    let (world, model) = pairs(MANY);
    let server = start(&world);
    let orders: [(&str, &[(usize, bool)]); 4] = [
        ("note", &[(2, false)]),
        ("-note", &[(2, true)]),
        ("-b,note", &[(1, true), (2, false)]),
        ("note,-b", &[(2, false), (1, true)]),
    ];
    for (sort, terms) in orders {
        let rows = sorted(&model, terms);
        for format in FORMATS {
            let path = format!("{PATH}/stream?sort={sort}&format={}", format.name());
            let answer = server.get(&path);
            assert_eq!((answer.status, answer.complete), (200, true), "{path}");
            assert!(answer.text() == encoded(&rows, format), "{path}");
        }
    }
    server.wait_until("everything is given back", || sort_bytes(&server.budget) == 0);
}

/// What the sorts of streams hold.
fn sort_bytes(budget: &Budget) -> u64 {
    let ledger = budget.ledger();
    let mine = ledger.root.consumers.iter().filter(|c| &*c.name == "stream-sort");
    mine.map(|consumer| consumer.held_bytes).sum()
}

#[test]
fn a_sort_larger_than_its_workspace_spills_and_leaves_nothing_behind() {
    let (world, model) = pairs(60_000);
    let directory = TempDir::new().expect("a directory");
    let server = start_with(&world, |config| small(config, &directory));
    let mut connection = Connection::open(server.address);
    let path = format!("{PATH}/stream?sort=-note&format=json");
    connection.send("GET", &path, &[], b"");
    let head = connection.head().expect("a head");
    assert_eq!(head.status, 200);
    assert_eq!(files_in(directory.path()), 1, "it lies on the disk while it is sent");
    assert!(sort_bytes(&server.budget) < 3 << 20, "{}", sort_bytes(&server.budget));
    drop(connection);
    server.wait_until("the client's files are gone", || files_in(directory.path()) == 0);
    server.wait_until("its bytes are back", || {
        sort_bytes(&server.budget) == 0 && server.held("stream") == 0
    });
    let answer = server.get(&path);
    assert!(
        answer.complete && answer.text() == encoded(&sorted(&model, &[(2, true)]), Format::Json)
    );
    assert_eq!(files_in(directory.path()), 0);
}

#[test]
fn an_export_on_an_unindexed_sort_is_the_same_file_as_an_indexed_one_would_be() {
    let (world, model) = pairs(MANY);
    let server = start(&world);
    let answer = server.get(&format!("{PATH}/export/csv?sort=note"));
    assert!(answer.header("content-disposition").is_some_and(|d| d.contains("pairs_")));
    assert!(
        answer.complete && answer.text() == encoded(&sorted(&model, &[(2, false)]), Format::Csv)
    );
}

#[test]
fn an_unindexed_stream_is_filtered_and_resumed() {
    let world = world(10_500);
    let server = start(&world);
    let lines = |query: &str| {
        let answer = server.get(&format!("/goods/stream?fields=id&{query}"));
        assert!(answer.complete, "{query}: {}", answer.text());
        answer.text().to_owned()
    };
    let all = lines("sort=-stock&kind=b");
    assert_eq!(all.lines().count(), 2_625);
    assert!(all.starts_with("{\"id\":10497}\n"), "equal stocks are in the order of the key");
    // The cursor's own order is that of a page of a table that was small enough.
    let small = self::world(100);
    let other = start(&small);
    let page = other.get("/goods?kind=b&sort=-stock&limit=20").json();
    let cursor = page["meta"]["cursor"]["next"].as_str().expect("more");
    let rest = lines(&format!("sort=-stock&kind=b&after={cursor}"));
    assert_eq!(rest.lines().count(), 5, "{rest}");
    assert!(all.ends_with(&rest));
}

#[test]
fn a_list_on_an_unindexed_sort_is_still_refused_with_the_index_to_make() {
    let (world, _) = pairs(MANY);
    let server = start(&world);
    let problem = server.get(&format!("{PATH}?sort=note")).problem(400, "sort-unindexed");
    assert!(problem["create_index"].as_str().is_some_and(|i| i.contains("note")), "{problem}");
}

#[test]
fn head_of_an_unindexed_stream_sorts_nothing() {
    let (world, _) = pairs(MANY);
    // A sort would need a page.
    let store = failing_after(&world, 1, false);
    let server = start_with(&world, |config| config.store = store);
    let head = server.ask("HEAD", &format!("{PATH}/stream?sort=note"), &[], b"");
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-type"), Some("application/x-ndjson"));
}

#[test]
fn an_unindexed_stream_without_room_is_refused_and_the_holders_are_named() {
    let (world, _) = pairs(MANY);
    let server = start(&world);
    let hog = server.budget.consumer("hog").expect("a consumer");
    let reservable = server.budget.reservable_bytes();
    let held = hog.try_reserve(reservable - (24 << 20)).expect("there is room");
    let path = format!("{PATH}/stream?sort=note");
    let answer = server.get(&path);
    let problem = answer.problem(503, "memory-budget-exceeded");
    assert!(problem["holders"].to_string().contains("hog"), "{problem}");
    assert!(answer.header("retry-after").is_some());
    drop(held);
    assert_eq!(server.get(&path).status, 200);
}

#[test]
fn more_sorts_than_turns_wait_and_are_refused_with_a_time_to_come_back() {
    let (world, _) = pairs(60_000);
    let server = start_with(&world, |config| {
        config.limits.sorts_max = 1;
        config.limits.admission_wait = std::time::Duration::from_millis(50);
    });
    let path = format!("{PATH}/stream?sort=note");
    let mut first = Connection::open(server.address);
    first.send("GET", &path, &[], b"");
    assert_eq!(first.head().expect("a head").status, 200);
    let answer = server.get(&path);
    answer.problem(429, "queue-full");
    assert_eq!(answer.header("retry-after"), Some("5"));
    drop(first);
    server.wait_until("the turn is over", || server.get(&path).status == 200);
}

#[test]
fn a_client_that_leaves_while_rows_are_read_ends_the_sort() {
    let (world, _) = pairs(60_000);
    let directory = TempDir::new().expect("a directory");
    let server = start_with(&world, |config| small(config, &directory));
    let mut connection = Connection::open(server.address);
    connection.send("GET", &format!("{PATH}/stream?sort=note"), &[], b"");
    server.wait_until("it sorts", || sort_bytes(&server.budget) > 0);
    drop(connection);
    server.wait_until("everything comes back", || {
        sort_bytes(&server.budget) == 0 && server.held("connection") == 0
    });
    assert_eq!(files_in(directory.path()), 0);
    assert_eq!(server.held("stream"), 0);
}

#[test]
fn a_failure_while_rows_are_read_is_an_ordinary_problem() {
    let (world, _) = pairs(60_000);
    let directory = TempDir::new().expect("a directory");
    // The first page is the refusal that leads to the sort.
    let store = failing_after(&world, 4, false);
    let server = start_with(&world, |config| {
        small(config, &directory);
        config.store = store;
    });
    let problem = server.get(&format!("{PATH}/stream?sort=note")).problem(500, "internal");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert_eq!((files_in(directory.path()), sort_bytes(&server.budget)), (0, 0));
}

#[test]
fn a_spill_that_is_damaged_never_ends_the_body_cleanly() {
    let (world, _) = pairs(60_000);
    for format in FORMATS {
        let directory = TempDir::new().expect("a directory");
        let server = start_with(&world, |config| small(config, &directory));
        let mut connection = Connection::open(server.address);
        let path = format!("{PATH}/stream?sort=note&format={}", format.name());
        connection.send("GET", &path, &[], b"");
        let mut answer = connection.head().expect("a head");
        let area = std::fs::read_dir(directory.path()).expect("a directory").next();
        let file = area.expect("it spilled").expect("an entry").path().join("sort-0");
        // The client has taken nothing yet, so most of the rows are still to be read.
        std::fs::OpenOptions::new()
            .write(true)
            .open(&file)
            .expect("opens")
            .set_len(0)
            .expect("cut");
        connection.chunks(&mut answer);
        assert_eq!((answer.status, answer.complete), (200, false), "{format:?}");
        let last = answer.text().lines().last().expect("lines");
        match format {
            Format::Ndjson => {
                let last: Json = serde_json::from_str(last).expect("json");
                assert_eq!(last["error"]["type"], "/problems/internal");
            }
            _ => assert!(!answer.text().contains("/problems/") && !last.ends_with(']')),
        }
        server.wait_until("the files are gone", || files_in(directory.path()) == 0);
    }
}
