//! A file comes out as the same rows, byte for byte, in the order a stable sort in memory gives.

use std::cmp::Ordering;

use plimsoll::expr::testing::Random;
use plimsoll::sort::ChunkStrategy;

use super::{Desk, numbered, random};

/// A row as it stands, and the field it is sorted by; `None` is NULL.
#[derive(Clone)]
struct Row {
    line: Vec<u8>,
    field: Option<Vec<u8>>,
}

const HEADER: &[u8] = b"n,k,filling\n";
const NUMBERS: [&str; 22] = [
    "0",
    "-0.0",
    "0.0",
    "1",
    "1.0",
    "-1",
    "-1.5",
    "2e3",
    "2000",
    "0.001",
    "1e-3",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "abc",
    "",
    "12x",
    "9007199254740993",
    "9007199254740992",
    "-12",
    "1e300",
];

/// A field as CSV writes it; one that needs no quotes gets them at times.
fn quoted(random: &mut Random, field: &[u8]) -> Vec<u8> {
    let needed = field.is_empty() || field.iter().any(|b| b"\",\r\n".contains(b));
    if !needed && random.below(5) > 0 {
        return field.to_vec();
    }
    let mut out = vec![b'"'];
    for &byte in field {
        out.push(byte);
        if byte == b'"' {
            out.push(byte);
        }
    }
    out.push(b'"');
    out
}

fn text(random: &mut Random) -> Vec<u8> {
    const PARTS: [&[u8]; 12] = [
        b"a",
        b"b",
        b"\"",
        b",",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xc3\x28",
        "é".as_bytes(),
        b" ",
        b"a long beginning that many share ",
    ];
    (0..random.below(7)).flat_map(|_| PARTS[random.below(PARTS.len())]).copied().collect()
}

/// Random rows; the last one ends without a line end where `cut` says so.
fn rows(random: &mut Random, count: usize, numbers: bool, cut: bool) -> Vec<Row> {
    (0..count)
        .map(|n| {
            let field = (random.below(9) > 0).then(|| match numbers {
                true => NUMBERS[random.below(NUMBERS.len())].as_bytes().to_vec(),
                false => text(random),
            });
            let written = field.as_ref().map_or(Vec::new(), |field| quoted(random, field));
            let filling = text(random).repeat(1 + random.below(12));
            let filling = quoted(random, &filling);
            let mut line = [n.to_string().as_bytes(), b",", &written, b",", &filling].concat();
            if n + 1 < count || !cut {
                line.extend([&b"\n"[..], b"\r\n"][random.below(2)]);
            }
            Row { line, field }
        })
        .collect()
}

/// The order of numbers: class, number, bytes of what is none.
fn as_number(field: &[u8]) -> (u8, f64, &[u8]) {
    let spelled = std::str::from_utf8(field).unwrap();
    match spelled.to_ascii_lowercase().as_str() {
        "9007199254740993" => (1, 9_007_199_254_740_994.0, b""), // exact, which f64 is not
        "nan" => (3, 0.0, b""),
        _ => match spelled.parse::<f64>() {
            Ok(number) => (1, number, b""),
            Err(_) => (4, 0.0, field),
        },
    }
}

fn compare(a: &Row, b: &Row, how: How) -> Ordering {
    let (null, value) = if how.nulls_first { (0, 1) } else { (1, 0) };
    let place = |row: &Row| if row.field.is_some() { value } else { null };
    let by_place = place(a).cmp(&place(b));
    let (Some(a), Some(b)) = (&a.field, &b.field) else { return by_place };
    let ascending = if how.numbers {
        let ((class, number, text), other) = (as_number(a), as_number(b));
        let numbers = number.partial_cmp(&other.1).expect("no NaN is left");
        class.cmp(&other.0).then(numbers).then(text.cmp(other.2))
    } else {
        a.cmp(b)
    };
    by_place.then(if how.descending { ascending.reverse() } else { ascending })
}

#[derive(Clone, Copy, Debug)]
struct How {
    numbers: bool,
    descending: bool,
    nulls_first: bool,
}

impl How {
    fn by(self) -> String {
        let kind = if self.numbers { "num" } else { "text" };
        let direction = if self.descending { "desc" } else { "asc" };
        let nulls = if self.nulls_first { "nulls-first" } else { "nulls-last" };
        format!("k:{kind}:{direction}:{nulls}")
    }
}

