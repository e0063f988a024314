//! Plans for inputs that no test has room for.

use super::super::arena_size::{ARENA_BYTES_USEFUL, RUNS_WISHED};
use super::*;

fn planned(bytes: u64, workspace_bytes: u64, threads: usize) -> SortPlan {
    let strategy = ChunkStrategy::Adaptive;
    let (scan_bytes, generator_bytes) = (640 << 10, 200 << 10);
    let bytes = Some(bytes);
    let input = SortInput {
        bytes,
        row_bytes: 84,
        workspace_bytes,
        scan_bytes,
        generator_bytes,
        threads,
        strategy,
        codec: Codec::None,
    };
    plan(input).unwrap()
}

#[test]
fn a_hundred_million_rows_take_one_or_two_passes_at_64_mib() {
    for threads in [1, 2, 8] {
        // What is left of a limit of 64 MiB.
        let plan = planned(25 << 30, 44 << 20, threads);
        assert!((1..=2).contains(&plan.passes.unwrap()), "{plan:?}");
        assert!(threads > 2 || plan.runs.unwrap() <= plan.runs_max, "no pause: {plan:?}");
    }
}

#[test]
fn ten_million_rows_take_at_most_three_passes_near_the_least_limit() {
    for workspace_kib in [1000, 1200, 1600, 2000] {
        let plan = planned(844 << 20, workspace_kib << 10, 2);
        assert!(plan.passes.unwrap() <= 3, "{plan:?}");
        assert!(plan.block_bytes >= 32 << 10 || plan.passes == Some(2), "{plan:?}");
    }
}

#[test]
fn the_list_of_runs_is_an_eighth_of_the_workspace_at_most() {
    for bytes in [1 << 20, 1 << 30, 1 << 40, 1 << 50] {
        for workspace in [600 << 10, 2 << 20, 64 << 20, 4 << 30] {
            let plan = planned(bytes, workspace, 2);
            let list = plan.runs_max * RUN_BYTES as u64;
            let most = (workspace / 8).max(RUNS_MAX_MIN * RUN_BYTES as u64);
            assert!(list <= most.min(LIST_BYTES_MAX as u64), "{plan:?}");
        }
    }
}

#[test]
fn what_is_planned_fits_into_the_workspace() {
    for workspace in (600 << 10..80 << 20).step_by(777 << 10) {
        for bytes in [10 << 20, 900 << 20, 90 << 30] {
            for threads in [1, 2, 5] {
                let plan = planned(bytes, workspace, threads);
                let list = list_bytes(plan.runs_max);
                let generator = (200 << 10)
                    + plan.arena_bytes
                    + SortedRunWriter::cost_bytes(
                        plan.block_bytes,
                        plan.request_bytes,
                        Codec::None,
                    )
                    + WriteLane::cost_bytes(plan.request_bytes, LANE_SPARES, Codec::None);
                let makes = list + plan.generators * generator;
                assert!(makes as u64 <= plan.workspace_bytes, "{makes}: {plan:?}");
                let reader = ReaderShape::new(plan.block_bytes, Codec::None);
                let ahead = ahead(plan.fan_in);
                let worker = worker_bytes(plan.fan_in, ahead, reader, plan.out_block_bytes);
                let merges = plan.merge_workers * worker;
                assert!(merges as u64 <= plan.merge_bytes, "{merges}: {plan:?}");
            }
        }
    }
}

#[test]
fn runs_with_blocks_too_large_for_two_readers_are_refused_with_the_least() {
    let plan = planned(100 << 20, 1 << 20, 1);
    let two = plan.with_runs(9, 1, ReaderShape::new(300 << 10, Codec::None)).unwrap();
    assert_eq!(two.fan_in, 2, "{two:?}");
    let error = plan.with_runs(9, 1, ReaderShape::new(4 << 20, Codec::None)).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::TooLarge);
    let least = ByteSize::new(worker_bytes(
        2,
        1,
        ReaderShape::new(4 << 20, Codec::None),
        OUT_BLOCK_BYTES_MIN,
    ) as u64);
    assert!(error.to_string().contains(&format!("workspace of {least} at least")), "{error}");
}

#[test]
fn the_share_of_rows_written_again_is_that_of_the_tree_of_merges() {
    for (runs, fan_in, low, high) in
        [(10, 10, 0.0, 0.0), (100, 10, 0.99, 1.0), (11, 10, 0.1, 0.25), (1209, 33, 1.0, 1.15)]
    {
        let times = rewritten(runs, fan_in);
        assert!((low..=high).contains(&times), "{runs} by {fan_in}: {times}");
    }
}

#[test]
fn memory_that_makes_no_sort_faster_is_left_alone_and_costs_no_pass() {
    for (bytes, workspace) in [(844 << 20, 1 << 30), (2 << 30, 1 << 30), (90 << 30, 4 << 30)] {
        let plan = planned(bytes, workspace, 2);
        assert!(plan.arena_bytes as u64 * 2 < workspace / 2, "{plan:?}");
        assert!(plan.runs.unwrap() <= plan.runs_max, "no pause: {plan:?}");
        assert_eq!(plan.passes, Some(1), "{plan:?}");
        assert!(plan.runs.unwrap() <= RUNS_WISHED + 1 || plan.arena_bytes <= ARENA_BYTES_USEFUL);
    }
    let fits = planned(100 << 20, 1 << 30, 2);
    assert_eq!(fits.passes, Some(0), "what fits stays in memory: {fits:?}");
}

#[test]
fn what_fits_with_few_threads_is_not_spilled_with_many() {
    for bytes in [8 << 20, 12 << 20, 25 << 20] {
        for threads in [1, 2, 4, 16, 64] {
            let plan = planned(bytes, 45 << 20, threads);
            assert_eq!(plan.passes, Some(0), "{threads} threads: {plan:?}");
            let held = plan.generators.max(plan.arenas) * plan.arena_bytes;
            assert!(held <= 45 << 20, "{plan:?}");
        }
    }
    let spills = planned(90 << 20, 45 << 20, 16);
    assert!(spills.generators > 2, "what spills anyway has all threads: {spills:?}");
}
