//! `bench-collections <directory> <MiB>`: the map beside two databases, the vector's rates, and the
//! sorter beside the standard library's sort where everything fits.
//!
//! ```text
//!   map:  five times the memory, keys of 16 B and values of 100 B in random order
//!         insert all ─> get 400 000 at random ─> overwrite 50 000 at random
//!   sort: see `sorting`
//! ```
//!
//! Promises: one process per contestant, so that one's memory is not another's; the same memory,
//! durability off, every value that was read is compared.
//! Never: a figure without the peak of resident memory beside it.

mod sorting;

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::collections::{SpillMap, SpillVec};
use plimsoll::spill::{SpillArea, SpillOptions};
use plimsoll::storage::Disk;
use redb::ReadableDatabase as _;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Key = [u8; 16];
type Value = [u8; 100];

const GETS: u64 = 400_000;
const OVERWRITES: u64 = 50_000;
const CONTESTANTS: [&str; 5] = ["vec", "sort", "map", "fjall", "redb"];
const TABLE: redb::TableDefinition<'_, Key, Value> = redb::TableDefinition::new("items");
/// A vector's rates are given as the least and the middle of so many runs.
const VEC_RUNS: usize = 5;
/// Inserts of one transaction of redb: more do not make it faster.
const TRANSACTION: u64 = 100_000;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().collect();
    let [program, directory, mebibytes, rest @ ..] = &arguments[..] else {
        return Err("usage: bench-collections <directory> <MiB>".into());
    };
    let memory = mebibytes.parse::<u64>()? << 20;
    let Some(contestant) = rest.first() else {
        for contestant in CONTESTANTS {
            Command::new(program).args([directory, mebibytes, contestant]).status()?;
        }
        return Ok(());
    };
    let root = tempfile::tempdir_in(directory)?;
    match &contestant[..] {
        "vec" => vec(root.path(), memory),
        "sort" => sorting::compare(program, directory),
        "sort-one" => sorting::one(root.path(), rest),
        "map" => map(root.path(), memory),
        "fjall" => fjall(root.path(), memory),
        "redb" => redb(root.path(), memory),
        other => Err(format!("{other} is none of {CONTESTANTS:?}").into()),
    }
}

/// SplitMix64's step as a permutation of the numbers.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn key(n: u64) -> Key {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&mix(n).to_le_bytes());
    key[8..].copy_from_slice(&mix(!n).to_le_bytes());
    key
}

fn value(n: u64) -> Value {
    let mut value = [0; 100];
    for (at, part) in (0_u64..).zip(value.chunks_mut(8)) {
        part.copy_from_slice(&mix(n ^ at << 40).to_le_bytes()[..part.len()]);
    }
    value
}

/// Items in five times the memory.
fn items(memory: u64) -> u64 {
    5 * memory / (size_of::<Key>() + size_of::<Value>()) as u64
}

