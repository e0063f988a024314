//! Blocks that are not what was written are refused, never read.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use plimsoll::ErrorKind;
use plimsoll::spill::{Codec, Run, SpillArea};
use plimsoll::storage::testing::{Call, Fault};

use super::{BLOCK, CODECS, Place, bytes, random, refused, spilled_file};

/// A run of one block, and its file opened behind its owner's back.
struct Block {
    place: Place,
    _area: SpillArea,
    run: Arc<Run>,
    file: File,
    whole: Vec<u8>,
    records: Vec<Vec<u8>>,
    /// Behind the last byte that is not filling.
    end: usize,
}

const HEADER: usize = 32;

impl Block {
    fn new(codec: Codec) -> Self {
        let place = Place::new();
        let area = place.plain();
        let mut random = random(4);
        let records: Vec<Vec<u8>> = (0..60).map(|n| bytes(&mut random, n * 7)).collect();
        let run = place.write(&area.file("run").unwrap(), codec, &records).unwrap();
        assert_eq!(run.blocks().len(), 1);
        let path = spilled_file(&area);
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut whole = vec![0; run.blocks()[0].bytes as usize];
        file.read_exact_at(&mut whole, 0).unwrap();
        let stored = u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
        Self { place, _area: area, run, file, whole, records, end: HEADER + stored }
    }

    fn assert_refused(&self, damaged: &[u8], how: &str) {
        self.file.write_all_at(damaged, 0).unwrap();
        let error = refused(self.place.read(&self.run));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{how}: {error}");
        assert!(error.to_string().contains("at byte 0"), "{how}: {error}");
    }

    fn assert_whole(&self) {
        self.file.write_all_at(&self.whole, 0).unwrap();
        assert!(self.place.read(&self.run).unwrap() == self.records);
    }
}

#[test]
fn every_bit_of_a_header_and_any_of_the_rest_is_missed() {
    for codec in CODECS {
        let block = Block::new(codec);
        let mut random = random(5);
        let header = 0..HEADER * 8;
        let rest = (block.end - HEADER) * 8;
        let sampled: Vec<usize> = (0..300).map(|_| HEADER * 8 + random.below(rest)).collect();
        for bit in header.chain(sampled).chain([block.end * 8 - 1]) {
            let mut damaged = block.whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            block.assert_refused(&damaged, &format!("{codec:?}, bit {bit}"));
        }
        block.assert_whole();
    }
}

#[test]
fn a_bit_of_the_filling_changes_nothing() {
    let block = Block::new(Codec::None);
    assert!(block.end < block.whole.len(), "there is filling");
    for at in block.end..block.whole.len() {
        let mut damaged = block.whole.clone();
        damaged[at] = 0xff;
        block.file.write_all_at(&damaged, 0).unwrap();
        if at % 64 == 0 {
            assert!(block.place.read(&block.run).unwrap() == block.records, "byte {at}");
        }
    }
}

#[test]
fn a_torn_block_is_refused() {
    for codec in CODECS {
        let block = Block::new(codec);
        let early = 0..64;
        let late = block.end - 40..block.end;
        for length in early.chain((64..block.end).step_by(97)).chain(late) {
            // What was not written reads as zeros, or as what was there before.
            for filling in [0, 0xa5] {
                let mut torn = block.whole.clone();
                torn[length..].fill(filling);
                if torn[..block.end] != block.whole[..block.end] {
                    block.assert_refused(&torn, &format!("{codec:?}, torn at {length}"));
                }
            }
        }
        block.assert_whole();
    }
}

#[test]
fn a_file_that_was_cut_is_refused() {
    let block = Block::new(Codec::None);
    for length in [0, 1, 31, 32, 4095, 4096, block.whole.len() - 1] {
        block.file.set_len(length as u64).unwrap();
        let error = refused(block.place.read(&block.run));
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length}: {error}");
    }
    block.assert_whole();
}

#[test]
fn a_damaged_write_is_noticed_when_it_is_read() {
    for codec in CODECS {
        for fault in [Fault::Flip(8 * 40 + 3), Fault::Flip(8 * 2000), Fault::Tear] {
            let place = Place::new();
            let area = place.plain();
            let records: Vec<Vec<u8>> = (0..300).map(|_| bytes(&mut random(6), 299)).collect();
            place.disk.at(Some(Call::Write), 2, fault.clone());
            let run = place.write(&area.file("run").unwrap(), codec, &records).unwrap();
            assert_eq!(place.disk.fired(), [Call::Write]);
            let damaged = run.blocks()[1].bytes as usize;
            if matches!(fault, Fault::Flip(16_000)) && damaged < 4096 {
                continue;
            }
            match place.read(&run) {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
                // The bit was filling behind what compression left.
                Ok(read) => assert!(codec != Codec::None && read == records, "{codec:?} {fault:?}"),
            }
        }
    }
}

#[test]
fn a_block_of_another_place_is_refused() {
    let place = Place::new();
    let (one, other) = (place.plain(), place.plain());
    // Same sizes and numbers of records, so that nothing but the tag tells them apart.
    let made = |area: &SpillArea, letter: u8| {
        let records = vec![vec![letter; 1000]; 60];
        place.write(&area.file("run").unwrap(), Codec::None, &records).unwrap()
    };
    let (first, second) = (made(&one, b'a'), made(&other, b'b'));
    assert_eq!(first.blocks()[..3], second.blocks()[..3]);
    let open = |area| OpenOptions::new().read(true).write(true).open(spilled_file(area)).unwrap();
    let (ours, theirs) = (open(&one), open(&other));
    let (mut kept, mut block) = (vec![0; BLOCK], vec![0; BLOCK]);
    ours.read_exact_at(&mut kept, 0).unwrap();

    theirs.read_exact_at(&mut block, 0).unwrap();
    ours.write_all_at(&block, 0).unwrap();
    let error = refused(place.read(&first));
    assert_eq!(error.kind(), ErrorKind::Corrupt, "another area's: {error}");
    assert!(error.to_string().contains("belongs to another place"), "{error}");

    let offset = first.blocks()[1].offset;
    ours.read_exact_at(&mut block, offset).unwrap();
    ours.write_all_at(&block, 0).unwrap();
    let error = refused(place.read(&first));
    assert_eq!(error.kind(), ErrorKind::Corrupt, "the file's own second: {error}");
    assert!(error.to_string().contains("belongs to another place"), "{error}");

    ours.write_all_at(&kept, 0).unwrap();
    assert_eq!(place.read(&first).unwrap().len(), 60);
}
