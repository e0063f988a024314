//! `plimsoll schedule`: set, listed, paused, resumed and removed at the shell.

use std::path::Path;

use serde_json::json;

use crate::corpus::folder;
use crate::server::Server;
use crate::tool::{Ended, Tool};

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::new(folder, &[&["schedule"], args].concat()).run()
}

#[test]
fn a_schedule_is_set_listed_paused_resumed_and_removed_at_the_shell() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    assert_eq!(run(at, &["list", "--json"]).json(), json!([]));
    run(at, &["list"]).expect(0, &["there are no schedules"]);
    let line = ["set", "nightly", "30 2 * * MON-FRI", "tidy.up", "--zone", "Europe/Berlin"];
    let how = ["--payload", "{\"n\":1}", "--queue", "calm", "--tries", "9", "--timeout", "10m"];
    let set = run(at, &[&line[..], &how, &["--json"]].concat()).json();
    assert_eq!((&set["state"], &set["zone"]), (&json!("active"), &json!("Europe/Berlin")));
    let job = json!({
        "kind": "tidy.up", "payload": {"n": 1}, "queue": "calm", "priority": 5, "tries": 9,
        "max_exceptions": 3, "timeout_ms": 600_000, "memory_bytes": 0,
    });
    assert_eq!(set["job"], job);
    run(at, &["set", "prune", "@weekly", "system.prune"]).expect(0, &[]);
    let listed = run(at, &["list", "--json"]).json();
    assert_eq!(listed[0], set);
    assert_eq!((&listed[1]["name"], &listed[1]["job"]["queue"]), (&json!("prune"), &json!("low")));
    let text = run(at, &["list"]);
    assert!(text.text().contains("nightly") && text.text().contains("next 20"), "{}", text.text());

    let paused = run(at, &["pause", "nightly", "--json"]).json();
    assert_eq!((&paused["state"], &paused["next_at"]), (&json!("paused"), &json!(null)));
    assert!(run(at, &["resume", "nightly"]).expect(0, &[]).text().contains("next 20"));
    let server = Server::start(at, &[]);
    assert_eq!(server.get("/schedules/nightly").json()["job"], job);
    server.stop().expect(0, &["stopped"]);
    run(at, &["remove", "nightly"]).expect(0, &[]);
    let left = run(at, &["list", "--json"]).json();
    assert!(!left.to_string().contains("nightly"), "{left}");
}

#[test]
fn what_is_no_schedule_is_refused_at_the_shell_with_what_may_stand_there() {
    let folder = folder();
    let at = folder.path();
    Tool::new(at, &["migrate"]).run().expect(0, &[]);
    run(at, &["set", "one", "@daily", "a"]).expect(0, &[]);
    for (args, said) in [
        (&["set", "two", "0 0 30 2 *", "a"][..], "never fires"),
        (&["set", "two", "0 25 * * *", "a"], "field 2, the hour"),
        (&["set", "two", "@daily", "a", "--zone", "Mars"], "\"Mars\" is not known"),
        (&["set", "two", "@daily", "a b"], "is not a name"),
        (&["set", "t w o", "@daily", "a"], "is not a name"),
        (&["set", "two", "@daily", "a", "--payload", "{"], "no JSON"),
        (&["set", "two", "@daily", "system.prun"], "did you mean system.prune?"),
        (&["set", "two", "@daily", "sql.run"], "not one of sql.run"),
        (&["set", "two", "@daily", "a", "--priority", "12"], "a priority is 0"),
        (&["pause", "onr"], "did you mean one?"),
        (&["resume", "none"], "there is no schedule 'none'"),
        (&["remove", "onr"], "did you mean one?"),
    ] {
        run(at, args).expect(2, &[said]);
    }
    let listed = run(at, &["list", "--json"]).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}
