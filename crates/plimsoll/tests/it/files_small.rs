//! Small file tools: what they write equals a simple model of what they promise.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::budget::{Budget, Consumer, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::files::{
    ConvertFile, CountFile, HeadFile, Input, Output, QuantileFile, QuantileMethod, Reading,
    Summary, Tool, TopFile, Watch,
};
use plimsoll::format::{Delimiter, Format};
use plimsoll::record::key::parse_by;
use plimsoll::spill::SpillOptions;
use plimsoll::storage::{Disk, Storage};
use plimsoll::{Error, Result};

/// A folder, a budget and what else a tool is given.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
    pub(crate) storage: Arc<dyn Storage>,
    budget: Budget,
    consumer: Consumer,
    watch: Watch,
    pub(crate) workspace_bytes: u64,
    pub(crate) threads: usize,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let budget = Budget::new(256 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            storage: Arc::new(Disk),
            consumer: budget.consumer("tool").unwrap(),
            budget,
            watch: Watch::default(),
            workspace_bytes: 32 << 20,
            threads: 2,
        }
    }

    pub(crate) fn tool(&self) -> Tool<'_> {
        Tool {
            storage: &self.storage,
            spill_root: self.folder.path(),
            spill: SpillOptions { memory_file_system: true, ..SpillOptions::default() },
            consumer: &self.consumer,
            workspace_bytes: self.workspace_bytes,
            threads: self.threads,
            watch: &self.watch,
        }
    }

    /// As at the start: nobody has stopped anything.
    pub(crate) fn watch_anew(&mut self) {
        self.watch = Watch::default();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Reading {
        std::fs::write(self.path(name), bytes).unwrap();
        let mut reading = Reading::new(Input::File(self.path(name)));
        reading.record_bytes_max = 4_096;
        reading
    }

    pub(crate) fn output(&self, name: &str) -> Output {
        Output::File { path: self.path(name), fsync: false }
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// Nothing is reserved, and only the files of these names are there.
    pub(crate) fn assert_clean(&self, names: &[&str]) {
        assert_eq!(self.budget.reserved_bytes(), 0);
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut found: Vec<String> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        let mut names = names.to_vec();
        names.sort_unstable();
        assert_eq!(found, names);
    }

    /// The sentence of an error that names the folder, without it.
    pub(crate) fn sentence(&self, error: &Error) -> String {
        error.to_string().replace(&*self.folder.path().to_string_lossy(), "")
    }
}

/// The seed of this run; `TEST_SEED` replays another.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or(default);
    println!("TEST_SEED={seed}");
    seed
}

type Sale = (usize, Option<i64>, String);

/// `n,price,note` with ties, quotes and NULLs; `n` is the row's number.
fn sales(random: &mut Random, rows: usize) -> Vec<Sale> {
    let notes = ["", "\"\"", "plain", "\"a,b\"", "\"say \"\"x\"\"\"", "\"two\nlines\"", "é"];
    (0..rows)
        .map(|n| {
            let price = random.below(50) as i64 - 20;
            let price = (random.below(9) > 0).then_some(price);
            (n, price, notes[random.below(notes.len())].to_owned())
        })
        .collect()
}

fn line((n, price, note): &Sale) -> String {
    format!("{n},{},{note}\n", price.map(|p| p.to_string()).unwrap_or_default())
}

fn csv(rows: &[Sale]) -> String {
    let lines: String = rows.iter().map(line).collect();
    format!("n,price,note\n{lines}")
}

fn top(bench: &Bench, reading: Reading, by: &str, rows: usize) -> Result<Summary> {
    let by = parse_by(by)?;
    TopFile { reading, output: bench.output("out"), by, rows, filter: None }
        .plan(bench.tool())?
        .run()
}

