//! Counts words by their first letter, and as many groups as there are words.
//!
//! `cargo run -p plimsoll --example group`

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Engine, GroupBy};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("group")?, 1 << 20, std::env::temp_dir())?;
    let mut groups = GroupBy::new(
        &engine,
        |word: &String| word.clone(),
        |count: &mut u64, _word| *count += 1,
        |count: &mut u64, later| *count += later,
    )?;
    for n in 0..300_000_u64 {
        groups.push(format!("word {}", n % 100_000))?;
    }
    let mut total = 0;
    for group in groups.finish()? {
        let (_word, count) = group?;
        assert_eq!(count, 3);
        total += 1;
    }
    println!("{total} groups, {} B spilled", engine.spill_stats().written_bytes);
    Ok(())
}
