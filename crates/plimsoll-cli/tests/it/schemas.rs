//! Five schemas of other people's making, from `init` to the last row, over the role that `init`
//! prints.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::corpus::{file, folder};
use crate::postgres::Database;
use crate::server::Server;
use crate::tool::{Tool, optimised};

/// What every secret of the schemas holds.
const SECRET: &str = "HUSH";
/// A server that is to start at once.
const START_MAX: Duration = Duration::from_secs(3);

const FILE: &str = "plimsoll-resources.toml";

/// A resource as the file names it.
struct Named {
    table: String,
    columns: Vec<String>,
}

fn named(folder: &Path) -> Vec<Named> {
    let text = std::fs::read_to_string(folder.join(FILE)).unwrap();
    let file: toml::Table = toml::from_str(&text).unwrap();
    let resources = file["resource"].as_array().unwrap().iter();
    let text = |value: &toml::Value| value.as_str().unwrap().to_owned();
    resources
        .map(|resource| Named {
            table: text(&resource["table"]),
            columns: resource["column"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| text(&c["name"]))
                .collect(),
        })
        .collect()
}

/// `init`, the role it prints, and a server over both.
fn served(folder: &Path, database: &Database) -> (Server, String) {
    let url = database.url();
    let init = Tool::fastest(folder, &["init", "--database", &url]).run();
    init.expect(0, &[]);
    let role = database.make_role(init.text());
    let args = ["--database", &role, "--resources", FILE];
    (Server::fastest(folder, &args), init.text().to_owned())
}

/// Everything that can be read of a resource; none of it holds a secret, and all rows come.
fn read_all(server: &Server, database: &Database, resource: &Named) {
    let Named { table, columns } = resource;
    let path = format!("/api/v2/tables/{table}");
    let rows = database.count(&format!("select count(*) from {table}"));
    let get = |tail: &str| {
        let answer = server.get(&format!("{path}{tail}"));
        assert_eq!(answer.status, 200, "{table}{tail}: {answer:?}");
        let text = String::from_utf8(answer.body).unwrap();
        assert!(!text.contains(SECRET), "{table}{tail}");
        text
    };
    assert_eq!(get("/stream?format=ndjson").lines().count() as u64, rows, "{table}");
    let csv = get("/export/csv");
    assert_eq!(csv.lines().next().unwrap().split(',').count(), columns.len(), "{table}");
    let mut seen = 0;
    let mut next = Some("?limit=50".to_owned());
    while let Some(query) = next.take() {
        let page: serde_json::Value = serde_json::from_str(&get(&query)).unwrap();
        seen += page["data"].as_array().unwrap().len() as u64;
        let cursor = page["meta"]["cursor"]["next"].as_str();
        next = cursor.map(|cursor| format!("?limit=50&cursor={cursor}"));
    }
    assert_eq!(seen, rows, "{table}");
    for column in columns {
        get(&format!("?limit=2&sort=-{column}"));
    }
}

/// What the file says is served, and nothing of it was changed or can be guessed.
fn check(schema: &str, tables: &[&str], refused: &[&str], hidden: &[(&str, &str)]) {
    let folder = folder();
    let Some(database) = Database::with(schema) else { return };
    let listing = "select string_agg(c.oid::regclass::text, ' ' order by c.oid) from pg_class c
        join pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_|^information'";
    let before = database.execute(listing);
    let (server, said) = served(folder.path(), &database);
    let resources = named(folder.path());
    let names: BTreeSet<&str> = resources.iter().map(|r| &*r.table).collect();
    assert_eq!(names, tables.iter().copied().collect(), "{said}");
    for name in refused {
        assert!(said.contains(&format!("--   {name}: ")), "{name} in {said}");
        assert_eq!(server.get(&format!("/api/v2/tables/{name}")).status, 404, "{name}");
    }
    for resource in &resources {
        read_all(&server, &database, resource);
    }
    for (table, column) in hidden {
        assert!(said.contains(&format!("{table}.{column}")), "{table}.{column} in {said}");
        for asked in ["filter", "sort", "fields"] {
            let value = if asked == "filter" { "%20=%20'HUSH'" } else { "" };
            let path = format!("/api/v2/tables/{table}?{asked}={column}{value}");
            let answer = server.get(&path);
            assert_eq!(answer.status, 400, "{path}");
        }
    }
    for own in ["/system/memory", "/api/health", "/livez", "/readyz", "/metrics"] {
        assert_eq!(server.get(own).status, 200, "{own}");
    }
    server.stop().expect(0, &["stopped"]);
    assert_eq!(database.execute(listing), before, "something was made among their tables");
}

#[test]
fn laravels_tables_are_served_and_its_secrets_are_in_no_answer() {
    check(
        include_str!("schemas/laravel.sql"),
        &[
            "cache",
            "cache_locks",
            "failed_jobs",
            "job_batches",
            "jobs",
            "migrations",
            "password_reset_tokens",
            "personal_access_tokens",
            "sessions",
            "users",
        ],
        &[],
        &[
            ("users", "password"),
            ("users", "remember_token"),
            ("password_reset_tokens", "token"),
            ("personal_access_tokens", "token"),
        ],
    );
}