fn file(rows: &[Row]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    rows.iter().for_each(|row| bytes.extend(&row.line));
    bytes
}

/// What sorting `rows` gives: the last row of the input gets a line end.
fn model(rows: &[Row], how: How) -> Vec<u8> {
    let mut sorted = rows.to_vec();
    for row in &mut sorted {
        if !row.line.ends_with(b"\n") {
            row.line.push(b'\n');
        }
    }
    sorted.sort_by(|a, b| compare(a, b, how));
    file(&sorted)
}

fn assert_sorted(desk: &Desk, sorted: &[u8], how: &str) -> plimsoll::files::Summary {
    let summary = desk.sort().unwrap_or_else(|error| panic!("{how}: {error}"));
    assert!(desk.sorted() == sorted, "{how}: not the model's order");
    assert_eq!(summary.bytes_out, sorted.len() as u64, "{how}");
    desk.assert_given_back();
    summary
}

const STRATEGIES: [ChunkStrategy; 4] = [
    ChunkStrategy::Adaptive,
    ChunkStrategy::SqrtN,
    ChunkStrategy::Fixed(1000),
    ChunkStrategy::Fixed(97),
];

#[test]
fn a_sorted_file_is_the_models() {
    let mut random = random(21);
    let mut spilled = 0;
    for round in 0..16 {
        let bit = |n: usize| round >> n & 1 == 1;
        let how = How { numbers: bit(0), descending: bit(1), nulls_first: bit(2) };
        let count = 1500 + random.below(2500);
        let rows = rows(&mut random, count, how.numbers, bit(3));
        let mut desk = Desk::new(&file(&rows), &how.by());
        desk.job.strategy = STRATEGIES[random.below(4)];
        desk.threads = [1, 2, 5][random.below(3)];
        desk.workspace_bytes = [1 << 20, 8 << 20][random.below(2)];
        let told = format!("{how:?}, {:?}, {} threads", desk.job.strategy, desk.threads);
        let summary = assert_sorted(&desk, &model(&rows, how), &told);
        assert_eq!((summary.rows_in, summary.rows_out), (count as u64, count as u64));
        spilled += u64::from(summary.runs > 1);
    }
    assert!(spilled > 3, "{spilled} of them were spilled");
}

#[test]
fn every_strategy_and_number_of_threads_gives_the_same() {
    let mut random = random(22);
    let how = How { numbers: false, descending: false, nulls_first: true };
    let rows = rows(&mut random, 9000, false, true);
    let (input, sorted) = (file(&rows), model(&rows, how));
    for strategy in STRATEGIES {
        for (threads, workspace_bytes) in [(1, 1 << 20), (2, 1 << 20), (2, 8 << 20), (5, 8 << 20)] {
            let mut desk = Desk::new(&input, &how.by());
            desk.job.strategy = strategy;
            desk.threads = threads;
            desk.workspace_bytes = workspace_bytes;
            let told = format!("{strategy:?}, {threads} threads, {workspace_bytes} bytes");
            let runs = assert_sorted(&desk, &sorted, &told).runs;
            assert_eq!(runs == 0, strategy == ChunkStrategy::Adaptive && workspace_bytes > 2 << 20);
        }
    }
}

#[test]
fn orders_that_are_hard_on_a_sort_come_out_right() {
    const ROWS: usize = 3000;
    let organ_pipe = |n: usize| n.min(ROWS - n);
    let keys: [(&str, &dyn Fn(usize) -> usize); 5] = [
        ("organ pipe", &organ_pipe),
        ("all equal", &|_| 7),
        ("sorted", &|n| n),
        ("reversed", &|n| ROWS - n),
        ("two values", &|n| n % 2),
    ];
    for (name, key) in keys {
        let mut lines: Vec<(usize, String)> =
            (0..ROWS).map(|n| (key(n), format!("{n},{},\"é\n\"\r\n", key(n)))).collect();
        let text = |lines: &[(usize, String)]| {
            let text: String = lines.iter().map(|(_, line)| line.as_str()).collect();
            [HEADER, text.as_bytes()].concat()
        };
        let input = text(&lines);
        for descending in [false, true] {
            lines
                .sort_by_key(|(_, line)| line.split(',').next().unwrap().parse::<usize>().unwrap());
            lines.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
            for threads in [1, 2, 5] {
                let by = if descending { "-k:num" } else { "k:num" };
                let mut desk = Desk::new(&input, by).fixed_runs(400).threads(threads);
                desk.workspace_bytes = 4 << 20;
                assert_sorted(&desk, &text(&lines), &format!("{name}, {by}, {threads} threads"));
            }
        }
    }
}

