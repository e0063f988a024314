//! Any sequence of puts, looks, removals and shrinks agrees with a plain map of what is valid.
//!
//! A look may miss what was put: a cache forgets. What it gives is the last value put under the
//! key, not over, not revoked. With room for everything it forgets nothing.

use std::collections::HashMap;
use std::time::Duration;

use plimsoll::cache::{Cache, Source, Terms};
use plimsoll::expr::testing::Random;
use plimsoll::spill::SpillOptions;

use super::{MIB, Place, SECOND, key, seed, told, value};

const KEYS: usize = 3_000;

#[derive(Debug)]
struct Valid {
    value: Vec<u8>,
    made_us: u64,
    fresh_until_us: u64,
    stale_until_us: u64,
    tags: Vec<String>,
}

struct Round {
    cache: Cache,
    model: HashMap<u64, Valid>,
    random: Random,
    now_us: u64,
    puts: u64,
    forgets: bool,
}

impl Round {
    fn put(&mut self) {
        let n = self.random.below(KEYS) as u64;
        self.puts += 1;
        let bytes = match self.random.below(100) {
            0..3 => self.random.below(64 << 10),
            3..30 => self.random.below(5_000),
            _ => self.random.below(300),
        };
        let value = value(self.puts, bytes);
        let [fresh, stale] = [20, 10].map(|most| self.random.below(most * 1_000) as u64);
        let tags: Vec<String> =
            (0..self.random.below(4)).map(|_| format!("tag {}", self.random.below(40))).collect();
        let terms = Terms::fresh_for(Duration::from_millis(fresh));
        let terms = terms.stale_for(Duration::from_millis(stale));
        let terms = tags.iter().fold(terms, |terms, tag| terms.tag(tag.as_str()));
        match self.cache.put(&key(n), &value, &terms, self.now_us) {
            Ok(()) => {
                let fresh_until_us = self.now_us + fresh * 1_000;
                let stale_until_us = fresh_until_us + stale * 1_000;
                let made_us = self.now_us;
                let valid = Valid { value, made_us, fresh_until_us, stale_until_us, tags };
                self.model.insert(n, valid);
            }
            Err(error) => {
                assert!(self.forgets && error.refusal().is_some(), "{error}");
                self.model.remove(&n);
            }
        }
    }

    fn look(&mut self) {
        let n = (self.random.below(KEYS).min(self.random.below(KEYS))) as u64;
        let now = self.now_us;
        let valid = self.model.get(&n).filter(|valid| now < valid.stale_until_us);
        match (self.cache.get(&key(n), now), valid) {
            (Some(look), Some(valid)) => {
                assert!(look.value[..] == valid.value[..], "another value under {n}");
                assert_eq!(look.age_us, now - valid.made_us);
                assert_eq!(look.stale, now >= valid.fresh_until_us);
                assert_eq!(look.fresh_left_us, valid.fresh_until_us.saturating_sub(now));
                assert_ne!(look.source, Source::Made);
            }
            (Some(look), None) => panic!("{n} is over or was never put: {look:?}"),
            (None, Some(valid)) => assert!(self.forgets, "{n} was forgotten: {valid:?}"),
            (None, None) => {}
        }
    }

    fn revoke(&mut self) {
        match self.random.below(200) {
            0 => {
                self.cache.clear();
                self.model.clear();
            }
            1..70 => {
                let tag = format!("tag {}", self.random.below(40));
                let before = self.model.len();
                self.model.retain(|_, valid| !valid.tags.contains(&tag));
                let removed = self.cache.invalidate_tag(&tag);
                let most = before - self.model.len();
                // What is over may have gone before.
                assert!(removed <= most as u64, "{removed} of {most}");
            }
            _ => {
                let n = self.random.below(KEYS) as u64;
                let there = self.model.remove(&n).is_some();
                assert!(there || !self.cache.remove(&key(n)));
                self.cache.remove(&key(n));
            }
        }
    }

    fn upkeep(&mut self) {
        match self.random.below(3) {
            0 => {
                self.cache.expire(self.now_us);
            }
            1 if self.forgets => {
                let before = self.cache.stats().hot_bytes;
                self.cache.cleanup(self.now_us);
                assert!(self.cache.stats().hot_bytes <= before / 2);
            }
            _ => {
                let n = self.random.below(KEYS) as u64;
                let there = self.cache.promote(&key(n), self.now_us);
                assert!(!there || self.model.contains_key(&n));
            }
        }
    }

    fn step(&mut self) {
        match self.random.below(1_000) {
            0..400 => self.put(),
            400..960 => self.look(),
            960..980 => self.revoke(),
            980..985 => self.upkeep(),
            _ => self.now_us += self.random.below(200_000) as u64,
        }
    }
}

fn round(place: &Place, cache: Cache, forgets: bool, seed: u64) -> Round {
    let now_us = 1_000 * SECOND;
    let (model, random) = (HashMap::new(), told(seed));
    let mut round = Round { cache, model, random, now_us, puts: 0, forgets };
    for step in 0..20_000 {
        // Somebody else takes most of the process's memory for a while.
        if forgets && step % 4_000 == 3_000 {
            let left = place.budget.reservable_bytes() - place.budget.reserved_bytes();
            let others = place.budget.consumer("others").unwrap();
            let others = others.try_reserve(left + round.cache.stats().hot_bytes / 3);
            drop(others.expect("the cache gives back what it has"));
        }
        round.step();
        let stats = round.cache.stats();
        assert!(stats.hot_bytes + stats.index_bytes <= place.node.held_bytes());
    }
    round
}

#[test]
fn with_room_for_everything_nothing_is_forgotten() {
    for n in 0..3 {
        let place = Place::with(256 * MIB, SpillOptions::default());
        let round = round(&place, place.hot(100 * MIB), false, seed() + n);
        assert_eq!(round.cache.stats().evictions, 0);
        assert!(round.cache.stats().hot_hits > 1_000);
        drop(round);
        place.assert_given_back();
    }
}

#[test]
fn what_is_given_is_what_was_put_whatever_is_evicted_revoked_or_taken_back() {
    let (mut least, mut given_up, mut reclaimed) = ([0; 8], 0, 0);
    for n in 0..4 {
        let place = Place::with(32 * MIB, SpillOptions::default());
        let quota = 3 * MIB / 2;
        let round = round(&place, place.tiered(2 * MIB, quota), true, seed() + n);
        let stats = round.cache.stats();
        let hits = [stats.hot_hits, stats.cold_hits, stats.stale_hits, stats.promotions];
        let left = [stats.evictions, stats.demotions, stats.expired, stats.invalidated];
        for (sum, n) in least.iter_mut().zip(hits.into_iter().chain(left)) {
            *sum += n;
        }
        given_up += stats.cold_given_up;
        reclaimed += stats.reclaimed_bytes;
        assert_eq!(stats.damaged + stats.disk_failures, 0);
        assert!(stats.cold_bytes <= quota && place.area.stats().peak_bytes <= quota);
        drop(round);
        place.assert_given_back();
    }
    assert!(least.into_iter().all(|n| n > 200), "{least:?}");
    assert!(given_up > 0 && reclaimed > 0, "{given_up} {reclaimed}");
}
