//! Random memory, random sizes of records, random numbers of keys: every operator against a model.

use std::collections::{BTreeMap, HashMap};

use plimsoll::Result;
use plimsoll::expr::testing::Random;
use plimsoll::typed::{Distinct, GroupBy, Join, JoinKind, Sorter};

use super::{Bench, KIB, random};

type Row = (u32, String);

/// A memory, and rows whose largest just fit a 32nd of it.
fn round(random: &mut Random) -> (u64, Vec<Row>) {
    let memory = 128 * KIB + random.bits() % (400 * KIB);
    let text_max = usize::try_from(memory / 32 - 80).unwrap();
    let (keys, large) = (1 + random.below(3_000), 1 + random.below(400));
    let rows = (0..random.below(6_000))
        .map(|_| {
            let bytes = if random.below(large) == 0 { text_max } else { 40 };
            let key = u32::try_from(random.below(keys)).unwrap();
            (key, "x".repeat(random.below(bytes)))
        })
        .collect();
    (memory, rows)
}

#[test]
fn random_rounds_of_sorting_equal_the_model() {
    let mut random = random();
    for number in 0..12 {
        let (memory, mut rows) = round(&mut random);
        let bench = Bench::new(memory);
        let mut sorter = Sorter::by_key(&bench.engine, |row: &Row| row.0).unwrap();
        for row in &rows {
            sorter.push(row.clone()).unwrap();
            assert!(bench.budget.reserved_bytes() <= memory);
        }
        rows.sort_by_key(|row| row.0);
        let sorted = sorter.finish().unwrap().collect::<Result<Vec<_>>>().unwrap();
        assert!(sorted == rows, "round {number} in {memory} B");
        bench.assert_clean();
    }
}

#[test]
fn random_rounds_of_grouping_equal_the_model() {
    let mut random = random();
    for number in 0..12 {
        let (memory, rows) = round(&mut random);
        let bench = Bench::new(memory);
        let mut groups = GroupBy::new(
            &bench.engine,
            |row: &Row| (row.0, row.1.len() % 50),
            |longest: &mut String, row| {
                if row.1.len() > longest.len() {
                    *longest = row.1;
                }
            },
            |longest: &mut String, later| {
                if later.len() > longest.len() {
                    *longest = later;
                }
            },
        )
        .unwrap();
        let mut model = BTreeMap::<(u32, usize), String>::new();
        for row in rows {
            groups.push(row.clone()).unwrap();
            assert!(bench.budget.reserved_bytes() <= memory);
            let longest = model.entry((row.0, row.1.len() % 50)).or_default();
            if row.1.len() > longest.len() {
                *longest = row.1;
            }
        }
        let found: BTreeMap<_, _> = groups.finish().unwrap().collect::<Result<_>>().unwrap();
        assert!(found == model, "round {number} in {memory} B");
        bench.assert_clean();
    }
}

#[test]
fn random_rounds_of_telling_apart_equal_the_model() {
    let mut random = random();
    for number in 0..12 {
        let (memory, mut rows) = round(&mut random);
        let bench = Bench::new(memory);
        let mut distinct = Distinct::new(&bench.engine).unwrap();
        let mut found = Vec::new();
        for row in &rows {
            found.extend(distinct.push(row.clone()).unwrap());
            assert!(bench.budget.reserved_bytes() <= memory);
        }
        found.extend(distinct.finish().unwrap().map(Result::unwrap));
        found.sort();
        rows.sort();
        rows.dedup();
        assert!(found == rows, "round {number} in {memory} B");
        bench.assert_clean();
    }
}

#[test]
fn random_rounds_of_joining_equal_the_model() {
    let mut random = random();
    for number in 0..12 {
        let (memory, right) = round(&mut random);
        let left: Vec<Row> = (0..random.below(300))
            .map(|n| (u32::try_from(random.below(3_200)).unwrap(), n.to_string()))
            .collect();
        let kind = if random.below(2) == 0 { JoinKind::Inner } else { JoinKind::Left };
        let mut model = HashMap::<&Row, Vec<&Row>>::new();
        for row in &left {
            model.insert(row, right.iter().filter(|partner| partner.0 == row.0).collect());
        }
        let bench = Bench::new(memory);
        let mut join = Join::new(&bench.engine, |row: &Row| row.0).unwrap();
        for row in &right {
            join.push(row.clone()).unwrap();
            assert!(bench.budget.reserved_bytes() <= memory);
        }
        let rows = left.clone().into_iter().map(Ok);
        let mut found = HashMap::<Row, Vec<Option<Row>>>::new();
        for pair in join.probe(rows, |row: &Row| row.0, kind).unwrap() {
            let (row, partner) = pair.unwrap();
            found.entry(row).or_default().push(partner);
            assert!(bench.budget.reserved_bytes() <= memory);
        }
        for (row, partners) in model {
            let found = found.remove(row).unwrap_or_default();
            if partners.is_empty() {
                let alone = if kind == JoinKind::Left { vec![None] } else { vec![] };
                assert!(found == alone, "round {number} in {memory} B");
            } else {
                let same = found.iter().map(Option::as_ref).eq(partners.iter().copied().map(Some));
                assert!(same, "round {number} in {memory} B");
            }
        }
        assert!(found.is_empty());
        bench.assert_clean();
    }
}
