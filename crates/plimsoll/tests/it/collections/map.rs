//! A map agrees with `HashMap`, whatever its thresholds.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use plimsoll::collections::{SpillMap, Spillable};
use plimsoll::expr::testing::Random;
use plimsoll::spill::SpillOptions;
use plimsoll::{ErrorKind, Result};

use super::{Place, seed, told};

fn agree<K, V>(map: &SpillMap<K, V>, model: &HashMap<K, V>)
where
    K: Spillable + Eq + Hash + Debug,
    V: Spillable + Clone + PartialEq + Debug,
{
    assert_eq!(map.len(), model.len() as u64);
    let mut seen = HashMap::new();
    for item in map.iter().unwrap() {
        let (key, value) = item.unwrap();
        assert!(model.get(&key) == Some(&value), "an item that was not put in");
        assert!(seen.insert(key, value).is_none(), "a key came twice");
    }
    assert_eq!(seen.len(), model.len());
}

fn random_operations<K, V>(
    place: &Place,
    seed: u64,
    key: impl Fn(&mut Random) -> K,
    value: impl Fn(&mut Random) -> V,
    change: impl Fn(&mut V),
) where
    K: Spillable + Eq + Hash + Debug + Clone,
    V: Spillable + Clone + PartialEq + Debug,
{
    let mut random = told(seed);
    let builder = SpillMap::builder().memory_items(random.below(300));
    let builder = builder.memory_bytes(1_000 + random.below(40_000) as u64);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    let mut model = HashMap::new();
    for _ in 0..6_000 {
        let k = key(&mut random);
        match random.below(100) {
            0..40 => {
                let v = value(&mut random);
                let new = model.insert(k.clone(), v.clone()).is_none();
                assert_eq!(map.insert(k, v).unwrap(), new);
            }
            40..60 => assert!(map.get(&k).unwrap().as_ref() == model.get(&k)),
            60..70 => assert_eq!(map.contains(&k).unwrap(), model.contains_key(&k)),
            70..85 => assert_eq!(map.remove(&k).unwrap(), model.remove(&k).is_some()),
            85..98 => {
                let there = model.get_mut(&k).map(&change).is_some();
                assert_eq!(map.update(&k, &change).unwrap(), there);
            }
            98 => {
                let fraction = random.below(5) as f64 / 4.0;
                map.evict_cold_items(fraction).unwrap();
            }
            _ if random.below(10) == 0 => agree(&map, &model),
            _ if random.below(60) == 0 => {
                map.clear().unwrap();
                model.clear();
            }
            _ => {}
        }
        assert_eq!(map.len(), model.len() as u64);
    }
    agree(&map, &model);
    drop(map);
    place.assert_given_back();
}

#[test]
fn numbers_agree_with_a_plain_map() {
    let place = Place::new();
    for round in 0..6 {
        let key = |random: &mut Random| random.below(2_000) as u64;
        random_operations(&place, seed() + round, key, Random::bits, |v| *v = v.wrapping_add(1));
    }
}

#[test]
fn texts_agree_with_a_plain_map_also_those_larger_than_a_page() {
    let place = Place::new();
    for round in 0..3 {
        let key = |random: &mut Random| format!("key {}", random.below(800));
        let value = |random: &mut Random| match random.below(300) {
            0 => "x".repeat(random.below(200_000)),
            1..20 => "y".repeat(random.below(9_000)),
            _ => "z".repeat(random.below(100)),
        };
        random_operations(&place, seed() + round, key, value, |v| v.push('!'));
    }
}

/// A map with `items` numbers, of which memory holds a thousand.
fn filled(place: &Place, items: u64) -> SpillMap<u64, [u64; 8]> {
    let builder = SpillMap::builder().memory_items(1_000);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..items {
        assert!(map.insert(n, [n; 8]).unwrap());
    }
    map
}

#[test]
fn below_both_thresholds_not_one_byte_is_written() {
    let place = Place::new();
    let mut map = filled(&place, 1_000);
    assert_eq!(place.area.stats(), Default::default());
    assert!(place.consumer.held_bytes() >= 1_000 * 72, "items in memory are reserved");
    map.insert(1_000, [0; 8]).unwrap();
    assert!(place.area.stats().written_bytes > 0, "one more passes the threshold");
}

