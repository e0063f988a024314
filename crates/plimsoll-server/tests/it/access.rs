//! Who may ask for what: keys, tokens and scopes, on both databases.
//!
//! Promises: whoever may not do a thing learns nothing from its refusal but what they lack.
//! Never: a key that two tests share.

use plimsoll_server::{Access, NewKey, Secret, ServerConfig};
use ring::hmac;
use serde_json::{Value as Json, json};

use crate::client::Answer;
use crate::served::on_postgres;
use crate::support::{NOW_MICROS, TestServer, World, start_with, world};

pub(crate) const SECRET: &[u8] = b"a secret of a test, of 32 bytes.";

/// A key of the file, by its number.
pub(crate) fn key(number: u8) -> NewKey {
    NewKey::of([number; 32])
}

/// `KEY1` and so on are the hashes of keys.
pub(crate) fn access(text: &str) -> Access {
    let text = (1..=9).fold(text.to_owned(), |text, number| {
        text.replace(&format!("KEY{number}"), &key(number).hash)
    });
    let secret = &mut |_: &Secret| Ok(SECRET.to_vec());
    Access::parse(&text, secret).unwrap_or_else(|e| panic!("{e}"))
}

/// A token of ours, which holds for a minute.
pub(crate) fn token(claims: Json) -> String {
    let mut claims = claims;
    claims["exp"] = (NOW_MICROS / 1_000_000 + 60).into();
    signed(&json!({"alg": "HS256"}), &claims)
}

fn signed(header: &Json, claims: &Json) -> String {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (header, claims) = (header.to_string(), claims.to_string());
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", encode(tag.as_ref()))
}

/// A server, as one of those it knows.
pub(crate) struct As<'s> {
    pub(crate) server: &'s TestServer,
    authorization: String,
}

impl<'s> As<'s> {
    pub(crate) fn key(server: &'s TestServer, number: u8) -> Self {
        Self { server, authorization: format!("Bearer {}", key(number).key) }
    }

    pub(crate) fn token(server: &'s TestServer, claims: Json) -> Self {
        Self { server, authorization: format!("bearer  {}", token(claims)) }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.server.ask("GET", target, &[("authorization", &self.authorization)], b"")
    }

    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        more: &[(&str, &str)],
        body: &Json,
    ) -> Answer {
        let own = [("authorization", &*self.authorization), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.server.ask(method, target, &[&own, more].concat(), body.as_bytes())
    }

    fn lacks(&self, target: &str, scope: &str) {
        lacks(&self.get(target), scope);
    }
}

fn lacks(answer: &Answer, scope: &str) {
    let problem = answer.problem(403, "forbidden");
    assert_eq!(problem["scope"], scope);
    assert!(problem["detail"].as_str().expect("a detail").contains(scope), "{problem}");
    assert!(answer.header("www-authenticate").expect("a challenge").contains("insufficient_scope"));
    assert!(problem["allowed"].is_null() && problem["did_you_mean"].is_null(), "{problem}");
}

fn with_access(text: &'static str) -> impl FnOnce(&mut ServerConfig) {
    |config| config.access = Some(access(text))
}

pub(crate) const KEYS: &str = r#"
[[key]]
name = "all"
hash = "KEY1"
scopes = ["read:*", "write:*", "export:*", "admin", "metrics"]
[[key]]
name = "goods"
hash = "KEY2"
scopes = ["read:goods"]
[[key]]
name = "nothing"
hash = "KEY3"
scopes = []
[[key]]
name = "lines"
hash = "KEY4"
scopes = ["read:lines", "export:goods", "write:pairs"]
[[key]]
name = "other"
hash = "KEY5"
scopes = ["read:*", "write:*"]
[[jwt]]
name = "id"
algorithm = "HS256"
secret_env = "SECRET"
"#;

fn served(goods: u64) -> (World, TestServer) {
    let world = world(goods);
    let server = start_with(&world, with_access(KEYS));
    (world, server)
}

