//! Input without an end: refused or read through, in memory that does not grow with it.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll::ErrorKind;
use plimsoll::format::{
    CsvReader, Format, NdjsonReader, ReadError, ReaderOptions, RecordReader, Source,
};
use plimsoll::limits::LINE_BYTES_MAX;

use super::compressed::{Feed, gzip};
use super::source;

/// The same byte again and again, with a count of what was taken.
struct Endless {
    byte: u8,
    left: u64,
    taken: Arc<AtomicU64>,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let got = out.len().min(usize::try_from(self.left).unwrap());
        out[..got].fill(self.byte);
        self.left -= got as u64;
        self.taken.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

/// Opens `format` on `head` and then a gigabyte of one byte; the error and the bytes it took.
fn gigabyte(format: Format, head: &'static [u8], byte: u8) -> (plimsoll::Error, u64) {
    let taken = Arc::new(AtomicU64::new(0));
    let endless = Endless { byte, left: 1 << 30, taken: Arc::clone(&taken) };
    let source = Source::open(Box::new(head.chain(endless)), None).unwrap();
    let error = match format.reader(source, ReaderOptions::default()) {
        Err(error) => error,
        Ok(mut reader) => loop {
            match reader.next_record() {
                Ok(Some(_)) => {}
                Err(ReadError::Fatal(error)) => break error,
                other => panic!("a refusal is expected, not {other:?}"),
            }
        },
    };
    (error, taken.load(Ordering::Relaxed))
}

#[test]
fn a_line_of_a_gigabyte_is_refused_by_number_after_reading_little_more_than_the_bound() {
    for (format, head, byte, line) in [
        (Format::Csv, &b"a,b\n1,2\n"[..], b'a', "line 3: "),
        (Format::Csv, b"a,b\n1,2\n\"\n", b'\n', "line 3: "),
        (Format::Csv, b"", b'a', "line 1: "),
        (Format::Ndjson, b"{\"a\":1}\n", b'a', "line 2: "),
        (Format::Ndjson, b"", b' ', "line 1: "),
        (Format::Json, b"[{\"a\":1},\n{\"b\":\"", b'a', "line 2: "),
        (Format::Json, b"[{\"a\":1},\n{\"b\":", b'[', "line 2: "),
    ] {
        let (error, taken) = gigabyte(format, head, byte);
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
        let message = error.to_string();
        assert!(message.starts_with(line), "{message}");
        assert!(message.contains(&LINE_BYTES_MAX.to_string()), "{message}");
        assert!(taken < LINE_BYTES_MAX as u64 * 3 / 2, "{format:?} took {taken}");
    }
    let (error, _) = gigabyte(Format::Csv, b"a,b\n1,\"\n", b'x');
    assert!(error.to_string().contains("(a quote opened on line 2 is not closed)"), "{error}");
}

#[test]
fn millions_of_blank_lines_are_read_through_in_the_same_window() {
    let endless = Endless { byte: b'\n', left: 16 << 20, taken: Arc::default() };
    let source = Source::open(Box::new((&b"a,b\n"[..]).chain(endless)), None).unwrap();
    let mut reader = CsvReader::open(source, ReaderOptions::default()).unwrap();
    assert!(reader.next_record().unwrap().is_none());
    assert_eq!(reader.position().line, 2 + (16 << 20));
}

#[test]
fn long_records_pass_through_the_window_again_and_again() {
    let options = ReaderOptions { line_bytes_max: 100 << 10, ..ReaderOptions::default() };
    let lengths: Vec<usize> = (0..200).map(|n| 1 + n * 7_919 % (100 << 10)).collect();
    let lines = lengths.iter().map(|length| "x".repeat(*length));
    let text: String =
        std::iter::once("a".to_owned()).chain(lines).map(|line| line + "\n").collect();
    let mut reader = CsvReader::open(source(text.as_bytes()), options).unwrap();
    let mut seen = Vec::new();
    while reader.next_record().unwrap().is_some() {
        seen.push(reader.raw().len());
    }
    assert_eq!(seen, lengths);
}

#[test]
fn a_record_is_as_long_as_allowed_and_no_byte_longer() {
    let options = ReaderOptions { line_bytes_max: 300, ..ReaderOptions::default() };
    for (length, fits) in [(300, true), (301, false)] {
        for end in ["", "\n", "\r\n"] {
            let text = format!("a\n{}{end}", "x".repeat(length));
            let mut reader = CsvReader::open(source(text.as_bytes()), options).unwrap();
            assert_eq!(reader.next_record().is_ok(), fits, "{length} {end:?}");
        }
    }
}

#[test]
fn a_line_bound_that_makes_no_sense_is_refused() {
    for line_bytes_max in [0, 255, usize::MAX] {
        let options = ReaderOptions { line_bytes_max, ..ReaderOptions::default() };
        for format in Format::ALL {
            let error = format.reader(source(b"[]"), options).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Invalid);
        }
    }
}

/// A bomb of `members` times 16 MiB of zeros, without ever being in memory.
fn bomb(members: usize) -> impl Read + Send {
    let member = gzip(&vec![0; 16 << 20]);
    let mut left = members;
    let mut at = 0;
    Feed(move |out: &mut [u8]| {
        if at == member.len() {
            at = 0;
            left -= 1;
        }
        if left == 0 {
            return Ok(0);
        }
        let got = out.len().min(member.len() - at);
        out[..got].copy_from_slice(&member[at..at + got]);
        at += got;
        Ok(got)
    })
}

#[test]
fn a_gzip_bomb_ends_at_the_output_bound() {
    let max = 20 << 20;
    let mut source = Source::open(Box::new(bomb(1000)), Some(max)).unwrap();
    let mut piece = vec![0; 64 << 10];
    let error = loop {
        if let Err(error) = source.read(&mut piece) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("more than the 20971520 bytes allowed"), "{error}");
    assert!(source.offset() <= max + piece.len() as u64);
}

#[test]
fn a_gzip_bomb_ends_at_the_longest_line_too() {
    let source = Source::open(Box::new(bomb(1000)), None).unwrap();
    let error = CsvReader::open(source, ReaderOptions::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let source = Source::open(Box::new(bomb(1000)), None).unwrap();
    let mut reader = NdjsonReader::open(source, ReaderOptions::default()).unwrap();
    let error = reader.next_record().unwrap_err();
    assert!(matches!(error, ReadError::Fatal(error) if error.kind() == ErrorKind::TooLarge));
}
