//! Groups and distinct rows of files, by promise: the values are those of a model, whatever was
//! spilled; memory, disk and outputs are given back on every way out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::expr::testing::Random;
use plimsoll::files::{DistinctFile, GroupFile, Input, Output, Reading, Summary, Tool, Watch};
use plimsoll::format::Format;
use plimsoll::record::{ColumnType, Money};
use plimsoll::spill::{Codec, SpillOptions};
use plimsoll::storage::{Disk, Storage};
use plimsoll::{ErrorKind, Result};

mod faults;
mod sketches;
mod values;

/// The least that a test's jobs need beside the scan of records of 4 KiB.
const TINY_BYTES: u64 = 1_450 << 10;
const RECORD_BYTES_MAX: usize = 4 << 10;

/// How a job runs.
#[derive(Clone, Copy)]
struct Way {
    workspace_bytes: u64,
    threads: usize,
    codec: Codec,
}

const AMPLE: Way = Way { workspace_bytes: 48 << 20, threads: 2, codec: Codec::None };
const TINY: Way = Way { workspace_bytes: TINY_BYTES, threads: 1, codec: Codec::None };

/// A folder, and a check that nothing but input and output is left in it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(csv: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("in.csv"), csv).unwrap();
        std::fs::create_dir(folder.path().join("spill")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn reading(&self) -> Reading {
        let input = Input::File(self.path("in.csv"));
        Reading { record_bytes_max: RECORD_BYTES_MAX, ..Reading::new(input) }
    }

    fn group(&self, key: &[&str], measures: &str) -> GroupFile {
        GroupFile {
            reading: self.reading(),
            output: Output::File { path: self.path("out.csv"), fsync: false },
            output_format: Format::Csv,
            key: key.iter().map(|name| (*name).into()).collect(),
            measures: measures.to_owned(),
            filter: None,
            kinds: Vec::new(),
        }
    }

    fn distinct(&self, columns: &[&str], count: bool) -> DistinctFile {
        let output = Output::File { path: self.path("out.csv"), fsync: false };
        DistinctFile {
            reading: self.reading(),
            output: (!count).then_some(output),
            output_format: Format::Csv,
            columns: columns.iter().map(|name| (*name).into()).collect(),
            filter: None,
            kinds: Vec::new(),
        }
    }

    /// Runs `job`; afterwards nothing is reserved and nothing is spilled.
    fn run(&self, way: Way, job: impl Fn(Tool<'_>) -> Result<Summary>) -> Result<Summary> {
        self.watched(way, &Watch::default(), job)
    }

    fn watched(
        &self,
        way: Way,
        watch: &Watch,
        job: impl Fn(Tool<'_>) -> Result<Summary>,
    ) -> Result<Summary> {
        self.stored(way, watch, Arc::new(Disk), job, || ())
    }

    /// As [`Place::run`] on another disk; `sweep` is called before what is left is looked at.
    fn stored(
        &self,
        way: Way,
        watch: &Watch,
        storage: Arc<dyn Storage>,
        job: impl Fn(Tool<'_>) -> Result<Summary>,
        sweep: impl Fn(),
    ) -> Result<Summary> {
        let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        // What is asked for beyond the workspace is refused.
        let node = budget.child("tool", way.workspace_bytes).unwrap();
        let consumer = node.consumer("group").unwrap();
        let spill_root = self.path("spill");
        let spill = SpillOptions { quota_bytes: None, codec: way.codec, memory_file_system: true };
        let done = job(Tool {
            storage: &storage,
            spill_root: &spill_root,
            spill,
            consumer: &consumer,
            workspace_bytes: way.workspace_bytes,
            threads: way.threads,
            watch,
        });
        sweep();
        assert_eq!(consumer.held_bytes(), 0, "{done:?}");
        assert_eq!(std::fs::read_dir(&spill_root).unwrap().count(), 0, "{done:?}");
        let left = std::fs::read_dir(self.folder.path()).unwrap();
        let partial = left
            .filter(|f| f.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"));
        assert_eq!(partial.count(), 0, "{done:?}");
        done
    }

    fn grouped(&self, way: Way, job: &GroupFile) -> Result<Summary> {
        self.run(way, |tool| job.plan(tool)?.run())
    }

    /// The output's lines behind its header, sorted.
    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("out.csv")).unwrap();
        let mut lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    fn has_output(&self) -> bool {
        Path::exists(&self.path("out.csv"))
    }
}

/// One random row: the key as it is written, and what it is measured by.
struct ModelRow {
    key: String,
    qty: Option<i64>,
    price: Option<Money>,
    name: Option<String>,
}

fn quoted(text: &str) -> String {
    let special = text.is_empty() || text.contains([',', '"', '\n', '\r']);
    if special { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

fn random_rows(random: &mut Random, rows: usize, keys: usize) -> Vec<ModelRow> {
    let texts = ["a", "", "x,y", "say \"hi\"", "two\\nlines", "z z", "é", "-1", "007"];
    (0..rows)
        .map(|_| {
            let number = random.below(keys);
            let key = match number % 7 {
                0 if number == 0 => String::new(),
                1 => quoted(texts[random.below(texts.len())]),
                _ => quoted(&format!("k{number}{}", ["", "\"", ","][number % 3])),
            };
            let amount = |random: &mut Random| {
                Money::from_units(i64::try_from(random.below(2_000_000)).unwrap() - 1_000_000)
            };
            ModelRow {
                key,
                qty: (random.below(8) > 0).then(|| random.below(200) as i64 - 100),
                price: (random.below(8) > 0).then(|| amount(random)),
                name: (random.below(4) > 0).then(|| texts[random.below(texts.len())].to_owned()),
            }
        })
        .collect()
}

fn csv(rows: &[ModelRow]) -> String {
    let mut out = String::from("k,qty,price,name\n");
    for row in rows {
        let price = row.price.map(|p| p.to_string()).unwrap_or_default();
        let qty = row.qty.map(|q| q.to_string()).unwrap_or_default();
        let name = row.name.as_deref().map(quoted).unwrap_or_default();
        writeln!(out, "{},{qty},{price},{name}", row.key).unwrap();
    }
    out
}

#[derive(Default)]
struct ModelGroup {
    rows: u64,
    qty: Option<i128>,
    product: Option<i128>,
    least: Option<String>,
    greatest: Option<String>,
}

const MEASURES: &str =
    "count(*) as n, sum(qty), sum(qty*price) as revenue, min(name) as lo, max(name) as hi";

fn model(rows: &[ModelRow], filter: impl Fn(&ModelRow) -> bool) -> Vec<String> {
    let mut groups: BTreeMap<&str, ModelGroup> = BTreeMap::new();
    for row in rows.iter().filter(|row| filter(row)) {
        let group = groups.entry(&row.key).or_default();
        group.rows += 1;
        if let Some(qty) = row.qty {
            *group.qty.get_or_insert(0) += i128::from(qty);
            if let Some(price) = row.price {
                *group.product.get_or_insert(0) += i128::from(qty) * i128::from(price.units());
            }
        }
        if let Some(name) = &row.name {
            let least = group.least.get_or_insert_with(|| name.clone());
            *least = least.clone().min(name.clone());
            let greatest = group.greatest.get_or_insert_with(|| name.clone());
            *greatest = greatest.clone().max(name.clone());
        }
    }
    let mut lines: Vec<String> = groups
        .into_iter()
        .map(|(key, group)| {
            let qty = group.qty.map(|q| q.to_string()).unwrap_or_default();
            let revenue = group
                .product
                .map(|units| Money::from_units(units.try_into().unwrap()).to_string())
                .unwrap_or_default();
            let text = |text: &Option<String>| text.as_deref().map(quoted).unwrap_or_default();
            let (lo, hi) = (text(&group.least), text(&group.greatest));
            format!("{key},{},{qty},{revenue},{lo},{hi}", group.rows)
        })
        .collect();
    lines.sort_unstable();
    lines
}

fn seed() -> u64 {
    let given = std::env::var("TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or(20_261_121)
}

#[test]
fn groups_are_those_of_a_model_in_memory_and_spilled_over_several_levels() {
    let seed = seed();
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for (keys, rows) in [(5, 2_000), (3_000, 20_000), (60_000, 70_000)] {
        let rows = random_rows(&mut random, rows, keys);
        let place = Place::new(&csv(&rows));
        let job = place.group(&["k"], MEASURES);
        let expected = model(&rows, |_| true);
        let mut passes = Vec::new();
        for way in [
            AMPLE,
            TINY,
            Way { threads: 3, workspace_bytes: 4 << 20, ..AMPLE },
            Way { codec: Codec::Lz4, ..TINY },
        ] {
            let summary = place.grouped(way, &job).unwrap();
            assert_eq!(place.lines(), expected, "{keys} keys");
            assert_eq!(summary.rows_in, rows.len() as u64);
            assert_eq!(summary.rows_out, expected.len() as u64);
            let length = std::fs::metadata(place.path("out.csv")).unwrap().len();
            assert_eq!(summary.bytes_out, length);
            passes.push(summary.passes);
        }
        // The test is about spilling only if it spills.
        match keys {
            5 => assert_eq!(passes, [0, 0, 0, 0]),
            60_000 => assert!(passes[0] == 0 && passes[1] > 1, "{passes:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_filter_lets_rows_pass_for_which_it_is_true_and_reads_columns_no_measure_names() {
    let mut random = Random::new(5);
    let rows = random_rows(&mut random, 5_000, 50);
    let place = Place::new(&csv(&rows));
    let mut job = place.group(&["k"], MEASURES);
    job.filter = Some("price > 10 and name is not null".to_owned());
    place.grouped(AMPLE, &job).unwrap();
    let passes =
        |row: &ModelRow| row.name.is_some() && row.price.is_some_and(|p| p.units() > 100_000);
    assert_eq!(place.lines(), model(&rows, passes));
    job.filter = Some("price > 1000000".to_owned());
    let summary = place.grouped(AMPLE, &job).unwrap();
    assert_eq!((summary.rows_in, summary.rows_out), (5_000, 0));
    assert_eq!(
        std::fs::read_to_string(place.path("out.csv")).unwrap(),
        "k,n,sum(qty),revenue,lo,hi\n"
    );
}

#[test]
fn null_the_empty_text_and_numbers_written_in_two_ways_are_groups_by_value() {
    let place = Place::new("a,b\n,1.50\n\"\",1.5\n,1.5\nx,-0.50\nx,-.5\n");
    let mut job = place.group(&["a", "b"], "count(*) as n");
    // ".5" is no number to the one who finds the types.
    assert_eq!(place.grouped(AMPLE, &job).unwrap().rows_out, 5);
    job.kinds = vec![("b".into(), ColumnType::Money)];
    place.grouped(AMPLE, &job).unwrap();
    assert_eq!(place.lines(), ["\"\",1.5,1", ",1.5,2", "x,-0.5,2"]);
    job.kinds = vec![("b".into(), ColumnType::Text)];
    place.grouped(AMPLE, &job).unwrap();
    assert_eq!(place.lines().len(), 5);
}

#[test]
fn all_rows_of_one_key_are_one_group_in_the_least_memory() {
    let mut text = String::from("k,v\n");
    for n in 0..300_000 {
        writeln!(text, "same,{n}").unwrap();
    }
    let place = Place::new(&text);
    let job = place.group(&["k"], "count(*) as n, sum(v) as s, avg(v) as a");
    let summary = place.grouped(TINY, &job).unwrap();
    assert_eq!(place.lines(), ["same,300000,44999850000,149999.5"]);
    assert_eq!(summary.passes, 0);
}

#[test]
fn as_many_groups_as_rows_come_out_once_each() {
    let mut text = String::from("k\n");
    for n in 0..150_000_u64 {
        writeln!(text, "{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).unwrap();
    }
    let place = Place::new(&text);
    let count = place.distinct(&["k"], true);
    let summary = place.run(TINY, |tool| count.plan(tool)?.run()).unwrap();
    assert_eq!((summary.rows_out, summary.bytes_out), (150_000, 0));
    assert!(summary.passes > 1 && summary.spill_bytes > 0, "{summary:?}");
    assert!(!place.has_output());
    let two = Way { threads: 2, workspace_bytes: 3 << 20, ..AMPLE };
    let write = place.distinct(&[], false);
    place.run(two, |tool| write.plan(tool)?.run()).unwrap();
    let mut expected: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    expected.sort_unstable();
    assert_eq!(place.lines(), expected);
}

#[test]
fn distinct_counts_values_of_one_column_and_rows_of_several() {
    let place = Place::new("a,b\n1,x\n1,\n,x\n,\n2,x\n1,x\n,\n");
    for (columns, expected) in [(&["a"][..], 2), (&["b"], 1), (&["a", "b"], 5), (&[], 5)] {
        let job = place.distinct(columns, true);
        let summary = place.run(AMPLE, |tool| job.plan(tool)?.run()).unwrap();
        assert_eq!(summary.rows_out, expected, "{columns:?}");
    }
    let job = place.distinct(&["b", "a"], false);
    place.run(AMPLE, |tool| job.plan(tool)?.run()).unwrap();
    assert_eq!(place.lines(), [",", ",1", "x,", "x,1", "x,2"]);
}

#[test]
fn a_value_that_is_not_of_its_columns_type_is_refused_with_its_line_and_the_way_out() {
    let mut text = String::from("k,qty\n");
    // The wrong value is beyond what the types are found in.
    for n in 0..200_000 {
        writeln!(text, "key{n},{n}").unwrap();
    }
    text.push_str("last,many\n");
    let place = Place::new(&text);
    for threads in [1, 2] {
        let job = place.group(&["k"], "sum(qty)");
        let refused = place.grouped(Way { threads, ..AMPLE }, &job).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
        assert_eq!(
            refused.to_string(),
            "line 200002, column 'qty': 'many' is not a whole number between -2^63 and 2^63-1; if \
             the column holds other values too, give --types qty:text"
        );
        assert!(!place.has_output());
    }
    let mut job = place.group(&["qty"], "count(*) as n");
    assert!(place.grouped(AMPLE, &job).unwrap_err().to_string().starts_with("line 200002, "));
    job.kinds = vec![("qty".into(), ColumnType::Text)];
    assert_eq!(place.grouped(AMPLE, &job).unwrap().rows_out, 200_001);
}

#[test]
fn what_cannot_be_grouped_is_refused_before_the_first_row() {
    let place = Place::new("a,b\n1,2\n");
    for (key, measures, expected) in [
        (&["c"][..], "count(*)", "there is no column 'c'; the columns are a, b"),
        (&[], "count(*)", "give --key COLUMN"),
        (&["a"], "sum(c)", "there is no column 'c'"),
        (&["a"], "count(*) as a", "two columns of the output would be called 'a'"),
        (&["a", "a"], "count(*)", "two columns of the output would be called 'a'"),
        (&["a"], "median(a, b)", "median takes one argument"),
    ] {
        let job = place.group(key, measures);
        let refused = place.grouped(AMPLE, &job).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let job = place.group(&["a"], "count(*)");
    let little = Way { workspace_bytes: 3 << 20, threads: 1, ..AMPLE };
    let least = place.grouped(Way { workspace_bytes: 700 << 10, ..little }, &job);
    let least = least.unwrap_err().to_string();
    assert!(least.contains("at least") || least.contains("left"), "{least}");
    place.grouped(little, &job).unwrap();
}

#[test]
fn a_wish_to_stop_leaves_nothing_behind() {
    let rows = random_rows(&mut Random::new(9), 20_000, 20_000);
    let place = Place::new(&csv(&rows));
    let job = place.group(&["k"], MEASURES);
    let watch = Watch::default();
    watch.stop();
    let stopped = place.watched(TINY, &watch, |tool| job.plan(tool)?.run()).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Stopped);
    assert!(!place.has_output());
}

#[test]
fn ndjson_comes_out_with_the_types_of_its_values() {
    let place =
        Place::new("{\"k\":\"b\",\"n\":1.5}\n{\"k\":null,\"n\":2}\n{\"k\":\"b\",\"n\":3}\n");
    let mut job = place.group(&["k"], "sum(n) as s, max(k) as m");
    (job.reading.format, job.output_format) = (Format::Ndjson, Format::Ndjson);
    place.grouped(AMPLE, &job).unwrap();
    let text = std::fs::read_to_string(place.path("out.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["{\"k\":\"b\",\"s\":4.5,\"m\":\"b\"}", "{\"k\":null,\"s\":2,\"m\":null}"]);
}