#[test]
fn a_rental_shops_types_partitions_and_views_are_served_or_say_why_not() {
    check(
        include_str!("schemas/pagila.sql"),
        &["actor", "customer", "film", "film_actor", "language", "payment", "staff"],
        &["customer_list", "film_list", "sales_by_rating"],
        &[("staff", "password")],
    );
}

#[test]
fn djangos_tables_are_served_but_not_by_a_key_that_opens_a_session() {
    check(
        include_str!("schemas/django.sql"),
        &[
            "auth_group",
            "auth_group_permissions",
            "auth_permission",
            "auth_user",
            "auth_user_groups",
            "django_admin_log",
            "django_content_type",
            "django_migrations",
            "polls_question",
        ],
        &["django_session"],
        &[("auth_user", "password")],
    );
}

#[test]
fn a_web_shops_tables_are_served_and_its_keys_are_in_no_answer() {
    check(
        include_str!("schemas/woocommerce.sql"),
        &[
            "wp_options",
            "wp_postmeta",
            "wp_posts",
            "wp_term_relationships",
            "wp_terms",
            "wp_usermeta",
            "wp_users",
            "wp_wc_order_product_lookup",
            "wp_wc_order_stats",
            "wp_wc_orders",
            "wp_wc_webhooks",
            "wp_woocommerce_api_keys",
            "wp_woocommerce_sessions",
        ],
        &["wp_actionscheduler_logs"],
        &[
            ("wp_users", "user_pass"),
            ("wp_users", "user_activation_key"),
            ("wp_posts", "post_password"),
            ("wp_woocommerce_api_keys", "consumer_key"),
            ("wp_woocommerce_api_keys", "consumer_secret"),
            ("wp_woocommerce_sessions", "session_key"),
            ("wp_wc_webhooks", "secret"),
        ],
    );
}

#[test]
fn the_three_commands_of_the_readme_work_as_written() {
    let folder = folder();
    let Some(database) = Database::with(include_str!("schemas/orders.sql")) else { return };
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("## Your own database in three commands").unwrap();
    let block = section.split("```").nth(1).unwrap().replace("\\\n", "");
    let [init, serve, curl] = block.trim().lines().collect::<Vec<_>>().try_into().unwrap();
    let own = |line: &str| {
        line.replace("postgres://me@127.0.0.1/app", &database.url())
            .replace("postgres://plimsoll_reader@127.0.0.1/app", &database.role_url())
            .replace("plimsoll_reader", &database.role())
    };
    // A role belongs to the whole server, which other tests use too.
    let renamed = format!(" | sed s/plimsoll_reader/{}/ | psql", database.role());
    let init = own(init).replace(" | psql", &renamed).replacen("plimsoll ", "\"$0\" ", 1);
    Tool::shell(folder.path(), &format!("set -o pipefail; {init}")).run().expect(0, &[]);
    let serve = own(serve);
    let args: Vec<&str> = serve.split_whitespace().skip(2).collect();
    let server = Server::start(folder.path(), &args);
    let (_, path) = curl.split_once("127.0.0.1:8000").unwrap();
    let answer = server.get(path.trim_end_matches('\''));
    let csv = String::from_utf8(answer.body).unwrap();
    assert_eq!(csv, "id,total\r\n1,9.5\r\n2,19\r\n", "{serve} {path}");
    server.stop().expect(0, &[]);
}

