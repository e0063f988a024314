//! The table of bad inputs: each is refused by name, with what is allowed.

use std::io::Read;

use crate::client::Connection;
use crate::support::{failing_after, start, start_with, world};

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_limit_of_zero_or_a_billion_is_refused_with_the_range() {
    let world = world(1);
    let server = start(&world);
    for limit in ["0", "1000000000", "501", "-1", "x", "", "1.0", "99999999999999999999999"] {
        for name in ["limit", "page[size]"] {
            let problem =
                server.get(&format!("/goods?{name}={limit}")).problem(400, "invalid-parameter");
            assert!(problem["detail"].as_str().is_some_and(|d| d.contains("from 1 to 500")));
        }
    }
}

#[test]
fn a_tampered_or_foreign_cursor_is_refused() {
    let world = world(10);
    let server = start(&world);
    let page = server.get("/goods?limit=2&sort=-price").json();
    let cursor = page["meta"]["cursor"]["next"].as_str().expect("more");
    let flipped = if cursor.ends_with('A') { 'B' } else { 'A' };
    let tampered = format!("{}{flipped}", &cursor[..cursor.len() - 2]);
    let other = start_with(&world, |config| config.cursor_key = [9; 32]);
    let foreign = other.get("/goods?limit=2").json();
    let foreign = foreign["meta"]["cursor"]["next"].as_str().expect("more").to_owned();
    for query in [
        format!("sort=-price&cursor={tampered}"),
        format!("sort=price&cursor={cursor}"),
        format!("sort=-price&kind=a&cursor={cursor}"),
        format!("cursor={foreign}"),
        "cursor=".to_owned(),
        "cursor=%F0%9F%92%A9".to_owned(),
        format!("cursor={}", "A".repeat(5000)),
        "sort=-price&cursor=eyJpZCI6MTAwfQ".to_owned(),
    ] {
        server.get(&format!("/goods?{query}")).problem(400, "cursor-invalid");
    }
    let table = format!("/api/v2/tables/pairs?cursor={cursor}");
    server.get(&table).problem(400, "cursor-invalid");
    server.get(&format!("/goods/stream?after={cursor}")).problem(400, "cursor-invalid");
}

#[test]
fn an_unknown_parameter_or_field_is_refused_with_the_allowed_list() {
    let world = world(1);
    let server = start(&world);
    let problem = server.get("/goods?limt=3").problem(400, "unknown-parameter");
    assert_eq!(problem["did_you_mean"], "limit");
    let allowed = problem["allowed"].as_array().expect("a list");
    for name in ["limit", "cursor", "fields", "filter", "sort", "kind"] {
        assert!(allowed.iter().any(|n| n == name), "{problem}");
    }
    let problem = server.get("/goods?fields=id,nam").problem(400, "unknown-field");
    assert_eq!(problem["did_you_mean"], "name");
    assert!(problem["allowed"].as_array().is_some_and(|l| l.len() == 8), "{problem}");
    server.get("/goods?fields=id,id").problem(400, "unknown-field");
    server.get("/goods?fields=").problem(400, "unknown-field");
    server.get("/goods/stream?limit=3").problem(400, "unknown-parameter");
    server.get("/goods/1?sort=id").problem(400, "unknown-parameter");
    server.get("/goods?fields[sales]=id").problem(400, "unknown-parameter");
    for path in ["/livez", "/readyz", "/api/health", "/metrics", "/system/memory"] {
        server.get(&format!("{path}?x=1")).problem(400, "unknown-parameter");
    }
}

#[test]
fn a_parameter_given_twice_is_refused() {
    let world = world(1);
    let server = start(&world);
    for query in ["limit=1&limit=2", "limit=1&page[size]=1", "cursor=a&page[after]=b"] {
        server.get(&format!("/goods?{query}")).problem(400, "invalid-parameter");
    }
    let many: Vec<String> = (0..65).map(|n| format!("a{n}=1")).collect();
    server.get(&format!("/goods?{}", many.join("&"))).problem(400, "invalid-request");
}