#[test]
fn whoever_is_not_known_gets_the_health_pages_and_nothing_else() {
    let (_world, server) = served(1);
    for open in ["/livez", "/readyz", "/healthz", "/api/health"] {
        assert_eq!(server.get(open).status, 200, "{open}");
    }
    let all = [
        "/goods",
        "/api/v2/tables/goods",
        "/api/v2/tables/nothing",
        "/goods/1",
        "/goods/stream",
        "/goods/export/csv",
        "/analytics/summary",
        "/system/memory",
        "/metrics",
        "/api/metrics",
        "/nothing/of/this/name",
        "/",
    ];
    for target in all {
        let answer = server.get(target);
        answer.problem(401, "unauthorized");
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"plimsoll\""),
            "{target}"
        );
    }
    let good = key(1).key;
    let other = key(9).key;
    let expired = token(json!({"sub": "u"})).replace('.', "..");
    let long = format!("Bearer plk_{}", "x".repeat(9 << 10));
    let told = server.ask("GET", "/goods", &[("authorization", "Bearer x")], b"");
    let detail = told.problem(401, "unauthorized")["detail"].clone();
    for wrong in [
        &*format!("Bearer {other}"),
        &format!("Bearer {}", &good[..good.len() - 1]),
        &format!("Bearer {good}x"),
        &format!("Basic {good}"),
        &format!("Bearer{good}"),
        &format!("Bearer {expired}"),
        &format!("Bearer {}", token(json!({"sub": ""}))),
        "Bearer",
        "Bearer ",
        "",
        &long,
    ] {
        let answer = server.ask("GET", "/goods", &[("authorization", wrong)], b"");
        assert_eq!(answer.problem(401, "unauthorized")["detail"], detail, "one text for all");
    }
    let good = format!("Bearer {good}");
    let twice = [("authorization", &*good), ("authorization", &*good)];
    server.ask("GET", "/goods", &twice, b"").problem(401, "unauthorized");
    assert_eq!(server.ask("GET", "/goods", &twice[..1], b"").status, 200);
    let put = server.ask("PUT", "/goods", &[], b"");
    put.problem(401, "unauthorized");
}

#[test]
fn a_token_that_is_not_good_here_is_401_without_a_reason() {
    let (_world, server) = served(1);
    let (hs256, now) = (json!({"alg": "HS256"}), NOW_MICROS / 1_000_000);
    let good = json!({"sub": "u", "scope": "read:goods", "exp": now + 60});
    let ask = |token: &str| {
        server.ask("GET", "/goods", &[("authorization", &format!("Bearer {token}"))], b"")
    };
    assert_eq!(ask(&signed(&hs256, &good)).status, 200);
    let with = |name: &str, value: Json| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let mut tokens = vec![
        signed(&hs256, &with("exp", json!(now))),
        signed(&hs256, &with("exp", json!("4102444800"))),
        signed(&hs256, &with("exp", Json::Null)),
        signed(&hs256, &with("nbf", json!(now + 60))),
        signed(&hs256, &with("nbf", json!("0"))),
        signed(&hs256, &with("sub", json!(7))),
        signed(&hs256, &with("scope", json!({}))),
    ];
    for alg in ["none", "HS512", "RS256", "hs256"] {
        tokens.push(signed(&json!({"alg": alg}), &good));
    }
    let whole = signed(&hs256, &good);
    let (message, _) = whole.rsplit_once('.').expect("a signature");
    tokens.extend([format!("{message}."), message.to_owned(), format!("{whole}.x")]);
    let details: Vec<Json> = tokens
        .iter()
        .map(|token| ask(token).problem(401, "unauthorized")["detail"].clone())
        .collect();
    assert!(details.iter().all(|detail| *detail == details[0]), "{details:?}");
}

#[test]
fn each_scope_opens_what_it_says_and_a_refusal_names_the_one_that_is_missing() {
    let (_world, server) = served(8);
    let all = As::key(&server, 1);
    for target in [
        "/goods?limit=1",
        "/goods/1",
        "/goods/stream",
        "/goods/export/csv",
        "/metrics",
        "/system/memory",
        "/analytics/summary",
        "/api/v2/tables/lines?include=good",
    ] {
        assert_eq!(all.get(target).status, 200, "{target}");
    }
    all.get("/api/v2/tables/good").problem(404, "not-found");
    all.get("/nothing").problem(404, "not-found");
    let goods = As::key(&server, 2);
    assert_eq!(goods.get("/goods?limit=1").status, 200);
    assert_eq!(goods.get("/api/v2/tables/goods/1").status, 200);
    let count = json!({"resource": "goods", "measures": ["count(*)"]});
    assert_eq!(goods.send("POST", "/analytics/aggregate", &[], &count).status, 200);
    goods.lacks("/goods/stream", "export:goods");
    goods.lacks("/goods/export?format=csv", "export:goods");
    goods.lacks("/goods/export/csv", "export:goods");
    goods.lacks("/metrics", "metrics");
    goods.lacks("/system/memory", "admin");
    goods.lacks("/analytics/summary", "read:sales");
    for method in ["POST", "PUT"] {
        lacks(&goods.send(method, "/goods", &[], &json!({})), "write:goods");
    }
    for method in ["PATCH", "DELETE"] {
        lacks(&goods.send(method, "/goods/1", &[], &json!({"name": "x"})), "write:goods");
    }
    lacks(&goods.send("POST", "/system/catalog/reload", &[], &Json::Null), "admin");
    let token = As::token(&server, json!({"sub": "u", "scope": "openid read:goods"}));
    assert_eq!(token.get("/goods/1").status, 200);
    token.lacks("/goods/stream", "export:goods");
    As::token(&server, json!({"sub": "u"})).lacks("/goods/1", "read:goods");
    let lines = As::key(&server, 4);
    assert_eq!(lines.get("/goods/stream").status, 200);
    lines.lacks("/goods/1", "read:goods");
    let pair = json!({"a": "x", "b": 1, "note": "n"});
    assert_eq!(lines.send("POST", "/api/v2/tables/pairs", &[], &pair).status, 201);
    lines.lacks("/api/v2/tables/pairs", "read:pairs");
}

