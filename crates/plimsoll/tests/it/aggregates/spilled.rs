//! Spilled bytes that are not what was written.

use plimsoll::ErrorKind;
use plimsoll::aggregate::{Layout, UpdateError};
use plimsoll::expr::testing::Random;
use plimsoll::group::Table;
use plimsoll::record::{Timestamp, Value, ValueRow};

use super::{layout, money, row};

const ALL: &str = "count(*), sum(qty), avg(price), sum(weight), avg(weight), min(flag), max(ts), \
                   min(name), max(blob), max(misc)";

/// Every measure's state of one row.
fn encoded(layout: &Layout) -> Vec<u8> {
    let row = row(&[
        ("qty", Value::Int(-300)),
        ("price", money("-2.55")),
        ("weight", Value::Float(0.1)),
        ("ts", Value::Time(Timestamp::from_micros(5))),
        ("name", Value::Text("thé".into())),
        ("blob", Value::Bytes([0, 255].as_slice().into())),
        ("flag", Value::Bool(true)),
        ("misc", Value::Float(2.5)),
    ]);
    let mut bytes = Vec::new();
    layout.encode_row(&ValueRow(&row), &mut bytes).unwrap();
    bytes
}

fn merged(layout: &Layout, states: &[&[u8]]) -> Result<Vec<Value>, plimsoll::Error> {
    let mut table = Table::new(1 << 16, layout, 1).unwrap();
    let mut group = table.upsert(b"key").unwrap();
    for bytes in states {
        match layout.merge_encoded(&mut group, bytes) {
            Ok(()) => {}
            Err(UpdateError::Failed(refused)) => return Err(refused),
            Err(UpdateError::Full) => panic!("a short state fits"),
        }
    }
    let mut values = Vec::new();
    layout.finish(group.view(), &mut values).map(|()| values)
}

fn assert_torn(layout: &Layout, bytes: &[u8]) {
    let refused = merged(layout, &[bytes]).expect_err("torn bytes");
    assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused}");
    assert_eq!(
        refused.to_string(),
        "the state of a group: its bytes are not what this grouping wrote; group the input again"
    );
}

#[test]
fn a_torn_state_is_refused() {
    let layout = layout(ALL);
    let bytes = encoded(&layout);
    assert_eq!(merged(&layout, &[&bytes]).unwrap().len(), 10);
    for end in 0..bytes.len() {
        assert_torn(&layout, &bytes[..end]);
    }
    assert_torn(&layout, &[&bytes[..], &[0]].concat());
}

#[test]
fn a_refused_state_adds_nothing() {
    let layout = layout(ALL);
    let bytes = encoded(&layout);
    let mut table = Table::new(1 << 16, &layout, 1).unwrap();
    let mut group = table.upsert(b"key").unwrap();
    layout.merge_encoded(&mut group, &bytes).unwrap();
    assert!(layout.merge_encoded(&mut group, &bytes[..bytes.len() - 1]).is_err());
    let mut after = Vec::new();
    layout.encode(group.view(), &mut after);
    assert_eq!(after, bytes);
}

#[test]
fn a_state_has_one_spelling() {
    let count = layout("count(*)");
    assert_eq!(merged(&count, &[&[0x80, 0x01]]).unwrap(), [Value::Int(128)]);
    assert_torn(&count, &[0x81, 0x00]);
    assert_torn(&count, &[0xff; 30]);
    let beyond = [&[0xff; 9][..], &[0x02]].concat();
    assert_torn(&count, &beyond);
    let sum = layout("sum(qty)");
    assert_eq!(merged(&sum, &[&[1, 3]]).unwrap(), [Value::Int(-2)]);
    // 128 bits end within the nineteenth byte.
    assert_torn(&sum, &[&[1][..], &[0xff; 18], &[0x04]].concat());
    for strange in [vec![9], vec![6, 1, 0xff], vec![6, 5, b'a'], vec![7, 1, 0], vec![2; 9]] {
        assert_torn(&layout("max(name)"), &strange);
    }
    assert_torn(&layout("max(flag)"), &[1, 2]);
    assert_torn(&layout("max(ts)"), &[4, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_length_that_was_read_allocates_nothing() {
    // 2^60 bytes of text are announced, none are there.
    let huge = [&[6][..], &[0x80; 8], &[0x10]].concat();
    assert_torn(&layout("max(name)"), &huge);
}

#[test]
fn forged_sums_do_not_wrap() {
    let largest = [&[1, 0xfe][..], &[0xff; 17], &[0x03]].concat();
    let sum = layout("sum(qty) as s");
    assert!(merged(&sum, &[&largest]).unwrap_err().to_string().contains("an int's range"));
    let refused = merged(&sum, &[&largest, &largest]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Corrupt);
    assert_eq!(
        refused.to_string(),
        "measure 's': the states of a group together leave the range that rows can give; group \
         the input again"
    );
    let count = layout("count(*)");
    let largest = [&[0xff; 9][..], &[0x01]].concat();
    assert!(merged(&count, &[&largest, &[1]]).is_err());
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let seed = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let layout = layout(ALL);
    let whole = encoded(&layout);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        match merged(&layout, &[&bytes, &whole]) {
            Ok(values) => accepted += usize::from(values.len() == 10),
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
    assert!((100..20_000).contains(&accepted), "{accepted}");
}
