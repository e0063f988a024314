//! Random operations against a model, and many threads at once.

use std::sync::Arc;

use plimsoll::budget::{Budget, Consumer, Reservation, Unmeasured};

use super::{MIB, budget, fault};

/// SplitMix64, from Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn pick(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }
}

/// The first seed of a run; `TEST_SEED` replays one.
fn seed() -> u64 {
    std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed)
}

/// Three consumers under http, two of them below a child of it, and one beside it.
fn consumers(budget: &Budget) -> Vec<(Consumer, &'static [u64])> {
    let http = budget.child("http", 20 * MIB).unwrap();
    let stream = http.child("stream", 6 * MIB).unwrap();
    let jobs = budget.child("jobs", 50 * MIB).unwrap();
    vec![
        (http.consumer("list").unwrap(), &[0]),
        (stream.consumer("a").unwrap(), &[0, 1]),
        (stream.consumer("b").unwrap(), &[0, 1]),
        (jobs.consumer("sort").unwrap(), &[2]),
    ]
}

/// Caps of the model's levels in the order of [`consumers`]; the process is apart.
const CAPS: [u64; 3] = [20 * MIB, 6 * MIB, 50 * MIB];

/// What is held by the model: consumer and bytes of every reservation.
#[derive(Default)]
struct Model(Vec<(usize, u64)>);

impl Model {
    fn held(&self, consumers: &[(Consumer, &[u64])], level: Option<u64>) -> u64 {
        let counts = |consumer: usize| level.is_none_or(|l| consumers[consumer].1.contains(&l));
        let held = self.0.iter().filter(|(consumer, _)| counts(*consumer));
        held.map(|(_, bytes)| bytes).sum()
    }

    /// Whether the budget has to say yes.
    fn fits(
        &self,
        consumers: &[(Consumer, &[u64])],
        consumer: usize,
        bytes: u64,
        reservable: u64,
    ) -> bool {
        let levels = consumers[consumer].1.iter();
        self.held(consumers, None) + bytes <= reservable
            && levels.copied().all(|level| {
                let cap = CAPS[usize::try_from(level).unwrap()];
                self.held(consumers, Some(level)) + bytes <= cap
            })
    }
}

#[test]
fn the_budget_agrees_with_a_plain_sum_on_random_operations() {
    for round in 0..100 {
        let seed = seed() + round;
        println!("seed {seed}");
        let mut random = Random(seed);
        let budget = budget();
        let consumers = consumers(&budget);
        let mut model = Model::default();
        let mut held: Vec<Reservation> = Vec::new();
        for _ in 0..400 {
            let bytes = random.below(8 * MIB);
            let choice = random.below(6);
            if choice == 0 || held.is_empty() {
                let who = random.pick(consumers.len());
                let fits = model.fits(&consumers, who, bytes, budget.reservable_bytes());
                let answer = consumers[who].0.try_reserve(bytes);
                assert_eq!(answer.is_ok(), fits, "{answer:?}");
                if let Ok(reservation) = answer {
                    model.0.push((who, bytes));
                    held.push(reservation);
                }
                continue;
            }
            let at = random.pick(held.len());
            let (who, has) = model.0[at];
            match choice {
                1 => {
                    let fits = model.fits(&consumers, who, bytes, budget.reservable_bytes());
                    assert_eq!(held[at].try_grow(bytes).is_ok(), fits);
                    model.0[at].1 += if fits { bytes } else { 0 };
                }
                2 => {
                    held[at].shrink(bytes.min(has));
                    model.0[at].1 -= bytes.min(has);
                }
                3 => {
                    let part = held[at].split(bytes.min(has));
                    held.push(part);
                    model.0[at].1 -= bytes.min(has);
                    model.0.push((who, bytes.min(has)));
                }
                4 => {
                    drop(held.swap_remove(at));
                    model.0.swap_remove(at);
                }
                _ => merge_one(&mut random, &mut held, &mut model),
            }
            let ledger = budget.ledger();
            assert_eq!(fault(&ledger), None);
            assert_eq!(ledger.root.held_bytes, model.held(&consumers, None));
            for (position, (consumer, _)) in consumers.iter().enumerate() {
                let sum = model.0.iter().filter(|(who, _)| *who == position);
                assert_eq!(consumer.held_bytes(), sum.map(|(_, b)| b).sum::<u64>());
            }
        }
        drop(held);
        assert_eq!(budget.reserved_bytes(), 0);
        assert_eq!(budget.root().active_consumers(), 0);
    }
}

/// Merges two reservations of one consumer, where there are two.
fn merge_one(random: &mut Random, held: &mut Vec<Reservation>, model: &mut Model) {
    let from = random.pick(held.len());
    let (who, bytes) = model.0[from];
    let other = held.swap_remove(from);
    model.0.swap_remove(from);
    match model.0.iter().position(|(same, _)| *same == who) {
        Some(into) => {
            held[into].merge(other);
            model.0[into].1 += bytes;
        }
        None => {
            held.push(other);
            model.0.push((who, bytes));
        }
    }
}

#[test]
fn many_threads_never_exceed_a_cap_and_leak_nothing() {
    let budget = Budget::new(32 * MIB, 16 * MIB, Arc::new(Unmeasured)).unwrap();
    let node = budget.child("jobs", 24 * MIB).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            let own = budget.consumer(&format!("own{thread}")).unwrap();
            let shared = node.consumer(&format!("t{thread}")).unwrap();
            let seed = seed() + thread;
            println!("seed {seed}");
            scope.spawn(move || {
                let mut random = Random(seed);
                let mut held = Vec::new();
                for _ in 0..20_000 {
                    let consumer = if random.below(2) == 0 { &own } else { &shared };
                    match consumer.try_reserve(random.below(2 * MIB)) {
                        Ok(reservation) => held.push(reservation),
                        Err(refusal) => assert!(refusal.left_bytes < 2 * MIB, "{refusal}"),
                    }
                    if held.len() > 8 {
                        let _given_back = held.swap_remove(random.pick(held.len()));
                    }
                }
            });
        }
        for _ in 0..200 {
            assert_eq!(fault(&budget.ledger()), None);
            budget.measure();
        }
    });
    let ledger = budget.ledger();
    assert_eq!(fault(&ledger), None);
    assert_eq!(ledger.root.held_bytes, 0);
    // The test means something: they did press against the limit.
    assert!(ledger.root.peak_bytes > 24 * MIB);
}
