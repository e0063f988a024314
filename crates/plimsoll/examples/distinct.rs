//! Visitors, each once, in the order they first came for as long as memory lasts.
//!
//! `cargo run -p plimsoll --example distinct`

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Distinct, Engine};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("distinct")?, 1 << 20, std::env::temp_dir())?;
    let mut distinct = Distinct::new(&engine)?;
    let mut at_once = 0;
    for visit in 0..200_000_u64 {
        if distinct.push(visit * 7 % 50_000)?.is_some() {
            at_once += 1;
        }
    }
    let mut later = 0;
    for visitor in distinct.finish()? {
        visitor?;
        later += 1;
    }
    println!("{at_once} visitors at once and {later} at the end");
    Ok(())
}
