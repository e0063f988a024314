//! What others do while the disk is read or written, at exactly that moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use plimsoll::cache::{Cache, Source};
use plimsoll::storage::testing::{Call, Fault};

use super::{MIB, Place, an_hour, key, value};

/// Calls `work` inside the next call of this kind to the disk.
fn within(place: &Place, call: Call, work: impl FnOnce() + Send + 'static) {
    let work = Mutex::new(Some(work));
    let hook = move || {
        let work = work.lock().unwrap().take();
        work.expect("a fault happens once")();
    };
    place.disk.at(Some(call), 1, Fault::Hook(Arc::new(hook)));
}

fn filled(place: &Place) -> Cache {
    let cache = place.tiered(MIB, 16 * MIB);
    for n in 0..1_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    cache
}

#[test]
fn a_value_that_is_taken_away_while_it_is_read_is_not_given_or_kept() {
    let place = Place::new();
    let cache = filled(&place);
    type Change = fn(&Cache, u64);
    let changes: [Change; 3] = [
        |cache, n| assert!(cache.remove(&key(n))),
        |cache, _| assert!(cache.clear() > 0),
        |cache, n| cache.put(&key(n), b"new", &an_hour(), 0).unwrap(),
    ];
    for (n, change) in (10_u64..).zip(changes) {
        cache.put(&key(5_000), b"so that clearing has something", &an_hour(), 0).unwrap();
        let (other, reads) = (cache.clone(), place.disk.calls(Some(Call::Read)));
        if cache.stats().cold_items == 0 {
            for n in 0..1_000 {
                cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
            }
        }
        within(&place, Call::Read, move || change(&other, n));
        let look = cache.get(&key(n), 0);
        assert!(place.disk.calls(Some(Call::Read)) > reads, "it was on disk");
        assert!(look.is_none_or(|look| &*look.value == b"new"), "the old value of {n}");
        let after = cache.get(&key(n), 0);
        assert!(after.is_none_or(|look| &*look.value == b"new"), "the old value of {n} is kept");
    }
    assert_eq!(cache.stats().damaged, 0);
}

#[test]
fn one_of_two_who_read_the_same_value_brings_it_in() {
    let place = Place::new();
    let cache = filled(&place);
    let other = cache.clone();
    within(&place, Call::Read, move || {
        assert_eq!(other.get(&key(10), 0).unwrap().source, Source::Cold);
    });
    let promotions = cache.stats().promotions;
    let look = cache.get(&key(10), 0).unwrap();
    assert!(look.value[..] == value(10, 4_000)[..] && look.source == Source::Cold);
    assert_eq!(cache.stats().promotions, promotions + 1);
}

#[test]
fn what_is_on_its_way_to_the_disk_is_looked_up_and_taken_away_as_ever() {
    let place = Place::new();
    let cache = place.tiered(MIB, 16 * MIB);
    let (other, found) = (cache.clone(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&found);
    within(&place, Call::Write, move || {
        for n in 0..60 {
            let Some(look) = other.get(&key(n), 0) else { continue };
            assert!(look.value[..] == value(n, 4_000)[..], "{n}");
            counted.fetch_add(u64::from(look.source == Source::Cold), Ordering::Relaxed);
        }
        assert!(other.remove(&key(1)));
    });
    for n in 0..1_000 {
        cache.put(&key(n), &value(n, 4_000), &an_hour(), 0).unwrap();
    }
    assert!(found.load(Ordering::Relaxed) > 30, "they are in the segment that is written");
    assert!(cache.get(&key(1), 0).is_none());
    assert_eq!(cache.stats().damaged, 0);
}