#[test]
fn top_is_a_stable_sort_and_its_first_rows() {
    let mut random = Random::new(seed(0x7011));
    let mut bench = Bench::new();
    for round in 0..24 {
        let count = random.below(30_000);
        let mut rows = sales(&mut random, count);
        bench.threads = 1 + round % 3;
        let reading = bench.write("in.csv", csv(&rows).as_bytes());
        let k = [0, 1, 10, 1_000, 40_000][round % 5];
        let by = ["price:desc", "price", "price:nulls-last", "note:text:desc,price"][round % 4];
        let summary = top(&bench, reading, by, k).unwrap();
        rows.sort_by(|a, b| match round % 4 {
            0 => b.1.cmp(&a.1),
            1 => a.1.cmp(&b.1),
            2 => (a.1.is_none(), a.1).cmp(&(b.1.is_none(), b.1)),
            _ => text_of(&b.2).cmp(&text_of(&a.2)).then(a.1.cmp(&b.1)),
        });
        assert_eq!(summary.rows_in, rows.len() as u64);
        rows.truncate(k);
        assert!(bench.read("out") == csv(&rows), "round {round}: {k} by {by}");
        assert_eq!(summary.rows_out, rows.len() as u64);
    }
    bench.assert_clean(&["in.csv", "out"]);
}

/// A note's text, NULL first.
fn text_of(note: &str) -> Option<String> {
    let inside = note.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
    inside.map_or((!note.is_empty()).then(|| note.to_owned()), |n| Some(n.replace("\"\"", "\"")))
}

#[test]
fn top_of_more_rows_than_fit_says_to_sort() {
    let mut bench = Bench::new();
    bench.workspace_bytes = 2 << 20;
    let rows = sales(&mut Random::new(1), 200_000);
    let reading = bench.write("in.csv", csv(&rows).as_bytes());
    let refused = top(&bench, reading, "price", 150_000).unwrap_err();
    let sentence = refused.to_string();
    assert!(sentence.starts_with("cannot keep the 150000 smallest in memory"), "{sentence}");
    assert!(
        sentence.ends_with("; or sort and take the first: a sort moves to disk what does not fit")
    );
    bench.assert_clean(&["in.csv"]);
}

#[test]
fn head_copies_the_first_rows_and_does_not_look_behind_them() {
    let bench = Bench::new();
    let good = "n,m\n1,\"a\nb\"\n2,c\n";
    let mut bytes = format!("{good}3,d\n").into_bytes();
    bytes.extend(b"4,e\n".repeat(600_000));
    bytes.extend(b"a,record,too,wide\n");
    let reading = bench.write("in.csv", &bytes);
    let head = |rows| {
        let job =
            HeadFile { reading: reading.clone(), output: bench.output("out"), rows, filter: None };
        job.plan(bench.tool())?.run()
    };
    let summary = head(2).unwrap();
    assert_eq!((bench.read("out").as_str(), summary.rows_out), (good, 2));
    // What was read beyond the rows is one segment, of an input of megabytes.
    assert!(summary.bytes_in < 1 << 20 && bytes.len() > 2 << 20, "{summary:?}");
    assert_eq!(head(0).unwrap().rows_out, 0);
    assert_eq!(bench.read("out"), "n,m\n");
    let refused = head(u64::MAX).unwrap_err().to_string();
    assert_eq!(refused, "line 600006: 4 fields where the header has 2");
    bench.assert_clean(&["in.csv", "out"]);
}

#[test]
fn count_is_the_number_of_rows_a_filter_holds_for() {
    let bench = Bench::new();
    let rows = sales(&mut Random::new(seed(0x707)), 40_000);
    let reading = bench.write("in.csv", csv(&rows).as_bytes());
    let count = |filter: Option<&str>| {
        let job = CountFile { reading: reading.clone(), filter: filter.map(str::to_owned) };
        job.plan(bench.tool())?.run().map(|summary| summary.rows_out)
    };
    let model = |holds: &dyn Fn(&Sale) -> bool| rows.iter().filter(|row| holds(row)).count() as u64;
    assert_eq!(count(None).unwrap(), 40_000);
    assert_eq!(count(Some("price >= 3")).unwrap(), model(&|row| row.1 >= Some(3)));
    assert_eq!(count(Some("price is null")).unwrap(), model(&|row| row.1.is_none()));
    let quoted = model(&|row| text_of(&row.2).as_deref() == Some("say \"x\"") && row.0 > 7);
    assert_eq!(count(Some("note = 'say \"x\"' and n > 7")).unwrap(), quoted);
    let refused = count(Some("prise > 1")).unwrap_err().to_string();
    assert!(refused.starts_with("filter, character 1: there is no column 'prise'"), "{refused}");
    bench.assert_clean(&["in.csv"]);
}

