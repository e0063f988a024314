//! A table keeps to its workspace.

use plimsoll::aggregate::{Full, Layout, UpdateError};
use plimsoll::expr::testing::Random;
use plimsoll::group::Table;
use plimsoll::record::{Value, ValueRow};

use super::{layout, measures, money, row};

fn named(name: &str) -> Vec<Value> {
    row(&[("name", Value::Text(name.into()))])
}

/// Upserts new keys until the table is full.
fn fill(table: &mut Table) -> u64 {
    (0_u64..).find(|key| table.upsert(&key.to_le_bytes()).is_err()).expect("an end")
}

#[test]
fn a_group_costs_key_and_state_and_at_most_24_bytes() {
    let layout = layout("count(*), sum(price)");
    let mut table = Table::new(64 << 20, &layout, 1).unwrap();
    let group = 8 + layout.state_bytes();
    for key in 0..400_000_u64 {
        table.upsert(&key.to_le_bytes()).unwrap();
        if key > 100_000 && key % 997 == 0 {
            // One chunk is never full.
            let most = table.len() * (group + 24) + (1 << 20);
            assert!(table.bytes() <= most, "{key}: {} {most}", table.bytes());
        }
    }
}

#[test]
fn a_full_table_uses_its_workspace_and_stays_as_it_is() {
    let layout = layout("count(*)");
    for workspace in [8 << 10, 100_000, 1 << 20, 5 << 20] {
        let mut table = Table::new(workspace, &layout, 1).unwrap();
        let held = fill(&mut table);
        assert!(table.bytes() <= workspace, "{} {workspace}", table.bytes());
        assert!(table.len() * 24 > workspace / 3, "{} groups in {workspace}", table.len());
        assert_eq!(table.upsert(b"one more").err(), Some(Full));
        assert_eq!(table.len() as u64, held);
        assert!(table.upsert(&0_u64.to_le_bytes()).is_ok(), "a group that is there is found");
        table.clear();
        assert!(table.is_empty() && table.iter().next().is_none());
        assert!(fill(&mut table) >= held * 9 / 10, "a cleared table holds as many");
    }
}

#[test]
fn a_key_beyond_the_workspace_is_full_from_the_start() {
    let layout = layout("count(*)");
    let mut table = Table::new(64 << 10, &layout, 1).unwrap();
    assert_eq!(table.upsert(&vec![7; 70_000]).err(), Some(Full));
    assert!(table.is_empty());
    assert!(table.upsert(&vec![7; 50_000]).is_ok(), "a large one has a chunk of its own");
    assert!(table.upsert(b"").is_ok(), "the empty key is one");
    assert!(table.bytes() <= 64 << 10);
    assert!(Table::new(8191, &layout, 1).unwrap_err().to_string().contains("at least 8192"));
    assert!(
        Table::new(1 << 40, &layout, 1).unwrap_err().to_string().contains("at most 17179869184")
    );
}

#[test]
fn a_text_that_grows_is_placed_again_and_its_old_place_counted() {
    let layout = layout("max(name), min(name), count(*)");
    let mut table = Table::new(1 << 20, &layout, 1).unwrap();
    for len in 1..=2_000 {
        let row = named(&"x".repeat(len));
        layout.update(&mut table.upsert(b"k").unwrap(), &ValueRow(&row)).unwrap();
    }
    let mut values = Vec::new();
    layout.finish(table.iter().next().unwrap(), &mut values).unwrap();
    let longest = Value::Text("x".repeat(2_000).into());
    assert_eq!(values, [longest, Value::Text("x".into()), Value::Int(2_000)]);
    // Half as much room again each time: the old places together are below three times the last.
    assert!((1_000..6_000).contains(&table.garbage_bytes()), "{}", table.garbage_bytes());
    assert_eq!(table.iter().count(), 1, "garbage is no group");
    table.clear();
    assert_eq!(table.garbage_bytes(), 0);
}

