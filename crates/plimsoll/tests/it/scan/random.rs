//! Random inputs, cut at random places, against two other readers.

use plimsoll::expr::testing::Random;
use plimsoll::format::{Field, Format, ReaderOptions, Source};
use plimsoll::scan::{ScanOptions, Segments};

use super::{drip, read_all, read_segments, seed, tile};

/// A CSV text and what its records hold.
struct Sheet {
    text: Vec<u8>,
    header_bytes: usize,
    rows: Vec<Vec<Option<Vec<u8>>>>,
}

const PIECES: [&[u8]; 14] = [
    b"a",
    b"0",
    b"tea",
    b"\"",
    b",",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b"\0",
    b"",
    b"\xc3\xa9",
    b";",
    b"long long long long long long long long long long text",
];

fn sheet(random: &mut Random, utf8: bool) -> Sheet {
    let width = 2 + random.below(6);
    let line_end: &[u8] = if random.below(2) == 0 { b"\n" } else { b"\r\n" };
    let mut text = Vec::new();
    let names: Vec<String> = (0..width).map(|n| format!("c{n}")).collect();
    text.extend_from_slice(names.join(",").as_bytes());
    text.extend_from_slice(line_end);
    let header_bytes = text.len();
    let mut rows = Vec::new();
    for _ in 0..random.below(60) * (1 + random.below(4)) {
        let row: Vec<_> = (0..width).map(|_| field(random, utf8)).collect();
        for (position, field) in row.iter().enumerate() {
            if position > 0 {
                text.push(b',');
            }
            write(random, field.as_deref(), &mut text);
        }
        text.extend_from_slice(line_end);
        if random.below(9) == 0 {
            text.extend_from_slice(line_end);
        }
        rows.push(row);
    }
    if random.below(2) == 0 && text.len() > header_bytes {
        while text.ends_with(b"\n") || text.ends_with(b"\r") {
            text.pop();
        }
    }
    Sheet { text, header_bytes, rows }
}

fn field(random: &mut Random, utf8: bool) -> Option<Vec<u8>> {
    if random.below(6) == 0 {
        return None;
    }
    let mut value = Vec::new();
    // Some are longer than what is indexed at a time.
    let pieces = if random.below(200) == 0 { 4_000 } else { random.below(5) };
    for _ in 0..pieces {
        match random.below(PIECES.len() + 1) {
            piece if piece < PIECES.len() => value.extend_from_slice(PIECES[piece]),
            _ if utf8 => value.push(b'z'),
            _ => value.push(0xff),
        }
    }
    Some(value)
}

fn write(random: &mut Random, field: Option<&[u8]>, text: &mut Vec<u8>) {
    let Some(value) = field else {
        return;
    };
    let must = value.is_empty() || value.iter().any(|byte| b"\",\r\n".contains(byte));
    if !must && random.below(4) > 0 {
        text.extend_from_slice(value);
        return;
    }
    text.push(b'"');
    for byte in value {
        text.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'"')));
    }
    text.push(b'"');
}

fn segments(random: &mut Random, text: &[u8]) -> Segments {
    let most = [1, 7, 100, 1 << 20][random.below(4)];
    Segments::open(drip(text, most, random.bits()), ScanOptions::new(Format::Csv)).unwrap()
}

/// A room in which the longest record fits, often barely.
fn room(random: &mut Random, sheet: &Sheet, entry_bytes: usize) -> usize {
    let whole = read_all(&segments(random, &sheet.text), 1 << 20, 0).0;
    let longest = whole.iter().map(|given| given.bytes.len()).max().unwrap_or(1);
    // Two bytes more for a blank line's end, which may stand before the longest record.
    longest + 2 + entry_bytes + random.below(3) * random.below(2000)
}