#[test]
fn a_bad_filter_is_refused_with_a_caret_at_the_place() {
    let world = world(1);
    let server = start(&world);
    let problem =
        server.get("/goods?filter=id+%3D+1+and+prise+%3E+2").problem(400, "filter-invalid");
    let detail = problem["detail"].as_str().expect("a sentence");
    let lines: Vec<&str> = detail.lines().collect();
    let caret = lines[2].find('^').expect("a caret");
    assert!(lines[1][caret..].starts_with("prise"), "{detail}");
    for query in [
        "filter=",
        "filter=price",
        "filter=price%20%3E%20%27x%27",
        "filter[price][like]=1",
        "filter[prise][eq]=1",
        "filter[price][eq]=x",
    ] {
        server.get(&format!("/goods?{query}")).problem(400, "filter-invalid");
    }
    let deep = format!("{}id = 1", "not ".repeat(60)).replace(' ', "%20");
    server.get(&format!("/goods?filter={deep}")).problem(400, "filter-invalid");
}

#[test]
fn a_bad_sort_is_refused_with_the_columns() {
    let world = world(1);
    let server = start(&world);
    for sort in ["prise", "id,id", "--id", "", "%2C"] {
        server.get(&format!("/goods?sort={sort}")).problem(400, "sort-invalid");
    }
}

#[test]
fn an_unindexed_sort_of_many_rows_is_refused_with_the_index_to_make() {
    let world = world(10_500);
    let server = start(&world);
    let problem = server.get("/goods?sort=stock").problem(400, "sort-unindexed");
    let index = problem["create_index"].as_str().expect("a statement");
    assert!(index.to_lowercase().starts_with("create index"), "{index}");
    assert!(index.contains("stock"), "{index}");
}

#[test]
fn broken_encodings_in_path_and_query_are_refused() {
    let world = world(1);
    let server = start(&world);
    for target in [
        "/goods?limit=%",
        "/goods?limit=%zz",
        "/goods?kind=%ff",
        "/goods?%c3=1",
        "/goods/%zz",
        "/goods/%ff",
        "/api/v2/tables/%ff",
        "/api/v2/tables/%zz/1",
    ] {
        server.get(target).problem(400, "invalid-request");
    }
}

#[test]
fn an_address_that_is_too_long_is_refused() {
    let world = world(1);
    let server = start(&world);
    let long = "x".repeat(9 << 10);
    server.get(&format!("/goods?kind={long}")).problem(414, "uri-too-long");
    server.get(&format!("/goods/{long}")).problem(414, "uri-too-long");
    // Beyond the head's buffer the answer is made before there is a request, without a body.
    let longer = "x".repeat(40 << 10);
    let mut connection = Connection::open(server.address);
    let text = format!("GET /goods?kind={longer} HTTP/1.1\r\nhost: t\r\n\r\n");
    connection.send_raw(text.as_bytes()).expect("sends");
    let status = connection.head().map(|head| head.status);
    assert!(matches!(status, None | Some(414 | 431)), "{status:?}");
}

#[test]
fn ten_megabytes_of_headers_are_refused_within_bounded_memory() {
    let world = world(1);
    let server = start(&world);
    let mut connection = Connection::open(server.address);
    connection.send_raw(b"GET /livez HTTP/1.1\r\nhost: t\r\n").expect("sends");
    let line = format!("x-filler: {}\r\n", "y".repeat(1000));
    // The server may close while we still send; that is the point.
    for _ in 0..10_000 {
        if connection.send_raw(line.as_bytes()).is_err() {
            break;
        }
    }
    let status = connection.head().map(|head| head.status);
    assert!(matches!(status, None | Some(431)), "{status:?}");
    server.wait_until("it is closed", || server.held("connection") == 0);

    let mut many = Connection::open(server.address);
    let headers: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let text = format!("GET /livez HTTP/1.1\r\nhost: t\r\n{headers}\r\n");
    many.send_raw(text.as_bytes()).expect("sends");
    assert_eq!(many.head().expect("an answer").status, 431);
}

#[test]
fn a_body_of_the_wrong_type_or_size_is_refused() {
    let world = world(1);
    let server = start(&world);
    let ask = |headers: &[(&str, &str)], body: &[u8]| server.ask("POST", "/goods", headers, body);
    ask(&[], b"{}").problem(415, "unsupported-media-type");
    ask(&[("content-type", "text/plain")], b"{}").problem(415, "unsupported-media-type");
    let zipped = [JSON, ("content-encoding", "gzip")];
    ask(&zipped, b"{}").problem(415, "unsupported-media-type");
    // Only the length is sent: the refusal comes before the body.
    let mut declared = Connection::open(server.address);
    declared
        .send_raw(
            b"POST /goods HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
              content-length: 1000000000\r\n\r\n",
        )
        .expect("sends");
    declared.answer("POST").expect("an answer").problem(413, "body-too-large");
    // No length at all: the refusal comes at the bound.
    let mut chunked = Connection::open(server.address);
    chunked
        .send_raw(
            b"POST /goods HTTP/1.1\r\nhost: t\r\ncontent-type: application/json\r\n\
              transfer-encoding: chunked\r\n\r\n",
        )
        .expect("sends");
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    for _ in 0..65 {
        chunked.send_raw(chunk.as_bytes()).expect("sends");
    }
    chunked.answer("POST").expect("an answer").problem(413, "body-too-large");
}

