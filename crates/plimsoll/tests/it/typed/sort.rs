//! Sorting: the order of the standard library's stable sort.

use std::cmp::Ordering;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use plimsoll::spill::{Codec, SpillOptions};
use plimsoll::storage::Disk;
use plimsoll::typed::{ChunkStrategy, Engine, Plan, PlanInput, SortStats, Sorter};
use plimsoll::{ErrorKind, Result};

use super::{Bench, KIB, MIB, random, spilled_files};

/// Sorts in `memory_bytes` and compares with the model; equal keys carry their place.
fn check(memory_bytes: u64, keys: impl Iterator<Item = u64>) -> SortStats {
    let bench = Bench::new(memory_bytes);
    let mut model: Vec<(u64, u64)> = keys.zip(0..).collect();
    let mut sorter = Sorter::by_key(&bench.engine, |row: &(u64, u64)| row.0).unwrap();
    for row in &model {
        sorter.push(*row).unwrap();
        assert!(bench.budget.reserved_bytes() <= memory_bytes);
    }
    model.sort_by_key(|row| row.0);
    let stream = sorter.finish().unwrap();
    let stats = stream.stats();
    let sorted: Vec<_> = stream.collect::<Result<_>>().unwrap();
    assert_eq!(sorted, model);
    bench.assert_clean();
    if stats.runs == 0 {
        bench.assert_untouched();
    }
    stats
}

#[test]
fn what_fits_is_sorted_without_a_byte_on_disk() {
    let mut random = random();
    assert_eq!(check(4 * MIB, (0..50_000).map(|_| random.bits())).runs, 0);
    assert_eq!(check(4 * MIB, 0..1).runs, 0);
    assert_eq!(check(4 * MIB, 0..0).runs, 0);
}

#[test]
fn what_does_not_fit_is_sorted_in_several_passes() {
    let mut random = random();
    let stats = check(128 * KIB, (0..200_000).map(|_| random.bits()));
    assert!(stats.runs > 50 && stats.passes >= 2, "{stats:?}");
    let stats = check(MIB, (0..200_000).map(|_| random.bits()));
    assert!(stats.runs > 3 && stats.passes == 1, "{stats:?}");
}

#[test]
fn equal_keys_keep_the_order_of_the_input_in_memory_and_through_every_merge() {
    let mut random = random();
    for memory in [128 * KIB, MIB, 8 * MIB] {
        check(memory, (0..100_000).map(|_| random.bits() % 7));
        check(memory, std::iter::repeat_n(1, 60_000));
    }
}

#[test]
fn descending_keys_are_stable_too() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let mut model: Vec<(u64, u64)> = (0..60_000).map(|n| (random.bits() % 9, n)).collect();
    let mut sorter =
        Sorter::by(&bench.engine, |a: &(u64, u64), b: &(u64, u64)| b.0.cmp(&a.0)).unwrap();
    model.iter().for_each(|row| sorter.push(*row).unwrap());
    model.sort_by_key(|row| std::cmp::Reverse(row.0));
    let sorted: Vec<_> = sorter.finish().unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(sorted, model);
}

#[test]
fn sorted_reversed_and_organ_pipe_inputs_are_sorted() {
    for memory in [128 * KIB, 8 * MIB] {
        check(memory, 0..60_000);
        check(memory, (0..60_000).rev());
        check(memory, (0..30_000).chain((0..30_000).rev()));
    }
}

#[test]
fn texts_of_any_length_are_sorted() {
    let bench = Bench::new(256 * KIB);
    let mut random = random();
    let mut model: Vec<String> =
        (0..20_000).map(|_| format!("{:x}", random.bits()).repeat(random.below(6))).collect();
    model.push("z".repeat(7_000));
    let mut sorter = Sorter::by(&bench.engine, String::cmp).unwrap();
    for text in &model {
        sorter.push(text.clone()).unwrap();
        assert!(bench.budget.reserved_bytes() <= 256 * KIB);
    }
    model.sort();
    let stream = sorter.finish().unwrap();
    assert!(stream.stats().runs > 3);
    assert_eq!(stream.collect::<Result<Vec<_>>>().unwrap(), model);
    bench.assert_clean();
}

#[test]
fn many_records_of_the_largest_size_are_merged_in_the_least_memory() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let mut model: Vec<String> = (0..300)
        .map(|_| format!("{:04}{}", random.below(10_000), "x".repeat(4096 - 24 - 4)))
        .collect();
    let mut sorter = Sorter::by(&bench.engine, String::cmp).unwrap();
    model.iter().for_each(|text| sorter.push(text.clone()).unwrap());
    model.sort();
    assert_eq!(sorter.finish().unwrap().collect::<Result<Vec<_>>>().unwrap(), model);
    bench.assert_clean();
}

#[test]
fn a_record_beyond_its_share_of_the_memory_is_refused_by_name_of_the_bound() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = Sorter::by(&bench.engine, String::cmp).unwrap();
    sorter.push("tea".into()).unwrap();
    let error = sorter.push("x".repeat(200_000)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("the largest is 4 KiB"), "{error}");
    sorter.push("cup".into()).unwrap();
    assert_eq!(sorter.finish().unwrap().collect::<Result<Vec<_>>>().unwrap(), ["cup", "tea"]);
    bench.assert_clean();
}

