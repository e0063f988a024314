//! Lists: every row once, in order, in both directions.

use serde_json::{Value as Json, json};

use crate::support::{start, world};

fn ids(page: &Json) -> Vec<i64> {
    let rows = page["data"].as_array().expect("rows");
    rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect()
}

#[test]
fn a_page_has_rows_cursors_and_links() {
    let world = world(120);
    let server = start(&world);
    let answer = server.get("/api/v2/goods?limit=2");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let page = answer.json();
    assert_eq!(ids(&page), [1, 2]);
    assert_eq!(page["data"][0]["price"], json!(0.01));
    assert_eq!(page["links"]["self"], "/api/v2/goods?limit=2");
    assert_eq!(page["links"]["prev"], Json::Null);
    let next = page["meta"]["cursor"]["next"].as_str().expect("more");
    assert_eq!(page["links"]["next"], format!("/api/v2/goods?limit=2&cursor={next}"));
    let link = answer.header("link").expect("a link");
    assert!(link.contains("rel=\"next\"") && link.contains(next), "{link}");
}

#[test]
fn following_next_and_then_prev_shows_every_row_once_in_order() {
    let world = world(23);
    let server = start(&world);
    for sort in ["id", "-id", "price", "-price", "kind", "-kind,id"] {
        let mut path = format!("/goods?limit=5&sort={sort}");
        let mut pages = Vec::new();
        loop {
            let page = server.get(&path).json();
            pages.push(ids(&page));
            match page["links"]["next"].as_str() {
                Some(next) => path = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3], "{sort}");
        let mut all: Vec<i64> = pages.concat();
        all.sort_unstable();
        assert_eq!(all, (1..=23).collect::<Vec<_>>(), "{sort}");
        for expected in pages.iter().rev().skip(1) {
            let page = server.get(&path).json();
            path = page["links"]["prev"].as_str().expect("something before").to_owned();
            assert_eq!(ids(&server.get(&path).json()), *expected, "{sort}");
        }
        assert_eq!(server.get(&path).json()["links"]["prev"], Json::Null, "{sort}");
    }
}

#[test]
fn fields_filters_and_sorts_select() {
    let world = world(40);
    let server = start(&world);
    let page = server.get("/api/goods?fields=id,code&kind=b&sort=-price&limit=3").json();
    assert_eq!(page["data"][0], json!({"id": 37, "code": "G0000037"}));
    assert_eq!(ids(&page), [37, 33, 29]);
    let filtered = server.get("/goods?filter=price+%3C%3D+0.05+and+not+kind+is+null").json();
    assert_eq!(ids(&filtered), [1, 2, 4, 5]);
    let bracket = server.get("/goods?filter[price][gte]=0.38&filter[price][lt]=0.4").json();
    assert_eq!(ids(&bracket), [38, 39]);
    let json_api = server.get("/goods?page[size]=1&fields[goods]=id").json();
    assert_eq!(json_api["data"], json!([{"id": 1}]));
}

#[test]
fn page_after_and_page_before_take_any_cursor() {
    let world = world(10);
    let server = start(&world);
    let first = server.get("/goods?limit=4").json();
    let cursor = first["meta"]["cursor"]["next"].as_str().expect("more");
    let after = server.get(&format!("/goods?limit=2&page[after]={cursor}")).json();
    assert_eq!(ids(&after), [5, 6]);
    let before = server.get(&format!("/goods?limit=2&page%5Bbefore%5D={cursor}")).json();
    assert_eq!(ids(&before), [2, 3]);
}

#[test]
fn the_plain_cursor_of_older_clients_is_accepted_for_the_order_of_the_key() {
    let world = world(120);
    let server = start(&world);
    // {"id":100}
    let page = server.get("/goods?limit=2&cursor=eyJpZCI6MTAwfQ").json();
    assert_eq!(ids(&page), [101, 102]);
}

#[test]
fn every_alias_serves_the_same_and_names_the_canonical_path() {
    let world = world(3);
    let server = start(&world);
    let canonical = server.get("/api/v2/goods?fields=id");
    assert_eq!(canonical.header("link"), None);
    for alias in ["/goods?fields=id", "/api/goods?fields=id"] {
        let answer = server.get(alias);
        assert_eq!(answer.json()["data"], canonical.json()["data"]);
        assert_eq!(answer.header("link"), Some("</api/v2/goods>; rel=\"canonical\""));
    }
    let table = server.get("/api/v2/tables/goods?fields=id");
    assert_eq!(table.json()["data"], canonical.json()["data"]);
}

#[test]
fn one_row_has_an_entity_tag_that_saves_the_second_read() {
    let world = world(3);
    let server = start(&world);
    let answer = server.get("/goods/2");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["code"], "G0000002");
    assert_eq!(answer.json()["version"], 1);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    let again = server.ask("GET", "/goods/2", &[("if-none-match", "\"1\"")], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = server.ask("GET", "/goods/2", &[("if-none-match", "\"0\"")], b"");
    assert_eq!(other.status, 200);
    let part = server.get("/goods/2?fields=code");
    assert_eq!(part.text(), "{\"code\":\"G0000002\"}");
    assert!(part.header("etag").is_some_and(|tag| tag.starts_with("\"b3-")));
    server.get("/goods/99").problem(404, "not-found");
    server.get("/goods/x").problem(404, "not-found");
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let world = world(3);
    let server = start(&world);
    for path in ["/goods", "/goods/2", "/livez"] {
        let get = server.get(path);
        let head = server.ask("HEAD", path, &[], b"");
        assert_eq!(head.status, 200);
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
    }
}

#[test]
fn one_connection_serves_many_requests() {
    let world = world(3);
    let server = start(&world);
    let mut connection = crate::client::Connection::open(server.address);
    for _ in 0..50 {
        connection.send("GET", "/goods?limit=1", &[], b"");
        assert_eq!(connection.answer("GET").expect("an answer").status, 200);
    }
}
