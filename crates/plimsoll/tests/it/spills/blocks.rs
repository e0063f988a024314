//! A run comes back byte for byte, from any codec and through a disk that reads little at a time.

use plimsoll::ErrorKind;
use plimsoll::spill::SpillOptions;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault};

use super::{BLOCK, CODECS, Place, bytes, random, refused};

/// Header of a block, and the length of a record of a block's size.
const AROUND: usize = 32 + 3;

#[test]
fn a_run_comes_back_byte_for_byte() {
    let place = Place::new();
    let area = place.plain();
    let mut random = random(1);
    for codec in CODECS {
        for round in 0..4 {
            let mut records = Vec::new();
            for _ in 0..400 {
                let length = match random.below(40) {
                    0 => BLOCK + random.below(3 * BLOCK),
                    // The writer keeps five bytes for a length, whatever it takes.
                    1 => BLOCK - AROUND - 4 + random.below(9),
                    2..8 => 0,
                    8..16 => 126 + random.below(4),
                    _ => random.below(300),
                };
                records.push(bytes(&mut random, length));
            }
            let file = area.file("run").unwrap();
            let run = place.write(&file, codec, &records).unwrap();
            assert_eq!(run.records(), records.len() as u64);
            assert!(place.read(&run).unwrap() == records, "{codec:?}, round {round}");
            assert!(place.read(&run).unwrap() == records, "a second reading");
            drop(run);
            assert_eq!(file.live_bytes(), 0, "a dropped run gives its place back");
        }
    }
    assert_eq!(area.stats().used_bytes, 0);
    drop(area);
    place.assert_nothing_left();
}

#[test]
fn every_codec_makes_full_blocks_of_text_smaller() {
    let place = Place::new();
    let area = place.plain();
    let row = |n: u32| format!("sku-{n:08},Garden,a watering can,{}.99,2026-11-21", n % 100);
    let records: Vec<Vec<u8>> = (0..20_000).map(|n| row(n).into_bytes()).collect();
    let on_disk = CODECS.map(|codec| {
        let run = place.write(&area.file("run").unwrap(), codec, &records).unwrap();
        assert!(run.blocks().len() > 50, "{codec:?}: {} blocks", run.blocks().len());
        assert!(place.read(&run).unwrap() == records, "{codec:?}");
        run.disk_bytes()
    });
    let [plain, packed @ ..] = on_disk;
    assert!(packed.iter().all(|&bytes| bytes < plain / 2), "{plain} {packed:?}");
}

#[test]
fn a_record_of_any_length_around_a_block_comes_back() {
    let place = Place::new();
    let area = place.plain();
    let mut random = random(2);
    for codec in CODECS {
        for length in (BLOCK - 60..BLOCK + 20).chain([0, 1, 127, 128, 16_383, 16_384, 2 << 20]) {
            let record = bytes(&mut random, length);
            let records = [vec![7], record, Vec::new()];
            let run = place.write(&area.file("run").unwrap(), codec, &records).unwrap();
            assert!(place.read(&run).unwrap() == records, "{codec:?}, {length} bytes");
        }
    }
}

#[test]
fn a_run_of_nothing_and_of_empty_records_comes_back() {
    let place = Place::new();
    let area = place.plain();
    for codec in CODECS {
        let file = area.file("run").unwrap();
        for records in [Vec::new(), vec![Vec::new(); 40_000]] {
            let run = place.write(&file, codec, &records).unwrap();
            assert!(place.read(&run).unwrap() == records);
        }
    }
}

#[test]
fn short_reads_give_the_same_bytes() {
    let place = Place::new();
    let mut random = random(3);
    let records: Vec<Vec<u8>> = (0..300).map(|n| bytes(&mut random, n)).collect();
    let area = place.plain();
    let run = place.write(&area.file("run").unwrap(), CODECS[0], &records).unwrap();
    for most in [1000, 4096, 4097] {
        place.disk.shorten_reads(most);
        let before = place.disk.calls(Some(Call::Read));
        assert!(place.read(&run).unwrap() == records, "{most} bytes at a time");
        let reads = place.disk.calls(Some(Call::Read)) - before;
        assert!(reads > run.blocks().len() as u64, "{reads}");
    }
}

#[test]
fn a_quota_that_is_reached_is_told_and_given_back() {
    let place = Place::new();
    let quota = 4 * BLOCK as u64;
    let area = place.area(SpillOptions { quota_bytes: Some(quota), ..Default::default() }).unwrap();
    let file = area.file("run").unwrap();
    let records = vec![vec![1; 1000]; 200];
    let error = refused(place.write(&file, CODECS[0], &records));
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert!(error.to_string().contains("64 KiB"), "{error}");
    assert!(area.stats().peak_bytes <= quota, "{:?}", area.stats());
    drop(file);
    assert_eq!(area.stats().used_bytes, 0);
    let run = place.write(&area.file("run").unwrap(), CODECS[0], &records[..40]).unwrap();
    assert!(place.read(&run).unwrap() == records[..40]);
    drop((run, area));
    place.assert_nothing_left();
}

#[test]
fn a_failing_disk_is_told_by_writing_and_by_reading() {
    let records = vec![vec![1; 1000]; 100];
    for (call, number) in
        [(Call::Write, ENOSPC), (Call::Write, EIO), (Call::Create, EIO), (Call::Read, EIO)]
    {
        for nth in 1..=3 {
            let place = Place::new();
            let area = place.plain();
            let first = if call == Call::Create { 1 } else { nth };
            place.disk.at(Some(call), first, Fault::Errno(number));
            let done = area.file("run").and_then(|file| {
                let run = place.write(&file, CODECS[0], &records)?;
                place.read(&run)
            });
            let error = refused(done);
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert_eq!(place.disk.fired(), [call]);
            if number == ENOSPC {
                assert!(error.to_string().contains("are free there"), "{error}");
            }
            drop(area);
            place.assert_nothing_left();
        }
    }
}

#[test]
fn a_disk_that_cannot_promise_much_room_is_asked_for_less() {
    let place = Place::new();
    let area = place.plain();
    let records = vec![vec![1; 1000]; 100];
    place.disk.at(Some(Call::Allocate), 1, Fault::Errno(ENOSPC));
    let run = place.write(&area.file("run").unwrap(), CODECS[0], &records).unwrap();
    assert!(place.read(&run).unwrap() == records);
    for nth in 1..=2 {
        place.disk.at(Some(Call::Allocate), nth, Fault::Errno(ENOSPC));
    }
    let error = refused(place.write(&area.file("run").unwrap(), CODECS[0], &records));
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    drop((run, area));
    place.assert_nothing_left();
}
