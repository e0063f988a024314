//! Against a stable sort that takes the first k, in workspaces that compact often or refuse.

use std::sync::Arc;

use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::expr::testing::Random;

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    println!("TEST_SEED={seed}");
    seed
}

fn consumer() -> Consumer {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
    budget.child("tests", 4 << 20).unwrap().consumer("top").unwrap()
}

/// Big-endian keys of several shapes, and rows of many lengths that tell where they stood.
fn inputs(random: &mut Random, count: usize) -> Vec<Vec<([u8; 4], Vec<u8>)>> {
    let shapes: Vec<Vec<usize>> = vec![
        (0..count).collect(),
        (0..count).rev().collect(),
        (0..count / 2).chain((0..count / 2).rev()).collect(),
        vec![7; count],
        (0..count).map(|_| random.below(count / 4 + 1)).collect(),
        (0..count).map(|_| random.below(3)).collect(),
    ];
    let mut row = |(number, key): (usize, usize)| {
        let row = format!("{number}{}", "-".repeat(random.below(50))).into_bytes();
        (u32::try_from(key).unwrap().to_be_bytes(), row)
    };
    shapes.into_iter().map(|keys| keys.into_iter().enumerate().map(&mut row).collect()).collect()
}

/// The `k` smallest of `input` against the first `k` of `model`, stably sorted.
fn check(
    input: &[([u8; 4], Vec<u8>)],
    model: &[([u8; 4], Vec<u8>)],
    (k, workspace): (usize, usize),
    consumer: &Consumer,
) -> Result<(), String> {
    let mut top = Rows::new(k, workspace, consumer).unwrap();
    for (key, row) in input {
        top.push(key, row).unwrap();
    }
    let mut model: Vec<_> = model.iter().map(|(key, row)| (&key[..], &row[..])).collect();
    model.sort_by_key(|row| row.0);
    model.truncate(k);
    let found = top.finish();
    if found.len() != model.len() {
        return Err(format!("{} rows where the model has {}", found.len(), model.len()));
    }
    match found.iter().zip(model).position(|(found, model)| found != model) {
        None => Ok(()),
        Some(place) => Err(format!("row {place} of {k} is another one")),
    }
}

#[test]
fn the_check_finds_a_row_too_few_another_order_and_another_row() {
    let consumer = consumer();
    let row = |key: u32, row: &str| (key.to_be_bytes(), row.as_bytes().to_vec());
    let input = [row(2, "two"), row(1, "one"), row(1, "another one"), row(3, "three")];
    let shape = (3, 4_000);
    assert_eq!(check(&input, &input, shape, &consumer), Ok(()));
    assert!(check(&input[..2], &input, shape, &consumer).unwrap_err().starts_with("2 rows"));
    let mut model = input.clone();
    model.swap(1, 2);
    let unstable = check(&input, &model, shape, &consumer);
    assert_eq!(unstable.unwrap_err(), "row 0 of 3 is another one");
    model = input.clone();
    model[0].1 = b"zwei".to_vec();
    let other = check(&input, &model, shape, &consumer);
    assert_eq!(other.unwrap_err(), "row 2 of 3 is another one");
}

#[test]
fn the_k_smallest_are_those_of_a_stable_sort() {
    let mut random = Random::new(seed());
    let consumer = consumer();
    for count in [0, 1, 2, 50, 2_000] {
        for input in inputs(&mut random, count) {
            for shape in
                [(0, 4_000), (1, 1_000), (2, 1_000), (20, 4_000), (300, 60_000), (5_000, 400_000)]
            {
                let checked = check(&input, &input, shape, &consumer);
                assert_eq!(checked, Ok(()), "{count} rows, {shape:?}");
            }
        }
    }
    assert_eq!(consumer.held_bytes(), 0);
}

