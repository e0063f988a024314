//! Joins sales with the prices of what was sold.
//!
//! `cargo run -p plimsoll --example join`

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::typed::{Engine, Join, JoinKind};

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("join")?, 1 << 20, std::env::temp_dir())?;
    let mut prices = Join::new(&engine, |price: &(u32, u64)| price.0)?;
    for id in 0..1_000 {
        prices.push((id, 100 + u64::from(id)))?;
    }
    // Sales are read one by one: only the prices are held.
    let sales = (0..10_000_u32).map(|n| Ok((n % 1_100, u64::from(n % 7))));
    let (mut revenue, mut unknown) = (0, 0);
    for pair in prices.probe(sales, |sale| sale.0, JoinKind::Left)? {
        match pair? {
            ((_id, pieces), Some((_, price))) => revenue += pieces * price,
            (_, None) => unknown += 1,
        }
    }
    println!("revenue {revenue}, {unknown} sales without a price");
    Ok(())
}