#[test]
fn a_row_whose_text_found_no_room_is_added_once() {
    let layout = layout("count(*), max(name), sum(qty)");
    let mut table = Table::new(8 << 10, &layout, 1).unwrap();
    let mut row = named(&"y".repeat(300));
    row[0] = Value::Int(1);
    let mut refused = None;
    for key in 0_u32..1_000 {
        let mut group = table.upsert(&key.to_le_bytes()).expect("keys are small beside texts");
        match layout.update(&mut group, &ValueRow(&row)) {
            Ok(()) => {}
            Err(UpdateError::Full) => {
                let mut values = Vec::new();
                layout.finish(group.view(), &mut values).unwrap();
                refused = Some(values);
                break;
            }
            Err(UpdateError::Failed(failed)) => panic!("{failed}"),
        }
    }
    assert_eq!(refused.unwrap(), [Value::Int(0), Value::Null, Value::Null]);
}

#[test]
fn one_seed_gives_one_table() {
    let layout = layout("count(*)");
    let keys = |seed| {
        let mut table = Table::new(1 << 20, &layout, seed).unwrap();
        let mut random = Random::new(9);
        for _ in 0..5_000 {
            table.upsert(&random.bits().to_le_bytes()[..3]).unwrap();
        }
        (table.hash(b"a"), table.iter().map(|group| group.key().to_vec()).collect::<Vec<_>>())
    };
    assert_eq!(keys(1), keys(1));
    assert_ne!(keys(1).0, keys(2).0);
    assert_eq!(keys(1).1, keys(2).1, "the order is that of the rows, whatever the seed");
}

#[test]
#[ignore = "half a gigabyte: run it with --release"]
fn ten_million_groups_cost_key_and_state_and_at_most_24_bytes_each() {
    let layout = layout("count(*), sum(price)");
    let mut table = Table::new(1 << 30, &layout, 1).unwrap();
    for key in 0..10_000_000_u64 {
        table.upsert(&key.to_le_bytes()).unwrap();
    }
    let beside = table.bytes() / table.len() - 8 - layout.state_bytes();
    println!("{beside} B beside key and state");
    assert!(beside <= 24, "{beside}");
}

/// Time this thread ran, in nanoseconds: what others do on the machine does not count.
fn ran_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a number")
}

/// What the table alone costs per row, without reading the row.
#[test]
#[ignore = "a measurement: run it with --release --no-capture"]
fn the_cost_of_a_row() {
    const KEYS: usize = 250_000;
    const ROWS: usize = 4_000_000;
    const BATCH_ROWS: usize = 64;
    let rows: Vec<_> = (0..64)
        .map(|i| {
            let mut row = named(&format!("2010-12-01 08:26:{i:02}"));
            row[1] = money("2.55");
            row
        })
        .collect();
    let mut random = Random::new(1);
    let keys: Vec<u64> = (0..ROWS).map(|_| random.below(KEYS) as u64 * 7_919).collect();
    for text in ["count(*)", "count(*), sum(price)", "count(*), sum(price), max(name)"] {
        let layout = Layout::new(&measures(text)).unwrap();
        let mut table = Table::new(64 << 20, &layout, 1).unwrap();
        let (mut single, mut batched) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let start = ran_ns();
            for (index, key) in keys.iter().enumerate() {
                let mut group = table.upsert(&key.to_le_bytes()).unwrap();
                layout.update(&mut group, &ValueRow(&rows[index % 64])).unwrap();
            }
            single.push((ran_ns() - start) / ROWS as u64);
            let start = ran_ns();
            let mut found = Vec::with_capacity(BATCH_ROWS);
            for batch in keys.chunks(BATCH_ROWS) {
                found.clear();
                for key in batch.iter().map(|key| key.to_le_bytes()) {
                    found.push(table.find_or_insert(table.hash(&key), &key).unwrap());
                }
                for (index, found) in found.iter().enumerate() {
                    let row = ValueRow(&rows[index % 64]);
                    layout.update(&mut table.group(*found), &row).unwrap();
                }
            }
            batched.push((ran_ns() - start) / ROWS as u64);
        }
        let bytes = table.bytes() / table.len();
        println!("{text}: {single:?} ns a row, in batches {batched:?}; {bytes} B a group");
    }
}
