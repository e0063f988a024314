//! A budget that is short takes memory back from the cache, and gets it.

use plimsoll::spill::SpillOptions;

use super::{MIB, Place, an_hour, key, value};

#[test]
fn memory_others_need_is_taken_from_the_cache_without_a_write() {
    let place = Place::with(32 * MIB, SpillOptions::default());
    let cache = place.tiered(14 * MIB, 64 * MIB);
    for n in 0..4_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    let (before, writes) = (cache.stats(), place.area.stats().written_bytes);
    assert!(before.hot_bytes > 12 * MIB);
    let left = place.budget.reservable_bytes() - place.budget.reserved_bytes();
    let sort = place.budget.consumer("sort").unwrap();
    let held = sort.try_reserve(left + 8 * MIB).expect("the cache has that much");
    let after = cache.stats();
    assert!(after.hot_bytes + after.index_bytes <= before.hot_bytes + before.index_bytes - 8 * MIB);
    assert!((8 * MIB..9 * MIB).contains(&after.reclaimed_bytes), "{after:?}");
    assert_eq!(place.area.stats().written_bytes, writes, "a reclaimer does not wait for a disk");
    assert!(after.demotions > 0, "what the segments in memory had room for is kept");

    // It serves on with what it has, and comes back when there is room.
    for n in 0..4_000 {
        if let Some(look) = cache.get(&key(n), 0) {
            assert!(look.value[..] == value(n, 4_000)[..]);
        }
    }
    assert!(cache.stats().hot_bytes <= after.hot_bytes + MIB);
    drop(held);
    for n in 0..4_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    assert!(cache.stats().hot_bytes > 12 * MIB);
}

#[test]
fn a_budget_without_room_refuses_a_value_and_the_old_one_is_gone() {
    let place = Place::with(32 * MIB, SpillOptions::default());
    let cache = place.hot(14 * MIB);
    cache.put(b"k", b"old", &an_hour(), 0).unwrap();
    let sort = place.budget.consumer("sort").unwrap();
    let left = place.budget.reservable_bytes() - place.budget.reserved_bytes();
    let mut held = sort.try_reserve(left).unwrap();
    let all = cache.stats();
    held.try_grow(all.hot_bytes + all.index_bytes).expect("the cache gives all it has");
    assert_eq!((cache.stats().hot_items, cache.stats().index_bytes), (0, 0));
    let error = cache.put(b"k", &value(1, 4_000), &an_hour(), 0).unwrap_err();
    assert_eq!(error.kind(), plimsoll::ErrorKind::OutOfBudget, "{error}");
    assert!(error.to_string().contains("sort"), "it names the holder: {error}");
    assert!(cache.get(b"k", 0).is_none() && cache.stats().refused > 0);
    assert!(!cache.can_allocate(4_000));
    drop(held);
    assert!(cache.can_allocate(4_000));
    cache.put(b"k", b"new", &an_hour(), 0).unwrap();
    assert_eq!(&*cache.get(b"k", 0).unwrap().value, b"new");
}

#[test]
fn a_cold_value_without_memory_to_read_it_is_a_miss_and_stays_on_disk() {
    let place = Place::with(32 * MIB, SpillOptions::default());
    let cache = place.tiered(MIB, 8 * MIB);
    for n in 0..1_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    let sort = place.budget.consumer("sort").unwrap();
    let left = || place.budget.reservable_bytes() - place.budget.reserved_bytes();
    let mut held = sort.try_reserve(left()).unwrap();
    held.try_grow(cache.stats().hot_bytes).expect("the cache gives what is in memory");
    held.try_grow(left()).unwrap();
    let before = cache.stats();
    assert!(before.hot_items == 0 && before.cold_items > 700, "{before:?}");
    let found = (0..1_000).filter(|n| cache.get(&key(*n), 0).is_some()).count();
    let after = cache.stats();
    assert_eq!((found, after.misses), (0, 1_000));
    assert_eq!((after.refused, after.damaged), (before.cold_items, 0));
    assert_eq!(after.cold_items, before.cold_items, "what could not be read is not given up");
    drop(held);
    let found = (0..1_000).filter(|n| cache.get(&key(*n), 0).is_some()).count() as u64;
    assert_eq!(found, before.cold_items);
}
