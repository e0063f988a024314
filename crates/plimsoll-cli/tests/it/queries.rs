//! Named queries, on a SQLite file and on a PostgreSQL database: the same files, the same answers.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::corpus::{file, folder};
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::Tool;

const ROWS: u64 = 5_000;

/// A table of 5,000 sales over 100 days.
const SALES: &str = "
    create table sales (id integer primary key, day text not null, kind text, amount integer);
    insert into sales
    with recursive n(n) as (select 1 union all select n + 1 from n where n < 5000)
    select n, '2026-' || substr('0' || (1 + n % 4), -2) || '-' || substr('0' || (1 + n % 25), -2),
           case when n % 7 = 0 then null else 'k' || (n % 3) end, n % 1000 from n;";

const SALES_IN_POSTGRES: &str = "
    create table sales (id integer primary key, day text not null, kind text, amount integer);
    insert into sales
    select n, '2026-' || lpad((1 + n % 4)::text, 2, '0') || '-' || lpad((1 + n % 25)::text, 2, '0'),
           case when n % 7 = 0 then null else 'k' || (n % 3) end, n % 1000
    from generate_series(1, 5000) n;
    analyze sales;";

const BY_DAY: &str = r#"--! title = "Sales by day"
--! params = { from = "text", to = { type = "text", default = "2026-99" } }
--! key = ["day"]
--! order = "-total, day"
--! columns = { day = "text", total = "int", sales = "int" }
select day, cast(sum(amount) as bigint) as total, count(*) as sales
from sales where day >= :from and day < :to group by day -- :not a parameter
"#;

const SAID: &str = r#"--! params = { said = "text", n = { type = "int", default = 1 } }
select cast(:said as text) as said, id from sales where id <= :n
"#;

/// The queries' server on one database after the other.
fn on_both(args: &[&str], check: impl Fn(&Server)) {
    let folder = folder();
    queries(folder.path());
    let with = |database: &str| {
        let all = [&["--database", database, "--queries", "queries"], args].concat();
        let server = Server::start(folder.path(), &all);
        check(&server);
        server.stop().expect(0, &[]);
    };
    let sqlite = folder.path().join("sales.db");
    rusqlite::Connection::open(&sqlite).unwrap().execute_batch(SALES).unwrap();
    with("sales.db");
    if let Some(database) = Database::with(SALES_IN_POSTGRES) {
        with(&database.url());
    }
}

fn queries(folder: &Path) {
    std::fs::create_dir(folder.join("queries")).unwrap();
    file(folder, "queries/by_day.sql", BY_DAY);
    file(folder, "queries/said.sql", SAID);
    file(folder, "queries/notes.txt", "no query");
}

fn refuse_to_start(folder: &Path, args: &[&str], told: &[&str]) {
    let all = [&["serve", "--port", "0"], args].concat();
    Tool::new(folder, &all).run().expect(1, told);
}

/// What `by_day` says, worked out here.
fn days(from: &str, to: &str) -> Vec<(i64, String, i64)> {
    let mut days = std::collections::BTreeMap::<String, (i64, i64)>::new();
    for n in 1..=i64::try_from(ROWS).unwrap() {
        let day = format!("2026-{:02}-{:02}", 1 + n % 4, 1 + n % 25);
        if *day >= *from && *day < *to {
            let entry = days.entry(day).or_default();
            entry.0 += n % 1000;
            entry.1 += 1;
        }
    }
    let mut days: Vec<_> = days.into_iter().map(|(day, (sum, n))| (-sum, day, n)).collect();
    days.sort();
    days
}

fn expected(days: &[(i64, String, i64)]) -> Vec<Json> {
    days.iter().map(|(sum, day, n)| json!({"day": day, "total": -sum, "sales": n})).collect()
}