/// Runs `step` for `count` numbers and prints how many a second.
fn timed(what: &str, count: u64, mut step: impl FnMut(u64) -> Outcome) -> Outcome {
    let start = Instant::now();
    (0..count).try_for_each(&mut step)?;
    println!("{what:18} {:12.0} /s", count as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

fn peak() -> Outcome {
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
    Ok(())
}

fn vec(root: &Path, memory: u64) -> Outcome {
    let budget = Budget::new(memory, 16 << 20, Arc::new(Unmeasured))?;
    let area = SpillArea::open(Arc::new(Disk), root, SpillOptions::default())?;
    let count = 100_000_000;
    let (mut pushed, mut read, mut drained) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..VEC_RUNS {
        let builder = SpillVec::builder().memory_bytes(memory / 4);
        let mut vec = builder.build(&area, &budget.consumer("vec")?)?;
        pushed.push(rate(count, || (0..count).try_for_each(|n| Ok(vec.push(n)?)))?);
        read.push(rate(count, || in_order(count, vec.iter()?))?);
        drained.push(rate(count, || in_order(count, vec.drain()?))?);
    }
    for (what, mut rates) in [("push", pushed), ("iter", read), ("drain", drained)] {
        rates.sort_by(f64::total_cmp);
        let (least, median) = (rates[0], rates[rates.len() / 2]);
        println!("vec {what:5} u64    min {least:.2}  median {median:.2} GB/s");
    }
    peak()
}

/// GB a second of `count` numbers of eight bytes.
fn rate(count: u64, work: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let start = Instant::now();
    work()?;
    Ok(8.0 * count as f64 / 1e9 / start.elapsed().as_secs_f64())
}

/// Whether the elements are 0.. below `count`.
fn in_order(count: u64, elements: impl Iterator<Item = plimsoll::Result<u64>>) -> Outcome {
    let mut next = 0;
    for element in elements {
        assert_eq!(element?, next);
        next += 1;
    }
    if next == count { Ok(()) } else { Err("too few".into()) }
}

fn map(root: &Path, memory: u64) -> Outcome {
    let count = items(memory);
    // Three quarters for items, filters and directories: the rest is for buffers.
    let budget = Budget::new(2 * memory, 16 << 20, Arc::new(Unmeasured))?;
    let consumer = budget.consumer("map")?;
    let area = SpillArea::open(Arc::new(Disk), root, SpillOptions::default())?;
    let mut map = SpillMap::builder().memory_bytes(memory / 4 * 3).build(&area, &consumer)?;
    timed("map insert", count, |n| Ok(map.insert(key(n), value(n)).map(drop)?))?;
    timed("map get", GETS, |n| {
        let n = mix(n) % count;
        assert_eq!(map.get(&key(n))?, Some(value(n)));
        Ok(())
    })?;
    timed("map overwrite", OVERWRITES, |n| {
        Ok(map.insert(key(mix(!n) % count), value(n)).map(drop)?)
    })?;
    println!("map held {} MiB of {}", consumer.held_bytes() >> 20, memory >> 20);
    peak()
}

fn fjall(root: &Path, memory: u64) -> Outcome {
    let count = items(memory);
    let database = fjall::Database::builder(root)
        .cache_size(memory / 2)
        .manual_journal_persist(true)
        .open()?;
    let options = || fjall::KeyspaceCreateOptions::default().max_memtable_size(memory / 4);
    let items = database.keyspace("items", options)?;
    timed("fjall insert", count, |n| Ok(items.insert(key(n), value(n))?))?;
    timed("fjall get", GETS, |n| {
        let n = mix(n) % count;
        assert_eq!(items.get(key(n))?.as_deref(), Some(&value(n)[..]));
        Ok(())
    })?;
    timed("fjall overwrite", OVERWRITES, |n| Ok(items.insert(key(mix(!n) % count), value(n))?))?;
    peak()
}

fn redb(root: &Path, memory: u64) -> Outcome {
    let count = items(memory);
    let cache = usize::try_from(memory)?;
    let database = redb::Database::builder().set_cache_size(cache).create(root.join("redb"))?;
    let write = |numbers: &mut dyn Iterator<Item = (u64, u64)>| -> Outcome {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(redb::Durability::None)?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for (k, v) in numbers {
                table.insert(key(k), value(v))?;
            }
        }
        Ok(transaction.commit()?)
    };
    let start = Instant::now();
    for first in (0..count).step_by(usize::try_from(TRANSACTION)?) {
        write(&mut (first..count.min(first + TRANSACTION)).map(|n| (n, n)))?;
    }
    println!("{:18} {:12.0} /s", "redb insert", count as f64 / start.elapsed().as_secs_f64());
    let transaction = database.begin_read()?;
    let table = transaction.open_table(TABLE)?;
    timed("redb get", GETS, |n| {
        let n = mix(n) % count;
        assert_eq!(table.get(key(n))?.ok_or("a key is missing")?.value(), value(n));
        Ok(())
    })?;
    let start = Instant::now();
    write(&mut (0..OVERWRITES).map(|n| (mix(!n) % count, n)))?;
    let rate = OVERWRITES as f64 / start.elapsed().as_secs_f64();
    println!("{:18} {rate:12.0} /s", "redb overwrite");
    peak()
}
