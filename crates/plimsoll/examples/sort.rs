//! Sorts more numbers than it may hold in memory.
//!
//! `cargo run -p plimsoll --example sort`

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Engine, Sorter};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("sort")?, 1 << 20, std::env::temp_dir())?;
    let mut sorter = Sorter::by_key(&engine, |n: &u64| *n)?;
    let mut n = 1_u64;
    for _ in 0..500_000 {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sorter.push(n)?;
    }
    println!("held while pushing: {} B", budget.reserved_bytes());
    let mut sorted = sorter.finish()?;
    println!("{:?}", sorted.stats());
    println!("smallest: {:?}", sorted.next().transpose()?);
    Ok(())
}
