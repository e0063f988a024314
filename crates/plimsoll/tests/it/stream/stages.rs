//! What stages give and what they ask for.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use plimsoll::stream::Stream;
use plimsoll::typed::JoinKind;
use plimsoll::{Error, ErrorKind};

use super::super::typed::{Bench, KIB, MIB, random};
use super::{all, counted};

#[test]
fn take_pulls_exactly_as_many_items_as_it_gives() {
    let bench = Bench::new(MIB);
    for k in [0, 1, 7, 100] {
        let (stream, pulled) = counted(&bench.engine, 50);
        let taken = all(&stream.take(k));
        assert_eq!(taken.len(), k.min(50));
        assert_eq!(pulled.load(Ordering::SeqCst), k.min(50));
    }
}

#[test]
fn nothing_is_read_before_the_end_asks() {
    let bench = Bench::new(MIB);
    let (stream, pulled) = counted(&bench.engine, 1_000);
    let stages = stream.map(|n| n + 1).filter(|n| n % 2 == 0).sort_by_key(|n| *n);
    assert_eq!(pulled.load(Ordering::SeqCst), 0);
    assert_eq!(stages.count().unwrap(), 500);
    assert_eq!(pulled.load(Ordering::SeqCst), 1_000);
}

#[test]
fn a_source_is_opened_anew_for_each_epoch() {
    let bench = Bench::new(MIB);
    let (stream, pulled) = counted(&bench.engine, 100);
    let batches = stream.batch(32);
    for epoch in 1..=3 {
        let sizes: Vec<usize> = all(&batches).iter().map(Vec::len).collect();
        assert_eq!(sizes, [32, 32, 32, 4]);
        assert_eq!(pulled.load(Ordering::SeqCst), epoch * 100);
    }
}

#[test]
fn an_iterator_read_twice_is_an_error_and_not_an_empty_stream() {
    let bench = Bench::new(MIB);
    let stream = Stream::from_iter(&bench.engine, 0..3_u64);
    assert_eq!(all(&stream), [0, 1, 2]);
    let error = stream.count().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("from_source"), "{error}");
}

#[test]
fn stages_give_what_those_of_an_iterator_give() {
    let bench = Bench::new(MIB);
    let (stream, _) = counted(&bench.engine, 1_000);
    assert_eq!(all(&stream.clone().skip(990)), (990..1_000).collect::<Vec<_>>());
    assert_eq!(all(&stream.clone().take_while(|n| *n != 5)), [0, 1, 2, 3, 4]);
    assert_eq!(all(&stream.clone().drop_while(|n| *n != 998)), [998, 999]);
    assert_eq!(all(&stream.clone().take(3).flat_map(|n| 0..n)), [0, 0, 1]);
    let refused =
        stream.clone().try_map(|n| if n == 2 { Err(Error::invalid("two")) } else { Ok(n) });
    assert_eq!(refused.iter().filter(Result::is_err).count(), 1);
    assert_eq!(stream.reduce(|a, b| a + b).unwrap(), Some(499_500));
    assert_eq!(stream.clone().take(0).reduce(|a, b| a + b).unwrap(), None);
    let mut sum = 0;
    stream
        .for_each(|n| {
            sum += n;
            Ok(())
        })
        .unwrap();
    assert_eq!(sum, 499_500);
}

#[test]
fn windows_slide_by_their_step_and_a_part_at_the_end_is_none() {
    let bench = Bench::new(MIB);
    for (size, step) in [(3, 1), (3, 3), (2, 5), (4, 2), (11, 1)] {
        let (stream, _) = counted(&bench.engine, 10);
        let items: Vec<u64> = (0..10).collect();
        let model: Vec<Vec<u64>> = items.windows(size).step_by(step).map(<[u64]>::to_vec).collect();
        assert_eq!(all(&stream.window(size, step)), model, "{size} {step}");
    }
    bench.assert_clean();
}