#[test]
fn a_field_that_is_not_of_its_columns_type_is_named_with_its_line() {
    let bench = Bench::new();
    let mut bytes = b"n\n".to_vec();
    bytes.extend(b"1\n".repeat(600_000));
    bytes.extend(b"two\n");
    let reading = bench.write("in.csv", &bytes);
    let job = CountFile { reading: reading.clone(), filter: Some("n > 0".to_owned()) };
    let refused = job.plan(bench.tool()).unwrap().run().unwrap_err();
    let sentence =
        "line 600002: column 'n': 'two' is no int, as the values of the first megabyte are";
    assert_eq!(refused.to_string(), sentence);
}

fn convert(bench: &Bench, reading: Reading, to: Format, name: &str, columns: &[&str]) -> Summary {
    let job = ConvertFile {
        reading,
        output: bench.output(name),
        to,
        to_delimiter: Delimiter::Comma,
        columns: columns.iter().map(|c| (*c).into()).collect(),
        filter: None,
    };
    job.plan(bench.tool()).unwrap().run().unwrap()
}

#[test]
fn csv_to_ndjson_and_back_is_the_same_file() {
    let mut random = Random::new(seed(0xc0));
    let mut bench = Bench::new();
    for round in 0..12 {
        bench.threads = 1 + round % 3;
        let count = 1 + random.below(20_000);
        let text = csv(&sales(&mut random, count));
        let reading = bench.write("in.csv", text.as_bytes());
        convert(&bench, reading, Format::Ndjson, "mid.ndjson", &[]);
        let mut reading = Reading::new(Input::File(bench.path("mid.ndjson")));
        reading.record_bytes_max = 4_096;
        assert_eq!(reading.format, Format::Ndjson);
        let summary = convert(&bench, reading, Format::Csv, "out.csv", &[]);
        assert!(bench.read("out.csv") == text, "round {round}");
        assert_eq!(summary.rows_out, count as u64);
    }
    bench.assert_clean(&["in.csv", "mid.ndjson", "out.csv"]);
}

#[test]
fn numbers_keep_their_digits_and_other_text_its_quotes() {
    let bench = Bench::new();
    let text = "a,b,c\n12345678901234567890.10,007,\n1e3,\"\",\"x\"\"\"\n";
    let reading = bench.write("in.csv", text.as_bytes());
    convert(&bench, reading.clone(), Format::Ndjson, "out", &[]);
    let expected = "{\"a\":12345678901234567890.10,\"b\":\"007\",\"c\":null}\n\
                    {\"a\":1e3,\"b\":\"\",\"c\":\"x\\\"\"}\n";
    assert_eq!(bench.read("out"), expected);
    convert(&bench, reading, Format::Csv, "out", &["c", "a"]);
    assert_eq!(bench.read("out"), "c,a\n,12345678901234567890.10\n\"x\"\"\",1e3\n");
}

#[test]
fn the_names_end_says_how_an_output_is_compressed() {
    let bench = Bench::new();
    let text = csv(&sales(&mut Random::new(4), 3_000));
    let reading = bench.write("in.csv", text.as_bytes());
    for name in ["out.csv.gz", "out.csv.zst"] {
        convert(&bench, reading.clone(), Format::Csv, name, &[]);
        assert!(std::fs::metadata(bench.path(name)).unwrap().len() < text.len() as u64 / 2);
        convert(&bench, Reading::new(Input::File(bench.path(name))), Format::Csv, "back", &[]);
        assert!(bench.read("back") == text);
    }
}