fn rows(answer: &Json) -> Vec<Json> {
    answer["data"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
}

fn lines(server: &Server, path: &str) -> Vec<Json> {
    let answer = server.client().get(path, "application/x-ndjson").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = String::from_utf8(answer.body).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_query_with_key_and_order_is_paged_both_ways_and_its_cursors_belong_to_its_values() {
    on_both(&[], |server| {
        let expected = expected(&days("2026-02", "2026-99"));
        let mut path = "/api/v2/queries/by_day?from=2026-02&limit=7".to_owned();
        let (mut seen, mut pages, mut last) = (Vec::new(), 0, Json::Null);
        loop {
            let page = server.get(&path).json();
            seen.extend(rows(&page));
            pages += 1;
            last = if page["links"]["prev"].is_null() { last } else { page.clone() };
            match page["links"]["next"].as_str() {
                Some(next) if pages < 50 => path = next.to_owned(),
                _ => break,
            }
        }
        assert_eq!(seen, expected);
        assert!(pages > 10, "{pages} pages");
        let before = server.get(last["links"]["prev"].as_str().unwrap()).json();
        let end = expected.len() - rows(&last).len();
        assert_eq!(rows(&before), expected[end - 7..end]);
        let cursor = last["meta"]["cursor"]["prev"].as_str().unwrap();
        let other = format!("/api/v2/queries/by_day?from=2026-03&limit=7&cursor={cursor}");
        let refused = server.get(&other);
        assert_eq!(refused.status, 400, "{refused:?}");
        assert_eq!(refused.json()["type"], "/problems/cursor-invalid");
    });
}

#[test]
fn a_query_is_streamed_exported_filtered_sorted_and_aggregated() {
    on_both(&[], |server| {
        let all = days("2026-01", "2026-03");
        let base = "/api/v2/queries/by_day";
        let given = "from=2026-01&to=2026-03";
        assert_eq!(lines(server, &format!("{base}/stream?{given}")), expected(&all));
        let page = server.get(&format!("{base}?{given}&limit=5")).json();
        let after = page["meta"]["cursor"]["next"].as_str().unwrap();
        let rest = lines(server, &format!("{base}/stream?{given}&after={after}"));
        assert_eq!(rest, expected(&all)[5..]);
        let csv = server.get(&format!("{base}/export?{given}&fields=day,sales&sort=day"));
        assert!(csv.header("content-disposition").unwrap().contains("by_day_"), "{csv:?}");
        let mut by_day: Vec<String> = all.iter().map(|(_, day, n)| format!("{day},{n}")).collect();
        by_day.sort();
        let text = String::from_utf8(csv.body).unwrap().replace('\r', "");
        assert_eq!(text.trim_end(), format!("day,sales\n{}", by_day.join("\n")));
        let filter = "filter=total%20%3E%2025000";
        let large = lines(server, &format!("{base}/stream?{given}&{filter}"));
        assert!(!large.is_empty() && large.len() < all.len(), "{} rows", large.len());
        assert!(large.iter().all(|row| row["total"].as_i64().unwrap() > 25_000));
        let page = server.get(&format!("{base}?{given}&{filter}&limit=500")).json();
        assert_eq!(rows(&page), large);
        let body = json!({
            "query": "by_day", "params": {"from": "2026-01", "to": "2026-03"},
            "measures": ["sum(sales)", "count(*)"],
        });
        let summed =
            server.client().post("/analytics/aggregate?format=json", &body.to_string()).unwrap();
        assert_eq!(summed.status, 200, "{summed:?}");
        let sales: i64 = all.iter().map(|(_, _, n)| n).sum();
        assert_eq!(summed.json()["data"], json!([{"sum(sales)": sales, "count(*)": all.len()}]));
    });
}

#[test]
fn a_link_to_a_query_leads_to_its_rows_once_and_its_values_are_checked_when_it_is_made() {
    on_both(&[], |server| {
        let ask = |body: Json| server.client().post("/api/v2/exports", &body.to_string()).unwrap();
        let params = json!({"from": "2026-01", "to": "2026-03"});
        let made = ask(json!({"query": "by_day", "params": params, "format": "ndjson"}));
        assert_eq!(made.status, 201, "{made:?}");
        let link = made.json()["url"].as_str().unwrap().to_owned();
        assert_eq!(lines(server, &link), expected(&days("2026-01", "2026-03")));
        assert_eq!(server.get(&link).status, 410);
        let refused = ask(json!({"query": "said", "params": {"said": "a", "n": "x"}}));
        assert_eq!(refused.status, 400, "{refused:?}");
        let both = ask(json!({"query": "said", "resource": "sales", "params": {"said": "a"}}));
        assert_eq!(both.json()["pointer"], "/query", "{both:?}");
    });
}

#[test]
fn the_audit_tells_an_export_of_a_query_from_one_of_a_table() {
    on_both(&["--audit-file", "audit.ndjson"], |server| {
        server.get("/api/v2/queries/by_day/export?from=2026-03");
        server.get("/api/v2/tables/sales/export");
        let begun = || server.get("/api/v2/system/audit?limit=9").json();
        let names: Vec<Json> = rows(&begun()).iter().map(|row| row["resource"].clone()).collect();
        assert!(names.contains(&json!("query:by_day")), "{names:?}");
        assert!(names.contains(&json!("sales")), "{names:?}");
    });
}

#[test]
fn a_reload_looks_at_the_queries_of_plimsolls_own_database_too() {
    let folder = folder();
    queries(folder.path());
    for name in ["by_day", "said"] {
        std::fs::remove_file(folder.path().join(format!("queries/{name}.sql"))).unwrap();
    }
    let server = Server::start(folder.path(), &["--queries", "queries"]);
    file(folder.path(), "queries/goods.sql", "select count(*) as n from products");
    assert_eq!(server.get("/api/v2/queries/goods").status, 404);
    assert_eq!(server.client().post("/system/catalog/reload", "").unwrap().status, 200);
    assert_eq!(rows(&server.get("/api/v2/queries/goods").json()), [json!({"n": 0})]);
    assert_eq!(server.get("/products?limit=1").status, 200, "tables and short paths stay");
    let day = server.get("/api/v2/queries/daily-revenue?from=2026-01-01");
    assert_eq!(day.status, 200, "{day:?}");
    server.stop().expect(0, &[]);
}

#[test]
fn a_query_without_a_key_is_one_page_that_says_whether_there_is_more() {
    on_both(&[], |server| {
        let first = server.get("/api/v2/queries/said?said=a&n=5&limit=3").json();
        assert_eq!((rows(&first).len(), &first["meta"]["has_more"]), (3, &json!(true)));
        assert_eq!(first["meta"]["cursor"], json!({"next": null, "prev": null}));
        let whole = server.get("/api/v2/queries/said?said=a&n=3&limit=3").json();
        assert_eq!((rows(&whole).len(), &whole["meta"]["has_more"]), (3, &Json::Null));
        let all = lines(server, &format!("/api/v2/queries/said/stream?said=a&n={ROWS}"));
        assert_eq!(all.len() as u64, ROWS);
        let keyset = server.get("/api/v2/queries/said/stream?said=a&consistency=keyset");
        assert_eq!(keyset.status, 400, "{keyset:?}");
    });
}

#[test]
fn a_value_is_taken_for_nothing_but_itself() {
    let hostile = [
        "'; drop table sales; --",
        "$1",
        ":n",
        "\\",
        "a'b''c",
        "e'\\''",
        "/* */ -- ",
        "\u{1F6A2} é \n\t",
        "%s ?1 $$ $a$",
        "",
    ];
    on_both(&[], |server| {
        for said in hostile {
            let encoded: String = said.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let answer = server.get(&format!("/api/v2/queries/said?said={encoded}")).json();
            assert_eq!(rows(&answer), [json!({"said": said, "id": 1})], "{said}");
        }
        let nul = server.get("/api/v2/queries/said?said=a%00b");
        assert_eq!(nul.status, 400, "{nul:?}");
        let sales = server.get("/api/v2/queries/said?said=a&n=9").json();
        assert_eq!(rows(&sales).len(), 9, "the table is there");
    });
}

#[test]
fn what_a_request_gets_wrong_is_told_by_name() {
    on_both(&[], |server| {
        let refused = |path: &str, status: u16, has: &str| {
            let answer = server.get(path);
            assert_eq!(answer.status, status, "{path}: {answer:?}");
            let text = answer.json().to_string();
            assert!(text.contains(has), "{path}: {text}");
        };
        refused("/api/v2/queries/by_day", 400, "needs the parameter from (text)");
        refused("/api/v2/queries/said?said=a&n=x", 400, "is int");
        refused("/api/v2/queries/said?said=a&m=1", 400, "'m' is not a parameter");
        refused("/api/v2/queries/said?said=a&sayd=1", 400, "\"did_you_mean\":\"said\"");
        refused("/api/v2/queries/said?said=a&said=b", 400, "given twice");
        refused("/api/v2/queries/by_dya?from=a", 404, "\"did_you_mean\":\"by_day\"");
        refused("/api/v2/queries/by_day/1?from=a", 404, "nothing is served");
        refused("/api/v2/queries/by_day?from=a&include=x", 400, "include");
        refused("/api/v2/queries/by_day?from=a&search=x", 400, "search");
        refused("/api/v2/queries/by_day/search?from=a&q=x", 404, "nothing is served");
        let post = server.client().post("/api/v2/queries/by_day?from=a", "{}").unwrap();
        assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")), "{post:?}");
        let listed = server.get("/api/v2/queries").json();
        let names: Vec<Json> = rows(&listed).iter().map(|q| q["name"].clone()).collect();
        assert_eq!(names, ["by_day", "said"]);
        assert_eq!(listed["data"][0]["parameters"][0]["required"], json!(true));
        assert_eq!(listed["data"][0]["pages"], json!(true));
    });
}

#[test]
fn a_query_that_takes_too_long_ends_within_its_time_and_nobody_waits_behind_it() {
    let forever = "--! time_ms = 300\n\
        with recursive n(n) as (select 1 union all select n + 1 from n)\n\
        select count(*) as n from n\n";
    let folder = folder();
    queries(folder.path());
    file(folder.path(), "queries/forever.sql", forever);
    let sqlite = folder.path().join("sales.db");
    rusqlite::Connection::open(sqlite).unwrap().execute_batch(SALES).unwrap();
    let database = Database::with(SALES_IN_POSTGRES);
    let urls = ["sales.db".to_owned()].into_iter().chain(database.as_ref().map(Database::url));
    for url in urls {
        let args = ["--database", &url, "--queries", "queries"];
        let server = Server::start(folder.path(), &args);
        for path in ["/api/v2/queries/forever", "/api/v2/queries/forever/stream"] {
            let began = std::time::Instant::now();
            let answer = server.get(path);
            assert_eq!(answer.status, 503, "{path}: {answer:?}");
            assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        }
        let said = server.get("/api/v2/queries/said?said=still").json();
        assert_eq!(rows(&said)[0]["said"], "still");
        server.stop().expect(0, &[]);
    }
}

#[test]
fn a_file_that_is_no_query_keeps_the_server_from_starting_and_a_running_one_keeps_its_own() {
    let wrong = [
        ("select missing from sales", "missing"),
        ("selec 1", "syntax error"),
        ("select 1 as a; delete from sales", "one statement"),
        ("delete from sales returning id", "the query"),
        ("with gone as (delete from sales returning id) select id from gone", "the query"),
        ("--! key = [\"id\"]\nselect id from sales", "a key and an order go together"),
        ("--! key = [\"no\"]\n--! order = \"id\"\nselect id from sales", "'no' is not a column"),
        ("--! columns = { no = \"int\" }\nselect id from sales", "no column 'no'"),
        ("select id, id from sales", "'id'"),
    ];
    let folder = folder();
    queries(folder.path());
    let sqlite = folder.path().join("sales.db");
    rusqlite::Connection::open(sqlite).unwrap().execute_batch(SALES).unwrap();
    let database = Database::with(SALES_IN_POSTGRES);
    let urls = ["sales.db".to_owned()].into_iter().chain(database.as_ref().map(Database::url));
    for url in urls {
        let args = ["--database", &*url, "--queries", "queries"];
        let server = Server::start(folder.path(), &args);
        for (text, told) in wrong {
            file(folder.path(), "queries/wrong.sql", text);
            let refused = server.client().post("/system/catalog/reload", "").unwrap();
            assert_eq!(refused.status, 409, "{text}: {refused:?}");
            let detail = refused.json()["detail"].to_string();
            assert!(detail.contains("wrong") && detail.contains(told), "{url} {text}: {detail}");
        }
        assert_eq!(server.get("/api/v2/queries/said?said=a").status, 200);
        server.stop().expect(0, &[]);
        refuse_to_start(folder.path(), &args, &["wrong"]);
        std::fs::remove_file(folder.path().join("queries/wrong.sql")).unwrap();
        let server = Server::start(folder.path(), &args);
        file(folder.path(), "queries/more.sql", "select count(*) as n from sales");
        assert_eq!(server.client().post("/system/catalog/reload", "").unwrap().status, 200);
        let counted = server.get("/api/v2/queries/more").json();
        assert_eq!(rows(&counted), [json!({"n": ROWS})]);
        std::fs::remove_file(folder.path().join("queries/more.sql")).unwrap();
        server.stop().expect(0, &[]);
    }
}

#[test]
fn more_queries_than_are_held_are_refused_with_the_file_that_was_one_too_many() {
    let folder = folder();
    queries(folder.path());
    let sqlite = folder.path().join("sales.db");
    rusqlite::Connection::open(sqlite).unwrap().execute_batch(SALES).unwrap();
    let long = format!("select id from sales -- {}", "x".repeat(250 << 10));
    for number in 1..=5 {
        file(folder.path(), &format!("queries/z{number}.sql"), &long);
    }
    let args = ["--database", "sales.db", "--queries", "queries"];
    refuse_to_start(folder.path(), &args, &["z5.sql", "more than 1 MiB"]);
    std::fs::remove_file(folder.path().join("queries/z5.sql")).unwrap();
    Server::start(folder.path(), &args).stop().expect(0, &[]);
}

#[test]
fn a_plan_that_costs_more_than_its_file_allows_is_not_run() {
    let Some(database) = Database::with(SALES_IN_POSTGRES) else { return };
    let folder = folder();
    queries(folder.path());
    // What it costs follows the value, which the plan at the start does not know.
    let many = "--! params = { n = \"int\" }\n--! cost_max = 1000\n\
        select g as n from generate_series(1, :n) g\n";
    file(folder.path(), "queries/many.sql", many);
    let args = ["--database", &database.url(), "--queries", "queries"];
    let server = Server::start(folder.path(), &args);
    assert_eq!(lines(&server, "/api/v2/queries/many/stream?n=100").len(), 100);
    // A page needs the first rows only, and its plan says so.
    assert_eq!(rows(&server.get("/api/v2/queries/many?n=10000000").json()).len(), 50);
    for path in ["/stream", "/export"] {
        let refused = server.get(&format!("/api/v2/queries/many{path}?n=10000000"));
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_eq!(refused.json()["type"], "/problems/query-too-costly");
        assert!(refused.json()["detail"].to_string().contains("its file allows 1000"));
    }
    let body = json!({"query": "many", "params": {"n": 10_000_000}, "measures": ["count(*)"]});
    let refused = server.client().post("/analytics/aggregate", &body.to_string()).unwrap();
    assert_eq!(refused.status, 422, "{refused:?}");
    server.stop().expect(0, &[]);
    file(folder.path(), "queries/all.sql", "--! cost_max = 5\nselect id from sales");
    refuse_to_start(folder.path(), &args, &["the query all", "its file allows 5"]);
}

#[test]
fn a_query_that_would_write_is_stopped_by_its_transaction() {
    let sequence = "create sequence s;
        create function sneaky() returns int language sql as
        $$ insert into sales values (9999, 'x', 'x', 1) returning 1 $$;";
    let Some(database) = Database::with(&format!("{SALES_IN_POSTGRES}{sequence}")) else { return };
    let folder = folder();
    queries(folder.path());
    file(folder.path(), "queries/next.sql", "select nextval('s') as n");
    file(folder.path(), "queries/sneaky.sql", "select sneaky() as n");
    let args = ["--database", &database.url(), "--queries", "queries"];
    let server = Server::start(folder.path(), &args);
    for path in ["next", "sneaky", "next/stream", "sneaky/stream"] {
        let refused = server.get(&format!("/api/v2/queries/{path}"));
        assert!(refused.status >= 400, "{path}: {refused:?}");
        assert!(refused.json()["detail"].to_string().contains("read-only"), "{refused:?}");
    }
    assert_eq!(database.count("select count(*) from sales"), ROWS);
    server.stop().expect(0, &[]);
}

#[test]
fn the_shops_daily_revenue_adds_up_to_its_order_items_on_either_database() {
    let adds_up = |server: &Server, days_min: usize| {
        let path = "/api/v2/queries/daily-revenue?from=1970-01-01&limit=500";
        let days = rows(&server.get(path).json());
        assert!(days.len() >= days_min, "{} days", days.len());
        let names: Vec<&str> = days.iter().map(|day| day["day"].as_str().unwrap()).collect();
        assert!(names.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {names:?}");
        let sums = |body: Json| {
            let path = "/analytics/aggregate?format=json";
            let answer = server.client().post(path, &body.to_string()).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()["data"][0].clone()
        };
        let of_query = json!(["sum(revenue) as revenue", "sum(quantity) as quantity"]);
        let of_items = json!(["sum(line_amount) as revenue", "sum(quantity) as quantity"]);
        assert_eq!(
            sums(json!({"query": "daily-revenue", "params": {"from": "1970-01-01"},
                        "measures": of_query})),
            sums(json!({"resource": "order_items", "measures": of_items})),
        );
        let none = server.get("/api/v2/queries/daily-revenue?from=1970-01-01&channel=nowhere");
        assert_eq!(rows(&none.json()), Vec::<Json>::new());
    };
    let folder = folder();
    let demo = ["--demo", "--products", "50", "--orders", "400"];
    let server = Server::start(folder.path(), &demo);
    adds_up(&server, 10);
    server.stop().expect(0, &[]);
    let Some(database) = Database::with("") else { return };
    Tool::new(folder.path(), &["migrate", "--database", &database.url()]).run().expect(0, &[]);
    database.execute(
        "insert into products (id, sku, name, price, created_at, updated_at)
           values (1, 'a', 'a', 2.5, now(), now());
         insert into orders (id, number, channel, status, ordered_at)
           values (1, '1', 'web', 'completed', '2026-01-31 23:59:59.999999Z'),
                  (2, '2', 'web', 'completed', '2026-02-01 00:00:00Z');
         insert into order_items (order_id, product_id, quantity, unit_price, line_amount)
           values (1, 1, 3, 2.5, 7.5), (2, 1, 1, 2.5, 2.5), (2, 1, 1, 0.0001, 0.0001);",
    );
    let server = Server::start(folder.path(), &["--database", &database.url()]);
    adds_up(&server, 2);
    let one = server.get("/api/v2/queries/daily-revenue?from=2026-02-01&to=2026-02-02").json();
    let day = json!({"day": "2026-02-01", "revenue": 2.5001, "orders": 1, "quantity": 2});
    assert_eq!(rows(&one), [day]);
    server.stop().expect(0, &[]);
}
