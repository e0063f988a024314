//! Rows by PostgreSQL's row-level security, over every route: each tenant's own, and no others.
//!
//! Promises: two tenants of one role, known by a key and by a token; the policies are the
//! database's.
//! Never: on the embedded database, which has no policies.

use std::sync::Arc;

use plimsoll_store::catalogue::QueryFile;
use plimsoll_store::{Catalogue, postgres};
use serde_json::{Value as Json, json};

use crate::access::{As, access};
use crate::jobs::jobs;
use crate::support::{TestServer, World, start_with, world};

/// Policies by a setting; one table that the role may not read at all.
const POLICIES: &str = "
create role ROLE nologin;
grant select, insert, update, delete on goods, sales, lines to ROLE;
alter table goods enable row level security;
create policy own on goods using (kind = current_setting('app.kind'));
alter table sales enable row level security;
create policy own on sales using (channel = current_setting('app.kind'));
alter table lines enable row level security;
create policy own on lines using
  (exists (select from sales where sales.id = sale_id) );
";

const ACCESS: &str = r#"
[[key]]
name = "a"
hash = "KEY1"
scopes = ["read:*", "write:*", "export:*", "query:kinds"]
role = "ROLE"
settings = { "app.kind" = "a" }
[[key]]
name = "nobody"
hash = "KEY2"
scopes = ["read:*", "export:*"]
role = "ROLE of nobody"
[[key]]
name = "own"
hash = "KEY3"
scopes = ["read:*", "write:*", "export:*"]
[[jwt]]
name = "id"
algorithm = "HS256"
secret_env = "SECRET"
role = "role"
roles = ["ROLE"]
settings = { "app.kind" = "kind" }
"#;

const KINDS: &str = "--! params = { least = { type = \"int\", default = 0 } }
--! key = [\"kind\"]
--! order = \"kind\"
select kind, count(*) as n from goods where id >= :least group by kind";
const CODES: &str = "select code from goods";

struct Tenants {
    world: World,
    server: TestServer,
    role: String,
}

/// Nothing on a database without policies.
fn tenants() -> Option<Tenants> {
    let world = world(400);
    let served = world.served.as_ref()?;
    let role = format!("tenants_{}", served.name());
    served.execute(&POLICIES.replace("ROLE", &role));
    for id in 1..=20 {
        let (kind, good) = if id % 2 == 0 { ("a", 4 * id) } else { ("b", 4 * id + 1) };
        world.add_sale(id, kind, "2026-01-30T12:00:00Z", good, "10.00");
    }
    let text = ACCESS.replace("ROLE", &role);
    let files = [("kinds", KINDS), ("codes", CODES)];
    let files = files.map(|(name, text)| QueryFile::parse(name, text).expect("a query"));
    let queries = postgres::queries(&served.config, files.into()).expect("looked at");
    let catalogue = Catalogue::clone(world.store.catalogue()).with_queries(queries);
    let store = world.store.with_catalogue(Arc::new(catalogue.expect("a catalogue")));
    let server = start_with(&world, |config| {
        (config.access, config.store) = (Some(access(&text)), store);
        config.jobs = Some(jobs(&world));
    });
    Some(Tenants { world, server, role })
}

impl Tenants {
    fn both(&self) -> [(&'static str, As<'_>); 2] {
        let scope = "read:* write:* export:* query:kinds";
        let claims = json!({"sub": "u", "scope": scope, "role": self.role, "kind": "b"});
        [("a", As::key(&self.server, 1)), ("b", As::token(&self.server, claims))]
    }

    fn end(self) {
        let Self { world, server, role } = self;
        drop(server);
        let served = world.served.as_ref().expect("PostgreSQL");
        served.execute(&format!("drop owned by {role}; drop role {role}"));
    }
}

/// The kinds of NDJSON's rows.
fn kinds(text: &str, field: &str) -> Vec<String> {
    let row = |line: &str| serde_json::from_str::<Json>(line).expect("a row");
    let kind = |line| row(line)[field].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
    text.lines().map(kind).collect()
}

#[test]
fn an_import_writes_as_the_tenant_who_sent_the_file_and_nobody_else() {
    let Some(tenants) = tenants() else { return };
    let rows = |prefix: &str, kind: &str, count: u64| {
        let row =
            |n: u64| json!({"code": format!("{prefix}{n}"), "name": "n", "kind": kind, "price": 1});
        Json::from_iter((1..=count).map(row))
    };
    let over = |who: &As<'_>, body: &Json| {
        let answer = who.send("POST", "/goods/import", &[], body);
        let place = answer.header("location").unwrap_or_else(|| panic!("{}", answer.text()));
        tenants.server.wait_until(place, || who.get(place).json()["finished_at"].is_string());
        who.get(place).json()
    };
    for (kind, who) in tenants.both() {
        let other = if kind == "a" { "b" } else { "a" };
        // Few go by statements, many are copied.
        for count in [3, 300] {
            let own = over(&who, &rows(&format!("{kind}{count}-"), kind, count));
            assert_eq!(own["state"], "completed", "{own}");
            assert_eq!(own["result"]["rows"], count, "{own}");
            let theirs = over(&who, &rows(&format!("x{kind}{count}-"), other, count));
            assert_eq!(theirs["state"], "failed", "{theirs}");
        }
    }
    // What is Plimsoll's own, an event, stands in the unit of a tenant's rows.
    let (_, tenant) = &tenants.both()[0];
    let synced = tenant.send("POST", "/goods/sync", &[], &rows("a3-", "a", 3));
    assert_eq!((synced.status, &synced.json()["event"]), (200, &json!("GoodsSynced")));
    let theirs = tenant.send("POST", "/goods/sync", &[], &rows("b3-", "b", 3));
    theirs.problem(403, "forbidden");
    let few = json!([{"id": 4, "set": {"stock": 9}}, {"id": 5, "set": {"stock": 9}}]);
    let changed = tenant.send("POST", "/goods/bulk-update", &[], &few).json();
    assert_eq!(changed, json!({"rows": 2, "updated": 1, "missing": 1, "missing_keys": ["5"]}));
    let own = As::key(&tenants.server, 3);
    let text = own.get("/goods/export?format=ndjson&filter=id%20%3E%20400");
    let mut found = kinds(text.text(), "kind");
    found.sort_unstable();
    assert_eq!(found, [vec!["a"; 303], vec!["b"; 303]].concat());
    tenants.end();
}

