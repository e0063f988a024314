//! Grouping: the accumulators of a map in memory, for any number of keys.

use std::collections::BTreeMap;

use plimsoll::typed::GroupBy;
use plimsoll::{ErrorKind, Result};

use super::{Bench, KIB, MIB, random};

/// Counts and sums by key in `memory_bytes`; the model is a map.
fn check(memory_bytes: u64, rows: &[(u64, u64)]) -> u64 {
    let bench = Bench::new(memory_bytes);
    let mut groups = GroupBy::new(
        &bench.engine,
        |row: &(u64, u64)| row.0,
        |a: &mut (u64, u64), row| *a = (a.0 + 1, a.1.wrapping_add(row.1)),
        |a: &mut (u64, u64), later| *a = (a.0 + later.0, a.1.wrapping_add(later.1)),
    )
    .unwrap();
    let mut model = BTreeMap::new();
    for row in rows {
        groups.push(*row).unwrap();
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
        let entry: &mut (u64, u64) = model.entry(row.0).or_default();
        *entry = (entry.0 + 1, entry.1.wrapping_add(row.1));
    }
    let mut found = Vec::new();
    for group in groups.finish().unwrap() {
        found.push(group.unwrap());
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
    }
    found.sort_unstable();
    assert_eq!(found, model.into_iter().collect::<Vec<_>>());
    let written = bench.engine.spill_stats().written_bytes;
    bench.assert_clean();
    if written == 0 {
        bench.assert_untouched();
    }
    written
}

#[test]
fn groups_equal_a_map_whatever_the_memory_and_the_number_of_keys() {
    let mut random = random();
    for keys in [1, 10, 500, u64::MAX] {
        let rows: Vec<_> = (0..60_000).map(|_| (random.bits() % keys, random.bits())).collect();
        let spilled = check(128 * KIB, &rows);
        assert_eq!(spilled > 0, keys == u64::MAX, "{keys} keys");
        check(2 * MIB, &rows);
    }
    assert_eq!(check(8 * MIB, &[]), 0);
}

#[test]
fn every_row_its_own_group_is_dealt_out_again_until_it_fits() {
    let rows: Vec<_> = (0..200_000).map(|n| (n, 1)).collect();
    let spilled = check(128 * KIB, &rows);
    assert!(spilled > 2 * 200_000 * 3, "more than one level: {spilled}");
}

#[test]
fn accumulators_are_merged_in_the_order_of_the_input() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let mut groups = GroupBy::new(
        &bench.engine,
        |row: &(u32, u32)| row.0,
        |list: &mut Vec<u32>, row| list.push(row.1),
        |list: &mut Vec<u32>, later| list.extend(later),
    )
    .unwrap();
    let mut model: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for n in 0..60_000 {
        let key = u32::try_from(random.below(2_000)).unwrap();
        groups.push((key, n)).unwrap();
        model.entry(key).or_default().push(n);
    }
    let mut found: Vec<_> = groups.finish().unwrap().collect::<Result<_>>().unwrap();
    found.sort();
    assert_eq!(found, model.into_iter().collect::<Vec<_>>());
    assert!(bench.engine.spill_stats().written_bytes > 0);
    bench.assert_clean();
}

#[test]
fn one_group_of_more_records_than_memory_is_one_accumulator() {
    let rows: Vec<_> = (0..300_000).map(|n| (7, n)).collect();
    assert_eq!(check(128 * KIB, &rows), 0);
}

#[test]
fn an_accumulator_that_alone_is_too_large_is_refused_and_stays_refused() {
    let bench = Bench::new(128 * KIB);
    let mut groups = GroupBy::new(
        &bench.engine,
        |_: &u64| 0_u8,
        |list: &mut Vec<u64>, n| list.push(n),
        |list: &mut Vec<u64>, later| list.extend(later),
    )
    .unwrap();
    let error = (0..100_000).find_map(|n| groups.push(n).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("the largest is 4 KiB"), "{error}");
    assert!(groups.push(1).is_err() && groups.finish().is_err());
    bench.assert_clean();
}

#[test]
fn groups_dropped_in_the_middle_leave_nothing() {
    let bench = Bench::new(128 * KIB);
    let sum = |a: &mut u64, n: u64| *a += n;
    let mut groups = GroupBy::new(&bench.engine, |n: &u64| *n, sum, sum).unwrap();
    (0..50_000).for_each(|n| groups.push(n).unwrap());
    let mut stream = groups.finish().unwrap();
    assert!(stream.next().unwrap().is_ok());
    drop(stream);
    bench.assert_clean();
}

#[test]
fn a_limit_lowered_below_what_is_held_makes_groups_spill_and_go_on() {
    let bench = Bench::new(24 * MIB);
    let sum = |a: &mut u64, n: u64| *a += n;
    let mut groups = GroupBy::new(&bench.engine, |n: &u64| *n, sum, sum).unwrap();
    for n in 0..500_000 {
        if n == 250_000 {
            bench.budget.set_limit(13 * MIB).unwrap();
            assert!(bench.budget.reserved_bytes() > bench.budget.reservable_bytes());
        }
        groups.push(n).unwrap();
    }
    assert!(bench.budget.reserved_bytes() <= bench.budget.reservable_bytes());
    let total = groups.finish().unwrap().map(|group| group.unwrap().1).sum::<u64>();
    assert_eq!(total, (0..500_000).sum::<u64>());
    bench.assert_clean();
}
