//! Distinct: each record once, the first ones at once.

use std::collections::HashSet;

use plimsoll::typed::Distinct;
use plimsoll::{ErrorKind, Result};

use super::{Bench, KIB, MIB, random};

fn check(memory_bytes: u64, records: &[String]) -> (usize, usize) {
    let bench = Bench::new(memory_bytes);
    let mut distinct = Distinct::new(&bench.engine).unwrap();
    let (mut at_once, mut seen, mut order) = (Vec::new(), HashSet::new(), Vec::new());
    for record in records {
        at_once.extend(distinct.push(record.clone()).unwrap());
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
        if seen.insert(record.clone()) {
            order.push(record.clone());
        }
    }
    assert_eq!(at_once, order[..at_once.len()], "first occurrences, in order");
    let mut late = Vec::new();
    for record in distinct.finish().unwrap() {
        late.push(record.unwrap());
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
    }
    let counts = (at_once.len(), late.len());
    let mut all = [at_once, late].concat();
    all.sort();
    order.sort();
    assert_eq!(all, order);
    let written = bench.engine.spill_stats().written_bytes;
    assert_eq!(written == 0, counts.1 == 0);
    bench.assert_clean();
    if written == 0 {
        bench.assert_untouched();
    }
    counts
}

#[test]
fn distinct_records_equal_a_set_whatever_the_memory() {
    let mut random = random();
    for kinds in [3, 2_000, 1_000_000] {
        let records: Vec<String> =
            (0..40_000).map(|_| format!("record {}", random.below(kinds))).collect();
        let (at_once, late) = check(128 * KIB, &records);
        assert!(at_once > 0 && (late > 0) == (kinds > 3), "{at_once} {late}");
        assert_eq!(check(16 * MIB, &records).1, 0);
    }
    assert_eq!(check(128 * KIB, &[]), (0, 0));
}

#[test]
fn what_was_given_out_is_known_even_when_its_memory_is_needed_for_something_else() {
    let bench = Bench::new(128 * KIB);
    let mut distinct = Distinct::new(&bench.engine).unwrap();
    let mut given = 0;
    // Many blocks on disk: their lists grow into the memory of what was given out.
    for n in (0..150_000_u64).chain(0..5_000) {
        given += usize::from(distinct.push(n).unwrap().is_some());
    }
    assert!(given > 0);
    let late: HashSet<u64> = distinct.finish().unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(given + late.len(), 150_000);
    bench.assert_clean();
}

#[test]
fn a_record_beyond_its_share_is_refused() {
    let bench = Bench::new(128 * KIB);
    let mut distinct = Distinct::new(&bench.engine).unwrap();
    let error = distinct.push("x".repeat(150_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    drop(distinct);
    bench.assert_clean();
}