#[test]
fn random_sheets_come_back_however_they_are_cut() {
    let seed = seed(1);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..200 {
        let sheet = sheet(&mut random, false);
        let entry_bytes = [0, 1, 16][random.below(3)];
        let room = room(&mut random, &sheet, entry_bytes);
        let segments = segments(&mut random, &sheet.text);
        let (given, cuts, error) = read_segments(&segments, room, entry_bytes);
        assert!(error.is_none(), "round {round}, room {room}: {error:?}");
        let fields: Vec<_> = given.iter().map(|given| given.fields.clone()).collect();
        assert_eq!(fields, sheet.rows, "round {round}, room {room}");
        assert!(tile(&cuts, sheet.header_bytes as u64, sheet.text.len() as u64), "{cuts:?}");
        for cut in &cuts {
            let before = &sheet.text[..usize::try_from(cut.input_start).unwrap()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
            assert_eq!(cut.first_line, line, "round {round}: {cut:?}");
        }
    }
}

#[test]
fn random_sheets_hold_what_the_other_reader_of_this_library_finds() {
    let seed = seed(2);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..100 {
        let sheet = sheet(&mut random, true);
        let (given, error) = read_all(&segments(&mut random, &sheet.text), 1 << 20, 0);
        assert!(error.is_none(), "round {round}: {error:?}");
        let source = Source::open(drip(&sheet.text, 100, 1), None).unwrap();
        let mut reader = Format::Csv.reader(source, ReaderOptions::default()).unwrap();
        for given in given {
            let record = reader.next_record().unwrap().unwrap();
            let fields: Vec<_> = (0..record.columns().len())
                .map(|position| match record.field(position) {
                    Field::Text(text) => Some(text.as_bytes().to_vec()),
                    Field::Absent | Field::Null => None,
                })
                .collect();
            assert_eq!(given.fields, fields, "round {round}");
            // That reader counts a CR alone inside quotes as a line, as its bare records need.
            if !sheet.text.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n') {
                assert_eq!(given.line, record.line(), "round {round}");
            }
        }
        assert!(reader.next_record().unwrap().is_none());
    }
}

/// The records `csv-core` finds behind the header; it knows no NULL.
fn core_rows(text: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv_core::Reader::new();
    let (mut fields, mut ends) = (vec![0; text.len() + 1], vec![0; text.len() + 1]);
    let (mut rows, mut at) = (Vec::new(), 0);
    loop {
        let (result, taken, _, count) = reader.read_record(&text[at..], &mut fields, &mut ends);
        at += taken;
        match result {
            csv_core::ReadRecordResult::End => break,
            csv_core::ReadRecordResult::InputEmpty if at < text.len() => {}
            csv_core::ReadRecordResult::Record => {
                let start = |n: usize| if n == 0 { 0 } else { ends[n - 1] };
                rows.push((0..count).map(|n| fields[start(n)..ends[n]].to_vec()).collect());
            }
            csv_core::ReadRecordResult::InputEmpty => {
                let (last, _, _, count) = reader.read_record(&[], &mut fields, &mut ends);
                if last == csv_core::ReadRecordResult::Record && count > 0 {
                    return core_rows(&[text, b"\n"].concat());
                }
                break;
            }
            other => panic!("the room is the text's length: {other:?}"),
        }
    }
    rows.drain(..1);
    rows
}

#[test]
fn random_sheets_hold_what_csv_core_finds() {
    let seed = seed(3);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    for round in 0..100 {
        let sheet = sheet(&mut random, false);
        let (given, error) = read_all(&segments(&mut random, &sheet.text), 1 << 20, 16);
        assert!(error.is_none(), "round {round}: {error:?}");
        let fields = |fields: Vec<Option<Vec<u8>>>| {
            fields.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()
        };
        let rows: Vec<_> = given.into_iter().map(|given| fields(given.fields)).collect();
        assert_eq!(rows, core_rows(&sheet.text), "round {round}");
    }
}

#[test]
fn the_first_fault_is_the_same_however_the_input_is_cut() {
    let seed = seed(4);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let mut faults = 0;
    for round in 0..200 {
        let mut sheet = sheet(&mut random, true);
        let behind = sheet.text.len() - sheet.header_bytes;
        if behind == 0 {
            continue;
        }
        let at = sheet.header_bytes + random.below(behind);
        sheet.text[at] = b"\",x\n"[random.below(4)];
        let (_, whole) = read_all(&segments(&mut random, &sheet.text), 1 << 20, 0);
        let room = 200 + random.below(1 << 14);
        let (_, cut) = read_all(&segments(&mut random, &sheet.text), room, 8);
        let (whole, cut) = (whole.map(|e| e.to_string()), cut.map(|e| e.to_string()));
        // A quote that is not closed, or a long record, may not fit.
        if !cut.as_ref().is_some_and(|sentence| sentence.contains("does not fit")) {
            assert_eq!(whole, cut, "round {round}, room {room}, byte {at}");
        }
        faults += usize::from(whole.is_some());
    }
    assert!(faults > 50, "only {faults} inputs had a fault: nothing was shown");
}