#[test]
fn chunks_end_at_their_bytes_and_are_reserved() {
    let bench = Bench::new(MIB);
    let mut random = random();
    let texts: Vec<String> = (0..2_000).map(|_| "x".repeat(random.below(200))).collect();
    let stream = Stream::from_iter(&bench.engine, texts.clone()).chunk_bytes(2_000);
    let mut joined = Vec::new();
    for chunk in &stream {
        let chunk = chunk.unwrap();
        let bytes: usize = chunk.iter().map(|text| text.len() + size_of::<String>()).sum();
        assert!(bytes <= 2_000 && bench.budget.reserved_bytes() >= bytes as u64);
        joined.extend(chunk);
    }
    assert_eq!(joined, texts);
    bench.assert_clean();
}

#[test]
fn a_chunk_that_the_budget_has_no_room_for_is_refused() {
    let bench = Bench::new(MIB);
    let (stream, _) = counted(&bench.engine, 20_000_000);
    let error = stream.chunk(20_000_000).iter().next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfBudget);
    bench.assert_clean();
}

#[test]
fn sort_distinct_group_and_join_spill_and_equal_the_model() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let items: Vec<u64> = (0..20_000).map(|_| random.bits() % 12_000).collect();
    let source = items.clone();
    let stream = Stream::from_source(&bench.engine, move || Ok(source.clone().into_iter().map(Ok)));
    let mut model = items.clone();
    model.sort_unstable();
    assert_eq!(all(&stream.clone().sort()), model);
    let kinds: HashSet<u64> = items.iter().copied().collect();
    let distinct = all(&stream.clone().distinct());
    assert_eq!(distinct.len(), kinds.len());
    assert_eq!(distinct.into_iter().collect::<HashSet<_>>(), kinds);
    let count = |n: &mut u64, _| *n += 1;
    let groups = stream.clone().group_by(|n| *n, count, |n: &mut u64, more| *n += more);
    assert_eq!(all(&groups).len(), kinds.len());
    let (right, _) = counted(&bench.engine, 6_000);
    let pairs = stream.clone().join(right.clone(), |n| *n, |n| *n, JoinKind::Left);
    let matched = items.iter().filter(|n| **n < 6_000).count();
    let mut found = all(&pairs);
    let merged = stream.sort().join_sorted(right, |n| *n, |n| *n, JoinKind::Left);
    found.sort_unstable();
    assert!(all(&merged) == found, "a join of sorted sides gives the same pairs");
    drop(merged);
    assert_eq!(found.len(), items.len());
    assert_eq!(found.iter().filter(|pair| pair.1.is_some()).count(), matched);
    assert!(bench.engine.spill_stats().written_bytes > 0);
    drop(pairs);
    bench.assert_clean();
}

#[test]
fn an_error_passes_every_stage_to_the_end() {
    let bench = Bench::new(MIB);
    let torn = Stream::from_source(&bench.engine, || {
        Ok((0..10_u64).map(|n| if n == 4 { Err(Error::corrupt("torn")) } else { Ok(n) }))
    });
    let ends = [
        torn.clone().map(|n| n).count().map(|_| ()),
        torn.clone().sort().count().map(|_| ()),
        torn.clone().distinct().count().map(|_| ()),
        torn.clone().chunk(3).count().map(|_| ()),
        torn.clone().window(2, 1).count().map(|_| ()),
        torn.clone().drop_while(|_| true).count().map(|_| ()),
        torn.collect_within(KIB).map(|_| ()),
    ];
    for end in ends {
        assert_eq!(end.unwrap_err().to_string(), "torn");
    }
    let sizes: Vec<Option<usize>> = torn.chunk(3).iter().map(|c| c.ok().map(|c| c.len())).collect();
    assert_eq!(sizes, [Some(3), Some(1), None, Some(3), Some(2)]);
}

#[test]
fn collecting_stops_at_its_bound_and_what_is_collected_stays_reserved() {
    let bench = Bench::new(MIB);
    let (stream, _) = counted(&bench.engine, 1_000);
    let error = stream.collect_within(KIB).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert_eq!(bench.budget.reserved_bytes(), 0);
    let collected = stream.collect_within(10 * KIB).unwrap();
    assert_eq!(collected.len(), 1_000);
    assert!(bench.budget.reserved_bytes() >= 8_000);
    drop(collected);
    bench.assert_clean();
}
