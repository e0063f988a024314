//! What is in memory, what is on disk, and for how long.

use std::time::Duration;

use plimsoll::cache::{Cache, INDEX_ENTRY_BYTES, Source, Terms};
use plimsoll::spill::SpillOptions;

use super::{MIB, Place, SECOND, an_hour, key, small, value};

fn put_all(cache: &Cache, range: std::ops::Range<u64>, bytes: usize) {
    for n in range {
        cache.put(&key(n), &value(n, bytes), &an_hour(), 0).unwrap();
    }
}

#[test]
fn a_value_is_fresh_then_stale_then_gone_and_tells_its_age() {
    let place = Place::new();
    let cache = place.hot(MIB);
    let terms = Terms::fresh_for(Duration::from_secs(10)).stale_for(Duration::from_secs(5));
    cache.put(b"k", b"v", &terms, 100 * SECOND).unwrap();
    let look = cache.get(b"k", 104 * SECOND).unwrap();
    assert_eq!((look.age_us, look.fresh_left_us, look.stale), (4 * SECOND, 6 * SECOND, false));
    assert_eq!((&*look.value, look.source.name()), (&b"v"[..], "hot"));
    assert!(!cache.get(b"k", 110 * SECOND - 1).unwrap().stale);
    let look = cache.get(b"k", 110 * SECOND).unwrap();
    assert_eq!((look.age_us, look.fresh_left_us, look.stale), (10 * SECOND, 0, true));
    assert!(cache.get(b"k", 115 * SECOND).is_none());
    let stats = cache.stats();
    assert_eq!((stats.expired, stats.hot_items, stats.stale_hits), (1, 0, 1));
    assert_eq!((stats.hits(), stats.misses, stats.hit_ratio()), (3, 1, 0.75));
}

#[test]
fn what_leaves_memory_comes_back_from_disk_once_and_is_hot_then() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    put_all(&cache, 0..1_000, 4_000);
    let stats = cache.stats();
    assert!(stats.hot_items < 260 && stats.cold_items > 700, "{stats:?}");
    assert!(place.area.stats().written_bytes > 2 * MIB);
    let mut sources = [0; 2];
    for n in 0..1_000 {
        let look = cache.get(&key(n), SECOND).expect("the disk has room for all");
        assert!(look.value[..] == value(n, 4_000)[..], "{n}");
        assert_eq!(look.age_us, SECOND);
        sources[usize::from(look.source == Source::Cold)] += 1;
    }
    assert!(sources[1] > 700, "{sources:?}");
    assert_eq!(cache.get(&key(999), SECOND).unwrap().source, Source::Hot);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.damaged), (0, 0));
    assert_eq!((stats.cold_hits, stats.promotions), (sources[1], sources[1]));
}

#[test]
fn a_look_into_memory_alone_reads_no_disk_and_counts_no_miss() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    put_all(&cache, 0..1_000, 4_000);
    let read = place.area.stats().read_bytes;
    let found = (0..1_000).filter(|n| cache.get_hot(&key(*n), 0).is_some()).count() as u64;
    let stats = cache.stats();
    assert_eq!((found, stats.hot_hits, stats.misses), (stats.hot_items, found, 0));
    assert_eq!(place.area.stats().read_bytes, read);
    assert!(cache.get_hot(&key(999), 3_600 * SECOND).is_none(), "it is over");
}

#[test]
fn a_cleared_disk_takes_what_nobody_asked_for_again() {
    let place = Place::new();
    let cache = place.tiered(MIB, 2 * MIB);
    for n in 0..1_000 {
        put_all(&cache, n..n + 1, 4_000);
        assert!(cache.get(&key(n), 0).is_some());
    }
    let refused = cache.stats().demotions;
    put_all(&cache, 2_000..2_400, 4_000);
    assert!(cache.stats().demotions < refused + 300, "others would have been given up for these");
    cache.clear();
    let before = cache.stats();
    put_all(&cache, 3_000..3_400, 4_000);
    let after = cache.stats();
    assert_eq!(after.evictions - before.evictions, after.demotions - before.demotions);
    assert!(after.demotions > before.demotions + 100);
}

#[test]
fn what_is_on_disk_already_is_not_written_again_when_it_leaves_memory() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    put_all(&cache, 0..1_000, 4_000);
    for round in 0..3 {
        for n in 0..1_000 {
            assert!(cache.get(&key(n), 0).is_some(), "{n} of round {round}");
        }
    }
    // Each of them left memory several times.
    let stats = cache.stats();
    assert!(stats.evictions > 2_500 && stats.demotions <= 1_000, "{stats:?}");
}

#[test]
fn what_is_used_outlives_a_scan() {
    let place = Place::new();
    let cache = place.hot(MIB);
    put_all(&cache, 0..50, 4_000);
    for n in 1_000..5_000 {
        let _used = cache.get(&key(n % 50), 0);
        put_all(&cache, n..n + 1, 4_000);
    }
    let kept = (0..50).filter(|n| cache.get(&key(*n), 0).is_some()).count();
    assert_eq!(kept, 50);
}