#[test]
fn floats_are_sorted_by_their_total_order_with_nan_last() {
    let bench = Bench::new(128 * KIB);
    let mut random = random();
    let pool = [f64::NAN, 0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY, -2.0];
    let mut model: Vec<f64> = (0..40_000).map(|_| pool[random.below(pool.len())]).collect();
    let mut sorter = Sorter::by(&bench.engine, f64::total_cmp).unwrap();
    model.iter().for_each(|n| sorter.push(*n).unwrap());
    model.sort_by(f64::total_cmp);
    let sorted: Vec<f64> = sorter.finish().unwrap().collect::<Result<_>>().unwrap();
    assert!(sorted.iter().zip(&model).all(|(a, b)| a.total_cmp(b) == Ordering::Equal));
    assert!(sorted.last().unwrap().is_nan());
}

#[test]
fn a_limit_lowered_below_what_is_held_makes_it_spill_and_go_on() {
    let bench = Bench::new(32 * MIB);
    let mut random = random();
    let mut model: Vec<u64> = (0..800_000).map(|_| random.bits()).collect();
    let mut sorter = Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap();
    let mut before = 0;
    for (at, n) in model.iter().enumerate() {
        if at == 500_000 {
            before = bench.budget.reserved_bytes();
            bench.budget.set_limit(9 * MIB).unwrap();
            assert!(before > bench.budget.reservable_bytes());
        }
        sorter.push(*n).unwrap();
    }
    let held = bench.budget.reserved_bytes();
    assert!(held <= bench.budget.reservable_bytes() && held < before, "{held} of {before}");
    model.sort();
    let stream = sorter.finish().unwrap();
    assert!(stream.stats().runs >= 2);
    assert_eq!(stream.collect::<Result<Vec<_>>>().unwrap(), model);
    bench.assert_clean();
}

#[test]
fn bytes_that_somebody_else_holds_are_not_fought_for() {
    let bench = Bench::new(32 * MIB);
    let other = bench.budget.consumer("other").unwrap();
    let mut held = other.try_reserve(bench.budget.reservable_bytes() - MIB).unwrap();
    let mut model: Vec<u64> = (0..100_000).rev().collect();
    let mut sorter = Sorter::by_key(&bench.engine, |n: &u64| *n / 2).unwrap();
    model.iter().for_each(|n| sorter.push(*n).unwrap());
    model.sort_by_key(|n| n / 2);
    let stream = sorter.finish().unwrap();
    assert!(stream.stats().runs >= 2, "with 1 MiB left of the 32 it spilled");
    assert_eq!(stream.collect::<Result<Vec<_>>>().unwrap(), model);
    held.try_grow(MIB / 2).unwrap();
    let Err(error) = Sorter::by_key(&bench.engine, |n: &u64| *n) else {
        panic!("there is no room for the blocks of a spill");
    };
    assert_eq!(error.kind(), ErrorKind::OutOfBudget);
    assert!(error.to_string().contains("other"), "{error}");
    drop(held);
    bench.assert_clean();
}

#[test]
fn a_stream_dropped_in_the_middle_leaves_no_file_and_no_reservation() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap();
    (0..100_000).rev().for_each(|n| sorter.push(n).unwrap());
    let mut stream = sorter.finish().unwrap();
    assert_eq!(stream.next().unwrap().unwrap(), 0);
    drop(stream);
    bench.assert_clean();
    let mut sorter = Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap();
    (0..100_000).for_each(|n| sorter.push(n).unwrap());
    drop(sorter);
    bench.assert_clean();
}

#[test]
fn a_strategy_decides_how_long_runs_are() {
    let sort = |strategy, hint: Option<u64>| {
        let bench = Bench::new(4 * MIB);
        let mut sorter =
            Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap().with_strategy(strategy);
        if let Some(bytes) = hint {
            sorter = sorter.with_input_bytes(bytes);
        }
        let plan = sorter.plan();
        let mut peak = 0;
        for n in (0..300_000).rev() {
            sorter.push(n).unwrap();
            peak = peak.max(bench.budget.reserved_bytes());
        }
        let stream = sorter.finish().unwrap();
        let stats = stream.stats();
        assert!(stream.map(Result::unwrap).eq(0..300_000));
        (stats, plan, peak)
    };
    let (fixed, ..) = sort(ChunkStrategy::Fixed(1_000), None);
    assert_eq!((fixed.runs, fixed.run_records_max), (300, 1_000));
    let (adaptive, _, most) = sort(ChunkStrategy::Adaptive, None);
    let (sqrt, plan, least) = sort(ChunkStrategy::SqrtN, Some(2_400_000));
    assert_eq!(plan.run_bytes, 2 * (2_400_000 * plan.block_bytes as u64).isqrt());
    assert!(sqrt.runs > 3 * adaptive.runs, "{sqrt:?} {adaptive:?}");
    assert!(sqrt.passes == 1 && least < most / 3, "{least} of {most}");
    let (unknown, ..) = sort(ChunkStrategy::SqrtN, None);
    assert_eq!(unknown, adaptive);
}

