//! Payloads, those that are wrong among them.

use super::*;

fn with_url(url: &str) -> Result<Message, String> {
    read(&format!("{{\"url\":{},\"secret\":\"s\",\"body\":{{}}}}", serde_json::Value::from(url)))
}

fn with_header(name: &str, value: &str) -> Result<Message, String> {
    let headers = serde_json::json!({ name: value });
    read(&format!("{{\"url\":\"https://a.b\",\"secret\":\"s\",\"body\":1,\"headers\":{headers}}}"))
}

#[test]
fn a_url_is_read_into_what_is_dialled_and_what_is_asked() {
    let target = |url: &str| with_url(url).expect("a message").to;
    let read = target("https://Hooks.example:8443/in/x?a=%20b&c");
    assert_eq!((read.https, &*read.host, read.port), (true, "Hooks.example", 8443));
    assert_eq!((&*read.authority, &*read.path), ("Hooks.example:8443", "/in/x?a=%20b&c"));
    assert_eq!((target("http://a.b").port, &*target("http://a.b").path), (80, "/"));
    let six = target("https://[::1]/");
    assert_eq!((&*six.host, six.port, &*six.authority), ("::1", 443, "[::1]"));
}

#[test]
fn a_url_that_is_none_is_refused() {
    for wrong in [
        "",
        "/in",
        "a.b",
        "ftp://a.b/",
        "https://",
        "https:///in",
        "https://user@a.b/",
        "https://user:geheim@a.b/",
        "https://a.b:0/",
        "https://a.b:/",
        "https://a.b:99999/",
        "https://a.b/#top",
        "https://a..b/",
        "https://a%2eb/",
        "https://ä.example/",
        "https://[::1/",
        "https://a.b/ x",
        "https://a.b/\r\nhost: c",
        &format!("https://a.b/{}", "x".repeat(URL_BYTES_MAX)),
    ] {
        let said = with_url(wrong).expect_err(wrong);
        assert!(said.starts_with("the url"), "{wrong}: {said}");
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[test]
fn a_payload_of_another_shape_is_refused() {
    for (wrong, said) in [
        ("[]", "the payload is not"),
        ("{\"url\":\"https://a.b\",\"secret\":\"s\"}", "missing field `body`"),
        ("{\"url\":\"https://a.b\",\"body\":1}", "missing field `secret`"),
        ("{\"url\":\"https://a.b\",\"secret\":\"s\",\"body\":1,\"method\":\"GET\"}", "method"),
        ("{\"url\":\"https://a.b\",\"secret\":\"a b\",\"body\":1}", "is not a name"),
        ("{\"url\":7,\"secret\":\"s\",\"body\":1}", "the payload is not"),
    ] {
        let message = read(wrong).expect_err(wrong);
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_secret_in_a_payload_is_refused_and_not_told_again() {
    let wrong = "{\"url\":\"https://a.b\",\"secret\":\"whsec_c2VjcmV0\",\"body\":1}";
    let said = read(wrong).expect_err("a secret");
    assert!(said.contains("never the secret") && !said.contains("c2VjcmV0"), "{said}");
}

#[test]
fn a_header_that_is_not_listed_is_refused() {
    for good in ["traceparent", "X-Webhook-Topic", "Idempotency-Key"] {
        let message = with_header(good, "a b").expect(good);
        assert_eq!(message.headers.get(good).map(HeaderValue::as_bytes), Some(&b"a b"[..]));
    }
    for name in [
        "authorization",
        "cookie",
        "host",
        "content-length",
        "transfer-encoding",
        "webhook-id",
        "x-forwarded-for",
        "metadata-flavor",
        "x-webhook-\r\nhost",
        "",
    ] {
        assert!(with_header(name, "x").is_err(), "{name}");
    }
    for value in ["a\r\nhost: c", "a\0", "é", &"x".repeat(HEADER_BYTES_MAX + 1)] {
        assert!(with_header("x-webhook-a", value).is_err(), "{value}");
    }
    let many: Vec<String> = (0..=HEADERS_MAX).map(|n| format!("\"x-webhook-{n}\":\"\"")).collect();
    let many = many.join(",");
    let text =
        format!("{{\"url\":\"https://a.b\",\"secret\":\"s\",\"body\":1,\"headers\":{{{many}}}}}");
    assert!(read(&text).expect_err("too many").contains("at most 16"));
}

#[test]
fn a_body_is_sent_as_it_was_given_and_an_object_is_told_its_batch() {
    let sent = |body: &str, batch: &str| {
        let text = format!("{{\"url\":\"https://a.b\",\"secret\":\"s\",\"body\":{body}{batch}}}");
        String::from_utf8(read(&text).expect("a message").body.to_vec()).expect("text")
    };
    assert_eq!(sent("{ \"b\" : 1.50, \"a\":[ ] }", ""), "{ \"b\" : 1.50, \"a\":[ ] }");
    let batch = ",\"batch\":\"b\\\"1\"";
    assert_eq!(sent("{ \"b\" : 1 }", batch), "{\"batch\":\"b\\\"1\",\"b\" : 1 }");
    assert_eq!(sent("{ }", batch), "{\"batch\":\"b\\\"1\"}");
    assert_eq!(sent("{\"batch\":2}", batch), "{\"batch\":2}");
    assert_eq!(sent("[1]", batch), "[1]");
}
