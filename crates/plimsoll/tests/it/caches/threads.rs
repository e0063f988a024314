//! Many threads at once: every value is one that was put under its key.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll::cache::{Made, NotMade, Terms};
use plimsoll::expr::testing::Random;
use plimsoll::spill::SpillOptions;

use super::{DEADLINE, MIB, Place, SECOND, key, seed, told, value};

const KEYS: usize = 2_000;
const VERSIONS: usize = 1 << 20;

/// A value that names its key and version.
fn told_value(n: u64, version: u64, random: &mut Random) -> Vec<u8> {
    let bytes = 16 + random.below(6_000);
    value(n * VERSIONS as u64 + version, bytes)
}

#[test]
fn threads_that_put_look_revoke_and_take_memory_see_only_what_was_put() {
    let place = Place::with(32 * MIB, SpillOptions::default());
    let cache = place.tiered(2 * MIB, 4 * MIB);
    told(seed());
    // The version that is the least a look may give: what is older was removed.
    let least: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let versions = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (cache, least, versions, budget) = (&cache, &least, &versions, &place.budget);
            scope.spawn(move || {
                let mut random = Random::new(seed() + thread);
                let others = budget.consumer("others").unwrap();
                for step in 0..8_000_u64 {
                    let at = random.below(KEYS);
                    let (n, now) = (at as u64, step / 1_000 * SECOND);
                    let terms = Terms::fresh_for(Duration::from_secs(5));
                    let terms = terms.tag(format!("tag {}", n % 50));
                    match random.below(100) {
                        0..55 => {
                            let floor = least[at].load(Ordering::SeqCst);
                            if let Some(look) = cache.get(&key(n), now) {
                                let head = u64::from_le_bytes(look.value[..8].try_into().unwrap());
                                let whole = value(head, look.value.len());
                                assert!(look.value[..] == whole[..], "a torn value");
                                assert_eq!(head / VERSIONS as u64, n, "another key's value");
                                assert!(head % VERSIONS as u64 >= floor, "a removed value");
                            }
                        }
                        55..90 => {
                            let made = cache.get_or_make(&key(n), now, DEADLINE, || {
                                let version = versions.fetch_add(1, Ordering::SeqCst);
                                let value = told_value(n, version, &mut random).into();
                                Ok(Made { value, terms })
                            });
                            assert!(!matches!(made, Err(NotMade::Late(_))), "{made:?}");
                        }
                        90..97 => {
                            // What is made from now on has a later version.
                            let floor = versions.load(Ordering::SeqCst);
                            cache.remove(&key(n));
                            least[at].fetch_max(floor, Ordering::SeqCst);
                        }
                        97..99 => {
                            cache.invalidate_tag(&format!("tag {}", n % 50));
                        }
                        _ => {
                            let bytes = 20 * MIB + random.below(9 << 20) as u64;
                            drop(others.try_reserve(bytes));
                        }
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert!(stats.hot_hits > 100 && stats.cold_hits > 100 && stats.demotions > 100, "{stats:?}");
    assert_eq!((stats.damaged, stats.disk_failures), (0, 0));
    drop(cache);
    place.assert_given_back();
}
