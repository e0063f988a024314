//! Joining files: what comes out equals a nested loop, in memory and over disk.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use plimsoll::expr::testing::Random;
use plimsoll::files::{
    ConvertFile, Input, JoinFile, JoinKind, JoinMode, JoinSide, Reading, Summary, parse_on,
};
use plimsoll::format::{Delimiter, Format};
use plimsoll::{ErrorKind, Result};

use crate::files_small::{Bench, seed};

/// Rows as fields; `None` is NULL.
pub(crate) type Rows = Vec<Vec<Option<String>>>;

fn field(text: &Option<String>) -> String {
    match text {
        None => String::new(),
        Some(text) if text.is_empty() || text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(text) => text.clone(),
    }
}

fn line(row: &[Option<String>]) -> String {
    row.iter().map(field).collect::<Vec<_>>().join(",")
}

pub(crate) fn csv(header: &str, rows: &Rows) -> String {
    let lines: String = rows.iter().map(|row| line(row) + "\n").collect();
    format!("{header}\n{lines}")
}

/// Rows of which `heavy` in a hundred have one key; keys look different and are equal numbers.
pub(crate) fn rows(
    random: &mut Random,
    count: usize,
    keys: usize,
    heavy: usize,
    pad: usize,
) -> Rows {
    let notes = ["tea", "", "a,b", "say \"x\"", "two\nlines", "é"];
    (0..count)
        .map(|_| {
            let key = if random.below(100) < heavy { 7 } else { random.below(keys) };
            let key = match random.below(12) {
                0 => None,
                1 => Some(format!("{key}.0")),
                2 => Some(format!("{key}e0")),
                _ => Some(key.to_string()),
            };
            let note = notes[random.below(notes.len())].to_owned() + &"x".repeat(random.below(pad));
            vec![key, (random.below(5) > 0).then_some(note), Some(random.below(9).to_string())]
        })
        .collect()
}

/// What should come out without its header, sorted. The right key is column 0 or 1.
pub(crate) fn model(
    kind: JoinKind,
    left: &Rows,
    right: &Rows,
    key: usize,
    number: bool,
) -> Vec<String> {
    let same = |text: &String| match number {
        true => text.parse::<f64>().unwrap().to_string(),
        false => text.clone(),
    };
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in right {
        let Some(text) = &row[key] else { continue };
        let others: Vec<_> =
            row.iter().enumerate().filter(|(n, _)| *n != key).map(|(_, f)| f.clone()).collect();
        by_key.entry(same(text)).or_default().push(line(&others));
    }
    let mut lines = Vec::new();
    for row in left {
        let matches = row[0].as_ref().and_then(|text| by_key.get(&same(text)));
        match matches {
            Some(others) => lines.extend(others.iter().map(|o| line(row) + "," + o)),
            None if kind == JoinKind::Left => lines.push(line(row) + ",,"),
            None => {}
        }
    }
    lines.sort();
    lines
}

