//! The whole examination on this machine.

use super::finding::Level;
use super::{open_files, run};
use crate::config::tests::with_flags;

fn doctor(data: &str, spill: &str, as_json: bool) -> (u8, String) {
    let config = with_flags(&[("data_dir", data), ("spill.dir", spill), ("memory.limit", "64M")]);
    let mut out = Vec::new();
    let status = run(&config, as_json, &mut out).unwrap();
    (status, String::from_utf8(out).unwrap())
}

#[test]
fn a_machine_in_order_is_status_0_with_every_line() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    let (status, text) = doctor(data, data, false);
    // A full or slow disk may warn; it must not fail.
    assert_eq!(status, 0, "{text}");
    for what in ["memory limit", "data_dir free", "spill.dir flush", "commits/s", "open files"] {
        assert!(text.contains(what), "{what}: {text}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_directory_that_cannot_be_written_is_status_1() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().to_str().unwrap();
    let (status, text) = doctor("/proc", good, false);
    assert_eq!(status, 1, "{text}");
    assert!(text.lines().any(|l| l.starts_with("fail  data_dir ")), "{text}");
    assert!(text.contains("mend data_dir first"), "{text}");
    let (status, text) = doctor(good, "/proc", true);
    assert_eq!(status, 1, "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["healthy"], false);
    let checks = json["checks"].as_array().unwrap();
    let of = |what: &str| checks.iter().find(|c| c["what"] == what).unwrap();
    assert_eq!(of("spill.dir")["level"], "fail");
    assert_eq!(of("memory limit")["figure"], 64 << 20);
    assert_eq!(of("memory limit")["unit"], "bytes");
}

#[test]
fn too_few_open_files_for_the_connections_are_warned_of() {
    assert_eq!(open_files(None, 512).level, Level::Ok);
    assert_eq!(open_files(Some(640), 512).level, Level::Ok);
    let few = open_files(Some(639), 512);
    assert_eq!(few.level, Level::Warn);
    assert!(few.advice.ends_with("to 640, or lower that key to 511"), "{few:?}");
    assert_eq!(open_files(Some(64), 512).level, Level::Fail);
}
