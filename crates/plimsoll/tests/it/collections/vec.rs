//! A vector agrees with `Vec`, whatever its thresholds.

use plimsoll::collections::{SpillVec, Spillable};
use plimsoll::expr::testing::Random;
use plimsoll::spill::SpillOptions;
use plimsoll::{ErrorKind, Result};

use super::{CODECS, Place, seed, text, told};

fn agree<T: Spillable + Clone + PartialEq + std::fmt::Debug>(vec: &SpillVec<T>, model: &[T]) {
    assert_eq!(vec.len(), model.len() as u64);
    let all = vec.iter().unwrap().collect::<Result<Vec<T>>>().unwrap();
    assert!(all == model, "iteration of {} elements differs", model.len());
}

fn random_operations<T: Spillable + Clone + PartialEq + std::fmt::Debug>(
    place: &Place,
    seed: u64,
    mut element: impl FnMut(&mut Random) -> T,
) {
    let mut random = told(seed);
    let items = 1 + random.below(300);
    let mut vec = SpillVec::builder()
        .memory_items(items)
        .memory_bytes(64 << 10)
        .build(&place.area, &place.consumer)
        .unwrap();
    let mut model = Vec::new();
    for _ in 0..120 {
        match random.below(10) {
            0..4 => {
                let more: Vec<T> = (0..random.below(1_000)).map(|_| element(&mut random)).collect();
                model.extend(more.iter().cloned());
                vec.extend(more).unwrap();
            }
            4 => {
                for _ in 0..random.below(400) {
                    assert_eq!(vec.pop().unwrap(), model.pop());
                }
            }
            5 => {
                let len = random.below(model.len() + 10);
                vec.truncate(len as u64).unwrap();
                model.truncate(len);
            }
            6 if random.below(6) == 0 => {
                let drained = vec.drain().unwrap().collect::<Result<Vec<T>>>().unwrap();
                assert!(drained == std::mem::take(&mut model));
                assert!(vec.is_empty() && !vec.is_spilled());
            }
            7 => agree(&vec, &model),
            _ => {
                for _ in 0..50 {
                    let at = random.below(model.len() + 2);
                    assert_eq!(vec.get(at as u64).unwrap().as_ref(), model.get(at));
                }
            }
        }
        assert_eq!(vec.len(), model.len() as u64);
    }
    agree(&vec, &model);
    drop(vec);
    place.assert_given_back();
}

#[test]
fn numbers_agree_with_a_plain_vector() {
    for codec in CODECS {
        let place = Place::with(64 << 20, SpillOptions { codec, ..SpillOptions::default() });
        for round in 0..6 {
            random_operations(&place, seed() + round, |random| random.bits() >> 40);
        }
    }
}

#[test]
fn a_codec_makes_spilled_texts_smaller() {
    let [plain, packed] = CODECS.map(|codec| {
        let place = Place::with(64 << 20, SpillOptions { codec, ..SpillOptions::default() });
        let builder = SpillVec::builder().memory_items(100);
        let mut vec = builder.build(&place.area, &place.consumer).unwrap();
        vec.extend((0..100_000).map(|n| format!("a watering can, number {n:08}"))).unwrap();
        assert!(vec.is_spilled());
        place.area.stats().used_bytes
    });
    assert!(packed < plain / 2, "{packed} of {plain}");
}

#[test]
fn texts_agree_with_a_plain_vector_also_those_larger_than_a_block() {
    for codec in CODECS {
        let place = Place::with(64 << 20, SpillOptions { codec, ..SpillOptions::default() });
        random_operations(&place, seed(), text);
    }
}

#[test]
fn elements_without_bytes_are_counted_all_the_same() {
    let place = Place::new();
    random_operations(&place, seed(), |_| [0_u8; 0]);
}

#[test]
fn below_both_thresholds_not_one_byte_is_written() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_items(1_000).memory_bytes(8_000);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend(0..1_000_u64).unwrap();
    agree(&vec, &(0..1_000).collect::<Vec<_>>());
    assert!(!vec.is_spilled());
    assert_eq!(place.area.stats(), Default::default());
    assert!(place.consumer.held_bytes() >= 8_000, "elements in memory are reserved");
    vec.push(1_000).unwrap();
    assert!(vec.is_spilled(), "one more passes the threshold");
    agree(&vec, &(0..=1_000).collect::<Vec<_>>());
}

#[test]
fn the_threshold_in_bytes_counts_what_elements_own() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_bytes(100_000);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    for _ in 0..9 {
        vec.push("x".repeat(10_000)).unwrap();
    }
    assert!(!vec.is_spilled());
    assert!(place.consumer.held_bytes() >= 90_000);
    vec.push("x".repeat(10_000)).unwrap();
    assert!(vec.is_spilled(), "ten texts and their own sizes are above 100 000 B");
}

#[test]
fn a_budget_that_refuses_more_makes_the_vector_spill_early() {
    let place = Place::with(16 << 20, SpillOptions::default());
    let builder = SpillVec::builder().memory_bytes(1 << 40);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend(0..3_000_000_u64).unwrap();
    assert!(vec.is_spilled());
    assert!(vec.iter().unwrap().map(Result::unwrap).eq(0..3_000_000));
    drop(vec);
    place.assert_given_back();
}

