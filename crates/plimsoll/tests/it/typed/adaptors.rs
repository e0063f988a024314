//! The operators as methods of an iterator.

use plimsoll::typed::BoundedIterator as _;
use plimsoll::{ErrorKind, Result};

use super::{Bench, KIB, random};

/// An iterator that may be asked for nothing but the next item, and once past its end fails.
struct OneShot(std::vec::IntoIter<u64>, bool);

impl Iterator for OneShot {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        assert!(!self.1, "asked again after the end");
        let next = self.0.next();
        self.1 = next.is_none();
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

fn one_shot(items: &[u64]) -> OneShot {
    OneShot(Vec::from(items).into_iter(), false)
}

#[test]
fn a_one_shot_iterator_of_unknown_length_is_enough() {
    let mut random = random();
    let items: Vec<u64> = (0..30_000).map(|_| random.bits() % 20_000).collect();
    let mut model = items.clone();
    model.sort_unstable();
    let bench = Bench::new(128 * KIB);
    let sorted = one_shot(&items).sorted_by_key(&bench.engine, |n| *n).unwrap();
    assert_eq!(sorted.collect::<Result<Vec<_>>>().unwrap(), model);
    model.dedup();
    let distinct = one_shot(&items).distinct(&bench.engine).unwrap();
    let mut distinct: Vec<u64> = distinct.collect::<Result<_>>().unwrap();
    distinct.sort_unstable();
    assert_eq!(distinct, model);
    let sum = |a: &mut u64, n: u64| *a += n;
    let groups = one_shot(&items).grouped_by(&bench.engine, |n| *n, sum, sum).unwrap();
    assert_eq!(groups.map(|group| group.unwrap().1).sum::<u64>(), items.iter().sum::<u64>());
    bench.assert_clean();
}

#[test]
fn chunks_by_bytes_hold_no_more_than_asked_and_lose_nothing() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let texts: Vec<String> = (0..5_000).map(|_| "x".repeat(random.below(300))).collect();
    let mut chunks = texts.clone().into_iter().chunks_by_bytes(&bench.engine, 4 * KIB).unwrap();
    assert_eq!(bench.budget.reserved_bytes(), 4 * KIB);
    let mut joined = Vec::new();
    for chunk in chunks.by_ref() {
        let chunk = chunk.unwrap();
        let heap: usize = chunk.iter().map(String::capacity).sum();
        assert!((heap + chunk.capacity() * size_of::<String>()) as u64 <= 4 * KIB);
        joined.extend(chunk);
    }
    assert_eq!(joined, texts);
    drop(chunks);
    let large = ["a".to_owned(), "x".repeat(5_000), "b".to_owned()];
    let mut chunks = large.into_iter().chunks_by_bytes(&bench.engine, 4 * KIB).unwrap();
    assert_eq!(chunks.next().unwrap().unwrap(), ["a"]);
    assert_eq!(chunks.next().unwrap().unwrap_err().kind(), ErrorKind::TooLarge);
    assert!(chunks.next().is_none());
    drop(chunks);
    bench.assert_clean();
}
