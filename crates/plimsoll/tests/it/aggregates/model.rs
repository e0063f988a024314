//! Random rows, grouped in every way there is, against a map that keeps all of them.

use std::collections::BTreeMap;

use plimsoll::aggregate::{Aggregate, Layout, Measure, UpdateError};
use plimsoll::expr::testing::Random;
use plimsoll::group::Table;
use plimsoll::record::{Money, Value, ValueRow, compare};

use super::{measures, schema};

const ALL: &str = "count(*), max(name), count(name), sum(qty), avg(qty), min(blob), sum(price), \
                   avg(price), sum(weight), avg(weight), min(qty), max(price), min(weight), \
                   max(ts), min(name), max(flag), min(misc), max(misc)";

/// `TEST_SEED` replays what a failure printed.
fn seed() -> u64 {
    let given = std::env::var("TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(0x5eed_0000_0000_0002)
}

/// A row whose floats add up exactly, and the key of its group.
fn draw(random: &mut Random, keys: usize) -> (Vec<u8>, Vec<Value>) {
    let mut row = random.row(&schema());
    if let Value::Float(weight) = &mut row[2] {
        *weight = (f64::from(u8::try_from(random.below(200)).unwrap()) - 100.0) / 4.0;
    }
    if let Value::Text(name) = &mut row[4] {
        *name = name.repeat(1 + random.below(30)).into();
    }
    let key = random.below(keys);
    (format!("{key}").repeat(1 + key % 5).into_bytes(), row)
}

/// What a measure gives of these rows, said another way; `None` where it does not fit.
fn expected(measure: &Measure, rows: &[Vec<Value>]) -> Option<Value> {
    let name = measure.text().split(['(', ')']).nth(1).expect("a column");
    let Some(column) = schema().position(name) else {
        return Some(Value::Int(rows.len().try_into().unwrap()));
    };
    let values: Vec<_> =
        rows.iter().map(|row| &row[column]).filter(|v| **v != Value::Null).collect();
    let count = values.len();
    let mean = measure.aggregate() == Aggregate::Avg;
    Some(match (measure.aggregate(), values.first()) {
        (Aggregate::Count, _) => Value::Int(count.try_into().unwrap()),
        (_, None) => Value::Null,
        (Aggregate::Min, _) => {
            let least = values.into_iter().reduce(|a, b| if before(b, a) { b } else { a });
            least.unwrap().clone()
        }
        (Aggregate::Max, _) => {
            let greatest = values.into_iter().reduce(|a, b| if before(a, b) { b } else { a });
            greatest.unwrap().clone()
        }
        (_, Some(Value::Float(_))) => {
            let sum: f64 =
                values.iter().map(|v| if let Value::Float(v) = v { *v } else { 0.0 }).sum();
            Value::Float(if mean { sum / count as f64 } else { sum })
        }
        (_, Some(Value::Int(_))) => {
            let sum: i128 = values.iter().map(|v| units(v)).sum();
            if !mean {
                return i64::try_from(sum).ok().map(Value::Int);
            }
            // Whole and rest apart are exact but for the rest's own rounding.
            let rest = (sum % count as i128) as f64 / count as f64;
            Value::Float((sum / count as i128) as f64 + rest)
        }
        _ => {
            let sum: i128 = values.iter().map(|v| units(v)).sum();
            let result = if mean { nearest_even(sum, count as i128) } else { sum };
            return i64::try_from(result).ok().map(|units| Value::Money(Money::from_units(units)));
        }
    })
}

/// Of equal values of two types the int stands for both.
fn before(a: &Value, b: &Value) -> bool {
    compare(a.borrow(), b.borrow()).is_lt()
}

fn units(value: &Value) -> i128 {
    match value {
        Value::Int(v) => i128::from(*v),
        Value::Money(v) => i128::from(v.units()),
        other => panic!("{other:?}"),
    }
}

fn nearest_even(sum: i128, count: i128) -> i128 {
    let near = sum / count;
    (near - 1..=near + 1)
        .min_by_key(|guess| ((guess * count - sum).abs(), guess.rem_euclid(2)))
        .unwrap()
}

fn alike(got: &Value, wanted: &Value) -> bool {
    match (got, wanted) {
        // The model's own rounding is the coarser one.
        (Value::Float(a), Value::Float(b)) => (a - b).abs() <= b.abs() * 1e-15,
        _ => compare(got.borrow(), wanted.borrow()).is_eq(),
    }
}

/// Every group of `table` is the model's, and every one of the model's is there.
fn assert_alike(
    layout: &Layout,
    list: &[Measure],
    table: &Table,
    model: &BTreeMap<Vec<u8>, Vec<Vec<Value>>>,
) -> usize {
    assert_eq!(table.len(), model.len());
    let mut refusals = 0;
    for group in table {
        let rows = model.get(group.key()).expect("a group of the model");
        let wanted: Vec<_> = list.iter().map(|measure| expected(measure, rows)).collect();
        let mut got = Vec::new();
        match layout.finish(group, &mut got) {
            Ok(()) => assert!(wanted.iter().all(Option::is_some), "{wanted:?}"),
            Err(refused) => {
                refusals += 1;
                assert_eq!(wanted[got.len()], None, "{refused}");
                let name = format!("measure '{}': the result", list[got.len()].name());
                assert!(refused.to_string().starts_with(&name), "{refused}");
            }
        }
        for (index, value) in got.iter().enumerate() {
            let wanted = wanted[index].as_ref().expect("a result that fits");
            assert!(alike(value, wanted), "{}: {value:?}, {wanted:?}", list[index].name());
        }
    }
    refusals
}

#[derive(Default)]
struct Spill(Vec<(Vec<u8>, Vec<u8>)>);

impl Spill {
    fn write(&mut self, layout: &Layout, table: &mut Table) {
        for group in &*table {
            let mut bytes = Vec::new();
            layout.encode(group, &mut bytes);
            self.0.push((group.key().into(), bytes));
        }
        table.clear();
    }
}

/// Adds the row, spilling the table as often as it is full.
fn add(layout: &Layout, table: &mut Table, key: &[u8], row: &[Value], spill: &mut Spill) -> usize {
    for spills in 0..2 {
        let added = match table.upsert(key) {
            Ok(mut group) => layout.update(&mut group, &ValueRow(row)),
            Err(full) => Err(full.into()),
        };
        match added {
            Ok(()) => return spills,
            Err(UpdateError::Full) => spill.write(layout, table),
            Err(UpdateError::Failed(refused)) => panic!("{refused}"),
        }
    }
    panic!("one row alone does not fit");
}

#[test]
fn rows_count_once_whether_they_met_in_memory_were_spilled_or_passed_by() {
    let seed = seed();
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let list = measures(ALL);
    let layout = Layout::new(&list).unwrap();
    let (mut spills, mut refusals, mut groups) = (0, 0, 0);
    for round in 0..60 {
        let mut model: BTreeMap<Vec<u8>, Vec<Vec<Value>>> = BTreeMap::new();
        let workspace = (24 << 10) + random.below(64 << 10);
        let mut tables = [0, 1].map(|_| Table::new(workspace, &layout, round).unwrap());
        let mut spill = Spill::default();
        let keys = [1, 20, 400][random.below(3)];
        for _ in 0..random.below(1200) {
            let (key, row) = draw(&mut random, keys);
            if random.below(10) == 0 {
                let mut bytes = Vec::new();
                layout.encode_row(&ValueRow(&row), &mut bytes).unwrap();
                spill.0.push((key.clone(), bytes));
            } else {
                let table = &mut tables[random.below(2)];
                spills += add(&layout, table, &key, &row, &mut spill);
                assert!(table.bytes() <= workspace);
            }
            model.entry(key).or_default().push(row);
        }
        let mut whole = Table::new(16 << 20, &layout, round + 1).unwrap();
        for group in tables.iter().flatten() {
            layout.merge(&mut whole.upsert(group.key()).unwrap(), group).unwrap();
        }
        for (key, bytes) in &spill.0 {
            layout.merge_encoded(&mut whole.upsert(key).unwrap(), bytes).unwrap();
        }
        groups += model.len();
        refusals += assert_alike(&layout, &list, &whole, &model);
    }
    assert!(spills > 30 && refusals > 30 && groups - refusals > 30, "{spills} {refusals} {groups}");
}

#[test]
fn spilling_and_merging_again_changes_nothing() {
    let seed = seed();
    println!("TEST_SEED={seed}");
    let mut random = Random::new(seed);
    let layout = Layout::new(&measures(ALL)).unwrap();
    let mut table = Table::new(1 << 20, &layout, 1).unwrap();
    for _ in 0..500 {
        let (key, row) = draw(&mut random, 60);
        layout.update(&mut table.upsert(&key).unwrap(), &ValueRow(&row)).unwrap();
    }
    let mut again = Table::new(1 << 20, &layout, 2).unwrap();
    for group in &table {
        let mut bytes = Vec::new();
        layout.encode(group, &mut bytes);
        let mut copy = again.upsert(group.key()).unwrap();
        layout.merge_encoded(&mut copy, &bytes).unwrap();
        let mut twice = Vec::new();
        layout.encode(copy.view(), &mut twice);
        assert_eq!(bytes, twice);
    }
    assert_eq!(again.len(), table.len());
}

#[test]
fn the_model_tells_when_a_row_is_lost() {
    let list = measures("count(*), sum(weight)");
    let layout = Layout::new(&list).unwrap();
    let mut table = Table::new(1 << 16, &layout, 1).unwrap();
    let (key, row) = draw(&mut Random::new(seed()), 1);
    layout.update(&mut table.upsert(&key).unwrap(), &ValueRow(&row)).unwrap();
    let model = BTreeMap::from([(key, vec![row.clone(), row])]);
    let compared = std::panic::catch_unwind(|| assert_alike(&layout, &list, &table, &model));
    assert!(compared.is_err());
}