#[test]
fn a_body_that_is_no_json_object_is_refused_with_line_and_column() {
    let world = world(1);
    let server = start(&world);
    let nested = format!("{{\"name\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    for (body, line) in [("{\n\"name\" 1}", 2), ("", 1), ("[1]", 1), ("{\"a\":1} x", 1), ("nul", 1)]
    {
        let answer = server.ask("POST", "/goods", &[JSON], body.as_bytes());
        let problem = answer.problem(400, "invalid-request");
        assert_eq!(problem["line"], line, "{problem}");
        assert!(problem["column"].is_u64());
    }
    let deep = server.ask("POST", "/goods", &[JSON], nested.as_bytes());
    assert!(matches!(deep.status, 400 | 422), "{}", deep.text());
    server.ask("POST", "/goods", &[JSON], b"{\"name\":\"\xff\"}").problem(400, "invalid-request");
    let range = br#"{"code":"c","name":"n","price":1,"stock":9223372036854775808}"#;
    let problem = server.ask("POST", "/goods", &[JSON], range).problem(422, "validation");
    assert_eq!(problem["errors"][0]["pointer"], "/stock");
}

#[test]
fn an_accept_that_names_nothing_served_is_refused_with_the_list() {
    let world = world(1);
    let server = start(&world);
    let answer = server.ask("GET", "/goods/stream", &[("accept", "text/html")], b"");
    let problem = answer.problem(406, "unsupported-format");
    assert!(problem["allowed"].as_array().is_some_and(|l| l.iter().any(|m| m == "text/csv")));
    server.get("/goods/stream?format=xml").problem(400, "invalid-parameter");
    server.get("/goods/stream?bom=yes").problem(400, "invalid-parameter");
}

#[test]
fn unknown_paths_and_methods_are_problems_too() {
    let world = world(1);
    let server = start(&world);
    for path in ["/", "/nothing", "/api/v3/goods", "/goods/", "/goods/1/2/3", "/api/v2/sales"] {
        server.get(path).problem(404, "not-found");
    }
    let problem = server.get("/api/v2/tables/good").problem(404, "not-found");
    assert_eq!(problem["did_you_mean"], "goods");
    for (method, path, allow) in [
        ("PUT", "/goods", "GET, HEAD, POST"),
        ("POST", "/goods/1", "GET, HEAD, PATCH, DELETE"),
        ("DELETE", "/goods/stream", "GET, HEAD"),
        ("BREW", "/livez", "GET, HEAD"),
    ] {
        let answer = server.ask(method, path, &[], b"");
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[test]
fn a_request_that_is_not_http_is_closed() {
    let world = world(1);
    let server = start(&world);
    let mut connection = Connection::open(server.address);
    connection.send_raw(b"\x16\x03\x01 hello\r\n\r\n").expect("sends");
    let mut rest = Vec::new();
    drop(connection.reader.read_to_end(&mut rest));
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"));
    server.wait_until("it is closed", || server.held("connection") == 0);
}

#[test]
fn a_panic_is_a_500_and_the_server_goes_on() {
    let world = world(1);
    let store = failing_after(&world, 0, true);
    let server = start_with(&world, |config| config.store = store);
    let problem = server.get("/goods").problem(500, "internal");
    assert!(!problem.to_string().contains("on purpose"), "{problem}");
    assert_eq!(server.get("/livez").status, 200);
}

#[test]
fn a_reserved_path_keeps_the_server_from_starting() {
    let world = world(0);
    let goods = world.store.catalogue().table("goods").expect("a table");
    let mut resource = (**goods).clone();
    resource.path = Some("metrics".into());
    let catalogue = plimsoll_store::Catalogue::new(vec![resource], None).expect("a catalogue");
    let store = crate::support::failing_with(&world, 0, false, catalogue.into());
    let config = crate::support::config(store);
    let error = plimsoll_server::Server::new(config).expect_err("reserved");
    assert!(error.to_string().contains("'/metrics' is reserved"), "{error}");
}