/// The rows that came out, sorted. A line break within quotes does not end one: no row begins
/// with `lines`.
pub(crate) fn found(bench: &Bench) -> (String, Vec<String>) {
    let text = bench.read("out");
    let (header, body) = text.split_once('\n').unwrap();
    let mut lines: Vec<String> = Vec::new();
    let mut inside = false;
    for line in body.split_terminator('\n') {
        match lines.last_mut() {
            Some(last) if inside => {
                last.push('\n');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
        inside ^= line.matches('"').count() % 2 == 1;
    }
    lines.sort();
    (header.to_owned(), lines)
}

pub(crate) fn job(
    bench: &Bench,
    left: Reading,
    right: Reading,
    on: &str,
    kind: JoinKind,
) -> JoinFile {
    let on = parse_on(on).unwrap();
    let left_format = left.format;
    JoinFile {
        left,
        right,
        output: bench.output("out"),
        output_format: left_format,
        on,
        kind,
        build: None,
        sorted: false,
    }
}

/// Runs in the least workspace it takes, in whole eighths of a MiB.
pub(crate) fn run_in_least(bench: &mut Bench, job: &JoinFile) -> Result<(JoinMode, Summary)> {
    bench.workspace_bytes = 1 << 20;
    loop {
        match job.plan(bench.tool()) {
            Err(error) if error.to_string().starts_with("joining needs a workspace of") => {
                bench.workspace_bytes += 128 << 10;
                assert!(bench.workspace_bytes < 16 << 20);
            }
            planned => {
                let planned = planned?;
                let mode = planned.plan().mode;
                return Ok((mode, planned.run()?));
            }
        }
    }
}

#[test]
fn a_join_is_a_nested_loop_whatever_fits() {
    let mut random = Random::new(seed(0x301));
    let mut bench = Bench::new();
    let mut spilled = 0;
    for round in 0..8 {
        bench.threads = 1 + round % 3;
        let large = round % 4 == 3;
        let (count, pad) = if large { (12_000, 150) } else { (400, 20) };
        let heavy = if large { 0 } else { [0, 80][round % 2] };
        let keys = if large { 20_000 } else { 50 };
        let left = rows(&mut random, count, keys, heavy, pad);
        let right = rows(&mut random, count / 2, keys, heavy, pad);
        // The right side's key is its second column.
        let swapped: Rows =
            right.iter().map(|r| vec![r[1].clone(), r[0].clone(), r[2].clone()]).collect();
        let l = bench.write("left.csv", csv("id,note,n", &left).as_bytes());
        let r = bench.write("right.csv", csv("word,key,n", &swapped).as_bytes());
        for kind in [JoinKind::Inner, JoinKind::Left] {
            let expected = model(kind, &left, &swapped, 1, true);
            for build in [None, Some(JoinSide::Left), Some(JoinSide::Right)] {
                let mut job = job(&bench, l.clone(), r.clone(), "id=key", kind);
                job.build = build;
                let (mode, summary) = run_in_least(&mut bench, &job).unwrap();
                let what = format!("round {round} {kind:?} {build:?} {mode:?}");
                let (header, lines) = found(&bench);
                assert_eq!(header, "id,note,n,word,n_right", "{what}");
                assert!(lines == expected, "{what}: {} {}", lines.len(), expected.len());
                assert_eq!(summary.rows_out, lines.len() as u64, "{what}");
                assert_eq!(summary.rows_in, (left.len() + swapped.len()) as u64, "{what}");
                assert_eq!(summary.spill_bytes > 0, mode == JoinMode::Partitions, "{what}");
                spilled += u32::from(mode == JoinMode::Partitions);
                bench.workspace_bytes = 64 << 20;
                let planned = job.plan(bench.tool()).unwrap();
                assert_eq!(planned.plan().mode, JoinMode::Memory);
                planned.run().unwrap();
                assert!(found(&bench).1 == expected, "{what} in memory");
            }
        }
    }
    assert!(spilled >= 6, "only {spilled} joins went over disk");
    bench.assert_clean(&["left.csv", "right.csv", "out"]);
}

#[test]
fn the_comparison_finds_a_missing_row() {
    let left = rows(&mut Random::new(2), 200, 9, 0, 3);
    let right = rows(&mut Random::new(3), 200, 9, 0, 3);
    let all = model(JoinKind::Left, &left, &right, 0, true);
    assert_ne!(all, model(JoinKind::Left, &left[1..].to_vec(), &right, 0, true));
}

fn joined(left: &str, right: &str, on: &str, kind: JoinKind) -> String {
    let bench = Bench::new();
    let (l, r) = (bench.write("l.csv", left.as_bytes()), bench.write("r.csv", right.as_bytes()));
    job(&bench, l, r, on, kind).plan(bench.tool()).unwrap().run().unwrap();
    bench.read("out")
}

#[test]
fn keys_are_numbers_where_both_sides_are_and_text_else() {
    let numbers = joined("id\n1\n2.50\n", "id,x\n1.0,a\n25e-1,b\n", "id", JoinKind::Inner);
    assert_eq!(numbers, "id,x\n1,a\n2.50,b\n");
    let texts = joined("id\n1\n007\n", "id,x\n1.0,a\n007,b\n", "id", JoinKind::Inner);
    assert_eq!(texts, "id,x\n007,b\n");
    let quoted = joined(
        "id\n\"a\"\"b\"\n\"\"\n\n",
        "x,id\n1,\"a\"\"b\"\n2,\"\"\n3,\n",
        "id=id",
        JoinKind::Left,
    );
    assert_eq!(quoted, "id,x\n\"a\"\"b\",1\n\"\",2\n,\n");
}

#[test]
fn rows_keep_the_left_sides_order_line_ends_and_bytes() {
    let left = "id,x,x_right\r\n3,\"q\",\r\n1,,\"\"\r\n3,z,9\r\n9,,\r\n";
    let right = "x,id\n\"a\",3\nb,3\n,1";
    let out = joined(left, right, "id", JoinKind::Left);
    let expected = "id,x,x_right,x_right_right\r\n3,\"q\",,\"a\"\r\n3,\"q\",,b\r\n1,,\"\",\r\n\
                    3,z,9,\"a\"\r\n3,z,9,b\r\n9,,,\r\n";
    assert_eq!(out, expected);
}

#[test]
fn several_columns_make_one_key() {
    let left = "a,b,n\n1,x,1\n1,y,2\n,x,3\n";
    let right = "n,c,d\n5,x,1\n6,y,1\n7,x,\n";
    let out = joined(left, right, "a=d,b=c", JoinKind::Inner);
    assert_eq!(out, "a,b,n,n_right\n1,x,1,5\n1,y,2,6\n");
}

#[test]
fn a_side_larger_than_it_seemed_is_partitioned_from_its_start() {
    let mut bench = Bench::new();
    // The first megabyte has long rows; then come many short ones, which take more beside them.
    let mut left = "id,note\n".to_owned();
    for id in 0..2_000 {
        left += &format!("{id},{}\n", "x".repeat(600));
    }
    for id in 2_000..120_000 {
        left += &format!("{id},\n");
    }
    let l = bench.write("l.csv", left.as_bytes());
    let r = bench.write("r.csv", b"id,y\n1,a\n119999,b\n5,c\n500000,d\n");
    let mut job = job(&bench, l, r, "id", JoinKind::Inner);
    job.build = Some(JoinSide::Left);
    let mut fell_back = false;
    for workspace in (3 << 20..8 << 20).step_by(512 << 10) {
        bench.workspace_bytes = workspace;
        let Ok(planned) = job.plan(bench.tool()) else { continue };
        let mode = planned.plan().mode;
        let summary = planned.run().unwrap();
        let (_, lines) = found(&bench);
        let tail = |l: &String| l.ends_with(",a") || l.ends_with(",b") || l.ends_with(",c");
        assert!(lines.len() == 3 && lines.iter().all(tail), "{workspace}");
        assert_eq!(summary.rows_in, 120_004, "{workspace}");
        fell_back |= mode == JoinMode::Memory && summary.spill_bytes > 0;
    }
    assert!(fell_back, "no plan was wrong");
    bench.assert_clean(&["l.csv", "r.csv", "out"]);
}

#[test]
fn what_cannot_be_joined_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let l = bench.write("l.csv", b"id,x\n1,a\n");
    let r = bench.write("r.csv", b"key,y\n1,b\n");
    let refused = |job: &JoinFile| {
        let error = job.plan(bench.tool()).and_then(|planned| planned.run()).unwrap_err();
        bench.sentence(&error)
    };
    let with = |on: &str| job(&bench, l.clone(), r.clone(), on, JoinKind::Inner);
    let sentence = "the right side: there is no column 'id'; the columns are key, y";
    assert_eq!(refused(&with("id")), sentence);
    let sentence =
        "the right side: there is no column 'keys', did you mean 'key'? The columns are key, y";
    assert_eq!(refused(&with("id=keys")), sentence);
    let mut onto = with("id=key");
    onto.output = bench.output("r.csv");
    let sentence = "the output /r.csv is the input: write to another name and rename it";
    assert_eq!(refused(&onto), sentence);
    let mut both = with("id=key");
    (both.left.input, both.right.input) = (Input::Stdin, Input::Stdin);
    assert_eq!(refused(&both), "both sides are standard input: only one can be");
    let planned = with("id=key");
    let planned = planned.plan(bench.tool()).unwrap();
    std::fs::remove_file(bench.path("r.csv")).unwrap();
    let vanished = planned.run().unwrap_err();
    assert_eq!(vanished.kind(), ErrorKind::Io);
    let sentence = "opening /r.csv: No such file or directory (os error 2)";
    assert_eq!(bench.sentence(&vanished), sentence);
    bench.assert_clean(&["l.csv"]);
    assert!(parse_on("a=b,,c").is_err());
}

#[test]
fn a_fault_in_the_middle_leaves_nothing() {
    let mut bench = Bench::new();
    let rows = rows(&mut Random::new(5), 20_000, 30_000, 0, 150);
    let text = csv("id,note,n", &rows);
    let l = bench.write("l.csv", text.as_bytes());
    let r = bench.write("r.csv", (text + "1,2\n").as_bytes());
    let job = job(&bench, l, r, "id", JoinKind::Left);
    let refused = run_in_least(&mut bench, &job).unwrap_err().to_string();
    assert!(refused.ends_with(": 2 fields where the header has 3"), "{refused}");
    assert!(refused.contains("/r.csv, line "), "{refused}");
    bench.assert_clean(&["l.csv", "r.csv"]);
}

#[test]
fn objects_are_joined_as_they_stand_and_mixed_sides_in_the_outputs_format() {
    let bench = Bench::new();
    let as_json = |name: &str, text: &str| {
        let mut reading = bench.write(name, text.as_bytes());
        reading.format = Format::Ndjson;
        reading
    };
    let left =
        as_json("l", "{\"id\":1,\"x\":\"a\", \"deep\":[1,{}]} \n{}\n{\"id\":2,\"x\":true}\n");
    let right =
        as_json("r", "{\"x\":null,\"id\":1.0}\n{\"y\":\"q\\\"\",\"id\":1,\"x\":{\"z\":0}}\n");
    let csv_left = bench.write("l.csv", b"id,x\n1,007\n,\"a,b\"\n");
    let csv_right = bench.write("r.csv", b"y,id\n0.50,1\nn,3\n\"a\"\"b\",1\n");
    let run = |left: &Reading, right: &Reading, to: Format| {
        let mut job = job(&bench, left.clone(), right.clone(), "id", JoinKind::Left);
        (job.output_format, job.build) = (to, Some(JoinSide::Right));
        job.plan(bench.tool()).unwrap().run().unwrap();
        bench.read("out")
    };
    assert_eq!(
        run(&left, &right, Format::Ndjson),
        "{\"id\":1,\"x\":\"a\", \"deep\":[1,{}],\"x_right\":null,\"y\":null}\n\
         {\"id\":1,\"x\":\"a\", \"deep\":[1,{}],\"x_right\":{\"z\":0},\"y\":\"q\\\"\"}\n\
         {\"id\":null,\"x_right\":null,\"y\":null}\n\
         {\"id\":2,\"x\":true,\"x_right\":null,\"y\":null}\n"
    );
    assert_eq!(
        run(&left, &csv_right, Format::Ndjson),
        "{\"id\":1,\"x\":\"a\", \"deep\":[1,{}],\"y\":\"0.50\"}\n\
         {\"id\":1,\"x\":\"a\", \"deep\":[1,{}],\"y\":\"a\\\"b\"}\n\
         {\"id\":null,\"y\":null}\n{\"id\":2,\"x\":true,\"y\":null}\n"
    );
    assert_eq!(
        run(&csv_left, &right, Format::Csv),
        "id,x,x_right,y\n1,007,,\n1,007,\"{\"\"z\"\":0}\",\"q\"\"\"\n,\"a,b\",,\n"
    );
    assert_eq!(
        run(&csv_left, &csv_right, Format::Ndjson),
        "{\"id\":1,\"x\":\"007\",\"y\":\"0.50\"}\n{\"id\":1,\"x\":\"007\",\"y\":\"a\\\"b\"}\n\
         {\"id\":null,\"x\":\"a,b\",\"y\":null}\n"
    );
    assert_eq!(
        run(&left, &csv_right, Format::Csv),
        "id,x,deep,y\n1,a,\"[1,{}]\",0.50\n1,a,\"[1,{}]\",\"a\"\"b\"\n,,,\n2,true,,\n"
    );
}

#[test]
fn a_join_of_objects_over_disk_equals_that_of_the_same_rows_as_csv() {
    let mut random = Random::new(seed(0x302));
    let mut bench = Bench::new();
    let (left, right) =
        (rows(&mut random, 12_000, 20_000, 0, 150), rows(&mut random, 6_000, 20_000, 0, 150));
    let convert = |bench: &Bench, reading: &Reading, name: &str, to: Format| {
        let (reading, output) = (reading.clone(), bench.output(name));
        let (to_delimiter, columns) = (Delimiter::Comma, Vec::new());
        let job = ConvertFile { reading, output, to, to_delimiter, columns, filter: None };
        job.plan(bench.tool()).unwrap().run().unwrap();
        let mut reading = bench.write("copy", bench.read(name).as_bytes());
        reading.input = Input::File(bench.path(name));
        reading.format = to;
        reading
    };
    let l = bench.write("l.csv", csv("id,note,n", &left).as_bytes());
    let r = bench.write("r.csv", csv("id,word,m", &right).as_bytes());
    let l = convert(&bench, &l, "l", Format::Ndjson);
    let r = convert(&bench, &r, "r", Format::Ndjson);
    let mut job = job(&bench, l, r, "id", JoinKind::Left);
    job.output = bench.output("objects");
    let (mode, summary) = run_in_least(&mut bench, &job).unwrap();
    assert_eq!((mode, summary.spill_bytes > 0), (JoinMode::Partitions, true));
    bench.workspace_bytes = 32 << 20;
    let mut objects = bench.write("copy", b"");
    (objects.input, objects.format) = (Input::File(bench.path("objects")), Format::Ndjson);
    convert(&bench, &objects, "out", Format::Csv);
    let (header, lines) = found(&bench);
    assert_eq!(header, "id,note,n,word,m");
    // Keys as numbers came into JSON with the digits they have.
    assert!(lines == model(JoinKind::Left, &left, &right, 0, true));
}
