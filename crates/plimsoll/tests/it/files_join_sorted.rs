//! Joining files that are sorted: the rows of the hash join, and every fault of their order.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used)]

use plimsoll::ErrorKind;
use plimsoll::expr::testing::Random;
use plimsoll::files::{Input, JoinFile, JoinKind, JoinMode, Output, Reading, SortFile};
use plimsoll::format::Format;
use plimsoll::record::key::parse_by;
use plimsoll::sort::ChunkStrategy;

use crate::files_join::{csv, found, job, model, rows, run_in_least};
use crate::files_small::{Bench, seed};

/// The same file in the order that the sort command makes.
pub(crate) fn sorted(bench: &Bench, reading: &Reading, by: &str, name: &str) -> Reading {
    let path = bench.path(name);
    let job = SortFile {
        input: reading.input.clone(),
        output: Output::File { path: path.clone(), fsync: false },
        format: reading.format,
        delimiter: reading.delimiter,
        by: parse_by(by).unwrap(),
        filter: None,
        strategy: ChunkStrategy::Adaptive,
        record_bytes_max: reading.record_bytes_max,
        resume: false,
    };
    job.plan(bench.tool()).unwrap().run().unwrap();
    Reading { input: Input::File(path), ..reading.clone() }
}

fn merge(bench: &Bench, left: &Reading, right: &Reading, on: &str, kind: JoinKind) -> JoinFile {
    JoinFile { sorted: true, ..job(bench, left.clone(), right.clone(), on, kind) }
}

#[test]
fn a_join_of_sorted_files_is_a_nested_loop_in_the_order_of_the_left_one() {
    let mut random = Random::new(seed(0x303));
    let mut bench = Bench::new();
    let mut spilled = 0;
    for round in 0..8 {
        let heavy = [0, 70, 5, 95][round % 4];
        // The right side's group of the heavy key is larger than the least workspace holds.
        let (count, others) = if round % 2 == 1 { (6, 4_500) } else { (600, 400) };
        let left = rows(&mut random, count, 900, heavy, 20);
        let right = rows(&mut random, others, 900, heavy, if round % 2 == 1 { 150 } else { 20 });
        bench.workspace_bytes = 32 << 20;
        let l = bench.write("l.csv", csv("id,note,n", &left).as_bytes());
        let r = bench.write("r.csv", csv("id,word,m", &right).as_bytes());
        let l = sorted(&bench, &l, "id", "left");
        // NULLs have no match and may stand at either end.
        let r = sorted(&bench, &r, ["id", "id:nulls-last"][round / 4], "right");
        for kind in [JoinKind::Inner, JoinKind::Left] {
            let job = merge(&bench, &l, &r, "id", kind);
            let (mode, summary) = run_in_least(&mut bench, &job).unwrap();
            assert_eq!(mode, JoinMode::Merge);
            let what = format!("round {round} {kind:?}");
            let (header, lines) = found(&bench);
            assert_eq!(header, "id,note,n,word,m", "{what}");
            let expected = model(kind, &left, &right, 0, true);
            assert!(lines == expected, "{what}: {} {}", lines.len(), expected.len());
            assert_eq!(summary.rows_in, (left.len() + right.len()) as u64, "{what}");
            assert_eq!(summary.rows_out, lines.len() as u64, "{what}");
            spilled += u32::from(summary.spill_bytes > 0);
        }
    }
    assert!(spilled >= 4, "only {spilled} joins had a group larger than their memory");
    bench.assert_clean(&["l.csv", "r.csv", "left", "right", "out"]);
}

#[test]
fn rows_come_out_in_the_order_of_both_files_whatever_their_format() {
    let bench = Bench::new();
    let left = bench.write("l.csv", b"id,x\n,z\n2,b\n10,c\n10,a\n");
    let mut right =
        bench.write("r", b"{\"id\":2.0}\n{\"id\":1e1,\"y\":[1]}\n{\"id\":10,\"y\":null}\n");
    right.format = Format::Ndjson;
    merge(&bench, &left, &right, "id", JoinKind::Left).plan(bench.tool()).unwrap().run().unwrap();
    assert_eq!(bench.read("out"), "id,x,y\n,z,\n2,b,\n10,c,[1]\n10,c,\n10,a,[1]\n10,a,\n");
}

#[test]
fn several_columns_are_in_the_order_of_a_sort_by_them() {
    let mut random = Random::new(seed(0x304));
    let bench = Bench::new();
    let mut text = |header: &str| {
        let line = |random: &mut Random| {
            format!("{},{},{}\n", random.below(30), ["b", "a", "é", ""][random.below(4)], 1)
        };
        header.to_owned() + &(0..600).map(|_| line(&mut random)).collect::<String>()
    };
    let l = bench.write("l.csv", text("a,b,n\n").as_bytes());
    let r = bench.write("r.csv", text("a,b,m\n").as_bytes());
    let hashed = job(&bench, l.clone(), r.clone(), "a,b", JoinKind::Left);
    hashed.plan(bench.tool()).unwrap().run().unwrap();
    let expected = found(&bench);
    let (l, r) = (sorted(&bench, &l, "a,b", "left"), sorted(&bench, &r, "a,b", "right"));
    merge(&bench, &l, &r, "a,b", JoinKind::Left).plan(bench.tool()).unwrap().run().unwrap();
    assert_eq!(found(&bench), expected);
}

#[test]
fn a_row_out_of_order_is_refused_with_file_and_line_wherever_it_stands() {
    for (left, right, file, line) in [
        ("id\n1\n3\n2\n", "id,x\n1,a\n", "l.csv", 4),
        ("id\n1\n9\n", "id,x\n1,a\n\"9\",b\n2,c\n", "r.csv", 4),
        // Behind the last row of the other side, and behind one without a key.
        ("id\n1\n", "id,x\n7,a\n8,b\n1,c\n", "r.csv", 4),
        ("id\n5\n\n1\n", "id,x\n9,\n", "l.csv", 4),
    ] {
        let bench = Bench::new();
        let l = bench.write("l.csv", left.as_bytes());
        let r = bench.write("r.csv", right.as_bytes());
        let job = merge(&bench, &l, &r, "id", JoinKind::Inner);
        let refused = job.plan(bench.tool()).unwrap().run().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        let expected = format!(
            "/{file}, line {line}: its key comes before that of a row above it, and sorted inputs \
             are joined in ascending order of their keys: sort it with `plimsoll sort --by \
             id:num`, or take --sorted away"
        );
        assert_eq!(bench.sentence(&refused), expected);
        bench.assert_clean(&["l.csv", "r.csv"]);
    }
}

#[test]
fn numbers_joined_with_text_are_in_the_order_of_text() {
    let bench = Bench::new();
    let left = bench.write("l.csv", b"id\n9\n10\n");
    let right = bench.write("r.csv", b"id,x\n10,a\nten,b\n");
    let job = merge(&bench, &left, &right, "id", JoinKind::Inner);
    let refused = job.plan(bench.tool()).unwrap().run().unwrap_err().to_string();
    assert!(refused.contains("line 3") && refused.contains("--by id:text"), "{refused}");
    let bench = Bench::new();
    let (left, right) =
        (bench.write("l.csv", b"id\n10\n9\n"), bench.write("r.csv", b"id,x\n10,a\nten,b\n"));
    let job = merge(&bench, &left, &right, "id", JoinKind::Inner);
    job.plan(bench.tool()).unwrap().run().unwrap();
    assert_eq!(bench.read("out"), "id,x\n10,a\n");
}
