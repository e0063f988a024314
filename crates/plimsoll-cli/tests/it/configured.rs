//! Settings come from where they say, and the checks end with a status a script can use.

use crate::corpus::{file, folder};
use crate::tool::Tool;

#[test]
fn each_setting_is_shown_with_where_it_came_from() {
    let folder = folder();
    file(folder.path(), "plimsoll.toml", "[http]\nport = 8100\nhost = \"127.0.0.2\"\n");
    file(folder.path(), ".env", "PLIMSOLL_HTTP_HOST=127.0.0.3\nPLIMSOLL_LOG_LEVEL=warn\n");
    let show = ["config", "show", "--origin", "--memory", "64M"];
    let ended = Tool::new(folder.path(), &show).env("PLIMSOLL_LOG_LEVEL", "error").run();
    ended.expect(0, &[]);
    let line = |key: &str| {
        let line = ended.text().lines().find(|line| line.starts_with(key)).unwrap();
        let (setting, origin) = line.split_once('#').unwrap();
        let (_, value) = setting.split_once('=').unwrap();
        (value.trim().to_owned(), origin.trim().to_owned())
    };
    assert_eq!(line("memory.limit"), ("64M".to_owned(), "--memory".to_owned()));
    assert_eq!(line("log.level"), ("error".to_owned(), "PLIMSOLL_LOG_LEVEL".to_owned()));
    let (value, origin) = line("http.host");
    assert!(value == "127.0.0.3" && origin.contains(".env:1"), "{value} {origin}");
    let (value, origin) = line("http.port");
    assert!(value == "8100" && origin.contains("plimsoll.toml"), "{value} {origin}");
    assert_eq!(line("stream.max").1, "default");
    let json = Tool::new(folder.path(), &["config", "show", "--json"]).run().json();
    assert!(json["settings"].as_array().unwrap().iter().any(|s| s["value"] == 8100), "{json}");
}

#[test]
fn an_unknown_key_is_a_wrong_call_with_a_suggestion() {
    let folder = folder();
    file(folder.path(), "plimsoll.toml", "[memory]\nlimt = \"64M\"\n");
    for command in [&["config", "show"][..], &["migrate"], &["serve", "--port", "0"]] {
        let ended = Tool::new(folder.path(), command).run();
        ended.expect(2, &["plimsoll.toml:2", "memory.limt", "did you mean memory.limit?"]);
    }
    file(folder.path(), "plimsoll.toml", "");
    let ended = Tool::new(folder.path(), &["migrate"]).env("PLIMSOLL_MEMORY_LIMT", "64M").run();
    ended.expect(2, &["PLIMSOLL_MEMORY_LIMT", "PLIMSOLL_MEMORY_LIMIT"]);
}

#[test]
fn the_doctor_ends_with_0_where_all_works_and_with_1_where_something_fails() {
    let folder = folder();
    let healthy = Tool::new(folder.path(), &["doctor", "--json", "--memory", "64M"]).run();
    let json = healthy.json();
    if json["healthy"] == true {
        healthy.expect(0, &[]);
    } else {
        println!("SKIPPED: this machine's temporary folder is not fit: {json}");
    }
    let check = |what: &str| {
        let all = json["checks"].as_array().unwrap();
        all.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what}: {json}"))
    };
    assert_eq!(check("memory limit")["value"], "64 MiB from --memory");
    for what in ["data_dir flush", "data_dir free", "commits/s alone", "open files"] {
        assert!(check(what)["figure"].as_u64().is_some(), "{what}: {json}");
    }
    assert!(!folder.path().join("data").exists(), "the doctor left a directory behind");
    let ill = Tool::new(folder.path(), &["doctor", "--json", "--data", "/proc/plimsoll"]).run();
    ill.expect(1, &[]);
    assert_eq!(ill.json()["healthy"], false);
    let lines = Tool::new(folder.path(), &["doctor", "--data", "/proc/plimsoll"]).run();
    lines.expect(1, &[]);
    assert!(lines.text().contains("fail  data_dir"), "{lines:?}");
}

#[test]
fn migrations_are_listed_before_and_after_they_ran() {
    let folder = folder();
    let status = ["migrate", "--status"];
    let before = Tool::new(folder.path(), &status).run();
    before.expect(0, &[]);
    assert!(before.text().contains("0001-schema") && before.text().contains("not yet"));
    assert!(!folder.path().join("data").exists(), "asking for the status made a directory");
    Tool::new(folder.path(), &["migrate"]).run().expect(0, &[]);
    let after = Tool::new(folder.path(), &[&status[..], &["--json"]].concat()).run().json();
    let applied = after[0]["applied_at"].as_str().unwrap().to_owned();
    let again = Tool::new(folder.path(), &["migrate", "--json"]).run().json();
    assert_eq!(again[0]["applied_at"], applied);
}