#[test]
fn the_threshold_in_bytes_counts_what_items_own() {
    let place = Place::new();
    let builder = SpillMap::builder().memory_bytes(100_000);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..9_u32 {
        map.insert(n, "x".repeat(10_000)).unwrap();
    }
    assert_eq!(place.area.stats().written_bytes, 0);
    map.insert(9, "x".repeat(10_000)).unwrap();
    assert!(place.area.stats().written_bytes > 0);
    assert!(map.stats().hot_bytes <= 100_000);
}

#[test]
fn reading_writes_nothing_and_keeps_within_the_threshold() {
    let place = Place::new();
    let map = filled(&place, 20_000);
    let before = place.area.stats();
    let mut random = Random::new(seed());
    for _ in 0..50_000 {
        let n = random.below(40_000) as u64;
        assert_eq!(map.get(&n).unwrap(), (n < 20_000).then_some([n; 8]));
        assert!(map.stats().hot_items <= 1_000);
    }
    let after = place.area.stats();
    assert_eq!(after.written_bytes, before.written_bytes);
    assert_eq!(after.used_bytes, before.used_bytes);
    assert_eq!(map.stats().hits + map.stats().misses, 50_000);
}

#[test]
fn what_is_read_often_is_read_from_memory() {
    let place = Place::new();
    let map = filled(&place, 20_000);
    for n in 0..100 {
        map.get(&n).unwrap();
    }
    let misses = map.stats().misses;
    for n in (0..100).cycle().take(1_000) {
        map.get(&n).unwrap();
    }
    assert_eq!(map.stats().misses, misses);
}

#[test]
fn an_update_keeps_an_item_in_memory_while_others_go() {
    let place = Place::new();
    let mut map = filled(&place, 900);
    for n in 900..40_000 {
        assert!(map.update(&7, |value| value[0] += 1).unwrap());
        map.insert(n, [n; 8]).unwrap();
    }
    let misses = map.stats().misses;
    assert_eq!(map.get(&7).unwrap().unwrap()[0], 7 + 39_100);
    assert_eq!(map.stats().misses, misses, "it was in memory all the time");
    map.get(&8).unwrap();
    assert_eq!(map.stats().misses, misses + 1, "its neighbour was not");
}

#[test]
fn iteration_gives_each_key_once_while_others_read() {
    let place = Place::new();
    let mut map = filled(&place, 10_000);
    for n in (0..10_000).step_by(3) {
        map.insert(n, [1; 8]).unwrap();
    }
    for n in (1..10_000).step_by(3) {
        assert!(map.remove(&n).unwrap());
    }
    let mut random = Random::new(seed());
    let mut keys = Vec::new();
    for item in map.iter().unwrap() {
        keys.push(item.unwrap().0);
        map.get(&(random.below(12_000) as u64)).unwrap();
    }
    keys.sort_unstable();
    assert!(keys.into_iter().eq((0..10_000).filter(|n| n % 3 != 1)));
}

#[test]
fn removing_gives_the_disk_back() {
    let place = Place::new();
    let mut map = filled(&place, 50_000);
    let full = place.area.stats().used_bytes;
    for n in 0..49_000 {
        assert!(map.remove(&n).unwrap());
    }
    map.evict_cold_items(1.0).unwrap();
    assert!(map.stats().compactions > 0);
    let used = place.area.stats().used_bytes;
    assert!(used < full / 4, "{used} of {full} are still in use");
    assert_eq!(map.len(), 1_000);
    assert_eq!(map.get(&49_500).unwrap(), Some([49_500; 8]));
}

#[test]
fn overwriting_again_and_again_does_not_grow_the_disk_for_ever() {
    let place = Place::new();
    let mut map = filled(&place, 20_000);
    let once = place.area.stats().used_bytes;
    for round in 0..10 {
        for n in 0..20_000 {
            assert!(!map.insert(n, [round; 8]).unwrap());
        }
    }
    assert!(place.area.stats().used_bytes < 3 * once);
    assert_eq!(map.len(), 20_000);
    assert_eq!(map.get(&19).unwrap(), Some([9; 8]));
}