#[test]
fn a_view_is_served_by_the_key_a_file_names_while_it_is_small_or_has_an_index() {
    let folder = folder();
    let Some(database) = Database::with(include_str!("schemas/pagila.sql")) else { return };
    database.execute(
        "create view long as select n as id, n % 7 as k from generate_series(1, 10001) n;
         create materialized view kept as select id, k from long;
         create unique index kept_id on kept (id);",
    );
    let resource = |table: &str, key: &str, columns: &str| {
        format!("[[resource]]\ntable = \"{table}\"\nkey = [\"{key}\"]\ncolumn = [{columns}]\n")
    };
    let text = [
        resource("customer_list", "id", "{ name = \"name\" }, { name = \"id\", type = \"text\" }"),
        resource("public.sales_by_rating", "rating", "{ name = \"rating\" }, { name = \"films\" }"),
        resource("long", "id", "{ name = \"id\" }"),
        resource("kept", "id", "{ name = \"id\" }, { name = \"k\" }"),
    ];
    file(folder.path(), FILE, text.concat());
    let init = ["init", "--database", &database.url(), "--role-for", FILE];
    let init = Tool::fastest(folder.path(), &init).run();
    init.expect(0, &[]);
    let granted = init.text().lines().filter(|line| line.starts_with("GRANT SELECT"));
    let wanted = [
        "GRANT SELECT (\"name\", \"id\") ON \"public\".\"customer_list\" TO plimsoll_reader;",
        "GRANT SELECT (\"rating\", \"films\") ON \"public\".\"sales_by_rating\" \
         TO plimsoll_reader;",
        "GRANT SELECT (\"id\") ON \"public\".\"long\" TO plimsoll_reader;",
        "GRANT SELECT ON \"public\".\"kept\" TO plimsoll_reader;",
    ];
    assert_eq!(granted.collect::<Vec<_>>(), wanted);
    let role = database.make_role(init.text());
    let server = Server::fastest(folder.path(), &["--database", &role, "--resources", FILE]);
    let data = |path: &str| server.get(&format!("/api/v2/tables/{path}")).json()["data"].clone();
    let first = serde_json::json!([{"name": "C30 L30", "id": "30"}]);
    assert_eq!(data("customer_list?sort=-id&limit=1"), first, "by the number, not by its text");
    let rating = serde_json::json!([{"rating": "NC-17", "films": 30}]);
    assert_eq!(data("public.sales_by_rating?sort=-rating&limit=1"), rating);
    assert_eq!(server.get("/api/v2/tables/customer_list/3").json()["name"], "C3 L3");
    for path in ["long", "long/stream", "long/export/csv"] {
        let answer = server.get(&format!("/api/v2/tables/{path}"));
        let problem = answer.json();
        assert_eq!((answer.status, &problem["type"]), (400, &"/problems/sort-unindexed".into()));
        assert!(problem["detail"].to_string().contains("materialized view"), "{problem}");
        assert_eq!(problem.get("create_index"), None, "no index can be made on a view");
    }
    let answer = server.get("/api/v2/tables/kept/stream?sort=k");
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let kept = answer.body;
    assert_eq!(kept.iter().filter(|b| **b == b'\n').count(), 10_001, "sorted by the engine");
    server.stop().expect(0, &[]);
}

#[test]
fn two_thousand_tables_are_served_within_three_seconds_and_a_bounded_memory() {
    let folder = folder();
    let Some(database) = Database::with(include_str!("schemas/many.sql")) else { return };
    let url = database.url();
    let init = Tool::fastest(folder.path(), &["init", "--database", &url]).run();
    init.expect(0, &[]);
    let role = database.make_role(init.text());
    assert_eq!(named(folder.path()).len(), 2_000);
    let args = ["--database", &role, "--resources", FILE, "--memory", "64M"];
    let began = Instant::now();
    let server = Server::fastest(folder.path(), &args);
    let took = began.elapsed();
    assert!(took < START_MAX, "{took:?}");
    let mut client = server.client();
    let mut peaks = Vec::new();
    for _ in 0..3 {
        for number in (1..=2_000).step_by(7) {
            let answer = client.get(&format!("/api/v2/tables/t{number}/stream"), "*/*").unwrap();
            assert_eq!(answer.body.iter().filter(|b| **b == b'\n').count(), 3, "t{number}");
            assert!(!String::from_utf8(answer.body).unwrap().contains(SECRET), "t{number}");
        }
        let reloaded = client.post("/system/catalog/reload", "").unwrap();
        assert_eq!(reloaded.json()["resources"], 2_000, "{reloaded:?}");
        peaks.push(server.resident_peak_bytes() >> 10);
    }
    println!("start {took:?}, VmHWM in KiB after each round {peaks:?}");
    if optimised().is_some() {
        assert!(peaks[2] <= 44 << 10, "{peaks:?}");
    }
    assert!(peaks[2] <= peaks[1] + (2 << 10), "it grows with every reload: {peaks:?}");
    server.stop().expect(0, &["stopped"]);
}

#[test]
fn names_and_comments_of_the_database_are_never_read_as_toml_or_sql() {
    let folder = folder();
    let name = "we\"ird]\n[[resource]]\n'; drop table kept; --";
    let quoted = format!("\"{}\"", name.replace('"', "\"\""));
    let Some(database) = Database::with(&format!(
        "create schema \"a.b\"; create table kept (id int primary key);
         create table \"a.b\".{quoted} ({quoted} int primary key, \"\\\" text, \"select\" text);
         comment on table \"a.b\".{quoted} is E'one\\n[[resource]]\\ntable = \"kept\"';
         comment on column \"a.b\".{quoted}.\"select\" is E'two\\n], # \\u2028 \\x07';
         insert into \"a.b\".{quoted} values (7, 'x', 'y');"
    )) else {
        return;
    };
    let (server, said) = served(folder.path(), &database);
    let resources = named(folder.path());
    let tables: Vec<&str> = resources.iter().map(|r| &*r.table).collect();
    assert_eq!(tables, [&*format!("a.b.{name}"), "kept"], "{said}");
    assert_eq!(resources[0].columns, [name, "\\", "select"]);
    let mut path = String::from("/api/v2/tables/");
    for byte in resources[0].table.bytes() {
        write!(path, "%{byte:02X}").unwrap();
    }
    let row = server.get(&path).json()["data"][0].clone();
    assert_eq!(row, serde_json::json!({name: 7, "\\": "x", "select": "y"}));
    server.stop().expect(0, &[]);
    assert_eq!(database.count("select count(*) from kept"), 0, "it is still there");
}
