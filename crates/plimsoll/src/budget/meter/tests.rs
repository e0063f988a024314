//! The formula by numbers.

use super::{Meter, Reading, headroom_bytes};
use crate::budget::MemorySample;

const MIB: u64 = 1 << 20;

fn sample(resident: u64, allocator: u64, allocated: u64) -> MemorySample {
    MemorySample {
        resident_bytes: resident * MIB,
        allocator_resident_bytes: allocator * MIB,
        allocator_allocated_bytes: allocated * MIB,
    }
}

fn exactly(bytes: u64) -> std::ops::RangeInclusive<u64> {
    bytes..=bytes
}

#[test]
fn a_reservation_dropped_while_a_reading_is_made_leaves_no_heap_behind() {
    let mut meter = Meter::default();
    meter.observe(sample(46, 40, 40), exactly(40 * MIB), Reading::Regular);
    // The sample still has the bytes; they and their reservation are gone when it is taken in.
    meter.observe(sample(46, 40, 40), 0..=40 * MIB, Reading::Regular);
    meter.observe(sample(6, 0, 0), exactly(0), Reading::Regular);
    assert_eq!(meter.unreserved_bytes(), 0);
}

#[test]
fn headroom_is_8_percent_and_at_least_4_mib_or_an_eighth() {
    for (limit, headroom) in [
        (0, 0),
        (16 * MIB, 2 * MIB),
        (32 * MIB, 4 * MIB),
        (50 * MIB, 4 * MIB),
        (51 * MIB, 4_278_190),
        (64 * MIB, 5_368_709),
        (100 * MIB, 8 * MIB),
        (512 * MIB, 42_949_672),
        (u64::MAX, 1_475_739_525_896_764_129),
    ] {
        assert_eq!(headroom_bytes(limit), headroom, "limit {limit}");
    }
}

#[test]
fn the_documented_64_mib_process_has_the_documented_numbers() {
    let mut meter = Meter::default();
    for (moment, reading, reserved, unreserved) in [
        ("started", sample(14, 8, 7), 0, 8),
        ("30 reserved, still empty", sample(14, 8, 7), 30, 7),
        ("the 30 are filled", sample(44, 38, 37), 30, 8),
        ("freed, pages kept", sample(44, 38, 7), 0, 38),
        ("purged", sample(14, 8, 7), 0, 8),
    ] {
        meter.observe(reading, exactly(reserved * MIB), Reading::OnDemand);
        let expected = 64 * MIB - headroom_bytes(64 * MIB) - 6 * MIB - unreserved * MIB;
        assert_eq!(meter.outside_bytes(), 6 * MIB, "{moment}");
        assert_eq!(meter.reservable_bytes(64 * MIB), expected, "{moment}");
    }
}

#[test]
fn filling_a_reservation_does_not_change_what_is_left() {
    let mut meter = Meter::default();
    meter.observe(sample(14, 8, 8), exactly(0), Reading::OnDemand);
    let reservable = meter.reservable_bytes(64 * MIB);
    for filled in 0..=30 {
        meter.observe(
            sample(14 + filled, 8 + filled, 8 + filled),
            exactly(30 * MIB),
            Reading::OnDemand,
        );
        assert_eq!(meter.reservable_bytes(64 * MIB), reservable, "{filled}");
    }
}

#[test]
fn a_burst_nobody_reserved_is_forgotten_although_the_load_stays() {
    let mut meter = Meter::default();
    // 20 MiB of unreserved heap beside 30 reserved and filled, then only the 30 remain.
    meter.observe(sample(56, 50, 50), exactly(30 * MIB), Reading::Regular);
    assert_eq!(meter.unreserved_bytes(), 20 * MIB);
    meter.observe(sample(36, 30, 30), exactly(30 * MIB), Reading::OnDemand);
    assert_eq!(meter.unreserved_bytes(), 20 * MIB);
    for _ in 0..1000 {
        meter.observe(sample(36, 30, 30), exactly(30 * MIB), Reading::Regular);
    }
    assert!(meter.unreserved_bytes() < MIB / 100);
}

#[test]
fn freed_heap_is_reservable_at_the_next_reading_when_nothing_is_reserved() {
    let mut meter = Meter::default();
    meter.observe(sample(56, 50, 50), exactly(0), Reading::Regular);
    meter.observe(sample(16, 10, 9), exactly(0), Reading::OnDemand);
    assert_eq!(meter.unreserved_bytes(), 10 * MIB);
}

#[test]
fn readings_that_contradict_each_other_never_wrap() {
    let mut meter = Meter::default();
    meter.observe(sample(5, 90, 100), exactly(0), Reading::Regular);
    assert_eq!(meter.outside_bytes(), 0);
    assert_eq!(meter.reservable_bytes(64 * MIB), 0);
    assert_eq!(meter.reservable_bytes(0), 0);
}