fn quantiles(bench: &Bench, reading: &Reading, method: QuantileMethod) -> Result<Vec<f64>> {
    let job = QuantileFile {
        reading: reading.clone(),
        output: bench.output("out"),
        column: "v".into(),
        quantiles: ["0", "0.25", "0.5", "0.99", "1"].map(|q| q.parse().unwrap()).into(),
        filter: None,
        method,
    };
    job.plan(bench.tool())?.run()?;
    let text = bench.read("out");
    Ok(text.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect())
}

#[test]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantiles_are_those_of_the_sorted_column() {
    let mut random = Random::new(seed(0x9a));
    let mut bench = Bench::new();
    bench.workspace_bytes = 5 << 20;
    for round in 0..6 {
        let count = 1 + random.below(if round % 2 == 0 { 200_000 } else { 1_000 });
        let mut values: Vec<f64> =
            (0..count).map(|_| random.below(1_000_000) as f64 / 100.0 - 3_000.0).collect();
        let text: String = values.iter().map(|v| format!("{v},x\n,y\n")).collect();
        let reading = bench.write("in.csv", format!("v,w\n{text}").as_bytes());
        let exact = quantiles(&bench, &reading, QuantileMethod::Exact).unwrap();
        values.sort_by(f64::total_cmp);
        for (q, found) in [0.0, 0.25, 0.5, 0.99, 1.0].into_iter().zip(exact) {
            let at = q * (count - 1) as f64;
            let (lower, upper) = (values[at.floor() as usize], values[at.ceil() as usize]);
            let expected = lower + (upper - lower) * at.fract();
            assert!((found - expected).abs() < 1e-6, "{q} of {count}: {found} is not {expected}");
        }
        let near = quantiles(&bench, &reading, QuantileMethod::Approximate).unwrap();
        for (q, found) in [0.0, 0.25, 0.5, 0.99, 1.0].into_iter().zip(near) {
            let rank = values.partition_point(|v| *v < found) as f64 / count as f64;
            assert!((rank - q).abs() < 0.005 + 1.0 / count as f64, "{q} of {count}: {rank}");
        }
    }
    bench.assert_clean(&["in.csv", "out"]);
}

#[test]
fn what_cannot_be_done_is_refused_in_one_sentence() {
    let bench = Bench::new();
    let reading = bench.write("in.csv", b"v,w\n1,x\n");
    let job = |column: &str, input: Input| QuantileFile {
        reading: Reading { input, ..reading.clone() },
        output: bench.output("out"),
        column: column.into(),
        quantiles: vec!["0.5".parse().unwrap()],
        filter: None,
        method: QuantileMethod::Exact,
    };
    let input = || reading.input.clone();
    for (job, sentence) in [
        (
            job("v", Input::Stdin),
            "exact quantiles read their input several times, and standard \
            input can be read once: write it to a file first, or ask for approximate ones",
        ),
        (job("u", input()), "there is no column 'u'; the columns are v, w"),
        (job("w", input()), "column 'w' is not of numbers, and quantiles are"),
    ] {
        assert_eq!(job.plan(bench.tool()).err().unwrap().to_string(), sentence);
    }
    let onto = |name: &str| HeadFile {
        reading: reading.clone(),
        output: bench.output(name),
        rows: 1,
        filter: None,
    };
    let refused = onto("in.csv").plan(bench.tool()).err().unwrap();
    let sentence = "the output /in.csv is the input: write to another name and rename it";
    assert_eq!(bench.sentence(&refused), sentence);
    std::fs::remove_file(bench.path("in.csv")).unwrap();
    let refused = onto("out").plan(bench.tool()).err().unwrap();
    let sentence = "opening /in.csv: No such file or directory (os error 2)";
    assert_eq!(bench.sentence(&refused), sentence);
    assert!(!Path::exists(&bench.path("out")));
    bench.assert_clean(&[]);
}