#[test]
fn a_plan_foresees_runs_and_passes() {
    let input = PlanInput {
        memory_bytes: MIB,
        record_bytes: 16,
        input_bytes: Some(512 * MIB),
        strategy: ChunkStrategy::Adaptive,
    };
    let plan = Plan::new(input);
    assert!(plan.run_bytes + plan.workspace_bytes <= MIB);
    assert!(plan.fan_in > 8 && plan.passes >= Some(2), "{plan:?}");
    assert_eq!(plan.temp_bytes, Some(u64::from(plan.passes.unwrap()) * 512 * MIB));
    let fits = Plan::new(PlanInput { input_bytes: Some(100 * KIB), ..input });
    assert_eq!((fits.runs, fits.passes, fits.temp_bytes), (Some(0), Some(0), Some(0)));
    let unknown = Plan::new(PlanInput { input_bytes: None, ..input });
    assert_eq!((unknown.runs, unknown.passes, unknown.temp_bytes), (None, None, None));
}

/// A type whose encoded form is larger than it says.
#[derive(serde::Serialize, serde::Deserialize)]
struct Liar(Vec<u8>);

impl plimsoll::heap_size::HeapSize for Liar {
    fn heap_bytes(&self) -> usize {
        0
    }
}

#[test]
fn a_type_that_hides_its_size_is_found_out_when_it_spills() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = Sorter::by(&bench.engine, |a: &Liar, b: &Liar| a.0.cmp(&b.0)).unwrap();
    let error = (0..10_000).find_map(|_| sorter.push(Liar(vec![0; 500])).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("HeapSize"), "{error}");
}

/// An engine of 128 KiB whose spilling goes as `options` say.
fn engine(bench: &Bench, memory_bytes: u64, options: SpillOptions) -> Engine {
    let consumer = bench.budget.consumer("other").unwrap();
    let root = bench.root.path();
    Engine::with_storage(consumer, memory_bytes, Arc::new(Disk), root, options).unwrap()
}

#[test]
fn an_input_whose_lists_of_blocks_fill_the_memory_is_refused_and_leaves_nothing() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = Sorter::by(&bench.engine, String::cmp).unwrap();
    let error = (0..40_000).find_map(|_| sorter.push("x".repeat(3_000)).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("the lists of"), "{error}");
    assert!(bench.engine.spill_stats().used_bytes > 4 * MIB);
    drop(sorter);
    bench.assert_clean();
}

#[test]
fn every_codec_sorts_the_same() {
    const ROWS: u64 = 200_000;
    for codec in [Codec::None, Codec::Lz4, Codec::Zstd, Codec::Gzip] {
        let bench = Bench::new(MIB);
        let options = SpillOptions { codec, ..SpillOptions::default() };
        // A codec's own state has to fit beside the records.
        let memory = if matches!(codec, Codec::None | Codec::Lz4) { 128 * KIB } else { 768 * KIB };
        let engine = engine(&bench, memory, options);
        let mut sorter = Sorter::by_key(&engine, |n: &u64| *n).unwrap();
        (0..ROWS).rev().for_each(|n| sorter.push(n).unwrap());
        let stream = sorter.finish().unwrap();
        assert!(stream.stats().runs > 5);
        assert!(stream.map(Result::unwrap).eq(0..ROWS), "{codec:?}");
        assert_eq!(bench.budget.reserved_bytes(), 0);
    }
}

#[test]
fn a_full_spill_quota_is_an_error_that_leaves_nothing() {
    let bench = Bench::new(MIB);
    let options = SpillOptions { quota_bytes: Some(256 * KIB), ..SpillOptions::default() };
    let engine = engine(&bench, 128 * KIB, options);
    let mut sorter = Sorter::by_key(&engine, |n: &u64| *n).unwrap();
    let error = (0..1_000_000).find_map(|n| sorter.push(n << 40).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("quota"), "{error}");
    drop(sorter);
    assert_eq!(bench.budget.reserved_bytes(), 0);
    assert_eq!(spilled_files(bench.root.path()), Vec::<String>::new());
}

#[test]
fn a_run_that_something_else_damaged_is_an_error_and_the_end() {
    let bench = Bench::new(128 * KIB);
    let mut sorter = Sorter::by_key(&bench.engine, |n: &u64| *n).unwrap();
    (0..30_000).rev().for_each(|n| sorter.push(n).unwrap());
    let mut stream = sorter.finish().unwrap();
    let directory = std::fs::read_dir(bench.root.path()).unwrap().next().unwrap().unwrap().path();
    let file = std::fs::File::options().write(true).open(directory.join("typed-0")).unwrap();
    let bytes = file.metadata().unwrap().len().min(MIB);
    file.write_all_at(&vec![0xa5; usize::try_from(bytes).unwrap()], 0).unwrap();
    let error = stream.find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(stream.next().is_none());
    drop(stream);
    bench.assert_clean();
}
