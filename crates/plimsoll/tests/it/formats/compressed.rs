//! Compressed input: recognised by content, whole or an error, never more memory than stated.

use std::io::{self, Read, Write};

use plimsoll::ErrorKind;
use plimsoll::format::{Compression, CsvReader, ReadError, ReaderOptions, RecordReader, Source};

const TEXT: &[u8] = b"a,b\n1,tea\n2,coffee\n3,water\n4,milk\n5,\"x\ny\"\n";

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).unwrap()
}

fn open(bytes: Vec<u8>) -> plimsoll::Result<Source> {
    Source::open(Box::new(io::Cursor::new(bytes)), None)
}

fn read_all(source: &mut Source) -> plimsoll::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = [0; 1000];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(all),
            got => all.extend_from_slice(&piece[..got]),
        }
    }
}

fn unpack(bytes: Vec<u8>) -> plimsoll::Result<Vec<u8>> {
    read_all(&mut open(bytes)?)
}

#[test]
fn gzip_and_zstd_are_recognised_by_content_and_plain_text_is_left_alone() {
    for (bytes, compression) in [
        (TEXT.to_vec(), Compression::None),
        (gzip(TEXT), Compression::Gzip),
        (zstd(TEXT), Compression::Zstd),
    ] {
        let mut source = open(bytes).unwrap();
        assert_eq!(source.compression(), compression);
        assert_eq!(read_all(&mut source).unwrap(), TEXT);
        assert_eq!(source.offset(), TEXT.len() as u64);
    }
    assert_eq!(unpack(Vec::new()).unwrap(), b"");
    assert_eq!(unpack(b"(".to_vec()).unwrap(), b"(");
}

#[test]
fn members_and_frames_one_after_another_are_one_input() {
    assert_eq!(
        unpack([gzip(b"a,b\n1,"), gzip(b""), gzip(b"2\n")].concat()).unwrap(),
        b"a,b\n1,2\n"
    );
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0skip".to_vec();
    let frames = [skippable, zstd(b"a,b\n1,"), zstd(b"2\n")].concat();
    assert_eq!(unpack(frames).unwrap(), b"a,b\n1,2\n");
}

#[test]
fn a_compressed_file_cut_at_any_byte_is_an_error_and_never_an_end() {
    for (name, whole, magic) in [
        ("gzip", gzip(TEXT), 2),
        ("gzip", [gzip(TEXT), gzip(TEXT)].concat(), 2),
        ("zstd", zstd(TEXT), 4),
    ] {
        for cut in magic..whole.len() {
            if unpack(whole[..cut].to_vec()).is_ok_and(|bytes| bytes == TEXT) {
                assert_eq!(cut, gzip(TEXT).len(), "only between two members is a whole file");
                continue;
            }
            let error = unpack(whole[..cut].to_vec()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{name} cut at {cut}: {error}");
            let message = error.to_string();
            assert!(message.starts_with(&format!("the {name} file ends early")), "{message}");
        }
    }
}

#[test]
fn a_reader_passes_the_cut_on_as_fatal() {
    let mut cut = gzip(TEXT);
    cut.truncate(cut.len() - 4);
    let mut reader = CsvReader::open(open(cut).unwrap(), ReaderOptions::default()).unwrap();
    let fatal = loop {
        match reader.next_record() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cut file has no end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(fatal, ReadError::Fatal(error) if error.kind() == ErrorKind::Corrupt));
}

#[test]
fn a_damaged_byte_is_found() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(TEXT).unwrap();
    for whole in [gzip(TEXT), encoder.finish().unwrap()] {
        // Behind the headers, up to the sums.
        for at in 12..whole.len() - 8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let error = unpack(damaged).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
    }
    let mut sum = gzip(TEXT);
    let crc = sum.len() - 8;
    sum[crc] ^= 1;
    let error = unpack(sum).unwrap_err();
    let place = format!("is damaged after {} decompressed bytes", TEXT.len());
    assert!(error.to_string().contains(&place), "{error}");
    let error = unpack([gzip(TEXT), b"garbage behind".to_vec()].concat()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

/// A reader that is a closure.
pub(super) struct Feed<F>(pub(super) F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> Read for Feed<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (self.0)(out)
    }
}

#[test]
fn an_input_exactly_as_long_as_the_bound_is_read() {
    for (max, fits) in [(TEXT.len() as u64, true), (TEXT.len() as u64 - 1, false)] {
        let mut source = Source::open(Box::new(io::Cursor::new(gzip(TEXT))), Some(max)).unwrap();
        assert_eq!(read_all(&mut source).is_ok(), fits);
    }
}

#[test]
fn a_zstd_window_beyond_the_bound_is_refused_with_its_number() {
    // A frame whose header asks for 2^27 bytes: magic, descriptor, (27 - 10) << 3.
    let giant = b"\x28\xb5\x2f\xfd\x00\x88\x01\0\0";
    let error = open(giant.to_vec()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("134217728 bytes where 8388608"), "{error}");
    // A single segment of 1 GiB has no window and needs all of it.
    let segment = b"\x28\xb5\x2f\xfd\xa0\0\0\0\x40\x01\0\0";
    let error = open(segment.to_vec()).err().unwrap();
    assert!(error.to_string().contains("1073741824 bytes where 8388608"), "{error}");
    // In a later frame it is seen when that frame is reached.
    let error = unpack([zstd(b"a\n"), giant.to_vec()].concat()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("8388608 bytes are allowed"), "{error}");
}

#[test]
fn a_zstd_window_within_the_bound_is_read() {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(23).unwrap();
    let text = b"0123456789abcdef".repeat(1 << 16);
    encoder.write_all(&text).unwrap();
    let frame = encoder.finish().unwrap();
    assert_eq!(unpack(frame).unwrap(), text);
}

#[test]
fn compression_that_is_not_read_is_named() {
    for (bytes, name) in [
        (&b"\xfd7zXZ\0\0\x04"[..], "xz"),
        (b"PK\x03\x04\x14\0", "zip (also .xlsx and .ods)"),
        (b"BZh91AY&SY\0", "bzip2"),
    ] {
        let error = open(bytes.to_vec()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().starts_with(&format!("the input is {name};")), "{error}");
    }
    // Text that merely begins alike is text.
    assert_eq!(unpack(b"BZh,PK\n".to_vec()).unwrap(), b"BZh,PK\n");
}

#[test]
fn a_failing_input_is_an_io_error_whatever_is_above_it() {
    for head in [TEXT.to_vec(), gzip(TEXT)[..30].to_vec(), zstd(TEXT)[..20].to_vec()] {
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset] {
            let failing = Feed(move |_: &mut [u8]| Err(io::Error::from(kind)));
            let input = io::Cursor::new(head.clone()).chain(failing);
            let error = read_all(&mut Source::open(Box::new(input), None).unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        }
    }
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let mut bytes = io::Cursor::new(gzip(TEXT));
    let mut interrupt = false;
    let input = Feed(move |out: &mut [u8]| {
        interrupt = !interrupt;
        if interrupt {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let some = out.len().min(5);
        bytes.read(&mut out[..some])
    });
    let mut source = Source::open(Box::new(input), None).unwrap();
    assert_eq!(read_all(&mut source).unwrap(), TEXT);
}

#[test]
fn workspace_is_stated_before_the_first_read() {
    assert_eq!(open(TEXT.to_vec()).unwrap().workspace_bytes(), 0);
    assert!(open(gzip(TEXT)).unwrap().workspace_bytes() < 256 << 10);
    assert!(open(zstd(TEXT)).unwrap().workspace_bytes() < 9 << 20);
}
