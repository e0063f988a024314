//! Scanning: each record of an input is given once, whole and checked, however it is cut.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used)]

mod bad;
mod ndjson;
mod opening;
mod random;
mod workers;

use std::io::Read;

use plimsoll::expr::testing::Random;
use plimsoll::format::Format;
use plimsoll::scan::{RawField, Records, ScanOptions, Segment, Segments};
use plimsoll::{Error, Result};

/// Gives at most `most` bytes at a time, by a seed.
struct Drip {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
    random: Random,
}

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let some = 1 + self.random.below(self.most);
        let got = some.min(out.len()).min(self.bytes.len() - self.at);
        out[..got].copy_from_slice(&self.bytes[self.at..self.at + got]);
        self.at += got;
        Ok(got)
    }
}

fn drip(bytes: &[u8], most: usize, seed: u64) -> Box<dyn Read + Send> {
    Box::new(Drip { bytes: bytes.to_vec(), at: 0, most, random: Random::new(seed) })
}

fn open(bytes: &[u8], options: ScanOptions) -> Result<Segments> {
    Segments::open(drip(bytes, bytes.len().max(1), 1), options)
}

fn csv(bytes: &[u8]) -> Result<Segments> {
    open(bytes, ScanOptions::new(Format::Csv))
}

/// A record, owned: its fields with NULL told apart, its line, its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    fields: Vec<Option<Vec<u8>>>,
    line: u64,
    bytes: Vec<u8>,
}

/// Everything `segments` gives to one worker with memory of `room` bytes.
fn read_all(segments: &Segments, room: usize, entry_bytes: usize) -> (Vec<Given>, Option<Error>) {
    let (given, _, error) = read_segments(segments, room, entry_bytes);
    (given, error)
}

fn read_segments(
    segments: &Segments,
    room: usize,
    entry_bytes: usize,
) -> (Vec<Given>, Vec<Segment>, Option<Error>) {
    let (mut given, mut cuts) = (Vec::new(), Vec::new());
    let width = segments.columns().len();
    let mut records = Records::new(segments, &(0..width).collect::<Vec<_>>());
    let mut memory = vec![0xaa; room];
    loop {
        let segment = match segments.next(&mut memory, entry_bytes) {
            Ok(Some(segment)) => segment,
            Ok(None) => return (given, cuts, None),
            Err(error) => return (given, cuts, Some(error)),
        };
        let entries = usize::try_from(segment.records_max).unwrap() * entry_bytes;
        assert!(segment.bytes > 0 && segment.bytes + entries <= room, "{segment:?} in {room}");
        cuts.push(segment);
        let before = given.len();
        if let Err(error) = read_segment(&mut records, segment, &memory, width, &mut given) {
            return (given, cuts, Some(error));
        }
        assert!(given.len() - before <= usize::try_from(segment.records_max).unwrap());
    }
}

fn read_segment(
    records: &mut Records,
    segment: Segment,
    memory: &[u8],
    width: usize,
    given: &mut Vec<Given>,
) -> Result<()> {
    let bytes = &memory[..segment.bytes];
    let mut scratch = Vec::new();
    records.begin(segment.first_line);
    while let Some(record) = records.next(bytes)? {
        let field = |position| record.field(position);
        let fields =
            (0..width).map(|n| field(n).decode(&mut scratch).map(<[u8]>::to_vec)).collect();
        assert_eq!(record.bytes(), &bytes[record.range()]);
        assert!(record.bytes().starts_with(record.text()));
        assert_eq!(record.ends_line(), record.bytes().ends_with(b"\n"));
        given.push(Given { fields, line: record.line(), bytes: record.bytes().to_vec() });
    }
    Ok(())
}

/// Whether `cuts` lie end to end from `start` to `end` and are numbered in that order.
fn tile(cuts: &[Segment], start: u64, end: u64) -> bool {
    let mut at = start;
    for (number, cut) in cuts.iter().enumerate() {
        let bytes = cut.input_end - cut.input_start;
        if cut.number != number as u64 || cut.input_start != at || bytes != cut.bytes as u64 {
            return false;
        }
        at = cut.input_end;
    }
    at == end
}

/// The texts of CSV that must be good; NULL is `<null>`.
fn texts(bytes: &[u8]) -> Vec<Vec<String>> {
    let (given, error) = read_all(&csv(bytes).unwrap(), 1 << 16, 0);
    assert!(error.is_none(), "{error:?}");
    let text = |field: Option<Vec<u8>>| {
        field.map_or("<null>".to_owned(), |text| String::from_utf8_lossy(&text).into_owned())
    };
    given.into_iter().map(|given| given.fields.into_iter().map(text).collect()).collect()
}

/// The seed of this run; `TEST_SEED` replays another.
fn seed(default: u64) -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    seed.unwrap_or(default)
}

#[test]
fn null_and_the_empty_text_are_told_apart() {
    assert_eq!(texts(b"a,b\n,\"\"\n"), [["<null>", ""]]);
    let segments = csv(b"a,b\n,\"\"\n").unwrap();
    let mut memory = [0; 64];
    let segment = segments.next(&mut memory, 0).unwrap().unwrap();
    let mut records = Records::new(&segments, &[]);
    let record = records.next(&memory[..segment.bytes]).unwrap().unwrap();
    assert_eq!((record.field(0), record.field(1)), (RawField::Null, RawField::Quoted(b"")));
}

#[test]
fn blank_lines_are_skipped_and_counted_except_in_one_column_where_each_is_a_null() {
    assert_eq!(texts(b"a,b\n\n1,2\n\r\n3,4\n\n"), [["1", "2"], ["3", "4"]]);
    assert_eq!(texts(b"a\n\n1\n\r\n"), [["<null>"], ["1"], ["<null>"]]);
    let (given, _) = read_all(&csv(b"a,b\n\n1,2\n\n3,4").unwrap(), 99, 0);
    assert_eq!(given.iter().map(|given| given.line).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn the_last_record_needs_no_line_end_and_says_so() {
    for (tail, ends) in [("", false), ("\n", true), ("\r\n", true), ("\r", false)] {
        let input = format!("a,b\n1,2\n3,4{tail}");
        assert_eq!(texts(input.as_bytes())[1], ["3", "4"], "{tail:?}");
        let (given, _) = read_all(&csv(input.as_bytes()).unwrap(), 99, 0);
        assert_eq!(given[1].bytes.ends_with(b"\n"), ends);
    }
    assert_eq!(texts(b"a,b\n1,\"2\"\r"), [["1", "2"]]);
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    let (given, error) = read_all(&csv(b"a,b\n\xff\0,\"\xfe\n\0\"\nx\ry,2\n").unwrap(), 99, 8);
    assert!(error.is_none());
    assert_eq!(given[0].fields, [Some(b"\xff\0".to_vec()), Some(b"\xfe\n\0".to_vec())]);
    assert_eq!(given[1].fields[0], Some(b"x\ry".to_vec()));
    assert_eq!(given[1].line, 4);
}

#[test]
fn the_check_that_segments_lie_end_to_end_finds_a_gap() {
    let segments = csv(b"a\n1\n2\n3\n").unwrap();
    let (_, mut cuts, _) = read_segments(&segments, 2, 0);
    assert!(tile(&cuts, 2, 8), "{cuts:?}");
    cuts.remove(1);
    assert!(!tile(&cuts, 2, 8));
}
