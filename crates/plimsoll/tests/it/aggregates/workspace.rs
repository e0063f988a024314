//! A table keeps to its workspace.

use plimsoll::aggregate::{Full, UpdateError};
use plimsoll::expr::testing::Random;
use plimsoll::group::Table;
use plimsoll::record::{Value, ValueRow};

use super::{layout, row};

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
