//! A file is sorted within its limit, survives kills, and nothing is left behind.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;

use crate::corpus::{Draw, file, folder, moment};
use crate::tool::{Tool, optimised};

/// Rows of about 60 bytes in no order; the same for the same number.
fn numbers(folder: &Path, rows: u64) -> String {
    let path = folder.join("numbers.csv");
    let mut out = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    writeln!(out, "id,price,note").unwrap();
    for id in 0..rows {
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (units, cents) = (mixed % 10_000, mixed % 97);
        writeln!(out, "{id},{units}.{cents:02},\"note {mixed:032x}, as text\"").unwrap();
    }
    drop(out);
    path.to_str().unwrap().to_owned()
}

/// Names in a folder, without those that were there before.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|n| n.into_string().unwrap()).collect();
    names.sort();
    names
}

fn spill(folder: &Path) -> String {
    let spill = folder.join("spill");
    fs::create_dir_all(&spill).unwrap();
    spill.to_str().unwrap().to_owned()
}

#[test]
fn rows_come_out_as_they_went_in_by_the_columns_named() {
    let folder = folder();
    let text = "name,price\n\"tea, green\",2.5\ncup,10\n\"two\nlines\",\npot,9.75\nold,10.0";
    let path = file(folder.path(), "shop.csv", text);
    for (by, expected) in [
        (
            "price:desc",
            "name,price\ncup,10\nold,10.0\npot,9.75\n\"tea, green\",2.5\n\"two\nlines\",\n",
        ),
        ("price", "name,price\n\"two\nlines\",\n\"tea, green\",2.5\npot,9.75\ncup,10\nold,10.0\n"),
        (
            "price:text:nulls-last,name:desc",
            "name,price\ncup,10\nold,10.0\n\"tea, green\",2.5\npot,9.75\n\"two\nlines\",\n",
        ),
    ] {
        let sorted = Tool::new(folder.path(), &["sort", &path, "--by", by]).run();
        sorted.expect(0, &[]);
        assert_eq!(sorted.text(), expected, "{by}");
        let piped = Tool::new(folder.path(), &["sort", "--by", by]).input(text).run();
        assert_eq!(piped.text(), expected, "{by} from standard input");
    }
    assert_eq!(names(folder.path()), ["shop.csv"], "nothing else was made");
}

#[test]
fn a_mistake_is_named_before_anything_is_written() {
    let folder = folder();
    let path = file(folder.path(), "a.csv", "id,price\n1,2\n3,4,5\n");
    let sort = |flags: &[&str]| {
        Tool::new(folder.path(), &[&["sort", &path, "-o", "out.csv"], flags].concat()).run()
    };
    sort(&["--by", "prise"]).expect(1, &["no column 'prise'", "price"]);
    sort(&["--by", "price:down"]).expect(2, &["down", "desc"]);
    sort(&["--by", "id"]).expect(1, &["line 3", "3 fields where the header has 2"]);
    sort(&["--by", "id", "--memory", "8M"]).expect(2, &["from 16 MiB up"]);
    sort(&["--by", "id", "--chunk-strategy", "some"]).expect(2, &["sqrt_n", "fixed:ROWS"]);
    let onto = Tool::new(folder.path(), &["sort", &path, "-o", &path, "--by", "id"]).run();
    onto.expect(1, &["is the input"]);
    let piped = ["sort", "--by", "id", "--resume", "-o", "out.csv"];
    Tool::new(folder.path(), &piped).input("id\n1\n").run().expect(1, &["--resume"]);
    Tool::new(folder.path(), &["sort", "gone.csv", "--by", "id"]).run().expect(1, &["gone.csv"]);
    assert_eq!(names(folder.path()), ["a.csv"]);
}

