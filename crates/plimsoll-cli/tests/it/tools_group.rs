//! `plimsoll group` and `plimsoll distinct`, seen from outside.

use std::fmt::Write as _;
use std::path::Path;

use crate::corpus::folder;
use crate::tool::{Ended, Tool, optimised};

const LIMIT_BYTES: u64 = 64 << 20;

const SALES: &str = "product,qty,price\ntea,2,1.50\ncup,1,4\ntea,3,1.5\n,1,1\n";

fn with_input(name: &str, text: &str) -> tempfile::TempDir {
    let folder = folder();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.sort_unstable();
    lines
}

/// A file of so many keys, each once.
fn keys(folder: &Path, rows: u64) {
    let mut text = String::from("note,qty,price\n");
    for n in 0..rows {
        let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(text, "{key:016x}{n:016x},{},{}.25", n % 10, n % 1_000).unwrap();
    }
    std::fs::write(folder.join("in.csv"), text).unwrap();
}

fn peak_bytes(ended: &Ended) -> u64 {
    let line = ended.err.lines().find(|line| line.starts_with('{')).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(line).unwrap();
    summary["peak_bytes"].as_u64().unwrap()
}

#[test]
fn a_group_holds_its_key_and_its_measures() {
    let folder = with_input("in.csv", SALES);
    let agg = "count(*) as n, sum(qty*price) as revenue";
    let args = ["group", "in.csv", "--key", "product", "--agg", agg];
    let ended = Tool::new(folder.path(), &args).run();
    ended.expect(0, &[]);
    assert!(ended.text().starts_with("product,n,revenue\n"));
    assert_eq!(sorted(ended.text()), [",1,1", "cup,1,4", "tea,2,7.5"]);
    let filtered = [&args[..], &["--filter", "qty > 1", "-o", "out.ndjson"]].concat();
    Tool::new(folder.path(), &filtered).run().expect(0, &[]);
    let out = std::fs::read_to_string(folder.path().join("out.ndjson")).unwrap();
    assert_eq!(out, "{\"product\":\"tea\",\"n\":2,\"revenue\":7.5}\n");
}

#[test]
fn distinct_prints_a_number_or_the_rows() {
    let folder = with_input("in.csv", SALES);
    for (args, expected) in [
        (&["--columns", "product", "--count"][..], "2\n"),
        (&["--columns", "product,qty", "--count"], "4\n"),
        (&["--count"], "4\n"),
        (&["--count", "--types", "price:text"], "4\n"),
        (&["--columns", "price", "--count", "--types", "price:text"], "4\n"),
    ] {
        let ended = Tool::new(folder.path(), &[&["distinct", "in.csv"], args].concat()).run();
        ended.expect(0, &[]);
        assert_eq!(ended.text(), expected, "{args:?}");
    }
    let ended = Tool::new(folder.path(), &["distinct", "--columns", "price"]).input(SALES).run();
    assert_eq!(sorted(ended.text()), ["1", "1.5", "4"]);
}

#[test]
fn wrong_usage_is_told_as_such_and_a_wrong_value_as_a_failure() {
    let folder = with_input("in.csv", SALES);
    let group = |more: &[&str]| {
        Tool::new(folder.path(), &[&["group", "in.csv", "--agg", "count(*)"], more].concat()).run()
    };
    group(&[]).expect(2, &["--key"]);
    group(&["--key", "product,,qty"]).expect(2, &["a name is empty"]);
    group(&["--key", "product", "--types", "qty:number"]).expect(2, &["bool, int, float"]);
    group(&["--key", "sku"]).expect(1, &["there is no column 'sku'", "product, qty, price"]);
    group(&["--key", "product", "--types", "product:int"]).expect(
        1,
        &["line 2, column 'product': 'tea' is not a whole number", "--types product:text"],
    );
    group(&["--key", "product", "-o", "in.csv"]).expect(1, &["is the input"]);
    let explained = group(&["--key", "product", "--explain", "--memory", "64M"]);
    explained.expect(0, &[]);
    assert!(explained.text().contains("keys              product:text\n"));
    assert!(explained.text().contains("partitions"));
}

#[test]
fn a_million_groups_stay_within_the_limit_at_every_size_of_it() {
    let Some(binary) = optimised() else {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
        return;
    };
    let folder = folder();
    keys(folder.path(), 1_000_000);
    for (memory, limit_bytes) in [("64M", LIMIT_BYTES), ("32M", 32 << 20), ("16M", 16 << 20)] {
        let args = ["--memory", memory, "--json"];
        let agg = "count(*) as n, sum(qty*price) as revenue";
        let group = ["group", "in.csv", "-o", "out.csv", "--key", "note", "--agg", agg];
        let group = Tool::of(&binary, folder.path(), &[&group[..], &args].concat());
        let group = group.env("TMPDIR", folder.path().to_str().unwrap()).run();
        group.expect(0, &["\"rows_out\":1000000"]);
        let distinct = ["distinct", "in.csv", "--columns", "note", "--count"];
        let distinct = Tool::of(&binary, folder.path(), &[&distinct[..], &args].concat());
        let distinct = distinct.env("TMPDIR", folder.path().to_str().unwrap()).run();
        distinct.expect(0, &[]);
        assert_eq!(distinct.text(), "1000000\n");
        for ended in [group, distinct] {
            let peak = peak_bytes(&ended);
            println!("{memory}: VmHWM {peak}");
            assert!(peak > 0 && peak <= limit_bytes, "{memory}: {peak}");
        }
        let out = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
        assert_eq!(out.lines().count(), 1_000_001);
    }
}
