//! Joining: the pairs of two nested loops.

use plimsoll::typed::{Join, JoinKind};
use plimsoll::{Error, ErrorKind};

use super::{Bench, KIB, MIB, random};

type Row = (u32, u64);

fn check(memory_bytes: u64, left: &[Row], right: &[Row], kind: JoinKind) -> u64 {
    let bench = Bench::new(memory_bytes);
    let mut join = Join::new(&bench.engine, |row: &Row| row.0).unwrap();
    for row in right {
        join.push(*row).unwrap();
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
    }
    let rows = left.iter().copied().map(Ok);
    let mut found = Vec::new();
    for pair in join.probe(rows, |row: &Row| row.0, kind).unwrap() {
        found.push(pair.unwrap());
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
    }
    let mut by_key = std::collections::HashMap::<u32, Vec<Row>>::new();
    right.iter().for_each(|row| by_key.entry(row.0).or_default().push(*row));
    let mut model = Vec::new();
    for row in left {
        let partners = by_key.get(&row.0);
        model.extend(partners.into_iter().flatten().map(|partner| (*row, Some(*partner))));
        if partners.is_none() && kind == JoinKind::Left {
            model.push((*row, None));
        }
    }
    let written = bench.engine.spill_stats().written_bytes;
    if written > 0 {
        // Left rows come part by part; the partners of one stay in order.
        found.sort_by_key(|pair| pair.0);
        model.sort_by_key(|pair| pair.0);
    }
    assert_eq!(found.len(), model.len());
    assert!(found == model, "other pairs, or in another order");
    bench.assert_clean();
    written
}

fn rows(count: usize, keys: usize, random: &mut plimsoll::expr::testing::Random) -> Vec<Row> {
    (0..count as u64).map(|n| (u32::try_from(random.below(keys)).unwrap(), n)).collect()
}

#[test]
fn pairs_equal_a_nested_loop_whatever_the_memory() {
    let mut random = random();
    for kind in [JoinKind::Inner, JoinKind::Left] {
        let (left, right) = (rows(8_000, 30_000, &mut random), rows(20_000, 20_000, &mut random));
        assert!(check(128 * KIB, &left, &right, kind) > 0);
        assert_eq!(check(8 * MIB, &left, &right, kind), 0);
        check(128 * KIB, &[], &right, kind);
        check(128 * KIB, &left, &[], kind);
    }
}

#[test]
fn one_key_with_more_rows_than_memory_is_joined_in_pieces() {
    let mut random = random();
    let mut right: Vec<Row> = (0..12_000).map(|n| (7, n)).collect();
    right.extend(rows(2_000, 100, &mut random));
    let left = [(7, 1_000_000), (7, 1_000_001), (99, 3), (200, 4)];
    for kind in [JoinKind::Inner, JoinKind::Left] {
        assert!(check(128 * KIB, &left, &right, kind) > 0);
    }
}

#[test]
fn left_rows_are_taken_one_by_one_while_the_right_side_is_in_memory() {
    let bench = Bench::new(MIB);
    let mut join = Join::new(&bench.engine, |row: &Row| row.0).unwrap();
    join.push((1, 1)).unwrap();
    let pulled = std::cell::Cell::new(0);
    let left = (0..10_u32).map(|n| {
        pulled.set(pulled.get() + 1);
        Ok((n, 0))
    });
    let mut pairs = join.probe(left, |row: &Row| row.0, JoinKind::Inner).unwrap();
    assert_eq!(pairs.next().unwrap().unwrap(), ((1, 0), Some((1, 1))));
    assert_eq!(pulled.get(), 2);
    drop(pairs);
    bench.assert_untouched();
}

#[test]
fn an_error_of_the_left_input_comes_out_and_ends_the_stream() {
    for right_rows in [1, 20_000] {
        let bench = Bench::new(128 * KIB);
        let mut join = Join::new(&bench.engine, |row: &Row| row.0).unwrap();
        (0..right_rows).for_each(|n| join.push((n, 0)).unwrap());
        let left = [Ok((0, 1)), Err(Error::invalid("torn")), Ok((0, 2))].into_iter();
        let mut pairs = join.probe(left, |row: &Row| row.0, JoinKind::Inner).unwrap();
        let results: Vec<_> = pairs.by_ref().collect();
        let error = results.last().unwrap().as_ref().unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, "torn"));
        assert!(pairs.next().is_none());
        drop(pairs);
        bench.assert_clean();
    }
}

#[test]
fn pairs_dropped_in_the_middle_leave_nothing() {
    let bench = Bench::new(128 * KIB);
    let mut join = Join::new(&bench.engine, |row: &Row| row.0).unwrap();
    (0..30_000).for_each(|n| join.push((n, 0)).unwrap());
    let left = (0..30_000).map(|n| Ok((n, 1)));
    let mut pairs = join.probe(left, |row: &Row| row.0, JoinKind::Inner).unwrap();
    for _ in 0..10 {
        assert!(pairs.next().unwrap().is_ok());
    }
    drop(pairs);
    bench.assert_clean();
}