#[test]
fn more_runs_than_the_list_has_room_for_are_merged_on_the_way() {
    let (input, sorted) = numbered(900, 24);
    for threads in [1, 2] {
        let mut desk = Desk::new(&input, "k:num").fixed_runs(1).threads(threads);
        desk.workspace_bytes = 850 << 10;
        let (plan, summary) = desk.planned_sort().unwrap();
        assert!(plan.runs_max < 800, "{}", plan.runs_max);
        assert!(summary.runs >= 900, "{}", summary.runs);
        assert!(desk.sorted() == sorted, "{threads} threads");
        desk.assert_given_back();
    }
}

#[test]
fn what_fits_is_sorted_by_all_threads_without_a_byte_of_spill() {
    let (input, sorted) = numbered(110_000, 25);
    for threads in [2, 3] {
        for output in ["out.csv", "out.csv.gz"] {
            let mut desk = Desk::named("in.csv", &input, output, "k:num").threads(threads);
            desk.workspace_bytes = 52 << 20;
            let (plan, summary) = desk.planned_sort().unwrap();
            assert!(plan.arenas > 2, "{plan:?}");
            assert_eq!((summary.runs, summary.spill_bytes), (0, 0));
            assert_eq!(desk.disk.calls(Some(plimsoll::storage::testing::Call::Open)), 0);
            if output == "out.csv" {
                assert!(desk.sorted() == sorted, "{threads} threads");
            }
            desk.assert_given_back();
        }
    }
}

#[test]
fn what_was_expected_to_fit_and_does_not_is_spilled() {
    // The beginning promises rows of a thousand bytes; then come rows of ten, each with its entry.
    let mut random = Random::new(26);
    let mut lines: Vec<(usize, String)> = Vec::new();
    for n in 0..1_500_000 {
        let key = random.below(1000);
        let filling = if n < 1500 { "x".repeat(1000) } else { String::new() };
        lines.push((key, format!("{key},{filling}\n")));
    }
    let text = |lines: &[(usize, String)]| {
        let all: String = lines.iter().map(|(_, line)| line.as_str()).collect();
        [b"k,filling\n", all.as_bytes()].concat()
    };
    let input = text(&lines);
    lines.sort_by_key(|(key, _)| *key);
    let mut desk = Desk::new(&input, "k:num").threads(2);
    desk.workspace_bytes = 42 << 20;
    let (plan, summary) = desk.planned_sort().unwrap();
    assert!(plan.arenas > 2, "{plan:?}");
    assert!(summary.runs > 2, "{summary:?}");
    assert!(desk.sorted() == text(&lines));
    desk.assert_given_back();
}

#[test]
fn one_row_and_none_come_out() {
    for (input, sorted) in [
        (&b"n,k,f\n"[..], &b"n,k,f\n"[..]),
        (b"n,k,f\r\n", b"n,k,f\r\n"),
        (b"n,k,f\n1,2,3\n", b"n,k,f\n1,2,3\n"),
        (b"n,k,f\n1,2,3", b"n,k,f\n1,2,3\n"),
        (b"n,k,f\n1,\"2\n\",3\r\n", b"n,k,f\n1,\"2\n\",3\r\n"),
    ] {
        for threads in [1, 2] {
            let desk = Desk::new(input, "k").threads(threads);
            let summary = desk.sort().unwrap();
            let told = String::from_utf8_lossy(input);
            assert_eq!(String::from_utf8(desk.sorted()).unwrap().as_bytes(), sorted, "{told:?}");
            assert_eq!(summary.runs, 0, "{told:?} fits");
            assert_eq!(desk.disk.calls(Some(plimsoll::storage::testing::Call::Open)), 0);
            desk.assert_given_back();
        }
    }
}