#[test]
fn a_report_has_the_rows_of_the_tenant_who_asked_for_it_and_no_others() {
    let Some(tenants) = tenants() else { return };
    for definition in [
        json!({"resource": "goods", "format": "ndjson"}),
        json!({"resource": "goods", "format": "ndjson", "params": {"sort": "name"}}),
        json!({"resource": "goods", "format": "ndjson", "params": {"consistency": "snapshot"}}),
        json!({"query": "kinds", "format": "ndjson"}),
    ] {
        for (kind, tenant) in tenants.both() {
            let asked = tenant.send("POST", "/reports", &[], &definition);
            assert_eq!(asked.status, 202, "{}", asked.text());
            let place = asked.header("location").expect("a place").to_owned();
            let over = || tenant.get(&place).json()["finished_at"].is_string();
            tenants.server.wait_until(&place, over);
            let got = tenant.get(&format!("{place}/download"));
            let found = kinds(got.text(), "kind");
            let rows = if definition["query"].is_null() { 100 } else { 1 };
            assert_eq!(found.len(), rows, "{definition}: {}", got.text());
            assert!(found.iter().all(|found| found == kind), "{definition}: {found:?}");
        }
    }
    tenants.end();
}

#[test]
fn every_route_shows_a_tenant_its_own_rows_and_no_others() {
    let Some(tenants) = tenants() else { return };
    for (kind, tenant) in tenants.both() {
        let own = |kinds: &[String]| assert!(kinds.iter().all(|k| k == kind), "{kinds:?}");
        for target in [
            "/goods?limit=500",
            "/goods?limit=500&sort=-price&filter=id%20%3E%200%20or%20id%20%3C%209",
            "/goods/search?limit=500&q=number",
            "/goods/search?limit=500&q=number&sort=-price",
        ] {
            let rows = tenant.get(target).json()["data"].clone();
            let rows = rows.as_array().expect("rows");
            assert_eq!(rows.len(), 100, "{target}");
            assert!(rows.iter().all(|row| row["kind"] == kind), "{target}");
        }
        for id in 1..=4 {
            let found = tenant.get(&format!("/goods/{id}")).status;
            let is_own = ["", "b", "c", "none", "a"][id] == kind;
            assert_eq!(found, if is_own { 200 } else { 404 }, "{kind} {id}");
        }
        for target in [
            "/goods/stream?format=ndjson",
            "/goods/stream?format=ndjson&sort=name",
            "/goods/stream?format=ndjson&consistency=snapshot",
            "/goods/export?format=ndjson",
            "/goods/export?format=ndjson&consistency=snapshot&sort=-id",
            "/goods/stream?format=ndjson&search=number",
            "/goods/stream?format=ndjson&search=number&consistency=snapshot",
        ] {
            let answer = tenant.get(target);
            let found = kinds(answer.text(), "kind");
            assert_eq!((found.len(), answer.complete), (100, true), "{target}: {}", answer.text());
            own(&found);
        }
        assert_eq!(tenant.get("/goods/export/csv").text().lines().count(), 101);
        let asked = json!({
            "resource": "goods", "group_by": ["kind"], "measures": ["count(*) as n", "max(id)"]
        });
        let groups = tenant.send("POST", "/analytics/aggregate?format=ndjson", &[], &asked);
        let group = groups.json();
        assert_eq!((&group["kind"], &group["n"]), (&json!(kind), &json!(100)), "{group}");
        let summary = tenant.get("/analytics/summary").json();
        assert_eq!(summary["data"]["orders"], 10, "{summary}");
        let trend = tenant.get("/analytics/trends?metric=orders").json();
        assert_eq!(trend["data"][0]["orders"], 10, "{trend}");
        let top = tenant.get("/analytics/top-goods?limit=500").json();
        assert_eq!(top["data"].as_array().map(Vec::len), Some(10), "{top}");
        let lines = tenant.get("/api/v2/tables/lines?limit=500&include=sale,good").json();
        let lines = lines["data"].as_array().expect("rows");
        assert_eq!(lines.len(), 10);
        for line in lines {
            assert_eq!(line["sale"]["channel"], kind, "{line}");
            assert_eq!(line["good"]["kind"], kind, "{line}");
        }
        let goods = tenant.get("/goods?limit=500&include=lines").json();
        let shown = goods["data"].as_array().expect("rows").iter();
        assert_eq!(shown.filter(|good| good["lines"] != json!([])).count(), 10);
    }
    let own = As::key(&tenants.server, 3).get("/goods/stream?format=ndjson");
    assert_eq!(own.text().lines().count(), 400, "the connection's own role is not a tenant");
    tenants.end();
}

