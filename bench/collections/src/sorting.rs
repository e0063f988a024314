//! What a sort of data that fits costs beside `collect`, `slice::sort_by` and reading.
//!
//! ```text
//!   for each kind of record: 5 x ( process: slice )( process: sorter ) ─> least, middle, ratio
//! ```
//!
//! Promises: one process for each sort. Whoever sorts second in one process gets its texts out of
//! holes that the first one freed in sorted order: its pushes then take several times as long,
//! whichever of the two it is. `aged` shows that: the slice sorts, then each of them again.
//! Never: records made before the clock runs; both make them on the way in.

use std::cmp::Ordering;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Engine, Sorter, Spillable};

use crate::{Outcome, mix};

const RUNS: usize = 5;
const KINDS: [(&str, u64); 3] = [("string", 2_000_000), ("pair", 10_000_000), ("u64", 20_000_000)];
/// More than any of the kinds needs.
const MEMORY_BYTES: u64 = 1 << 30;

/// Runs every sort in processes of their own and prints the ratios.
pub(crate) fn compare(program: &str, directory: &str) -> Outcome {
    for (kind, _) in KINDS {
        for (how, before) in [("fresh", None), ("aged", Some("slice"))] {
            let (mut slice, mut sorter) = (Vec::new(), Vec::new());
            for _ in 0..RUNS {
                for (who, seconds) in [("slice", &mut slice), ("sorter", &mut sorter)] {
                    let mut command = Command::new(program);
                    command.args([directory, "0", "sort-one", kind, who]).args(before);
                    let told = String::from_utf8(command.output()?.stdout)?;
                    seconds.push(told.trim().parse::<f64>()?);
                }
            }
            slice.sort_by(f64::total_cmp);
            sorter.sort_by(f64::total_cmp);
            let (a, b) = (&slice, &sorter);
            let (ratio, middle) = (b[0] / a[0], b[RUNS / 2] / a[RUNS / 2]);
            println!(
                "sort {kind:6} {how:5}  slice {:.2} s  sorter {:.2} s  ratio {ratio:.2}, of the \
                 middle ones {middle:.2}",
                a[0], b[0]
            );
        }
    }
    Ok(())
}

/// One process: sorts once, after another sort where one is named, and prints the seconds.
pub(crate) fn one(root: &Path, words: &[String]) -> Outcome {
    let [_, kind, who, before @ ..] = words else { return Err("sort-one <kind> <who>".into()) };
    let count = KINDS.iter().find(|known| known.0 == kind).ok_or("no such kind")?.1;
    let sorts = before.iter().chain([who]);
    let mut seconds = 0.0;
    for who in sorts {
        seconds = match &kind[..] {
            "string" => sort(root, who, count, |n| format!("{:020}", mix(n)))?,
            "pair" => sort(root, who, count, |n| (mix(n) % 1_000, mix(!n)))?,
            _ => sort(root, who, count, mix)?,
        };
    }
    println!("{seconds}");
    Ok(())
}

fn sort<T: Spillable + Ord>(
    root: &Path,
    who: &str,
    count: u64,
    make: impl Fn(u64) -> T,
) -> Outcome<f64> {
    let compare = |a: &T, b: &T| -> Ordering { a.cmp(b) };
    let start = Instant::now();
    if who == "slice" {
        let mut items: Vec<T> = (0..count).map(make).collect();
        items.sort_by(compare);
        items.into_iter().for_each(|item| drop(black_box(item)));
    } else {
        let budget = Budget::new(2 * MEMORY_BYTES, 16 << 20, Arc::new(Unmeasured))?;
        let engine = Engine::new(budget.consumer("sort")?, MEMORY_BYTES, root)?;
        let mut sorter = Sorter::by(&engine, compare)?;
        (0..count).try_for_each(|n| sorter.push(make(n)))?;
        sorter.finish()?.try_for_each(|item| item.map(|item| drop(black_box(item))))?;
    }
    Ok(start.elapsed().as_secs_f64())
}
