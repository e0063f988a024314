//! Several workers, and resuming.

use plimsoll::format::Format;
use plimsoll::scan::{Records, ScanOptions, ScanStart, Segments};

use super::{Given, csv, drip, open, read_segment, read_segments, tile};

fn numbered(rows: usize) -> Vec<u8> {
    let mut text = b"n,note\n".to_vec();
    for row in 0..rows {
        let note = ["plain", "\"with \"\"quotes\"\"\"", "\"two\nlines\"", ""][row % 4];
        text.extend_from_slice(format!("{row},{note}\n").as_bytes());
    }
    text
}

#[test]
fn two_workers_together_get_each_record_once_and_segments_tile_the_input() {
    let text = numbered(20_000);
    let input = drip(&text, 1 << 16, 3);
    let segments = Segments::open(input, ScanOptions::new(Format::Csv)).unwrap();
    let work = || {
        let mut records = Records::new(&segments, &[0]);
        let mut memory = vec![0; 10_000];
        let mut parts = Vec::new();
        while let Some(segment) = segments.next(&mut memory, 16).unwrap() {
            let mut given = Vec::new();
            read_segment(&mut records, segment, &memory, 2, &mut given).unwrap();
            parts.push((segment, given));
        }
        parts
    };
    let mut parts = std::thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut parts = work();
        parts.extend(other.join().unwrap());
        parts
    });
    parts.sort_by_key(|(segment, _)| segment.number);
    let cuts: Vec<_> = parts.iter().map(|(segment, _)| *segment).collect();
    assert!(tile(&cuts, 7, text.len() as u64));
    let given: Vec<Given> = parts.into_iter().flat_map(|(_, given)| given).collect();
    assert_eq!(given.len(), 20_000);
    for (row, given) in given.iter().enumerate() {
        assert_eq!(given.fields[0], Some(row.to_string().into_bytes()));
    }
    let bytes: Vec<u8> = given.into_iter().flat_map(|given| given.bytes).collect();
    assert_eq!(bytes, text[7..]);
}

#[test]
fn a_scan_begun_behind_a_segment_gives_the_rest() {
    let text = numbered(500);
    let whole = csv(&text).unwrap();
    let (given, cuts, _) = read_segments(&whole, 1_000, 0);
    assert!(cuts.len() > 5);
    let first = cuts[3];
    let options = ScanOptions {
        start: Some(ScanStart {
            input_offset: first.input_start,
            line: first.first_line,
            header: whole.header().into(),
        }),
        ..ScanOptions::new(Format::Csv)
    };
    let rest = &text[usize::try_from(first.input_start).unwrap()..];
    let resumed = open(rest, options).unwrap();
    assert_eq!(resumed.header(), whole.header());
    let (again, later, error) = read_segments(&resumed, 1_000, 0);
    assert!(error.is_none());
    assert_eq!((later[0].input_start, later[0].first_line), (first.input_start, first.first_line));
    assert_eq!(later.last().unwrap().input_end, text.len() as u64);
    assert_eq!(again, given[given.len() - again.len()..]);
    assert_eq!(again[0].line, first.first_line);
}

#[test]
fn after_an_error_every_worker_gets_it_again() {
    let segments = csv(b"a,b\n1,\"2\n").unwrap();
    let mut memory = [0; 64];
    let first = segments.next(&mut memory, 0).unwrap_err();
    let second = segments.next(&mut memory, 0).unwrap_err();
    assert_eq!((first.kind(), first.to_string()), (second.kind(), second.to_string()));
}
