//! Marks by number, and the gauge against a plain model on random walks.

use super::{DWELL_MS, Gauge, Grade, Level};

#[test]
fn a_level_begins_exactly_at_its_mark() {
    for (used, level) in [
        (0, Level::Normal),
        (7_499, Level::Normal),
        (7_500, Level::Warning),
        (8_999, Level::Warning),
        (9_000, Level::Critical),
        (9_499, Level::Critical),
        (9_500, Level::Emergency),
        (20_000, Level::Emergency),
        (u64::MAX, Level::Emergency),
    ] {
        assert_eq!(Level::of(used, 10_000), level, "{used}");
    }
}

#[test]
fn a_grade_begins_exactly_at_its_mark() {
    for (used, grade) in [
        (0, "NONE"),
        (4_999, "NONE"),
        (5_000, "LOW"),
        (6_999, "LOW"),
        (7_000, "MEDIUM"),
        (8_499, "MEDIUM"),
        (8_500, "HIGH"),
        (9_499, "HIGH"),
        (9_500, "CRITICAL"),
        (u64::MAX, "CRITICAL"),
    ] {
        assert_eq!(Grade::of(used, 10_000).to_string(), grade, "{used}");
    }
}

#[test]
fn a_rise_shows_at_once_and_skips_levels() {
    let mut gauge = Gauge::default();
    assert_eq!(gauge.update(96, 100, 0), Level::Emergency);
    assert_eq!(gauge.level(), Level::Emergency);
}

#[test]
fn a_reading_that_trembles_at_a_mark_does_not_flip_the_level() {
    let mut gauge = Gauge::default();
    gauge.update(90, 100, 0);
    for step in 1..100 {
        let used = 90 - step % 2 * 5;
        // 85 is not below the lower mark of critical.
        assert_eq!(gauge.update(used, 100, step * DWELL_MS), Level::Critical);
    }
    assert_eq!(gauge.update(84, 100, 100 * DWELL_MS), Level::Warning);
}

#[test]
fn a_fall_waits_for_the_dwell() {
    let mut gauge = Gauge::default();
    gauge.update(95, 100, 10);
    assert_eq!(gauge.update(0, 100, 9 + DWELL_MS), Level::Emergency);
    assert_eq!(gauge.update(0, 100, 10 + DWELL_MS), Level::Normal);
}

#[test]
fn a_clock_set_back_does_not_latch_the_level() {
    let mut gauge = Gauge::default();
    gauge.update(95, 100, 1_000_000_000);
    assert_eq!(gauge.update(0, 100, 5), Level::Emergency);
    assert_eq!(gauge.update(0, 100, 5 + DWELL_MS), Level::Normal);
}

#[test]
fn a_limit_of_nothing_is_an_emergency_and_nothing_overflows() {
    assert_eq!(Level::of(1, 0), Level::Emergency);
    assert_eq!(Level::of(u64::MAX, u64::MAX), Level::Emergency);
    assert_eq!(Level::of(0, u64::MAX), Level::Normal);
}

/// SplitMix64, from Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What must hold after a sample, as a message where it does not.
fn broken(before: Level, after: Level, used: u64, since_change_ms: u64) -> Option<&'static str> {
    let called_for = Level::of(used, 1000);
    if after < called_for {
        return Some("the level is below what the sample calls for");
    }
    if after > before && after != called_for {
        return Some("a rise went past what the sample calls for");
    }
    if after < before && since_change_ms < DWELL_MS {
        return Some("the level fell before its dwell");
    }
    if after < before && after != Level::of(used + 50, 1000) {
        return Some("the level fell inside the hysteresis");
    }
    if after == before && Level::of(used + 50, 1000) < before && since_change_ms >= DWELL_MS {
        return Some("the level stayed by itself");
    }
    None
}

#[test]
fn a_random_walk_never_breaks_the_rules_of_the_gauge() {
    let start =
        std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed);
    for round in 0..200u64 {
        let mut seed = start + round;
        println!("seed {seed}");
        let mut gauge = Gauge::default();
        let (mut used, mut now_ms, mut changed_ms) = (700u64, 0u64, 0u64);
        for step in 0..1_000 {
            used = (used + next(&mut seed) % 121).saturating_sub(60).min(1_100);
            now_ms += next(&mut seed) % 700;
            let before = gauge.level();
            let after = gauge.update(used, 1000, now_ms);
            let fault = broken(before, after, used, now_ms - changed_ms);
            assert_eq!(fault, None, "round {round}, step {step}: {used} {before} {after}");
            if after != before {
                changed_ms = now_ms;
            }
        }
        // However high it ended: two dwells of rest lead to normal.
        gauge.update(0, 1000, now_ms + DWELL_MS);
        assert_eq!(gauge.level(), Level::Normal);
    }
}

#[test]
fn the_rules_catch_a_gauge_that_breaks_them() {
    use Level::{Critical, Normal, Warning};
    assert!(broken(Normal, Normal, 800, 0).is_some());
    assert!(broken(Normal, Critical, 800, 0).is_some());
    assert!(broken(Warning, Normal, 100, DWELL_MS - 1).is_some());
    assert!(broken(Warning, Normal, 740, DWELL_MS).is_some());
    assert!(broken(Warning, Warning, 100, DWELL_MS).is_some());
    assert!(broken(Warning, Normal, 100, DWELL_MS).is_none());
}
