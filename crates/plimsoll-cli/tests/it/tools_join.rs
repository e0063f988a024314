//! `join`, `top`, `head`, `count`, `convert` and `quantile`, as the person who runs them sees them.

use std::fmt::Write as _;
use std::path::Path;

use plimsoll::expr::testing::Random;

use crate::corpus::folder;
use crate::tool::{Ended, Tool, optimised};

const LIMIT_BYTES: u64 = 32 << 20;

/// Sales with an id each, and a right side of which every id is one of theirs.
fn write_sides(folder: &Path, rows: usize, every: usize) {
    let mut random = Random::new(11);
    let (mut left, mut right) = ("id,price,note\n".to_owned(), "id,region\n".to_owned());
    for id in 0..rows {
        let note = random.bits();
        writeln!(left, "{id},{}.25,note {note:x}{note:x}", id % 997).unwrap();
        if id % every == 0 {
            writeln!(right, "{id},R{note:x}{note:x}").unwrap();
        }
    }
    std::fs::write(folder.join("left.csv"), left).unwrap();
    std::fs::write(folder.join("right.csv"), right).unwrap();
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::fastest(folder, args).run()
}

/// The summary that `--json` prints.
#[track_caller]
fn summary(ended: &Ended) -> serde_json::Value {
    ended.expect(0, &[]);
    serde_json::from_str(ended.err.lines().last().unwrap()).unwrap()
}

#[test]
fn a_join_that_spills_stays_within_its_limit_and_leaves_nothing() {
    if optimised().is_none() {
        println!("SKIPPED: TESTED_BINARY does not name an optimised binary");
        return;
    }
    let folder = folder();
    write_sides(folder.path(), 1_500_000, 3);
    std::fs::create_dir(folder.path().join("spill")).unwrap();
    let join = ["join", "left.csv", "right.csv", "--on", "id=id", "--memory", "32M", "--json"];
    let spill = ["--spill-dir", "spill", "--spill-in-memory", "--threads", "2"];
    for (kind, rows) in [("inner", 500_000), ("left", 1_500_000)] {
        let args = [&join[..], &spill, &["--kind", kind, "-o", "out.csv"]].concat();
        let summary = summary(&run(folder.path(), &args));
        println!("VmHWM {}", summary["peak_bytes"]);
        assert_eq!(summary["rows_out"], rows, "{summary}");
        assert!(summary["spill_bytes"].as_u64().unwrap() > 1 << 20, "{summary}");
        let peak = summary["peak_bytes"].as_u64().unwrap();
        assert!(peak > 0 && peak <= LIMIT_BYTES, "{summary}");
        let out = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
        assert_eq!(out.lines().next(), Some("id,price,note,region"));
        assert_eq!(out.lines().count(), rows + 1);
        let matched = out.lines().skip(1).filter(|line| !line.ends_with(',')).count();
        assert_eq!(matched, 500_000);
        assert_eq!(std::fs::read_dir(folder.path().join("spill")).unwrap().count(), 0);
    }
}

#[test]
fn a_join_prints_its_plan_and_its_rows() {
    let folder = folder();
    write_sides(folder.path(), 10, 4);
    let join = ["join", "left.csv", "right.csv", "--on", "id"];
    let plan = run(folder.path(), &[&join[..], &["--explain"]].concat());
    plan.expect(0, &[]);
    for line in
        ["keys              num\n", "looked up         right\n", "its rows          in memory\n"]
    {
        assert!(plan.text().contains(line), "{}", plan.text());
    }
    let ended = run(folder.path(), &join);
    ended.expect(0, &[]);
    let ids: Vec<&str> = ended.text().lines().map(|l| l.split(',').next().unwrap()).collect();
    assert_eq!(ids, ["id", "0", "4", "8"]);
}

#[test]
fn a_side_may_be_standard_input() {
    let folder = folder();
    write_sides(folder.path(), 10, 4);
    for args in [["join", "-", "right.csv"], ["join", "left.csv", "-"]] {
        let other = if args[1] == "-" { "left.csv" } else { "right.csv" };
        let bytes = std::fs::read(folder.path().join(other)).unwrap();
        for build in ["left", "right"] {
            let args =
                [&args[..], &["--on", "id=id", "--build", build, "--spill-in-memory"]].concat();
            let ended = Tool::fastest(folder.path(), &args).input(bytes.clone()).run();
            ended.expect(0, &[]);
            assert_eq!(ended.text().lines().count(), 4, "{args:?}");
        }
    }
}

#[test]
fn small_tools_answer_on_standard_output() {
    let folder = folder();
    std::fs::write(folder.path().join("in.csv"), "id,price\n1,2.50\n2,9\n3,4\n4,9\n").unwrap();
    for (args, expected) in [
        (&["top", "2", "in.csv", "--by", "price:desc,id"][..], "id,price\n2,9\n4,9\n"),
        (&["head", "-n", "1", "in.csv"], "id,price\n1,2.50\n"),
        (&["count", "in.csv"], "4\n"),
        (&["count", "in.csv", "--filter", "price > 3"], "3\n"),
        (
            &["convert", "in.csv", "--to", "ndjson", "--columns", "price"],
            "{\"price\":2.50}\n{\"price\":9}\n{\"price\":4}\n{\"price\":9}\n",
        ),
        (
            &["convert", "in.csv", "--to", "csv", "--to-delimiter", "tab"],
            "id\tprice\n1\t2.50\n2\t9\n3\t4\n4\t9\n",
        ),
        (
            &["quantile", "in.csv", "--column", "price", "--q", "0,0.5,1"],
            "q,value\n0,2.5\n0.5,6.5\n1,9\n",
        ),
    ] {
        let ended = run(folder.path(), args);
        ended.expect(0, &[]);
        assert_eq!(ended.text(), expected, "{args:?}");
    }
}

#[test]
fn a_wrong_flag_is_a_usage_error_that_lists_what_is_allowed() {
    let folder = folder();
    write_sides(folder.path(), 3, 1);
    let join = ["join", "left.csv", "right.csv", "--on", "id"];
    for (args, text) in [
        ([&join[..], &["--kind", "outer"]].concat(), "--kind outer: allowed are inner, left"),
        ([&join[..], &["--build", "both"]].concat(), "--build both: allowed are left, right"),
        (vec!["join", "left.csv", "right.csv", "--on", "="], "write LEFT=RIGHT"),
        (vec!["convert", "left.csv"], "--to is needed"),
        (vec!["convert", "left.csv", "--to", "json"], "--to json: allowed are csv, ndjson"),
    ] {
        run(folder.path(), &args).expect(2, &[text]);
    }
    let refused = run(folder.path(), &["quantile", "-", "--column", "id"]);
    assert_eq!(refused.code, Some(1));
}
