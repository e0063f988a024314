//! A queue agrees with `VecDeque`, whatever its thresholds.

use std::collections::VecDeque;

use plimsoll::ErrorKind;
use plimsoll::collections::{SpillQueue, Spillable};
use plimsoll::expr::testing::Random;
use plimsoll::spill::SpillOptions;

use super::{CODECS, Place, seed, text, told};

fn random_operations<T: Spillable + Clone + PartialEq + std::fmt::Debug>(
    place: &Place,
    seed: u64,
    mut element: impl FnMut(&mut Random) -> T,
) {
    let mut random = told(seed);
    let builder = SpillQueue::builder().memory_items(random.below(300)).memory_bytes(64 << 10);
    let mut queue = builder.build(&place.area, &place.consumer).unwrap();
    let mut model = VecDeque::new();
    for _ in 0..150 {
        // At times more goes in than out, at times it runs empty.
        let count = random.below(20_000) * (1 + random.below(2));
        if random.below(2) == 0 {
            for _ in 0..count / 2 {
                let element = element(&mut random);
                model.push_back(element.clone());
                queue.push_back(element).unwrap();
            }
        } else {
            for _ in 0..count {
                let popped = queue.pop_front().unwrap();
                assert!(popped == model.pop_front(), "the order differs");
                if popped.is_none() {
                    break;
                }
            }
        }
        assert_eq!(queue.len(), model.len() as u64);
    }
    drop(queue);
    place.assert_given_back();
}

#[test]
fn numbers_agree_with_a_plain_queue() {
    for codec in CODECS {
        let place = Place::with(64 << 20, SpillOptions { codec, ..SpillOptions::default() });
        for round in 0..3 {
            random_operations(&place, seed() + round, |random| random.bits());
        }
    }
}

#[test]
fn texts_agree_with_a_plain_queue_also_those_larger_than_a_block() {
    let place = Place::new();
    random_operations(&place, seed(), text);
}

#[test]
fn a_queue_that_stays_short_never_touches_the_disk() {
    let place = Place::new();
    let builder = SpillQueue::builder().memory_items(100);
    let mut queue = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..50_000_u64 {
        queue.push_back(n).unwrap();
        if n >= 99 {
            assert_eq!(queue.pop_front().unwrap(), Some(n - 99));
        }
    }
    assert!(!queue.is_spilled());
    assert_eq!(place.area.stats(), Default::default());
}

#[test]
fn what_has_been_popped_goes_back_to_the_disk_and_an_empty_queue_to_memory() {
    let place = Place::new();
    let builder = SpillQueue::builder().memory_items(100);
    let mut queue = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..4_000_000_u64 {
        queue.push_back(n).unwrap();
    }
    let full = place.area.stats().used_bytes;
    assert!(full > 28_000_000);
    for n in 0..3_600_000 {
        assert_eq!(queue.pop_front().unwrap(), Some(n));
    }
    assert!(place.area.stats().used_bytes < full / 2);
    while queue.pop_front().unwrap().is_some() {}
    assert!(!queue.is_spilled());
    assert_eq!(place.area.stats().used_bytes, 0);
}

#[test]
fn an_element_that_the_budget_cannot_hold_is_refused_and_the_rest_stays() {
    let place = Place::with(16 << 20, SpillOptions::default());
    let builder = SpillQueue::builder().memory_items(1);
    let mut queue = builder.build(&place.area, &place.consumer).unwrap();
    queue.push_back("first".to_owned()).unwrap();
    queue.push_back("second".to_owned()).unwrap();
    let error = queue.push_back("x".repeat(12 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{error}");
    assert_eq!(queue.pop_front().unwrap().as_deref(), Some("first"));
    assert_eq!(queue.pop_front().unwrap().as_deref(), Some("second"));
    assert_eq!(queue.pop_front().unwrap(), None);
}
