//! Plans, with numbers.

use super::{LEVELS_MAX, Load, PARTITION_BUFFER_BYTES_MIN, Plan};
use crate::expr::testing::Random;

const MIB: usize = 1 << 20;
const GIB: u64 = 1 << 30;

fn plan(workspace_bytes: usize, groups_bytes: u64, threads: usize) -> Plan {
    Plan::new(Load { workspace_bytes, groups_bytes: Some(groups_bytes), threads }).unwrap()
}

#[test]
fn what_fits_half_of_a_share_stays_in_memory() {
    let inside = plan(64 * MIB, 32 << 20, 1);
    assert_eq!((inside.partitions, inside.levels, inside.temp_bytes), (1, 0, Some(0)));
    assert_eq!(inside.table_bytes, 64 * MIB);
    let beyond = plan(64 * MIB, (32 << 20) + 1, 1);
    assert_eq!((beyond.partitions, beyond.levels), (2, 1));
    assert_eq!(plan(64 * MIB, 16 << 20, 2).levels, 0);
    assert_eq!(plan(64 * MIB, 32 << 20, 2).partitions, 2, "each thread has a table of its own");
}

#[test]
fn partitions_are_as_many_as_make_one_fit() {
    for (workspace, groups, threads, partitions, buffer, levels) in [
        (64 * MIB, GIB, 1, 32, 256 << 10, 1),
        (64 * MIB, 4 * GIB, 1, 128, 128 << 10, 1),
        (64 * MIB, 8 * GIB, 1, 256, 64 << 10, 1),
        (64 * MIB, 16 * GIB, 1, 32, 256 << 10, 2),
        (64 * MIB, 100 * GIB, 2, 128, 64 << 10, 2),
        (16 * MIB, 100 * GIB, 2, 32, 64 << 10, 3),
        (MIB, 100 * GIB, 1, 16, 16 << 10, 4),
    ] {
        let planned = plan(workspace, groups, threads);
        let got = (planned.partitions, planned.buffer_bytes, planned.levels);
        assert_eq!(got, (partitions, buffer, levels), "{workspace} {groups} {threads}");
    }
}

#[test]
fn temporary_files_hold_a_row_once_and_what_is_partitioned_again_twice() {
    assert_eq!(plan(64 * MIB, 8 * GIB, 1).temp_bytes, Some(8 * GIB));
    assert_eq!(plan(64 * MIB, 16 * GIB, 1).temp_bytes, Some(16 * GIB + GIB / 2));
    assert_eq!(plan(64 * MIB, 16 * GIB, 2).temp_bytes, Some(16 * GIB + GIB));
}

#[test]
fn of_a_pipe_as_many_partitions_as_have_buffers() {
    let load = Load { workspace_bytes: 64 * MIB, groups_bytes: None, threads: 2 };
    let piped = Plan::new(load).unwrap();
    assert_eq!((piped.partitions, piped.buffer_bytes, piped.levels), (256, 32 << 10, 1));
    assert_eq!(piped.temp_bytes, None);
}

#[test]
fn a_workspace_without_two_buffers_is_refused() {
    let refused = |workspace_bytes, threads| {
        Plan::new(Load { workspace_bytes, groups_bytes: None, threads }).unwrap_err().to_string()
    };
    assert_eq!(
        refused(200_000, 2),
        "a plan for grouping with 2 threads in 200000 bytes: each thread takes at least 131072; \
         give it more, or take fewer threads"
    );
    assert!(refused(MIB, 0).contains("with 0 threads"));
    assert!(Plan::new(Load { workspace_bytes: 131_072, groups_bytes: None, threads: 1 }).is_ok());
}

#[test]
fn no_plan_exceeds_its_workspace_and_every_level_divides() {
    println!("seed 5");
    let mut random = Random::new(5);
    for _ in 0..20_000 {
        let threads = 1 + random.below(16);
        let workspace = threads * 8 * PARTITION_BUFFER_BYTES_MIN + random.below(1 << 32);
        let groups = random.bits() >> random.below(64);
        let planned = plan(workspace, groups, threads);
        let thread_bytes = planned.table_bytes
            + if planned.levels > 0 { planned.partitions * planned.buffer_bytes } else { 0 };
        assert!(thread_bytes * threads <= workspace, "{workspace} {groups} {threads}");
        assert!(planned.table_bytes * 4 >= workspace / threads * 3);
        assert!(planned.partitions.is_power_of_two() && planned.levels <= LEVELS_MAX);
        let divided = groups >> (planned.partitions.ilog2() * planned.levels);
        let fits = divided <= (workspace / threads / 2) as u64;
        assert!(fits || planned.levels == LEVELS_MAX, "{workspace} {groups} {threads}");
    }
}

#[test]
fn each_level_takes_its_own_bits_and_none_of_the_tables() {
    let planned = plan(64 * MIB, 8 * GIB, 1);
    assert_eq!(planned.partitions, 256);
    let hash = 0x1234_5678_9abc_def0;
    let of = |level| planned.partition(hash, level);
    assert_eq!([of(0), of(1), of(2), of(3)], [0x12, 0x34, 0x56, 0x78]);
    let few = plan(64 * MIB, GIB, 1);
    assert_eq!(few.partitions, 32);
    assert_eq!(few.partition(0xf800_0000_0000_0000, 0), 31);
    assert_eq!(few.partition(0x0780_0000_0000_0000, 0), 0);
    assert_eq!(few.partition(0x07c0_0000_0000_0000, 1), 31);
    assert_eq!(plan(64 * MIB, 1, 1).partition(u64::MAX, 3), 0, "one partition has no bits");
}
