//! Searches: pages of the rows with some words, and the same words on lists, streams and exports.

use serde_json::{Value as Json, json};

use crate::served::on_postgres;
use crate::support::{TestServer, World, start, world};

fn ids(page: &Json) -> Vec<i64> {
    let rows = page["data"].as_array().unwrap_or_else(|| panic!("no rows: {page}"));
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

/// Goods whose names differ, beside those of the world.
fn named(server: &TestServer, names: &[&str]) -> Vec<i64> {
    let make = |(at, name): (usize, &&str)| {
        let body = json!({"code": format!("N{at}"), "name": name, "price": at}).to_string();
        let headers = [("content-type", "application/json")];
        let answer = server.ask("POST", "/goods", &headers, body.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["id"].as_i64().expect("an id")
    };
    names.iter().enumerate().map(make).collect()
}

fn started(rows: u64) -> (World, TestServer) {
    let world = world(rows);
    let server = start(&world);
    (world, server)
}

#[test]
fn a_search_is_a_list_of_the_rows_with_the_words_under_every_path() {
    let (_world, server) = started(40);
    let tea = named(&server, &["Green tea", "White tea, 20 bags", "Kettle for tea", "Kettle"]);
    for prefix in ["/api/v2/tables/goods", "/api/v2/goods", "/api/goods", "/goods"] {
        let path = format!("{prefix}/search?q=TEA&fields=id,name&limit=2");
        let answer = server.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let page = answer.json();
        assert_eq!(ids(&page), tea[..2]);
        assert_eq!(page["data"][0], json!({"id": tea[0], "name": "Green tea"}));
        let next = page["links"]["next"].as_str().expect("more");
        assert!(next.starts_with(&format!("{prefix}/search?q=TEA")), "{next}");
        let last = server.get(next).json();
        assert_eq!((ids(&last), &last["links"]["next"]), (vec![tea[2]], &Json::Null));
        let before = last["links"]["prev"].as_str().expect("something before");
        assert_eq!(ids(&server.get(before).json()), tea[..2]);
        let head = server.ask("HEAD", &path, &[], b"");
        assert_eq!((head.status, head.text()), (200, ""));
    }
    for (query, found) in [
        ("q=tea+-bags", &[tea[0], tea[2]][..]),
        ("q=%22tea+20%22", &[tea[1]]),
        ("q=kettle&sort=-name", &[tea[2], tea[3]]),
        ("q=tea&filter=price+%3E+0&sort=-id", &[tea[2], tea[1]]),
        ("q=n3", &[tea[3]]),
        ("q=tea+coffee", &[]),
    ] {
        assert_eq!(ids(&server.get(&format!("/goods/search?{query}")).json()), found, "{query}");
    }
    let included = server.get("/goods/search?q=kettle&include=lines").json();
    assert_eq!(included["data"][0]["lines"], json!([]));
    server.ask("POST", "/goods/search?q=tea", &[], b"").problem(405, "method-not-allowed");
}

#[test]
fn pages_of_a_search_together_are_the_rows_that_have_the_words() {
    let (_world, server) = started(3_000);
    for (words, sort, wanted) in [
        ("number", "id", (1..=3_000).collect::<Vec<i64>>()),
        ("number+-quoted", "id", vec![]),
        ("good+%22number+2999%22", "id", vec![2_999]),
        ("quoted", "-price", (1..=3_000).rev().collect()),
    ] {
        let mut path = format!("/goods/search?q={words}&sort={sort}&limit=400&fields=id");
        let mut found = Vec::new();
        loop {
            let page = server.get(&path).json();
            found.extend(ids(&page));
            match page["links"]["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, wanted, "{words} by {sort}");
    }
}

#[test]
fn a_cursor_of_a_search_goes_on_in_that_search_alone() {
    let (_world, server) = started(20);
    let cursor = |path: &str| {
        let page = server.get(path).json();
        page["meta"]["cursor"]["next"].as_str().expect("more").to_owned()
    };
    let searched = cursor("/goods/search?q=number&limit=2");
    for other in ["/goods/search?q=good&limit=2", "/goods?limit=2", "/goods?search=quoted"] {
        let path = format!("{other}&cursor={searched}");
        server.get(&path).problem(400, "cursor-invalid");
    }
    let plain = cursor("/goods?limit=2");
    for cursor in [plain.as_str(), "eyJpZCI6Mn0="] {
        let path = format!("/goods/search?q=number&cursor={cursor}");
        server.get(&path).problem(400, "cursor-invalid");
    }
    // The words are the same whatever the parameter is called.
    let after = server.get(&format!("/goods?search=number&limit=1&cursor={searched}")).json();
    assert_eq!(ids(&after), [3]);
}

#[test]
fn lists_streams_and_exports_take_the_words_as_search() {
    let (_world, server) = started(1_200);
    let tea = named(&server, &["Tea", "Cup", "Tea cup"]);
    assert_eq!(ids(&server.get("/goods?search=tea").json()), [tea[0], tea[2]]);
    for (path, wanted) in [
        (
            "/goods/stream?search=tea&fields=id",
            format!("{{\"id\":{}}}\n{{\"id\":{}}}\n", tea[0], tea[2]),
        ),
        ("/goods/stream?search=tea+cup&fields=id&sort=-stock", format!("{{\"id\":{}}}\n", tea[2])),
        ("/goods/export/csv?search=cup&fields=id", format!("id\r\n{}\r\n{}\r\n", tea[1], tea[2])),
        (
            "/goods/stream?search=cup&fields=id&consistency=snapshot",
            format!("{{\"id\":{}}}\n{{\"id\":{}}}\n", tea[1], tea[2]),
        ),
    ] {
        let answer = server.get(path);
        assert!(answer.complete, "{path}: {}", answer.text());
        assert_eq!(answer.text(), wanted, "{path}");
    }
    let all = server.get("/goods/stream?search=number&fields=id");
    assert_eq!(all.text().lines().count(), 1_200);
    server.get("/goods/stream?q=tea").problem(400, "unknown-parameter");
}

#[test]
fn a_row_is_found_by_what_it_holds_as_soon_as_the_write_is_answered() {
    let (_world, server) = started(5);
    let id = named(&server, &["Espresso cup"])[0];
    let find = |words: &str| ids(&server.get(&format!("/goods/search?q={words}")).json());
    assert_eq!(find("espresso"), [id]);
    let headers = [("content-type", "application/json")];
    let change = |body: &[u8]| {
        assert_eq!(server.ask("PATCH", &format!("/goods/{id}"), &headers, body).status, 200);
    };
    change(b"{\"stock\":4}");
    assert_eq!(find("espresso+cup"), [id]);
    change(b"{\"name\":\"Mocha cup\"}");
    assert_eq!((find("espresso"), find("mocha")), (vec![], vec![id]));
    assert_eq!(server.ask("DELETE", &format!("/goods/{id}"), &[], b"").status, 204);
    assert_eq!(find("mocha"), [0_i64; 0]);
}

#[test]
fn a_search_that_cannot_be_made_is_refused_with_the_reason() {
    let (_world, server) = started(5);
    let long = "x".repeat(10_000);
    let many = "w+".repeat(17);
    for (query, reason) in [
        ("q=", "names a word"),
        ("q=+%26+%7C+!+%22+*", "names a word"),
        ("q=-tea", "that is there"),
        ("q=te*", "at least 3"),
        ("q=a%00b", "NUL"),
        (&format!("q={long}"), "at most 256 bytes"),
        (&format!("q={}", "x".repeat(257)), "at most 256 bytes"),
        (&format!("q={many}"), "at most 16 words"),
        (&format!("q=%22{many}%22"), "those of phrases too"),
    ] {
        let answer = server.get(&format!("/goods/search?{query}"));
        let status =
            if query.len() > 8_192 { (414, "uri-too-long") } else { (400, "search-invalid") };
        let problem = answer.problem(status.0, status.1);
        let told = problem["detail"].as_str().expect("a detail");
        assert!(status.0 == 414 || told.contains(reason), "{query}: {told}");
    }
    let problem = server.get("/goods/search").problem(400, "invalid-parameter");
    assert_eq!(problem["parameter"], "q");
    server.get("/goods/search?search=tea").problem(400, "unknown-parameter");
    server.get("/goods/search?q=a&q=b").problem(400, "invalid-parameter");
    server.get("/goods/search?q=%ff").problem(400, "invalid-request");
    let beginning = server.get("/goods/search?q=numb*");
    if on_postgres() {
        assert_eq!(ids(&beginning.json()), [1, 2, 3, 4, 5]);
    } else {
        let told = beginning.problem(400, "search-invalid")["detail"].to_string();
        assert!(told.contains("whole words only"), "{told}");
    }
}

#[test]
fn no_text_of_a_search_is_an_operator() {
    let (_world, server) = started(5);
    for words in [
        "'",
        "%22number%22%20OR%20%22",
        "number)",
        "NEAR(good%20number)",
        "name:number",
        "number:*",
        "%27%3B--",
        "{x}%20:%20y",
        "^number",
        "%5C",
        "%25",
        "%F0%9F%99%82x",
        "number%3C-%3Ex",
        "number+AND",
        "NOT+number",
        "number+%26+!",
        "_umber",
        "%25umber",
        "%241",
        "%3F1",
    ] {
        let answer = server.get(&format!("/goods/search?q={words}"));
        match answer.status {
            200 => assert!(answer.complete, "{words}"),
            _ => drop(answer.problem(400, "search-invalid")),
        }
    }
    for nothing in ["number+OR+coffee", "name:number", "_umber", "%25umber", "number+AND"] {
        let found = ids(&server.get(&format!("/goods/search?q={nothing}")).json());
        assert_eq!(found, [0_i64; 0], "{nothing}");
    }
    assert_eq!(ids(&server.get("/goods/search?q=number+%26+!").json()), [1, 2, 3, 4, 5]);
}

#[test]
fn a_search_without_an_index_is_refused_with_the_index_to_make() {
    let (_world, server) = started(0);
    for path in ["/api/v2/tables/pairs/search?q=tea", "/api/v2/tables/pairs/stream?search=tea"] {
        let problem = server.get(path).problem(400, "search-unindexed");
        let index = problem["create_index"].as_str().expect("an index to make");
        let words = if on_postgres() { "USING gin (to_tsvector" } else { "USING fts5(\"note\"" };
        assert!(index.contains(words), "{index}");
    }
    let problem = server.get("/api/v2/tables/sales/search?q=tea").problem(400, "search-unindexed");
    assert!(problem.get("create_index").is_none(), "{problem}");
}