#[test]
fn a_plan_says_in_numbers_what_each_strategy_will_do() {
    let folder = folder();
    let path = numbers(folder.path(), 20_000);
    let plan = |strategy: &str| {
        let flags = ["--by", "price", "--memory", "32M", "--explain", "--threads", "1"];
        let all = [&["sort", &path, "--chunk-strategy", strategy], &flags[..]].concat();
        let ended = Tool::new(folder.path(), &all).run();
        ended.expect(0, &[]);
        ended.text().to_owned()
    };
    let line = |plan: &str, name: &str| {
        let line = plan.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
        line.unwrap_or_else(|| panic!("no '{name}' in {plan}")).to_owned()
    };
    let adaptive = plan("adaptive");
    assert_eq!(line(&adaptive, "runs"), "1");
    assert_eq!(line(&adaptive, "passes over disk"), "0");
    assert_eq!(line(&adaptive, "temporary bytes"), "0 B");
    assert!(line(&adaptive, "memory limit").starts_with("32 MiB"), "{adaptive}");
    let fixed = plan("fixed:1000");
    let runs: u64 = line(&fixed, "runs").parse().unwrap();
    assert!((19..=22).contains(&runs), "about 20,000 rows in runs of 1,000: {fixed}");
    assert_eq!(line(&fixed, "passes over disk"), "1");
    let sqrt = plan("sqrt_n");
    assert_ne!(line(&sqrt, "rows of a run"), line(&adaptive, "rows of a run"));
    let json = |strategy: &str| {
        let flags = ["--by", "price", "--memory", "32M", "--json", "-o", "out.csv"];
        let all = [&["sort", &path, "--chunk-strategy", strategy], &flags[..]].concat();
        let ended = Tool::new(folder.path(), &all).env("TMPDIR", &spill(folder.path())).run();
        ended.expect(0, &[]);
        serde_json::from_str::<serde_json::Value>(&ended.err).unwrap()
    };
    let runs = json("fixed:1000")["runs"].as_u64().unwrap();
    assert!((20..=21).contains(&runs), "{runs}");
    assert_eq!(json("adaptive")["spill_bytes"], 0);
}

#[test]
fn the_codec_is_chosen_by_the_disk_unless_it_is_named() {
    let folder = folder();
    let path = numbers(folder.path(), 400_000);
    let spill = spill(folder.path());
    let sort = |flags: &[&str]| {
        let own = ["sort", &path, "--by", "price", "--memory", "32M", "-o", "out.csv"];
        Tool::fastest(folder.path(), &[&own, flags].concat()).env("TMPDIR", &spill)
    };
    let told = |flags: &[&str]| {
        let ended = sort(&[&["--json"], flags].concat()).run();
        ended.expect(0, &[]);
        let json: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
        (json["spill_codec"].as_str().unwrap().to_owned(), json["spill_bytes"].as_u64().unwrap())
    };
    let (none, plain_bytes) = told(&["--spill-codec", "none"]);
    let (lz4, packed_bytes) = told(&["--spill-codec", "lz4"]);
    assert_eq!((&*none, &*lz4), ("none", "lz4"));
    assert!(packed_bytes < plain_bytes, "{packed_bytes} {plain_bytes}");
    let (chosen, _) = told(&[]);
    assert!(["none", "lz4"].contains(&&*chosen), "{chosen}");
    let plan = sort(&["--explain"]).run();
    assert!(plan.text().contains("(adaptive)"), "{}", plan.text());
    assert_eq!(names(Path::new(&spill)), [""; 0], "what was measured with is gone");
    sort(&["--spill-codec", "best"]).run().expect(2, &["adaptive, none, lz4, zstd, gzip"]);
}

