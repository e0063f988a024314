//! Formats: what is written reads back, however it arrives; what is wrong is named.

// In a test a panic is the report; clippy's own exception covers test functions, not their help.
#![allow(clippy::unwrap_used)]

mod bad_csv;
mod bad_json;
mod bounded;
mod compressed;
mod map;
mod round_trip;
mod writing;

use std::io::Read;

use plimsoll::format::{Field, Format, Position, ReadError, ReaderOptions, RecordReader, Source};

/// One to seven bytes at a time, by a seed.
struct Drip {
    bytes: Vec<u8>,
    at: usize,
    state: u64,
}

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // xorshift64: any sequence will do, as long as the seed gives it again.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let some = 1 + usize::try_from(self.state % 7).unwrap();
        let got = some.min(out.len()).min(self.bytes.len() - self.at);
        out[..got].copy_from_slice(&self.bytes[self.at..self.at + got]);
        self.at += got;
        Ok(got)
    }
}

fn drip(bytes: &[u8], seed: u64) -> Source {
    let input = Drip { bytes: bytes.to_vec(), at: 0, state: seed | 1 };
    Source::open(Box::new(input), None).unwrap()
}

fn source(bytes: &[u8]) -> Source {
    Source::open(Box::new(std::io::Cursor::new(bytes.to_vec())), None).unwrap()
}

fn reader(format: Format, bytes: &[u8]) -> Box<dyn RecordReader> {
    format.reader(source(bytes), ReaderOptions::default()).unwrap()
}

/// A record or its refusal, owned, with the place behind it.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    outcome: Result<Vec<(String, Option<String>)>, String>,
    line: u64,
    raw: Vec<u8>,
    after: Position,
}

/// Everything a reader gives up to the end or a fatal error.
fn steps(reader: &mut dyn RecordReader) -> (Vec<Step>, Option<String>) {
    let mut steps = Vec::new();
    loop {
        let (outcome, line) = match reader.next_record() {
            Ok(None) => return (steps, None),
            Ok(Some(record)) => {
                let named = |position| {
                    let text = match record.field(position) {
                        Field::Absent => return None,
                        Field::Null => None,
                        Field::Text(text) => Some(text.to_owned()),
                    };
                    Some((record.columns()[position].to_string(), text))
                };
                let fields = 0..record.columns().len();
                (Ok(fields.filter_map(named).collect()), record.line())
            }
            Err(ReadError::Record(error)) => (Err(error.to_string()), error.line),
            Err(ReadError::Fatal(error)) => return (steps, Some(error.to_string())),
        };
        steps.push(Step { outcome, line, raw: reader.raw().to_vec(), after: reader.position() });
    }
}

/// The texts of records that must all be good; NULL is written as `<null>`.
fn texts(format: Format, bytes: &[u8]) -> Vec<Vec<String>> {
    let (steps, fatal) = steps(&mut *reader(format, bytes));
    assert_eq!(fatal, None);
    let text = |(_, text): (String, Option<String>)| text.unwrap_or_else(|| "<null>".into());
    steps.into_iter().map(|step| step.outcome.unwrap().into_iter().map(text).collect()).collect()
}
