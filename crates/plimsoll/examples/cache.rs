//! Puts far more through a cache than the process may hold, and prints its peak.
//!
//! `cargo run --release -p plimsoll --example cache -- [LIMIT_BYTES [LOOKS [SPILL_DIRECTORY]]]`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll::budget::{Budget, MemoryProbe, MemorySample};
use plimsoll::cache::{Cache, Terms};
use plimsoll::expr::testing::Random;
use plimsoll::spill::{SpillArea, SpillOptions};
use plimsoll::storage::Disk;

/// The kernel's count, for programs whose allocator cannot be asked.
struct Kernel;

impl MemoryProbe for Kernel {
    fn sample(&self) -> MemorySample {
        let bytes = status("VmRSS:");
        MemorySample {
            resident_bytes: bytes,
            allocator_resident_bytes: bytes,
            allocator_allocated_bytes: bytes,
        }
    }
}

fn status(line: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|known| known.strip_prefix(line));
    let kib = found.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map_or(0, |kib| kib << 10)
}

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let limit = arguments.next().map_or(Ok(64 << 20), |text| text.parse())?;
    let looks = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);

    let budget = Budget::new(limit, 16 << 20, Arc::new(Kernel))?;
    let area = SpillArea::open(Arc::new(Disk), &folder, SpillOptions::default())?;
    let node = budget.child("cache", limit)?;
    let cache = Cache::builder()
        .memory_bytes(limit / 2)
        .value_bytes_max(64 << 10)
        .cold(&area, 256 << 20)
        .build(&node)?;
    let terms = Terms::fresh_for(Duration::from_secs(600)).tag("all");
    let (mut random, mut wrong) = (Random::new(7), 0_u64);
    for look in 0..looks {
        // Some keys are asked for often, most are never asked for again.
        let n = match look % 8 {
            0..5 => random.below(1 << 30),
            5..7 => random.below(2_000),
            _ => random.below(60_000),
        } as u64;
        let key = n.to_be_bytes();
        let bytes = 16 + (n.wrapping_mul(0x9e37_79b9) >> 8) as usize % 2_000;
        match cache.get(&key, look) {
            Some(found) if found.value[..8] == key && found.value.len() == bytes => {}
            Some(_) => wrong += 1,
            None => {
                let value: Vec<u8> = key.into_iter().cycle().take(bytes).collect();
                // A refusal is an answer: the value is not kept.
                let _not_kept = cache.put(&key, &value, &terms, look);
            }
        }
        if look % 1_024 == 0 {
            budget.measure();
        }
    }
    let stats = cache.stats();
    println!(
        "VmHWM {} hot_hits {} cold_hits {} misses {} puts {} hot_items {} cold_items {} \
         index_bytes {} refused {} reclaimed_bytes {} damaged {} wrong {wrong}",
        status("VmHWM:"),
        stats.hot_hits,
        stats.cold_hits,
        stats.misses,
        stats.puts,
        stats.hot_items,
        stats.cold_items,
        stats.index_bytes,
        stats.refused,
        stats.reclaimed_bytes,
        stats.damaged,
    );
    Ok(())
}
