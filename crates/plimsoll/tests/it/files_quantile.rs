//! Exact quantiles of a file: every digit of what lies at a place, and between two.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use plimsoll::ErrorKind;
use plimsoll::expr::testing::Random;
use plimsoll::files::{QuantileFile, QuantileMethod, Reading, Summary};
use plimsoll::quantile::Fraction;

use crate::files_small::{Bench, seed};

fn job(bench: &Bench, reading: &Reading, qs: &[&str]) -> QuantileFile {
    QuantileFile {
        reading: reading.clone(),
        output: bench.output("out"),
        column: "v".into(),
        quantiles: qs.iter().map(|q| q.parse().unwrap()).collect(),
        filter: None,
        method: QuantileMethod::Exact,
    }
}

/// The values that come out, and what it took.
fn found(bench: &Bench, job: &QuantileFile) -> (Vec<String>, Summary) {
    let summary = job.plan(bench.tool()).unwrap().run().unwrap();
    let text = bench.read("out");
    let values = text.lines().skip(1).map(|line| line.split_once(',').unwrap().1.to_owned());
    (values.collect(), summary)
}

/// `units` of 10^-`places`, without zeros at the end.
fn decimal(units: i128, places: usize) -> String {
    let one = 10_u128.pow(u32::try_from(places).unwrap());
    let (whole, rest) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    let sign = if units < 0 { "-" } else { "" };
    let text = format!("{sign}{whole}.{rest:0places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What the quantile is by whole numbers of 128 bits; `sorted` are units of 10^-`places`.
fn model(sorted: &[i128], places: usize, q: &str) -> String {
    let whole = i128::from(Fraction::WHOLE);
    let exact = i128::from(q.parse::<Fraction>().unwrap().units()) * (sorted.len() as i128 - 1);
    let (place, weight) = (usize::try_from(exact / whole).unwrap(), exact % whole);
    if weight == 0 {
        return decimal(sorted[place], places);
    }
    let sum = sorted[place] * (whole - weight) + sorted[place + 1] * weight;
    decimal(sum, places + 18)
}

const QS: [&str; 9] =
    ["0", "0.000001", "0.1", "0.29", "0.5", "0.75", "0.95", "0.999999999999999999", "1"];

#[test]
fn a_quantile_is_exact_to_the_last_digit_however_many_there_are() {
    let mut random = Random::new(seed(0x9e0));
    let mut bench = Bench::new();
    bench.workspace_bytes = 5 << 20;
    for round in 0..12 {
        bench.threads = 1 + round % 2;
        let count = 1 + random.below(if round % 3 == 0 { 120_000 } else { 2_000 });
        // Up to 10^19, so that the model's products stay within 128 bits; crowded ones differ
        // behind their sixteenth digit only.
        let spread = [1_000_000, 1_000, i128::from(u64::MAX) / 2][round % 3];
        let base = if round % 3 == 1 { 9_123_456_789_012_340_000 } else { 0 };
        let negative = [1, -1][round / 3 % 2];
        let places = random.below(16);
        let mut units: Vec<i128> =
            (0..count).map(|_| negative * (base + i128::from(random.bits()) % spread)).collect();
        if round % 4 == 3 {
            units.iter_mut().step_by(2).for_each(|units| *units = -*units);
        }
        let lines: String = units.iter().map(|u| decimal(*u, places) + ",x\n,y\n").collect();
        let reading = bench.write("in.csv", format!("v,w\n{lines}").as_bytes());
        units.sort_unstable();
        let (values, summary) = found(&bench, &job(&bench, &reading, &QS));
        let expected: Vec<String> = QS.iter().map(|q| model(&units, places, q)).collect();
        assert_eq!(values, expected, "round {round}: {count} of {places} places");
        // Words alone do not tell crowded ones apart.
        assert!(summary.passes >= u32::from(round % 3 == 1 && count > 1), "{summary:?}");
    }
    bench.assert_clean(&["in.csv", "out"]);
}

#[test]
fn numbers_of_forty_digits_are_told_apart_by_their_last_one() {
    let bench = Bench::new();
    let tail = "14159265358979323846264338327950288419";
    let head = format!("-3.{tail}");
    let mut lines: String = (0..10).rev().map(|last| format!("{head}{last}\n")).collect();
    lines += "1e300\n-2e-300\n";
    let reading = bench.write("in.csv", format!("v\n{lines}").as_bytes());
    let (values, summary) = found(&bench, &job(&bench, &reading, &["0", "0.5", "0.9", "1"]));
    // Of twelve rows 0.5 lies half way from the sixth to the seventh, 0.9 nine tenths of the way
    // from the tenth to the eleventh, which is -2e-300.
    let zeros = "0".repeat(298 - tail.len());
    let expected = [
        format!("{head}9"),
        format!("{head}35"),
        format!("-0.3{tail}{zeros}18"),
        format!("1{}", "0".repeat(300)),
    ];
    assert_eq!(values, expected);
    assert!(summary.passes >= 2, "{summary:?}");
}

#[test]
fn the_median_of_prices_has_no_digits_of_binary_floats() {
    let bench = Bench::new();
    let reading = bench.write("in.csv", b"v\n4989.18\n4989.20\n1\n9999.5\n");
    assert_eq!(found(&bench, &job(&bench, &reading, &["0.5"])).0, ["4989.19"]);
    let reading = bench.write("in.csv", b"v\n\n\n");
    let refused = job(&bench, &reading, &["0.5"]);
    assert!(refused.plan(bench.tool()).is_err());
}

#[test]
fn only_rows_of_the_filter_count_and_a_text_among_them_is_refused_with_its_line() {
    let bench = Bench::new();
    let rows = "x".repeat(300);
    let mut text = String::from("v,w\n");
    (0..9_000).for_each(|n| text += &format!("{n},{rows}\n"));
    text += "none,y\n";
    let reading = bench.write("in.csv", text.as_bytes());
    let mut job = job(&bench, &reading, &["0.5"]);
    let refused = job.plan(bench.tool()).unwrap().run().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let sentence = "line 9002: 'none' is no number, and quantiles are of numbers: correct it, \
                    leave it empty, or leave the row away with --filter";
    assert_eq!(refused.to_string(), sentence);
    // A fault stops whoever watches the same run.
    let bench = Bench::new();
    job.reading = bench.write("in.csv", text.as_bytes());
    job.output = bench.output("out");
    job.filter = Some("w <> 'y'".to_owned());
    assert_eq!(found(&bench, &job).0, ["4499.5"]);
    job.filter = Some("w = 3".to_owned());
    let refused = job.plan(bench.tool()).err().unwrap().to_string();
    assert!(refused.contains('^'), "{refused}");
}

#[test]
fn a_number_beyond_the_digits_that_are_kept_is_refused() {
    let bench = Bench::new();
    let mut reading = bench.write("in.csv", format!("v\n1.{}\n", "1".repeat(401)).as_bytes());
    reading.record_bytes_max = 4 << 10;
    let refused = job(&bench, &reading, &["0.5"]).plan(bench.tool()).unwrap().run().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.to_string().contains("at most 400 digits"), "{refused}");
    bench.assert_clean(&["in.csv"]);
}
