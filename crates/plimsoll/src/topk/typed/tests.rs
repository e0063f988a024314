//! Against a stable sort that takes the first k, and against the budget.

use std::cell::Cell;
use std::cmp::Reverse;
use std::sync::Arc;

use super::*;
use crate::budget::{Budget, Unmeasured};
use crate::error::{Error, ErrorKind};
use crate::expr::testing::Random;

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    println!("TEST_SEED={seed}");
    seed
}

fn consumer(cap_bytes: u64) -> Consumer {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured)).unwrap();
    budget.child("tests", cap_bytes).unwrap().consumer("top").unwrap()
}

/// Keys of several shapes, each with its position.
fn inputs(random: &mut Random, count: usize) -> Vec<Vec<(usize, usize)>> {
    let numbered = |keys: Vec<usize>| keys.into_iter().zip(0..).collect();
    vec![
        numbered((0..count).collect()),
        numbered((0..count).rev().collect()),
        numbered((0..count / 2).chain((0..count / 2).rev()).collect()),
        numbered(vec![7; count]),
        numbered((0..count).map(|_| random.below(count / 4 + 1)).collect()),
        numbered((0..count).map(|_| random.below(3)).collect()),
    ]
}

fn sorted_and_taken(mut input: Vec<(usize, usize)>, k: usize) -> Vec<(usize, usize)> {
    input.sort_by_key(|item| item.0);
    input.truncate(k);
    input
}

#[test]
fn the_k_smallest_are_those_of_a_stable_sort() {
    let mut random = Random::new(seed());
    let consumer = consumer(8 << 20);
    for count in [0, 1, 2, 7, 100, 3_000] {
        for input in inputs(&mut random, count) {
            for k in [0, 1, 2, 63, 64, 65, 500, 5_000] {
                let mut top = TopK::by_key(k, &consumer, |item: &(usize, usize)| item.0);
                for item in &input {
                    top.push(*item).unwrap();
                }
                let found = top.finish();
                assert_eq!(found.len(), k.min(input.len()));
                assert_eq!(found.collect::<Vec<_>>(), sorted_and_taken(input.clone(), k));
            }
        }
    }
    assert_eq!(consumer.held_bytes(), 0);
}

#[test]
fn an_order_that_prefers_the_later_of_equals_is_found() {
    let mut random = Random::new(seed());
    let consumer = consumer(8 << 20);
    let input = inputs(&mut random, 100).pop().unwrap();
    // The same comparison with the later of equal keys first: not what a stable sort gives.
    let unstable =
        |a: &(usize, usize), b: &(usize, usize)| (a.0, Reverse(a.1)).cmp(&(b.0, Reverse(b.1)));
    let mut top = TopK::by(50, &consumer, unstable);
    input.iter().for_each(|item| assert!(top.push(*item).is_ok()));
    assert_ne!(top.finish().collect::<Vec<_>>(), sorted_and_taken(input, 50));
}

#[test]
fn the_cutoff_is_the_kth_so_far_at_any_time() {
    let mut random = Random::new(seed());
    let consumer = consumer(8 << 20);
    let mut top = TopK::new(5, &consumer);
    let mut model: Vec<usize> = Vec::new();
    for _ in 0..500 {
        let item = random.below(1_000);
        let expected = top.cutoff().is_none_or(|cutoff| item < *cutoff);
        assert_eq!(top.push(item).unwrap(), expected);
        model.push(item);
        model.sort_unstable();
        assert_eq!(top.cutoff(), model.get(4));
    }
    assert_eq!(TopK::<u8, _>::new(0, &consumer).cutoff(), None);
}

#[test]
fn a_rejected_value_costs_one_comparison() {
    let consumer = consumer(8 << 20);
    let compared = Cell::new(0);
    let mut top = TopK::by(100, &consumer, |a: &u32, b: &u32| {
        compared.set(compared.get() + 1);
        a.cmp(b)
    });
    (0..100).for_each(|item| assert!(top.push(item).unwrap()));
    compared.set(0);
    (100..1_100).for_each(|item| assert!(!top.push(item).unwrap()));
    assert_eq!(compared.get(), 1_000);
}

#[test]
fn what_is_held_is_charged_and_given_back() {
    let consumer = consumer(8 << 20);
    let mut top = TopK::new(100, &consumer);
    for number in (0..1_000).rev() {
        top.push(format!("{number:>4000}").into_boxed_str()).unwrap();
        let texts = 4_000 * top.slots.len();
        let slots = top.slots.capacity() * size_of::<Slot<Box<str>>>();
        assert!(consumer.held_bytes() >= (texts + slots) as u64);
    }
    // One text more than k while it comes in, and a step of the reservation.
    assert!(consumer.held_bytes() < 4_000 * 101 + 100 * 32 + HEAP_STEP_BYTES);
    let mut smallest = top.finish();
    assert_eq!(smallest.next().unwrap().trim_start(), "0");
    assert!(consumer.held_bytes() >= 4_000 * 99);
    drop(smallest);
    assert_eq!(consumer.held_bytes(), 0);
    let mut dropped = TopK::new(10, &consumer);
    dropped.push(String::from("tea")).unwrap();
    drop(dropped);
    assert_eq!(consumer.held_bytes(), 0);
}

#[test]
fn a_budget_without_room_refuses_and_keeps_what_is_held() {
    let consumer = consumer(64 << 10);
    let mut top = TopK::new(1_000_000, &consumer);
    let refused = (0..100_000_u64).rev().find_map(|item| top.push(item).err()).unwrap();
    assert!(matches!(refused.cause, Cause::Budget(_)));
    assert_eq!(refused.k, 1_000_000);
    assert!(refused.to_string().contains("sort and take the first"), "{refused}");
    assert_eq!(Error::from(refused.clone()).kind(), ErrorKind::TooLarge);
    let held: Vec<u64> = top.finish().collect();
    assert_eq!(held.len(), refused.held);
    assert_eq!(held[held.len() - 1], 99_999);
    assert!(held.is_sorted());
}