#[test]
fn the_cutoff_never_rejects_one_of_the_k_smallest_and_falls_to_the_kth() {
    let mut random = Random::new(seed());
    let consumer = consumer();
    let mut top = Rows::new(10, 8_000, &consumer).unwrap();
    let mut model = Vec::new();
    let mut rejected = 0;
    for pushed in 0..20_000 {
        let key = random.bits().to_be_bytes();
        assert_eq!(top.cutoff().is_some(), pushed >= 10);
        let kept = top.push(&key, b"row").unwrap();
        rejected += usize::from(!kept);
        model.push(key);
        model.sort_unstable();
        model.truncate(10);
        assert!(kept || !model.contains(&key));
        if let (Some(cutoff), Some(tenth)) = (top.cutoff(), model.get(9)) {
            assert!(cutoff >= &tenth[..], "the cutoff is below the tenth");
        }
    }
    // About 10 (1 + ln 2000) rows are among the ten smallest when they come.
    assert!(rejected > 19_700, "{rejected}");
}

#[test]
fn falling_keys_compact_once_for_k_rows() {
    let consumer = consumer();
    let mut top = Rows::new(1_000, 1 << 20, &consumer).unwrap();
    let mut compactions = 0;
    for key in (0..100_000_u32).rev() {
        let before = top.table.len();
        assert!(top.push(&key.to_be_bytes(), b"row").unwrap());
        compactions += usize::from(top.table.len() < before);
    }
    assert_eq!(compactions, 98);
    assert_eq!(consumer.held_bytes(), 1 << 20);
    assert!(top.arena.capacity() + top.table.capacity() * size_of::<Entry>() <= 1 << 20);
}

#[test]
fn equal_keys_of_a_rejected_row_keep_the_first() {
    let consumer = consumer();
    let mut top = Rows::new(2, 1_000, &consumer).unwrap();
    assert!(top.push(b"a", b"1").unwrap() && top.push(b"a", b"2").unwrap());
    assert!(!top.push(b"a", b"3").unwrap());
    let smallest = top.finish();
    assert_eq!((smallest.len(), smallest.is_empty()), (2, false));
    assert!(smallest.iter().map(|(_, row)| row).eq([b"1", b"2"]));
}

#[test]
fn rows_that_do_not_fit_are_refused_and_the_held_ones_stay() {
    let consumer = consumer();
    let mut top = Rows::new(100, 4_000, &consumer).unwrap();
    let row = [b'x'; 100];
    let refused =
        (0..100_u8).rev().find_map(|key| top.push(&[key], &row).err()).expect("10 KB in 4 KB");
    assert_eq!(refused.cause, Cause::Workspace { workspace_bytes: 4_000, row_bytes: 101 });
    assert!(refused.to_string().contains("sort and take the first"), "{refused}");
    let held = top.finish();
    assert_eq!(held.len(), refused.held);
    assert!(held.len() > 20);
    let first = 100 - u8::try_from(held.len()).unwrap();
    assert!(held.iter().map(|(key, _)| key[0]).eq(first..100));
}

#[test]
fn one_row_larger_than_the_workspace_is_refused() {
    let consumer = consumer();
    let mut top = Rows::new(3, 1_000, &consumer).unwrap();
    assert!(top.push(b"a", b"fits").unwrap());
    assert!(top.push(b"b", &[0; 2_000]).is_err());
    assert!(top.push(b"c", b"fits too").unwrap());
    assert_eq!(top.finish().len(), 2);
}

#[test]
fn a_workspace_beyond_the_budget_is_refused_before_it_is_allocated() {
    let consumer = consumer();
    let Err(refused) = Rows::new(10, 5 << 20, &consumer) else { panic!("4 MiB are the cap") };
    assert!(matches!(refused.cause, Cause::Budget(_)));
    assert_eq!(consumer.held_bytes(), 0);
}

#[test]
fn bytes_come_back_on_drop() {
    let consumer = consumer();
    let mut top = Rows::new(10, 4_000, &consumer).unwrap();
    top.push(b"key", b"row").unwrap();
    assert_eq!(consumer.held_bytes(), 4_000);
    let smallest = top.finish();
    assert_eq!(consumer.held_bytes(), 4_000);
    drop(smallest);
    assert_eq!(consumer.held_bytes(), 0);
}
