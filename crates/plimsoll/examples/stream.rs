//! A CSV file through stages to another file, twice.
//!
//! `cargo run -p plimsoll --example stream`

use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::stream::{Record, Stream};
use plimsoll::typed::Engine;

#[allow(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let budget = Budget::new(64 << 20, 16 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("stream")?, 1 << 20, std::env::temp_dir())?;
    let directory = std::env::temp_dir().join(format!("plimsoll-example-{}", std::process::id()));
    std::fs::create_dir(&directory)?;
    let (raw, sorted) = (directory.join("raw.csv"), directory.join("sorted.jsonl"));

    let first = Record::new(&["id", "price"], &[None, None])?;
    let rows = (0..20_000_u32).map(move |n| {
        let (id, price) = (n.to_string(), (n * 7 % 1_000).to_string());
        first.with_fields(&[Some(&id), Some(&price)]).expect("two fields")
    });
    Stream::from_iter(&engine, rows).to_csv(&raw)?;

    let dear = Stream::from_csv(&engine, &raw)
        .filter(|row| row.get("price").is_some_and(|price| price.len() == 3))
        .sort_by_key(|row| row.get("price").map(str::to_owned));
    println!("{} rows, {} B written", dear.count()?, dear.to_jsonl(&sorted)?);
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