#[test]
fn what_may_not_be_read_is_refused_as_what_is_not_there_and_never_listed() {
    let (_world, server) = served(1);
    let goods = As::key(&server, 2);
    for name in ["sales", "lines", "nothing", "good", "read:x", "%2a", "s%22les"] {
        let refused = goods.get(&format!("/api/v2/tables/{name}"));
        assert_eq!(
            refused.problem(403, "forbidden")["scope"].as_str().map(|s| &s[..5]),
            Some("read:")
        );
    }
    for name in ["sales", "nothing", "good"] {
        let asked = json!({"resource": name, "measures": ["count(*)"]});
        let refused = goods.send("POST", "/analytics/aggregate", &[], &asked);
        lacks(&refused, &format!("read:{name}"));
    }
    let lines = As::key(&server, 4);
    let refused = lines.get("/api/v2/tables/lines?include=sale");
    let problem = refused.problem(400, "invalid-parameter");
    assert_eq!(problem["allowed"], json!([]), "{problem}");
    let refused = lines.get("/api/v2/tables/lines?include=goo").problem(400, "invalid-parameter");
    assert!(refused["did_you_mean"].is_null(), "{refused}");
    let read_two = As::token(&server, json!({"sub": "u", "scope": ["read:lines", "read:goods"]}));
    assert_eq!(read_two.get("/api/v2/tables/lines?include=good").status, 200);
    let refused = read_two.get("/api/v2/tables/lines?include=sale");
    assert_eq!(refused.problem(400, "invalid-parameter")["allowed"], json!(["good"]));
    // Whoever may read all is told what there is.
    let all = As::key(&server, 1).get("/api/v2/tables/good").problem(404, "not-found");
    assert_eq!(all["did_you_mean"], "goods");
}

#[test]
fn cursors_and_repeats_are_those_of_the_one_who_made_them() {
    let (_world, server) = served(20);
    let (one, other) = (As::key(&server, 1), As::key(&server, 5));
    let next = one.get("/goods?limit=5&sort=-price").json()["links"]["next"].clone();
    let next = next.as_str().expect("a link");
    assert_eq!(one.get(next).status, 200);
    other.get(next).problem(400, "cursor-invalid");
    let repeat = [("idempotency-key", "same")];
    let good = |code: &str| json!({"code": code, "name": "x", "price": "1.00"});
    let first = one.send("POST", "/goods", &repeat, &good("N1"));
    assert_eq!(first.status, 201, "{}", first.text());
    let again = one.send("POST", "/goods", &repeat, &good("N1"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let theirs = other.send("POST", "/goods", &repeat, &good("N2"));
    assert_eq!((theirs.status, theirs.header("idempotent-replayed")), (201, None));
    assert_eq!(theirs.json()["code"], "N2");
}

#[test]
fn a_role_is_refused_at_the_start_where_the_database_has_none() {
    if on_postgres() {
        return;
    }
    let world = world(0);
    for text in [
        "[[key]]\nname = \"a\"\nhash = \"KEY1\"\nscopes = []\nrole = \"r\"",
        "[[key]]\nname = \"a\"\nhash = \"KEY1\"\nscopes = []\nsettings = { \"a.b\" = \"1\" }",
        "[[jwt]]\nname = \"a\"\nalgorithm = \"HS256\"\nsecret_env = \"S\"\ndefault_role = \"r\"",
    ] {
        let refused = start_with(&world, |config| config.access = Some(access(text))).stop();
        let text = refused.expect_err("refused").to_string();
        assert!(text.contains("'a' has a role or settings"), "{text}");
        assert!(text.contains("serve a PostgreSQL database"), "{text}");
    }
}