#[test]
fn a_query_and_a_link_show_a_tenant_its_own_rows_and_no_others() {
    let Some(tenants) = tenants() else { return };
    let anybody = |link: &str| tenants.server.get(link);
    for (kind, tenant) in tenants.both() {
        let mine = json!([{"kind": kind, "n": 100}]);
        assert_eq!(tenant.get("/api/v2/queries/kinds").json()["data"], mine);
        for target in ["stream", "export"] {
            let rows = tenant.get(&format!("/api/v2/queries/kinds/{target}?format=ndjson"));
            assert_eq!(rows.text().trim(), mine[0].to_string(), "{target}");
        }
        let sums = json!({"query": "kinds", "params": {"least": 1}, "measures": ["sum(n) as n"]});
        let sums = tenant.send("POST", "/analytics/aggregate?format=ndjson", &[], &sums);
        assert_eq!(sums.json(), json!({"n": 100}));
        for (definition, rows) in [
            (json!({"query": "kinds", "format": "ndjson"}), 1),
            (json!({"resource": "goods", "format": "ndjson"}), 100),
            (json!({"resource": "goods", "params": {"sort": "name"}, "format": "ndjson"}), 100),
            (
                json!({"resource": "goods", "params": {"consistency": "snapshot"},
                       "format": "ndjson"}),
                100,
            ),
        ] {
            let made = tenant.send("POST", "/api/v2/exports", &[], &definition);
            assert_eq!(made.status, 201, "{definition}: {}", made.text());
            let link = made.json()["url"].as_str().expect("a link").to_owned();
            // Whoever has the link has the tenant's rows, and nothing else of the tenant's.
            let found = kinds(anybody(&link).text(), "kind");
            assert_eq!(found.len(), rows, "{definition}");
            assert!(found.iter().all(|found| found == kind), "{definition}: {found:?}");
        }
    }
    tenants.end();
}

