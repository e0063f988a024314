//! Pairs against a nested loop, with tables so small that they are split and held in blocks.

use std::path::Path;

use super::super::emit::RowShape;
use super::super::plan::split_block_bytes;
use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::expr::testing::Random;
use crate::files::sink::Sink;
use crate::files::turns::Turns;
use crate::files::{Output, Tool};
use crate::spill::{SpillArea, SpillOptions};
use crate::storage::{Disk, Storage};

type Rows = Vec<(Vec<u8>, Vec<u8>)>;

/// The seed of this run; `TEST_SEED` replays another.
fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x6a01);
    println!("TEST_SEED={seed}");
    seed
}

/// Rows of which `heavy` in a hundred have one key.
fn rows(random: &mut Random, count: usize, keys: usize, heavy: usize, mark: &str) -> Rows {
    (0..count)
        .map(|n| {
            let key = if random.below(100) < heavy { 0 } else { random.below(keys) };
            let pad = "x".repeat(random.below(20));
            (format!("key{key}").into_bytes(), format!("{mark}{n}{pad}").into_bytes())
        })
        .collect()
}

fn model(kind: JoinKind, left: &Rows, right: &Rows) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut lines = Vec::new();
    for (key, piece) in left {
        let before = lines.len();
        let matches = right.iter().filter(|(other, _)| other == key);
        lines.extend(matches.map(|(_, other)| text(piece) + &text(other)));
        if lines.len() == before && kind == JoinKind::Left {
            lines.push(text(piece) + ",,");
        }
    }
    lines.sort();
    lines
}

fn part(rows: &Rows, file: &Arc<SpillFile>, consumer: &Consumer) -> Part {
    let block = 16 << 10;
    let mut lane = WriteLane::start(consumer, block, SPARES, Codec::None).unwrap();
    let one = Partitions::new(0, 1, file, consumer, block).unwrap();
    for (key, piece) in rows {
        one.push(&mut lane, one.hash(key), key, piece).unwrap();
    }
    one.finish(&mut lane).unwrap().remove(0)
}

/// The lines that come out, sorted, and the deepest split.
fn run(
    folder: &Path,
    kind: JoinKind,
    (left, right): (&Rows, &Rows),
    table_bytes: usize,
) -> Result<(Vec<String>, u32)> {
    let storage: Arc<dyn Storage> = Arc::new(Disk);
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let consumer = budget.consumer("pair")?;
    let watch = Watch::default();
    let spill = SpillOptions { memory_file_system: true, ..SpillOptions::default() };
    let area = SpillArea::open(Arc::clone(&storage), folder, spill)?;
    let file = area.file("pair")?;
    let tool = Tool {
        storage: &storage,
        spill_root: folder,
        spill,
        consumer: &consumer,
        workspace_bytes: 16 << 20,
        threads: 1,
        watch: &watch,
    };
    let path = folder.join("out");
    let output = Output::File { path: path.clone(), fsync: false };
    let turns = Turns::new(Sink::create(&output, &tool, 16 << 10)?, &watch);
    let rows = RowShape { line_end: b"\n", nulls: b",,".to_vec() };
    let shape = TableShape::within(table_bytes, table_bytes / 32, true);
    let mut joiner = PairJoiner {
        kind,
        shape,
        table: Table::new(shape, &consumer)?,
        emitter: Emitter::new(&rows, &turns, 64, &consumer)?,
        file: Arc::clone(&file),
        codec: Codec::None,
        split_block_bytes: split_block_bytes(16 << 10),
        consumer: &consumer,
        watch: &watch,
        levels: 0,
    };
    joiner.join(part(left, &file, &consumer), part(right, &file, &consumer), 1)?;
    joiner.emitter.flush()?;
    let (written, levels) = (joiner.emitter.rows, joiner.levels);
    drop(joiner);
    assert_eq!(file.live_bytes(), 0, "what was joined is given back to the disk");
    turns.into_sink().finish()?;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(written, lines.len() as u64);
    lines.sort();
    Ok((lines, levels))
}

#[test]
fn pairs_that_fit_no_table_come_out_as_a_nested_loop_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed());
    let mut deepest = 0;
    for round in 0..16 {
        let keys = [1, 5, 60, 400][round % 4];
        let heavy = [0, 0, 50, 95][round / 4 % 4];
        let counts = (random.below(300), random.below(300));
        let left = rows(&mut random, counts.0, keys, heavy, "l");
        let right = rows(&mut random, counts.1, keys * 2, heavy, ",r");
        for kind in [JoinKind::Inner, JoinKind::Left] {
            for table_bytes in [700, 2_000, 1 << 20] {
                let (found, levels) =
                    run(folder.path(), kind, (&left, &right), table_bytes).unwrap();
                assert_eq!(found, model(kind, &left, &right), "round {round}, {table_bytes}");
                assert!(table_bytes < 1 << 20 || levels == 0);
                deepest = deepest.max(levels);
            }
        }
    }
    assert!(deepest > 1, "no split was split");
}

#[test]
fn the_comparison_finds_a_row_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(7);
    let left = rows(&mut random, 50, 10, 0, "l");
    let right = rows(&mut random, 50, 10, 0, ",r");
    let fewer = right[1..].to_vec();
    let (found, _) = run(folder.path(), JoinKind::Left, (&left, &fewer), 2_000).unwrap();
    assert_ne!(found, model(JoinKind::Left, &left, &right));
}

#[test]
fn a_row_that_fits_no_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long: Rows = vec![(b"key".to_vec(), vec![b'x'; 3_000]); 2];
    let refused = run(folder.path(), JoinKind::Inner, (&long, &long), 1_000).unwrap_err();
    assert_eq!(refused.kind(), crate::ErrorKind::TooLarge);
    assert!(refused.to_string().starts_with("joining a row of "), "{refused}");
}
