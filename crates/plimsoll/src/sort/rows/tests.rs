//! Sorting rows equals an in-memory model, in any workspace.

use std::sync::Arc;

use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::expr::testing::Random;
use crate::storage::Disk;

fn sorter(root: &Path, workspace_bytes: u64) -> (Budget, RowSorter) {
    let budget = Budget::new(256 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
    let consumer = budget.consumer("sort").unwrap();
    let options = SpillOptions::default();
    let sorter = RowSorter::new(Arc::new(Disk), root, options, consumer, workspace_bytes).unwrap();
    (budget, sorter)
}

/// Sorts `rows` both ways and compares; returns whether anything was spilled.
fn equals_model(rows: &[(Vec<u8>, Vec<u8>)], workspace_bytes: u64) -> bool {
    let root = tempfile::tempdir().unwrap();
    let (budget, mut sorter) = sorter(root.path(), workspace_bytes);
    for (key, row) in rows {
        sorter.push(key, row).unwrap();
    }
    let spilled = !sorter.runs.is_empty();
    let mut model: Vec<&(Vec<u8>, Vec<u8>)> = rows.iter().collect();
    model.sort_by_key(|(key, _)| key);
    let mut sorted = sorter.finish().unwrap();
    for (n, (_, row)) in model.iter().enumerate() {
        assert_eq!(sorted.next().unwrap(), Some(&row[..]), "row {n}");
    }
    assert_eq!(sorted.next().unwrap(), None);
    drop(sorted);
    assert_eq!(budget.reserved_bytes(), 0);
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left behind");
    spilled
}

/// A key no other of these is a prefix of: bytes without zeros, ended by one.
fn key(random: &mut Random, letters: usize, length_max: usize) -> Vec<u8> {
    let length = random.below(length_max + 1);
    let mut key: Vec<u8> =
        (0..length).map(|_| u8::try_from(1 + random.below(letters)).unwrap()).collect();
    key.push(0);
    key
}

#[test]
fn sorting_equals_a_model_for_short_long_and_shared_keys() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|t| t.parse().ok()).unwrap_or(0x5eed_u64);
    println!("TEST_SEED={seed}");
    for round in 0..12_u64 {
        let mut random = Random::new(seed.wrapping_add(round));
        let letters = [2, 200][random.below(2)];
        let length = [3, 15, 16, 40][random.below(4)];
        let beginning = vec![7; [0, 5, 30][random.below(3)]];
        let rows: Vec<(Vec<u8>, Vec<u8>)> = (0..30_000_u32)
            .map(|n| {
                let key = [&beginning[..], &key(&mut random, letters, length)].concat();
                let mut row = n.to_le_bytes().to_vec();
                row.resize(4 + random.below(150), 0);
                (key, row)
            })
            .collect();
        assert!(equals_model(&rows, 1 << 20), "spilled");
        assert!(!equals_model(&rows, 64 << 20), "fits");
    }
}

#[test]
fn a_full_list_of_runs_is_merged_while_rows_are_pushed() {
    let root = tempfile::tempdir().unwrap();
    let (budget, mut sorter) = sorter(root.path(), 1 << 20);
    sorter.plan.runs_max = 3;
    let mut random = Random::new(9);
    let mut model = Vec::new();
    for n in 0..300_000_u32 {
        let (key, row) = (key(&mut random, 3, 6), n.to_le_bytes());
        sorter.push(&key, &row).unwrap();
        assert!(sorter.runs.len() < 3);
        model.push((key, row));
    }
    assert!(sorter.runs_made > 6, "{}", sorter.runs_made);
    model.sort_by(|a, b| a.0.cmp(&b.0));
    let mut sorted = sorter.finish().unwrap();
    for (_, row) in &model {
        assert_eq!(sorted.next().unwrap(), Some(&row[..]));
    }
    assert_eq!(sorted.next().unwrap(), None);
    drop(sorted);
    assert_eq!(budget.reserved_bytes(), 0);
}
