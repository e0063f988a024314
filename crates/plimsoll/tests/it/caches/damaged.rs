//! A disk that lies, forgets or fails costs a making, never a wrong value.

use plimsoll::cache::Cache;
use plimsoll::spill::SpillOptions;
use plimsoll::storage::testing::{Call, EIO, ENOSPC, Fault};

use super::{MIB, Place, an_hour, key, value};

const ITEMS: u64 = 1_000;

fn filled(place: &Place) -> Cache {
    let cache = place.tiered(MIB, 16 * MIB);
    for n in 0..ITEMS {
        cache.put(&key(n), &value(n, 4_500), &an_hour(), 0).unwrap();
    }
    assert!(cache.stats().cold_items > ITEMS / 2);
    cache
}

/// Looks everything up; how many were there.
fn found(cache: &Cache) -> u64 {
    let mut found = 0;
    for n in 0..ITEMS {
        if let Some(look) = cache.get(&key(n), 0) {
            assert!(look.value[..] == value(n, 4_500)[..], "another value under {n}");
            found += 1;
        }
    }
    found
}

#[test]
fn a_damaged_block_is_a_miss_that_is_counted() {
    let place = Place::new();
    let cache = filled(&place);
    let files = std::fs::read_dir(place.area.directory()).unwrap();
    let file = files.map(|entry| entry.unwrap().path()).find(|path| !path.ends_with("owner"));
    let file = std::fs::OpenOptions::new().write(true).open(file.unwrap()).unwrap();
    for sector in (0..file.metadata().unwrap().len() / 4096).step_by(7) {
        std::os::unix::fs::FileExt::write_all_at(&file, b"other", 4096 * sector + 900).unwrap();
    }
    let lost = ITEMS - found(&cache);
    let stats = cache.stats();
    assert!(lost > 100 && lost < 500, "{lost}");
    assert_eq!((stats.damaged, stats.misses, stats.disk_failures), (lost, lost, 0));
    // A value made anew is taken in as ever.
    let damaged = (0..ITEMS).find(|n| cache.get(&key(*n), 0).is_none()).unwrap();
    cache.put(&key(damaged), b"anew", &an_hour(), 0).unwrap();
    assert_eq!(&*cache.get(&key(damaged), 0).unwrap().value, b"anew");
}

#[test]
fn a_write_that_tears_or_flips_is_noticed_when_it_is_read() {
    for fault in [Fault::Tear, Fault::Flip(70_001)] {
        let place = Place::new();
        place.disk.at(Some(Call::Write), 3, fault);
        let cache = filled(&place);
        let lost = ITEMS - found(&cache);
        assert!(lost > 0, "one segment of several is damaged");
        assert_eq!(cache.stats().damaged, lost);
    }
}

#[test]
fn a_write_that_fails_loses_its_segment_and_the_next_ones_are_kept() {
    let place = Place::new();
    place.disk.at(Some(Call::Write), 2, Fault::Errno(EIO));
    let cache = filled(&place);
    let stats = cache.stats();
    assert_eq!(stats.disk_failures, 1);
    let lost = ITEMS - found(&cache);
    assert!(lost > 10 && lost < 100, "a segment of 256 KiB: {lost}");
    assert_eq!(cache.stats().damaged, 0);
}

#[test]
fn a_read_that_fails_is_a_miss_that_is_counted() {
    let place = Place::new();
    let cache = filled(&place);
    place.disk.at(Some(Call::Read), 5, Fault::Errno(EIO));
    assert_eq!(found(&cache), ITEMS - 1);
    assert_eq!(cache.stats().disk_failures, 1);
}

#[test]
fn a_full_disk_or_quota_leaves_the_cache_with_the_room_it_has() {
    let options = SpillOptions { quota_bytes: Some(MIB), ..SpillOptions::default() };
    let place = Place::with(64 * MIB, options);
    let cache = filled_as_far_as_it_goes(&place);
    assert!(cache.stats().disk_failures > 0);
    assert!(cache.stats().cold_items > 0 && place.area.stats().peak_bytes <= MIB);
    found(&cache);

    let place = Place::new();
    for nth in 3..40 {
        place.disk.at(Some(Call::Allocate), nth, Fault::Errno(ENOSPC));
    }
    let cache = filled_as_far_as_it_goes(&place);
    found(&cache);
}

fn filled_as_far_as_it_goes(place: &Place) -> Cache {
    let cache = place.tiered(MIB, 16 * MIB);
    for n in 0..ITEMS {
        cache.put(&key(n), &value(n, 4_500), &an_hour(), 0).unwrap();
        assert!(cache.get(&key(n), 0).is_some());
    }
    cache
}

#[test]
fn what_an_earlier_use_of_the_place_left_is_not_taken_for_the_value() {
    let place = Place::new();
    // Eight segments of 32 records: in each round a key's record is where its last one was.
    let cache = place.tiered(MIB, 2 * MIB);
    let round = |version: u64| {
        for n in 0..512 {
            cache.put(&key(n), &value(n + 1_000 * version, 4_500), &an_hour(), 0).unwrap();
            assert!(cache.get(&key(n), 0).is_some());
        }
    };
    (0..4).for_each(round);
    let files = std::fs::read_dir(place.area.directory()).unwrap();
    let file = files.map(|entry| entry.unwrap().path()).find(|path| !path.ends_with("owner"));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(file.unwrap()).unwrap();
    let mut before = vec![0; 2 << 20];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut before, 0).unwrap();
    round(4);
    // As if the last round's writes had not arrived: old blocks, each with a right checksum.
    std::os::unix::fs::FileExt::write_all_at(&file, &before, 0).unwrap();
    for n in 0..512 {
        if let Some(look) = cache.get(&key(n), 0) {
            let old = value(n + 3_000, 4_500);
            assert!(look.value[..] != old[..], "the value of {n} before the last one");
            assert!(look.value[..] == value(n + 4_000, 4_500)[..], "another value under {n}");
        }
    }
    let stats = cache.stats();
    assert!(stats.damaged > 50 && stats.cold_hits < 200, "{stats:?}");
}
