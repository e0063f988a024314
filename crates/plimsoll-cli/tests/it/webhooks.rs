//! An event of a running server reaches whoever subscribed to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::Tool;

const DEADLINE: Duration = Duration::from_secs(60);

fn secrets(folder: &Path) -> String {
    let text = "[ours]\nkeys = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']\n";
    let path = file(folder, "secrets.toml", text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn the_end_of_a_warming_is_told_by_a_signed_webhook() {
    let folder = folder();
    let at = folder.path();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let (told, seen) = sync_channel(4);
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).unwrap() > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        let length = head.split("content-length: ").nth(1).unwrap();
        let mut body = vec![0; length.lines().next().unwrap().parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n").unwrap();
        told.send((head, body)).unwrap();
    });
    let webhook =
        format!("[[webhook]]\nname = 'ours'\ntopics = ['cache']\nurl = '{url}'\nsecret = 'ours'\n");
    let (secrets, webhooks) = (secrets(at), file(at, "webhooks.toml", &webhook));
    let signs = ["--push-secrets", &secrets, "--push-allow", "127.0.0.0/8"];
    Tool::new(at, &["seed", "--products", "50", "--orders", "200"]).run().expect(0, &[]);
    let wrong = file(at, "wrong.toml", webhook.replace("secret = 'ours'", "secret = 'our'"));
    let serve = [&["serve", "--port", "0", "--events-webhooks", &wrong], &signs[..]].concat();
    Tool::new(at, &serve).run().expect(2, &["events.webhooks", "did you mean ours?"]);
    let line = [&["--events-webhooks", &*webhooks], &signs[..]].concat();
    let server = Server::start(at, &line);
    let asked = server.client().post("/cache/warm", "").unwrap();
    assert_eq!(asked.status, 202, "{asked:?}");
    let (head, body) = seen.recv_timeout(DEADLINE).unwrap();
    assert!(head.contains("webhook-id: event_1_ours"), "{head}");
    assert!(head.contains("webhook-signature: v1,"), "{head}");
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&body["event"], &body["data"]["count"]), (&1.into(), &5.into()), "{body}");
    assert_eq!(body["type"], "cache.CacheWarmingCompleted");
    server.stop().expect(0, &["stopped"]);
}