#[test]
fn a_query_or_an_export_by_link_without_its_scope_is_refused_and_not_named() {
    let Some(tenants) = tenants() else { return };
    let (_, tenant) = &tenants.both()[0];
    let lacks = |answer: &crate::client::Answer, scope: &str| {
        assert_eq!(answer.problem(403, "forbidden")["scope"], scope, "{}", answer.text());
    };
    for name in ["codes", "none"] {
        let scope = format!("query:{name}");
        for target in ["", "/stream", "/export"] {
            lacks(&tenant.get(&format!("/api/v2/queries/{name}{target}")), &scope);
        }
        let post = |path: &str, body: Json| tenant.send("POST", path, &[], &body);
        lacks(&post("/api/v2/exports", json!({"query": name})), &scope);
        lacks(&post("/analytics/aggregate", json!({"query": name, "measures": []})), &scope);
    }
    let listed = tenant.get("/api/v2/queries").json();
    let names: Vec<&Json> =
        listed["data"].as_array().expect("queries").iter().map(|q| &q["name"]).collect();
    assert_eq!(names, ["kinds"]);
    let claims = json!({"sub": "u", "scope": "read:*", "role": tenants.role, "kind": "b"});
    let reader = As::token(&tenants.server, claims);
    let link =
        |resource| reader.send("POST", "/api/v2/exports", &[], &json!({"resource": resource}));
    lacks(&link("goods"), "export:goods");
    lacks(&link("nothing"), "export:nothing");
    tenants
        .server
        .ask("POST", "/api/v2/exports", &[("content-type", "application/json")], b"{}")
        .problem(401, "unauthorized");
    tenants.end();
}

#[test]
fn a_tenant_writes_its_own_rows_and_finds_no_others() {
    let Some(tenants) = tenants() else { return };
    for (kind, tenant) in tenants.both() {
        let good = |of: &str| {
            let code = format!("{kind}-{of}");
            json!({"code": code, "name": "n", "kind": of, "price": "1.00"})
        };
        let made = tenant.send("POST", "/goods", &[("idempotency-key", "k")], &good(kind));
        assert_eq!(made.status, 201, "{}", made.text());
        let location = made.header("location").expect("a place").to_owned();
        for of in ["a", "b", "c"].iter().filter(|of| **of != kind) {
            tenant.send("POST", "/goods", &[], &good(of)).problem(403, "forbidden");
        }
        let own = tenant.send("PATCH", &location, &[], &json!({"name": "changed"}));
        assert_eq!((own.status, &own.json()["name"]), (200, &json!("changed")));
        let into_others = tenant.send("PATCH", &location, &[], &json!({"kind": "c"}));
        into_others.problem(403, "forbidden");
        // 2 is of a third kind.
        let others = tenant.send("PATCH", "/goods/2", &[], &json!({"name": "stolen"}));
        others.problem(404, "not-found");
        tenant.send("DELETE", "/goods/2", &[], &Json::Null).problem(404, "not-found");
        assert_eq!(tenant.send("DELETE", &location, &[], &Json::Null).status, 204);
    }
    let own = As::key(&tenants.server, 3).get("/goods/2").json();
    assert_eq!(own["name"], "good number 2, \"quoted\"");
    tenants.end();
}

#[test]
fn a_table_that_the_role_may_not_read_is_a_403_and_the_others_are_served() {
    let Some(tenants) = tenants() else { return };
    let (_, tenant) = &tenants.both()[0];
    for target in
        ["/api/v2/tables/pairs", "/api/v2/tables/pairs/stream", "/api/v2/tables/pairs/x,1"]
    {
        let problem = tenant.get(target).problem(403, "forbidden");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("the database does not allow this"), "{detail}");
        assert!(!detail.contains("permission denied") && problem["scope"].is_null(), "{problem}");
    }
    assert_eq!(tenant.get("/goods/4").status, 200);
    As::key(&tenants.server, 2).get("/goods/4").problem(403, "forbidden");
    let claims = json!({"sub": "u", "scope": "read:*", "role": "postgres", "kind": "a"});
    As::token(&tenants.server, claims).get("/goods/4").problem(401, "unauthorized");
    tenants.end();
}

#[test]
fn a_tenant_of_a_hostile_name_reads_its_own_rows() {
    let Some(tenants) = tenants() else { return };
    let own = As::key(&tenants.server, 3);
    let hostile = ["'", "\\", "\\'", "', true) --", "$$", "\n", "é☃", "1; reset role"];
    for (number, kind) in hostile.iter().enumerate() {
        let good =
            json!({"code": format!("H{number}"), "name": "n", "kind": kind, "price": "1.00"});
        assert_eq!(own.send("POST", "/goods", &[], &good).status, 201, "{kind}");
    }
    for kind in hostile {
        let claims =
            json!({"sub": "u", "scope": "read:* export:*", "role": tenants.role, "kind": kind});
        let answer = As::token(&tenants.server, claims).get("/goods/stream?format=ndjson");
        assert_eq!((answer.status, kinds(answer.text(), "kind")), (200, vec![kind.to_owned()]));
    }
    let nul = json!({"sub": "u", "scope": "read:*", "role": tenants.role, "kind": "a\u{0}"});
    As::token(&tenants.server, nul).get("/goods").problem(401, "unauthorized");
    tenants.end();
}
