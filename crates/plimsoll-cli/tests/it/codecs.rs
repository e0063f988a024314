//! Compressed spilling keeps each file tool within its limit, and changes none of its answers.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use crate::corpus::folder;
use crate::tool::{Tool, optimised};

const LIMIT_BYTES: u64 = 32 << 20;

/// Rows that do not fit the limit, and whose keys are all different.
fn table(path: &Path, rows: u64) -> String {
    let mut out = std::io::BufWriter::new(fs::File::create(path).unwrap());
    writeln!(out, "id,price,note").unwrap();
    for n in 0..rows {
        let id = n * 7919 % rows;
        writeln!(out, "{id},{}.{:02},\"a note of row {id}, as text\"", id % 900, id % 97).unwrap();
    }
    drop(out);
    path.to_str().unwrap().to_owned()
}

/// The lines of a file, sorted: tools but sort write in an order of their own.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn every_codec_keeps_each_tool_within_its_limit_and_gives_the_same() {
    let Some(binary) = optimised() else {
        println!("SKIPPED: TESTED_BINARY names no optimised binary");
        return;
    };
    let folder = folder();
    let path = table(&folder.path().join("left.csv"), 700_000);
    let other = table(&folder.path().join("right.csv"), 350_000);
    let spill = folder.path().join("spill");
    fs::create_dir(&spill).unwrap();
    let tools: [&[&str]; 4] = [
        &["sort", &path, "--by", "note"],
        &["group", &path, "--key", "note", "--agg", "sum(price) as total"],
        &["distinct", &path, "--columns", "note,id"],
        &["join", &path, &other, "--on", "id=id"],
    ];
    for tool in tools {
        let mut plain = Vec::new();
        let mut plain_bytes = 0;
        for codec in ["none", "lz4", "zstd", "gzip"] {
            let how = ["--memory", "32M", "--spill-codec", codec, "--json", "-o", "out.csv"];
            let run = Tool::of(&binary, folder.path(), &[tool, &how].concat());
            let ended = run.env("TMPDIR", spill.to_str().unwrap()).run();
            ended.expect(0, &[]);
            let told: serde_json::Value = serde_json::from_str(&ended.err).unwrap();
            let number = |name: &str| told[name].as_u64().unwrap();
            assert!(number("peak_bytes") <= LIMIT_BYTES, "{} with {codec}: {told}", tool[0]);
            let answer = lines(&folder.path().join("out.csv"));
            if codec == "none" {
                (plain, plain_bytes) = (answer, number("spill_bytes"));
                assert!(plain_bytes > 0, "{}: it all fitted: {told}", tool[0]);
                continue;
            }
            assert!(answer == plain, "{} with {codec} gives another answer", tool[0]);
            // The blocks of group and distinct are a few sectors: some save none.
            assert!(number("spill_bytes") <= plain_bytes, "{} with {codec}: {told}", tool[0]);
        }
    }
}