#[test]
fn the_disk_keeps_within_its_quota_and_the_newest() {
    let place = Place::new();
    let quota = 2 * MIB;
    let cache = place.tiered(MIB, quota);
    for n in 0..3_000 {
        put_all(&cache, n..n + 1, 4_000);
        // Asked for once: it is worth another's place on disk.
        assert!(cache.get(&key(n), 0).is_some());
    }
    let stats = cache.stats();
    assert!(stats.cold_given_up > 1_000, "{stats:?}");
    assert!(place.area.stats().peak_bytes <= quota && stats.cold_bytes <= quota);
    assert!(cache.get(&key(0), 0).is_none());
    let found = (2_500..3_000).filter(|n| cache.get(&key(*n), 0).is_some()).count();
    assert!(found > 450, "{found}");
}

#[test]
fn what_nobody_asked_for_pushes_nothing_off_a_full_disk() {
    let place = Place::new();
    let cache = place.tiered(MIB, 2 * MIB);
    for n in 0..600 {
        put_all(&cache, n..n + 1, 4_000);
        assert!(cache.get(&key(n), 0).is_some());
    }
    put_all(&cache, 600..900, 4_000);
    let before = cache.stats();
    put_all(&cache, 10_000..14_000, 4_000);
    let after = cache.stats();
    assert_eq!(after.cold_given_up, before.cold_given_up);
    assert!(after.demotions < before.demotions + 200, "{before:?} {after:?}");
}

#[test]
fn a_value_about_to_end_is_not_written() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    let short = Terms::fresh_for(Duration::from_millis(900));
    for n in 0..1_000 {
        cache.put(&key(n), &value(n, 4_000), &short, 0).unwrap();
    }
    assert_eq!((cache.stats().demotions, cache.stats().cold_items), (0, 0));
}

#[test]
fn a_tag_takes_what_has_it_from_both_tiers_and_nothing_else() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    for n in 0..1_000_u64 {
        let terms = an_hour().tag(format!("third {}", n % 3)).tag("all").tag("all");
        cache.put(&key(n), &value(n, 4_000), &terms, 0).unwrap();
    }
    assert_eq!(cache.invalidate_tag("third 1"), 333);
    for n in 0..1_000 {
        assert_eq!(cache.get(&key(n), 0).is_some(), n % 3 != 1, "{n}");
    }
    assert_eq!(cache.invalidate_tag("third 1"), 0);
    assert_eq!(cache.invalidate_tag("all"), 667);
    let stats = cache.stats();
    assert_eq!((stats.hot_items, stats.cold_items, stats.cold_bytes), (0, 0, 0));
    assert_eq!(stats.invalidated, 1_000);
}

#[test]
fn keys_tags_and_slots_are_charged_as_stated() {
    let place = Place::new();
    let cache = place.hot(16 * MIB);
    let before = cache.stats().index_bytes;
    for n in 0..10_000_u64 {
        let terms = an_hour().tag("a").tag("b");
        cache.put(format!("{n:032}").as_bytes(), b"", &terms, 0).unwrap();
    }
    let stats = cache.stats();
    let least = 10_000 * (INDEX_ENTRY_BYTES + 32 + 32);
    let held = stats.index_bytes - before;
    assert!((least..least + least / 4).contains(&held), "{held} for {least}");
    assert_eq!(stats.hot_bytes, 10_000 * 48);
    cache.clear();
    assert_eq!((cache.stats().index_bytes, cache.stats().hot_bytes), (0, 0));
}

#[test]
fn the_index_of_what_is_on_disk_takes_half_of_the_memory_at_most() {
    let place = Place::with(64 * MIB, SpillOptions::default());
    let cache = place.tiered(MIB, 64 * MIB);
    put_all(&cache, 0..20_000, 400);
    let stats = cache.stats();
    assert!(stats.hot_bytes + stats.index_bytes <= MIB + (64 << 10), "{stats:?}");
    assert!(stats.cold_given_up > 0, "{stats:?}");
    assert!(stats.hot_bytes > MIB / 8, "{stats:?}");
}

#[test]
fn memory_of_a_reader_stays_reserved_until_the_reader_is_done() {
    let place = Place::new();
    let cache = place.hot(MIB);
    put_all(&cache, 0..1, 50_000);
    let look = cache.get(&key(0), 0).unwrap();
    cache.clear();
    assert_eq!(cache.stats().hot_bytes, 0);
    let held = place.node.held_bytes();
    assert!(look.value[..] == value(0, 50_000)[..]);
    drop(look);
    assert!(place.node.held_bytes() <= held - 50_000);
}

#[test]
fn the_surface_of_the_seeds_cache_promotes_allocates_and_cleans_up() {
    let place = Place::new();
    let cache = small().memory_bytes(MIB).cold(&place.area, 8 * MIB).build(&place.node).unwrap();
    assert!(cache.can_allocate(64 << 10) && !cache.can_allocate((64 << 10) + 1));
    put_all(&cache, 0..600, 4_000);
    assert!(!cache.can_allocate(64 << 10), "the memory is full");
    assert!(cache.promote(&key(0), 0) && !cache.promote(b"unknown", 0));
    assert_eq!(cache.get(&key(0), 0).unwrap().source, Source::Hot);
    let before = cache.stats().hot_bytes;
    let evicted = cache.cleanup(0);
    assert!(evicted > 80 && cache.stats().hot_bytes <= before / 2);
    assert!(cache.can_allocate(64 << 10));
    assert_eq!(cache.cleanup(3_600 * SECOND), 600, "all are over");
}
