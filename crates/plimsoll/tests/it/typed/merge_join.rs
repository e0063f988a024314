//! Joining sorted inputs: the pairs of the hash join, of both inputs as they stream by.

use plimsoll::typed::{Join, JoinKind, MergeJoin};
use plimsoll::{Error, ErrorKind, Result};

use super::{Bench, KIB, MIB, random};

type Row = (u32, u64);
type Pairs = Vec<(Row, Option<Row>)>;

fn key(row: &Row) -> u32 {
    row.0
}

fn sorted(bench: &Bench, left: &[Row], right: &[Row], kind: JoinKind) -> Result<Pairs> {
    let (left, right) = (left.iter().copied().map(Ok), right.iter().copied().map(Ok));
    let joined = MergeJoin::new(&bench.engine, left, right, (key, key), kind)?;
    let within = |pair| {
        assert!(bench.budget.reserved_bytes() <= bench.engine.memory_bytes());
        pair
    };
    joined.map(within).collect()
}

fn hashed(left: &[Row], right: &[Row], kind: JoinKind) -> Pairs {
    let bench = Bench::new(16 * MIB);
    let mut join = Join::new(&bench.engine, key).unwrap();
    right.iter().for_each(|row| join.push(*row).unwrap());
    let pairs = join.probe(left.iter().copied().map(Ok), key, kind).unwrap();
    pairs.map(Result::unwrap).collect()
}

#[test]
fn sorted_inputs_give_the_pairs_of_the_hash_join() {
    let mut random = random();
    for round in 0..60 {
        let keys = [1, 3, 40, 5_000][round % 4];
        let mut rows = |most: usize| {
            let count = random.below(most);
            let row = |n| (u32::try_from(random.below(keys)).unwrap(), n);
            let mut rows: Vec<Row> = (0..count as u64).map(row).collect();
            rows.sort_by_key(key);
            rows
        };
        let (left, right) = (rows(60), rows(if round % 3 == 0 { 6_000 } else { 200 }));
        for kind in [JoinKind::Inner, JoinKind::Left] {
            let bench = Bench::new(128 * KIB);
            let found = sorted(&bench, &left, &right, kind).unwrap();
            assert!(found == hashed(&left, &right, kind), "round {round}, {kind:?}");
            bench.assert_clean();
        }
    }
}

#[test]
fn right_rows_of_one_key_beyond_the_memory_are_read_from_disk_for_each_left_row() {
    let bench = Bench::new(128 * KIB);
    let rows = |key: u32, count: u64| (0..count).map(move |n| (key, n));
    let right: Vec<Row> = rows(1, 3).chain(rows(5, 40_000)).chain(rows(6, 2)).collect();
    let left = [(0, 0), (1, 1), (5, 2), (5, 3), (6, 4), (7, 5)];
    let found = sorted(&bench, &left, &right, JoinKind::Left).unwrap();
    assert!(bench.engine.spill_stats().written_bytes > 0, "they are more than may be held");
    assert!(found == hashed(&left, &right, JoinKind::Left));
    bench.assert_clean();
    let many: Vec<Row> = (0..400_000).map(|n| (n, 0)).collect();
    let bench = Bench::new(128 * KIB);
    assert_eq!(sorted(&bench, &many, &many, JoinKind::Inner).unwrap().len(), many.len());
    bench.assert_untouched();
}

#[test]
fn a_row_out_of_order_is_an_error_that_names_it_and_the_end() {
    let bench = Bench::new(128 * KIB);
    let (good, bad) = ([(1, 0), (2, 0), (3, 0)], [(1, 0), (3, 0), (2, 0)]);
    for (left, right, side) in [(bad, good, "left"), (good, bad, "right")] {
        let (left, right) = (left.into_iter().map(Ok), right.into_iter().map(Ok));
        let joined = MergeJoin::new(&bench.engine, left, right, (key, key), JoinKind::Inner);
        let mut joined = joined.unwrap();
        let error = joined.find_map(Result::err).expect("an error");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(&format!("row 3 of the {side} one")), "{error}");
        assert!(joined.next().is_none(), "nothing comes after it");
    }
    bench.assert_clean();
}

#[test]
fn an_error_of_either_input_ends_the_pairs_and_neither_is_read_further_than_needed() {
    let bench = Bench::new(128 * KIB);
    for torn_left in [false, true] {
        let side = |torn: bool| {
            let error =
                move |n| if torn && n == 2 { Err(Error::invalid("torn")) } else { Ok((n, 0)) };
            (0..4_u32).map(error)
        };
        let (left, right) = (side(torn_left), side(!torn_left));
        let joined = MergeJoin::new(&bench.engine, left, right, (key, key), JoinKind::Inner);
        let items: Vec<Result<_>> = joined.unwrap().collect();
        assert_eq!(items.last().unwrap().as_ref().unwrap_err().to_string(), "torn");
        assert!(items[..items.len() - 1].iter().all(Result::is_ok));
    }
    let pulled = std::cell::Cell::new(0);
    let right = (0..1_000_u32).map(|n| {
        pulled.set(pulled.get() + 1);
        Ok((n, 0_u64))
    });
    let left = [(3_u32, 0_u64), (5, 0)].map(Ok).into_iter();
    let joined = MergeJoin::new(&bench.engine, left, right, (key, key), JoinKind::Inner).unwrap();
    assert_eq!(joined.count(), 2);
    assert_eq!(pulled.get(), 7, "up to the row behind the last key");
    bench.assert_clean();
}