#[test]
fn a_header_without_line_end_keeps_its_columns() {
    let desk = Desk::new(b"n,k,f", "k");
    desk.sort().unwrap();
    assert_eq!(desk.sorted().trim_ascii_end(), b"n,k,f");
    desk.assert_given_back();
}

#[test]
fn packed_input_and_output_are_as_plain_ones() {
    let (input, sorted) = numbered(5000, 23);
    let gzip = |plain: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, plain).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |plain: &[u8]| zstd::bulk::compress(plain, 1).unwrap();
    let inputs = [("in.csv", input.clone()), ("in.csv.gz", gzip(&input)), ("in.z", zstd(&input))];
    for (name, packed) in inputs {
        for output in ["out.csv", "out.csv.gz", "out.csv.zst"] {
            for rows in [1000, u64::MAX] {
                let mut desk = Desk::named(name, &packed, output, "k:num").fixed_runs(rows);
                desk.workspace_bytes = 16 << 20;
                let summary = desk.sort().unwrap();
                assert_eq!(summary.runs > 0, rows == 1000, "{name} {output}");
                let mut plain = Vec::new();
                match output {
                    "out.csv" => plain = desk.sorted(),
                    "out.csv.gz" => {
                        let bytes = desk.sorted();
                        let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
                        std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
                    }
                    _ => plain = zstd::stream::decode_all(&desk.sorted()[..]).unwrap(),
                }
                assert!(plain == sorted, "{name} {output}");
                desk.assert_given_back();
            }
        }
    }
}

#[test]
fn a_resumable_sort_of_a_header_gives_the_header() {
    for output in ["out.csv", "out.csv.gz"] {
        let mut desk = Desk::named("in.csv", b"n,k,f\n", output, "k");
        desk.job.resume = true;
        desk.workspace_bytes = 16 << 20;
        desk.sort().unwrap();
        if output == "out.csv" {
            assert_eq!(desk.sorted(), b"n,k,f\n");
        } else {
            let mut plain = Vec::new();
            let bytes = desk.sorted();
            let mut decoder = flate2::read::GzDecoder::new(&bytes[..]);
            std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
            assert_eq!(plain, b"n,k,f\n");
        }
        desk.assert_given_back();
    }
}

/// Whether the row of this number is to come out.
type Passes = fn(usize) -> bool;

/// The lines of `input` whose second field passes, under the header.
fn kept(input: &[u8], passes: Passes) -> Vec<u8> {
    let text = std::str::from_utf8(input).unwrap();
    let number = |line: &str| line.split(',').nth(1).unwrap().parse().unwrap();
    let mut kept = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if at == 0 || passes(number(line)) {
            kept.extend_from_slice(line.as_bytes());
            kept.push(b'\n');
        }
    }
    kept
}

#[test]
fn a_filtered_sort_is_a_sort_of_the_rows_that_pass() {
    let (input, sorted) = numbered(30_000, 0xf1);
    let passes: [(&str, Passes); 4] = [
        // Whole segments have no row that passes.
        ("n < 5000 or n >= 25000", |n| !(5_000..25_000).contains(&n)),
        ("n >= 12 and n < 20", |n| (12..20).contains(&n)),
        ("n < 0", |_| false),
        ("k >= 0", |_| true),
    ];
    for (filter, passes) in passes {
        for (threads, resume) in [(1, false), (2, false), (2, true)] {
            let mut desk = Desk::new(&input, "k").threads(threads).fixed_runs(700);
            desk.workspace_bytes += 1 << 20;
            (desk.job.filter, desk.job.resume) = (Some(filter.to_owned()), resume);
            let summary = desk.sort().unwrap();
            let expected = kept(&sorted, passes);
            assert!(desk.sorted() == expected, "{filter} {threads} {resume}");
            let rows_out = expected.iter().filter(|byte| **byte == b'\n').count() as u64 - 1;
            assert_eq!((summary.rows_in, summary.rows_out), (30_000, rows_out));
            desk.assert_given_back();
        }
    }
    let mut desk = Desk::new(&input, "k");
    desk.job.filter = Some("n <".to_owned());
    let refused = desk.sort().unwrap_err().to_string();
    assert!(refused.contains('^'), "{refused}");
}
