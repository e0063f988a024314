//! Runs, their index and the cuts found in it.

use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::expr::testing::Random;
use crate::sort::arena::{Arena, Sorted, prefix_of};
use crate::sort::run_writer::SortedRunWriter;
use crate::sort::{Merge, split};
use crate::spill::{Codec, SpillArea, SpillOptions, WriteLane};
use crate::storage::Disk;

const BLOCK: usize = 16 << 10;

struct Place {
    consumer: Consumer,
    _root: tempfile::TempDir,
    _area: SpillArea,
    file: Arc<SpillFile>,
}

impl Place {
    fn new() -> Self {
        let budget = Budget::new(256 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
        let root = tempfile::tempdir().unwrap();
        let options = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
        let area = SpillArea::open(Arc::new(Disk), root.path(), options).unwrap();
        let file = area.file("run").unwrap();
        Self { consumer: budget.consumer("test").unwrap(), _root: root, _area: area, file }
    }

    /// A run of these rows, which are sorted by their keys.
    fn run(&self, rows: &[(Vec<u8>, Vec<u8>)], codec: Codec, request: usize, n: u64) -> SortedRun {
        let mut lane = WriteLane::start(&self.consumer, request, 2, Codec::None).unwrap();
        let blocks = (BLOCK, request);
        let mut writer = SortedRunWriter::new(&self.file, codec, &self.consumer, blocks).unwrap();
        for (key, row) in rows {
            let extra = key.get(PREFIX_BYTES..).unwrap_or_default();
            let sorted = Sorted { prefix: prefix_of(key), extra, row };
            writer.push(&mut lane, sorted).unwrap();
        }
        writer.cut(&mut lane, (n, 0)).unwrap()
    }
}

/// Sorted rows under few different keys, one of them larger than a block.
fn rows(random: &mut Random, count: usize, keys: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = (0..count)
        .map(|n| {
            let key = format!("{:09}", random.below(keys)).into_bytes();
            let long = if n == count / 2 { 40_000 } else { 300 + random.below(400) };
            (key, n.to_string().repeat(long / 4).into_bytes())
        })
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    rows
}

#[test]
fn a_cut_stands_where_a_scan_of_all_rows_finds_it() {
    let mut random = Random::new(17);
    let place = Place::new();
    for (keys, codec, request) in
        [(1_000_000, Codec::None, 64 << 10), (7, Codec::None, BLOCK), (90, Codec::Lz4, 64 << 10)]
    {
        let rows = rows(&mut random, 9000, keys);
        let run = place.run(&rows, codec, request, 0);
        assert_eq!(run.rows(), 9000);
        assert!(run.shape.blocks > 101 || codec != Codec::None, "more than a page of entries");
        let mut index = IndexReader::new(&place.consumer).unwrap();
        let shape = run.reader_shape();
        let sizes = (shape.block_bytes, shape.plain_bytes);
        let mut reader = BlockReader::alone(&place.consumer, sizes, shape.codec).unwrap();
        let mut keys: Vec<u128> = (0..40)
            .map(|_| prefix_of(&rows[random.below(rows.len())].0) + random.below(2) as u128)
            .chain([0, u128::MAX])
            .collect();
        keys.sort_unstable();
        let cuts = run.cuts(&keys, &mut index, &mut reader).unwrap();
        for (key, cut) in keys.iter().zip(cuts) {
            let before = rows.iter().take_while(|(k, _)| prefix_of(k) < *key);
            let bytes: usize = before.map(|(_, row)| row.len()).sum();
            assert_eq!(cut.row_bytes, bytes as u64, "{key:x}");
            if cut.block < run.shape.blocks {
                let (entry, _) = index.entry(run.file(), cut.entry).unwrap();
                reader.load(run.file(), entry.place).unwrap();
                let record = RecordPlace::read(reader.payload(), cut.at).unwrap();
                assert!(record.prefix >= *key);
            }
        }
    }
}

#[test]
fn ranges_of_long_runs_are_all_rows_in_order() {
    let mut random = Random::new(18);
    let place = Place::new();
    let all: Vec<_> = (0..3).map(|_| rows(&mut random, 6000, 5000)).collect();
    let runs: Vec<Arc<SortedRun>> = (0..)
        .zip(&all)
        .map(|(n, rows)| Arc::new(place.run(rows, Codec::None, 64 << 10, n)))
        .collect();
    let mut model: Vec<(Vec<u8>, Vec<u8>)> = all.into_iter().flatten().collect();
    model.sort_by(|a, b| a.0.cmp(&b.0));
    for workers in [1, 2, 7] {
        let ranges = split(&runs, workers, &place.consumer).unwrap();
        assert_eq!(ranges.len(), workers);
        let mut expected = model.iter();
        let mut bytes = 0;
        for range in ranges {
            assert_eq!(range.row_bytes_before, bytes);
            bytes += range.row_bytes;
            let mut merge: Merge = range.merge(2, &place.consumer).unwrap();
            while let Some(sorted) = merge.next().unwrap() {
                let (key, row) = expected.next().unwrap();
                assert_eq!((sorted.prefix, sorted.row), (prefix_of(key), &row[..]));
            }
        }
        assert!(expected.next().is_none());
    }
}

#[test]
fn a_run_in_memory_is_the_same_few_bytes_whatever_its_length() {
    let mut random = Random::new(19);
    let place = Place::new();
    let before = place.consumer.held_bytes();
    for count in [10, 9000] {
        let rows = rows(&mut random, count, 5000);
        let run = place.run(&rows, Codec::None, 64 << 10, 0);
        assert_eq!(place.consumer.held_bytes() - before, RUN_BYTES as u64);
        drop(run);
    }
    assert_eq!(place.consumer.held_bytes(), before);
}

#[test]
fn a_run_that_is_given_back_leaves_nothing_in_its_file() {
    let mut random = Random::new(20);
    let place = Place::new();
    for codec in [Codec::None, Codec::Lz4] {
        let rows = rows(&mut random, 9000, 5000);
        let run = place.run(&rows, codec, 64 << 10, 0);
        assert!(place.file.live_bytes() > 1 << 20);
        let mut index = IndexReader::new(&place.consumer).unwrap();
        run.give_back(&mut index).unwrap();
        assert_eq!(place.file.live_bytes(), 0);
    }
}

#[test]
fn rows_of_an_arena_come_back_from_its_run() {
    let place = Place::new();
    let mut arena = Arena::new(&place.consumer, 1 << 20).unwrap();
    for n in 0..3000_u32 {
        assert!(arena.push(&(n % 7).to_be_bytes(), &n.to_le_bytes()));
    }
    arena.sort();
    let mut lane = WriteLane::start(&place.consumer, BLOCK, 1, Codec::None).unwrap();
    let blocks = (BLOCK, BLOCK);
    let mut writer =
        SortedRunWriter::new(&place.file, Codec::None, &place.consumer, blocks).unwrap();
    writer.push_all(&mut lane, &arena).unwrap();
    let run = Arc::new(writer.cut(&mut lane, (0, 0)).unwrap());
    let mut merge = Merge::of_runs(&[run], 1, &place.consumer).unwrap();
    for sorted in arena.iter() {
        assert_eq!(merge.next().unwrap(), Some(sorted));
    }
    assert_eq!(merge.next().unwrap(), None);
}