#[test]
fn a_sort_killed_again_and_again_goes_on_and_leaves_nothing() {
    const CYCLES: u32 = 12;
    let folder = folder();
    let path = numbers(folder.path(), 500_000);
    let spill = spill(folder.path());
    let sort = |out: &str, flags: &[&str]| {
        let own = ["sort", &path, "--by", "price:desc,id", "--memory", "32M", "--json", "-o", out];
        Tool::fastest(folder.path(), &[&own, flags].concat()).env("TMPDIR", &spill)
    };
    let whole = sort("whole.csv", &[]).run();
    whole.expect(0, &[]);
    let summary: serde_json::Value = serde_json::from_str(&whole.err).unwrap();
    let seconds = Duration::from_secs_f64(summary["seconds"].as_f64().unwrap());
    assert!(summary["runs"].as_u64().unwrap() > 2, "{summary}");

    let mut draw = Draw::printed();
    let mut killed = 0;
    for _ in 0..CYCLES {
        let mut run = sort("out.csv", &["--resume"]).start();
        if run.ends_within(moment(&mut draw, seconds)).is_none() {
            // It may just have ended by itself.
            killed += u32::from(run.kill().signal == Some(9));
        }
    }
    assert!(killed > 0, "no kill came in time");
    let last = sort("out.csv", &["--resume"]).run();
    last.expect(0, &[]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(bytes("out.csv") == bytes("whole.csv"), "the same bytes as without a kill");
    assert_eq!(names(Path::new(&spill)), [""; 0], "nothing is left behind");
    assert_eq!(names(folder.path()), ["numbers.csv", "out.csv", "spill", "whole.csv"]);
}

#[test]
fn finished_runs_are_taken_over_and_those_of_a_changed_input_are_not() {
    let folder = folder();
    let path = numbers(folder.path(), 400_000);
    let spill = spill(folder.path());
    let flags = ["--by", "price", "--memory", "32M", "--json", "--resume", "-o", "out.csv"];
    // One thread: with two, the second piece of the input may be finished before the first.
    let flags = [&flags[..], &["--threads", "1"]].concat();
    let sort = || {
        Tool::fastest(folder.path(), &[&["sort", &path[..]], &flags[..]].concat())
            .env("TMPDIR", &spill)
    };
    // Killed as soon as the journal holds a run, seen by its growing.
    let kill_after_a_run = || {
        let mut run = sort().start();
        let begun = std::cell::Cell::new(None);
        let noted = |name: &String| {
            let journal = Path::new(&spill).join(name).join("journal");
            let length = fs::metadata(journal).map_or(0, |m| m.len());
            if length > 100 && begun.get().is_none() {
                begun.set(Some(length));
            }
            begun.get().is_some_and(|begun| length > begun)
        };
        for _ in 0..20_000 {
            if names(Path::new(&spill)).iter().any(noted) {
                break;
            }
            if run.ends_within(Duration::from_millis(1)).is_some() {
                return false;
            }
        }
        run.kill().signal == Some(9)
    };
    let resumed = || {
        let ended = sort().run();
        ended.expect(0, &[]);
        let summary: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
        summary["segments_resumed"].as_u64().unwrap()
    };
    assert!((0..10).any(|_| kill_after_a_run()), "it was always quicker than the kill");
    assert!(resumed() > 0, "the finished run was taken over");
    assert!((0..10).any(|_| kill_after_a_run()), "it was always quicker than the kill");
    let mut input = fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(input, "400000,1.00,late").unwrap();
    drop(input);
    assert_eq!(resumed(), 0, "the input is another one now");
    let sorted = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(sorted.lines().count(), 400_002);
}

#[test]
fn what_a_kill_leaves_is_swept_by_the_next_run() {
    let folder = folder();
    let path = numbers(folder.path(), 400_000);
    let spill = spill(folder.path());
    let sort = || {
        let flags = ["sort", &path, "--by", "price", "--memory", "32M", "-o", "out.csv"];
        Tool::fastest(folder.path(), &flags).env("TMPDIR", &spill)
    };
    let mut run = sort().start();
    for _ in 0..20_000 {
        if !names(Path::new(&spill)).is_empty() {
            break;
        }
        assert!(run.ends_within(Duration::from_millis(1)).is_none(), "it ended before the kill");
    }
    run.kill();
    assert_eq!(names(Path::new(&spill)).len(), 1, "a directory without an owner");
    sort().run().expect(0, &[]);
    assert_eq!(names(Path::new(&spill)), [""; 0]);
    assert_eq!(names(folder.path()), ["numbers.csv", "out.csv", "spill"]);
}

#[test]
fn an_interrupt_ends_it_with_130_and_no_file() {
    let folder = folder();
    let path = numbers(folder.path(), 400_000);
    let spill = spill(folder.path());
    let flags = ["sort", &path, "--by", "price", "--memory", "32M", "-o", "out.csv"];
    let mut run = Tool::fastest(folder.path(), &flags).env("TMPDIR", &spill).start();
    for _ in 0..20_000 {
        if !names(Path::new(&spill)).is_empty() {
            break;
        }
        assert!(run.ends_within(Duration::from_millis(1)).is_none(), "it ended before the signal");
    }
    run.signal(Signal::INT);
    run.wait().expect(130, &["stopped as asked"]);
    assert_eq!(names(Path::new(&spill)), [""; 0]);
    assert_eq!(names(folder.path()), ["numbers.csv", "spill"]);
}

#[test]
fn a_closed_pipe_is_quiet() {
    let folder = folder();
    let path = numbers(folder.path(), 50_000);
    let line = format!("\"$0\" sort {path} --by id:desc | head -n 2; echo ${{PIPESTATUS[0]}}");
    let ended = Tool::shell(folder.path(), &line).run();
    ended.expect(0, &[]);
    let lines: Vec<&str> = ended.text().lines().collect();
    assert_eq!(lines[0], "id,price,note");
    assert!(lines[1].starts_with("49999,"), "{lines:?}");
    assert_eq!(lines[2], "0");
    assert_eq!(ended.err, "");
}

#[test]
fn few_descriptors_and_little_address_space_are_enough() {
    let folder = folder();
    let path = numbers(folder.path(), 150_000);
    let spill = spill(folder.path());
    let sort = format!("\"$0\" sort {path} --by price --memory 32M -o");
    let line = format!(
        "export TMPDIR={spill}; {sort} a.csv && (ulimit -n 64; {sort} b.csv) && \
         (ulimit -v {}; {sort} c.csv) && cmp a.csv b.csv && cmp a.csv c.csv",
        (32 + 256) << 10
    );
    Tool::shell(folder.path(), &line).run().expect(0, &[]);
}

/// Whether a run's own figure of its peak keeps the promise.
fn keeps(peak_bytes: u64, limit_bytes: u64) -> bool {
    peak_bytes > 0 && peak_bytes <= limit_bytes
}

#[test]
fn the_check_of_the_peak_fails_for_a_process_beyond_its_limit() {
    assert!(!keeps((64 << 20) + 1, 64 << 20));
    assert!(!keeps(0, 64 << 20));
}

#[test]
fn the_peak_stays_below_every_limit_and_the_bytes_are_the_same() {
    let Some(binary) = optimised() else {
        println!("SKIPPED: TESTED_BINARY names no optimised binary");
        return;
    };
    let folder = folder();
    let path = numbers(folder.path(), 700_000);
    let spill = spill(folder.path());
    let mut first = None;
    for (memory, limit) in [("16M", 16), ("32M", 32), ("64M", 64), ("256M", 256)] {
        for threads in ["1", "2", "16"] {
            let flags = ["sort", &path, "--by", "price:desc", "--memory", memory];
            let more = ["--threads", threads, "--json", "-o", "out.csv"];
            let tool = Tool::of(&binary, folder.path(), &[&flags[..], &more].concat());
            let ended = tool.env("TMPDIR", &spill).run();
            ended.expect(0, &[]);
            let summary: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
            let peak = summary["peak_bytes"].as_u64().unwrap();
            assert!(keeps(peak, limit << 20), "{memory} with {threads} threads: {summary}");
            let bytes = fs::read(folder.path().join("out.csv")).unwrap();
            let same = first.get_or_insert_with(|| bytes.clone()) == &bytes;
            assert!(same, "{memory} with {threads} threads gives other bytes");
        }
    }
}