#[test]
fn an_element_that_the_budget_cannot_hold_is_refused_and_the_rest_stays() {
    let place = Place::with(16 << 20, SpillOptions::default());
    let builder = SpillVec::builder().memory_items(2);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend((0..4).map(|n| n.to_string())).unwrap();
    vec.push("x".repeat(2 << 20)).unwrap();
    let error = vec.push("x".repeat(12 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{error}");
    vec.push("5".to_owned()).unwrap();
    assert_eq!(vec.len(), 6);
    assert_eq!(vec.get(4).unwrap().unwrap().len(), 2 << 20);
    assert_eq!(vec.get(5).unwrap().as_deref(), Some("5"));
}

#[test]
fn a_full_quota_is_an_error_and_what_was_in_memory_stays() {
    let options = SpillOptions { quota_bytes: Some(100 << 10), ..SpillOptions::default() };
    let place = Place::with(64 << 20, options);
    let builder = SpillVec::builder().memory_items(20_000).memory_bytes(1 << 20);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend(0..20_000_u64).unwrap();
    let error = vec.push(20_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    agree(&vec, &(0..20_000).collect::<Vec<_>>());
}

#[test]
fn truncating_and_draining_give_the_disk_back() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_items(10);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend(0..8_000_000_u64).unwrap();
    let full = place.area.stats().used_bytes;
    vec.truncate(4_000_000).unwrap();
    assert!(place.area.stats().used_bytes < full * 6 / 10);
    let mut drain = vec.drain().unwrap();
    assert!(drain.by_ref().take(3_000_000).map(Result::unwrap).eq(0..3_000_000));
    assert!(place.area.stats().used_bytes < full * 3 / 10, "places go back on the way");
    drop(drain);
    drop(vec);
    place.assert_given_back();
}

#[test]
fn reading_takes_three_buffers_of_a_chunk_and_two_where_there_is_no_room_for_three() {
    let place = Place::new();
    let memory = 1 << 20;
    let builder = SpillVec::builder().memory_bytes(memory);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    (0..1_000_000_u64).for_each(|n| vec.push(n).unwrap());
    let (chunk, sector) = (memory / 16, 4 << 10);
    let before = place.consumer.held_bytes();
    for (buffers, room) in [(3, u64::MAX), (2, 2 * (chunk + sector) + (9 << 10))] {
        let left = place.budget.reservable_bytes() - place.budget.reserved_bytes();
        let _others = place.consumer.try_reserve(left.saturating_sub(room)).unwrap();
        let others = place.consumer.held_bytes() - before;
        let mut elements = vec.iter().unwrap();
        let held = place.consumer.held_bytes() - before - others;
        assert_eq!(held, buffers * (chunk + sector) + (8 << 10), "and 8 KiB of decoded ones");
        assert!(elements.by_ref().map(Result::unwrap).eq(0..1_000_000), "{buffers} buffers");
        assert!(elements.next().is_none());
    }
    drop(vec);
    place.assert_given_back();
}

#[test]
fn several_threads_read_at_once() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_items(10);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend((0..200_000_u64).map(|n| (n, n.wrapping_mul(n)))).unwrap();
    let vec = &vec;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut random = Random::new(seed() + thread);
                for _ in 0..2_000 {
                    let n = random.below(200_000) as u64;
                    assert_eq!(vec.get(n).unwrap(), Some((n, n.wrapping_mul(n))));
                }
                assert_eq!(vec.iter().unwrap().map(Result::unwrap).count(), 200_000);
            });
        }
    });
}

#[test]
fn a_block_that_changed_on_disk_is_refused() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_items(10);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.extend(0..100_000_u64).unwrap();
    assert_eq!(vec.iter().unwrap().count(), 100_000, "all of it is on disk now");
    let file = std::fs::read_dir(place.area.directory()).unwrap();
    let file = file.map(|entry| entry.unwrap().path()).find(|path| !path.ends_with("owner"));
    let file = std::fs::OpenOptions::new().write(true).open(file.unwrap()).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"other", 70_000).unwrap();
    let error = vec.iter().unwrap().find_map(Result::err).expect("one block differs");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert_eq!(vec.get(10_000).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(vec.get(1).unwrap(), Some(1), "other blocks are not touched");
}

/// Announces one byte more than it writes.
#[derive(Clone, Debug, PartialEq)]
struct Liar;

impl Spillable for Liar {
    fn encoded_bytes(&self) -> usize {
        3
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(b"li");
        Ok(())
    }

    fn decode(_: &mut &[u8]) -> Option<Self> {
        Some(Self)
    }
}

#[test]
fn an_element_that_contradicts_itself_is_refused() {
    let place = Place::new();
    let builder = SpillVec::builder().memory_items(1);
    let mut vec = builder.build(&place.area, &place.consumer).unwrap();
    vec.push(Liar).unwrap();
    let error = vec.push(Liar).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    agree(&vec, &[Liar]);
}