#[test]
fn evicting_a_fraction_gives_memory_back_and_loses_nothing() {
    let place = Place::new();
    let builder = SpillMap::builder().memory_items(1_000);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..1_000 {
        map.insert(n, [n; 64]).unwrap();
    }
    assert_eq!(map.evict_cold_items(0.5).unwrap(), 500);
    assert_eq!((map.stats().hot_items, map.stats().cold_items), (500, 500));
    let held = place.consumer.held_bytes();
    assert_eq!(map.evict_cold_items(1.0).unwrap(), 500);
    assert!(place.consumer.held_bytes() < held - 200_000, "500 items of 528 B are not held");
    for n in 0..1_000_u64 {
        assert_eq!(map.get(&n).unwrap(), Some([n; 64]));
    }
    assert_eq!(map.evict_cold_items(1.5).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_full_quota_is_an_error_and_no_item_is_lost() {
    let options = SpillOptions { quota_bytes: Some(64 << 10), ..SpillOptions::default() };
    let place = Place::with(64 << 20, options);
    let builder = SpillMap::builder().memory_items(1_000);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    let mut put = 0;
    let error = loop {
        assert!(put < 10_000, "the quota was not noticed");
        match map.insert(put, [put; 8]) {
            Ok(_) => put += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
    assert_eq!(map.len(), put);
    assert_eq!(map.iter().unwrap().collect::<Result<Vec<_>>>().unwrap().len() as u64, put);
}

#[test]
fn a_budget_that_refuses_more_makes_the_map_evict_early() {
    let place = Place::with(16 << 20, SpillOptions::default());
    let builder = SpillMap::builder().memory_bytes(1 << 40);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..200_000_u64 {
        map.insert(n, [n; 8]).unwrap();
    }
    assert!(map.stats().cold_items > 0);
    assert_eq!(map.get(&3).unwrap(), Some([3; 8]));
    drop(map);
    place.assert_given_back();
}

#[test]
fn several_threads_read_at_once() {
    let place = Place::new();
    let map = filled(&place, 10_000);
    let map = &map;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                let mut random = Random::new(seed() + thread);
                for _ in 0..2_000 {
                    let n = random.below(10_000) as u64;
                    assert_eq!(map.get(&n).unwrap(), Some([n; 8]));
                }
                assert_eq!(map.iter().unwrap().count(), 10_000);
            });
        }
    });
}

#[test]
fn a_page_that_changed_on_disk_is_refused() {
    let place = Place::new();
    let map = filled(&place, 20_000);
    let files = std::fs::read_dir(place.area.directory()).unwrap();
    let file = files.map(|entry| entry.unwrap().path()).find(|path| !path.ends_with("owner"));
    let file = std::fs::OpenOptions::new().write(true).open(file.unwrap()).unwrap();
    for sector in (0..file.metadata().unwrap().len() / 4096).step_by(5) {
        std::os::unix::fs::FileExt::write_all_at(&file, b"other", 4096 * sector + 900).unwrap();
    }
    let failed = (0..20_000).filter_map(|n| map.get(&n).err()).collect::<Vec<_>>();
    assert!(!failed.is_empty() && failed.len() < 10_000, "{} reads failed", failed.len());
    assert!(failed.iter().all(|error| error.kind() == ErrorKind::Corrupt), "{}", failed[0]);
    let error = map.iter().and_then(|items| items.collect::<Result<Vec<_>>>()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_value_that_the_budget_cannot_hold_is_refused_and_the_rest_stays() {
    let place = Place::with(16 << 20, SpillOptions::default());
    let builder = SpillMap::builder().memory_bytes(64 << 10);
    let mut map = builder.build(&place.area, &place.consumer).unwrap();
    for n in 0..1_000_u32 {
        map.insert(n, "small".to_owned()).unwrap();
    }
    map.insert(1_000, "x".repeat(2 << 20)).unwrap();
    let error = map.insert(1_001, "x".repeat(12 << 20)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfBudget, "{error}");
    map.insert(1_002, "small".to_owned()).unwrap();
    assert_eq!(map.len(), 1_002);
    assert_eq!(map.get(&1_000).unwrap().unwrap().len(), 2 << 20);
    assert_eq!(map.get(&1_001).unwrap(), None);
    assert_eq!(map.get(&7).unwrap().as_deref(), Some("small"));
}
