//! Phases against brute force: the ranges evaluated in memory over random rows.
//!
//! Promises: every position of every order is asked, forwards and backwards.
//! Never: a database.

use std::cmp::Ordering;

use plimsoll::expr::testing::Random;
use plimsoll::record::{Value, compare};

use super::{Condition, phases};
use crate::catalogue::testing::resource;
use crate::catalogue::{Order, Resource, SortTerm};
use crate::read::Position;

const SEED: u64 = 0x05ee_d0f0_a5e5;

/// What the condition says of a row, in the words of the one total order.
fn holds(condition: &Condition, row: &[Value]) -> bool {
    let null = |column: usize| row[column] == Value::Null;
    let order = |column: usize, value: &Value| compare(row[column].borrow(), value.borrow());
    match condition {
        Condition::Same(column, value) => order(*column, value) == Ordering::Equal,
        Condition::Above(column, value) => {
            assert_ne!(*value, Value::Null, "a bound is never NULL");
            !null(*column) && order(*column, value).is_gt()
        }
        Condition::Below(column, value) => {
            assert_ne!(*value, Value::Null, "a bound is never NULL");
            !null(*column) && order(*column, value).is_lt()
        }
        Condition::Null(column) => null(*column),
        Condition::NotNull(column) => !null(*column),
    }
}

fn by_order(order: &Order, backwards: bool, a: &[Value], b: &[Value]) -> Ordering {
    let terms = order.terms().iter().map(|t| {
        let ordering = compare(a[t.column].borrow(), b[t.column].borrow());
        if t.descending == backwards { ordering } else { ordering.reverse() }
    });
    terms.fold(Ordering::Equal, Ordering::then)
}

fn position(order: &Order, row: &[Value]) -> Position {
    Position(order.terms().iter().map(|t| row[t.column].clone()).collect())
}

/// A key and up to three more columns, some of them nullable.
fn random_resource(random: &mut Random) -> Resource {
    let kinds = ["int", "text", "float", "money", "time", "bytes", "bool", "any"];
    let mut columns = vec![("id", "int")];
    for name in ["a", "b", "c"].iter().take(1 + random.below(3)) {
        columns.push((name, kinds[random.below(kinds.len())]));
    }
    let mut resource = resource("t", &columns);
    for column in &mut resource.schema.columns[1..] {
        column.nullable = random.below(3) > 0;
    }
    resource
}

fn random_order(random: &mut Random, resource: &Resource) -> Order {
    let mut left: Vec<usize> = (0..resource.schema.columns.len()).collect();
    let count = 1 + random.below(left.len().min(3));
    let terms: Vec<SortTerm> = (0..count)
        .map(|_| {
            let column = left.swap_remove(random.below(left.len()));
            SortTerm { column, descending: random.below(2) == 0 }
        })
        .collect();
    Order::new(resource, &terms).expect("an order over distinct columns")
}

/// Rows with few distinct values, so that groups of equals are common.
fn random_rows(random: &mut Random, resource: &Resource, count: usize) -> Vec<Vec<Value>> {
    let pool: Vec<Vec<Value>> = (0..3).map(|_| random.row(&resource.schema)).collect();
    (0..count)
        .map(|id| {
            let mut row: Vec<Value> = (0..resource.schema.columns.len())
                .map(|column| pool[random.below(pool.len())][column].clone())
                .collect();
            row[0] = Value::Int(i64::try_from(id).expect("few rows"));
            for (value, column) in row.iter_mut().zip(&resource.schema.columns) {
                if column.nullable && random.below(4) == 0 {
                    *value = Value::Null;
                }
            }
            row
        })
        .collect()
}

#[test]
fn the_ranges_are_disjoint_in_order_and_together_the_rows_after_the_position() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED);
    for case in 0..400 {
        let resource = random_resource(&mut random);
        let order = random_order(&mut random, &resource);
        let rows = random_rows(&mut random, &resource, 24);
        for backwards in [false, true] {
            let mut sorted: Vec<&Vec<Value>> = rows.iter().collect();
            sorted.sort_by(|a, b| by_order(&order, backwards, a, b));
            for (at, row) in sorted.iter().enumerate() {
                let from = position(&order, row);
                let ranges = phases(&resource, &order, Some(&from), backwards).expect("phases");
                let mut found = Vec::new();
                for range in &ranges {
                    found.extend(
                        sorted.iter().filter(|r| range.iter().all(|c| holds(c, r))).copied(),
                    );
                }
                let wanted = &sorted[at + 1..];
                assert_eq!(found, wanted, "case {case} backwards {backwards} {order:?} {row:?}");
            }
        }
    }
}

#[test]
fn a_position_between_rows_that_are_gone_still_cuts_the_order_in_two() {
    println!("seed {SEED:#x}");
    let mut random = Random::new(SEED ^ 1);
    for case in 0..300 {
        let resource = random_resource(&mut random);
        let order = random_order(&mut random, &resource);
        let rows = random_rows(&mut random, &resource, 16);
        let gone = random_rows(&mut random, &resource, 40);
        for absent in &gone[20..] {
            let from = position(&order, absent);
            let side = |backwards: bool| {
                let ranges = phases(&resource, &order, Some(&from), backwards).expect("phases");
                let hit = |row: &Vec<Value>| {
                    ranges.iter().filter(|r| r.iter().all(|c| holds(c, row))).count()
                };
                rows.iter().map(hit).collect::<Vec<_>>()
            };
            let both = side(false).into_iter().zip(side(true));
            for ((after, before), row) in both.zip(&rows) {
                assert_eq!(after + before, 1, "case {case} {order:?} {from:?} {row:?}");
            }
        }
    }
}

#[test]
fn without_a_position_there_is_one_range_of_everything() {
    let resource = resource("t", &[("id", "int")]);
    let order = Order::new(&resource, &[]).expect("the key");
    assert_eq!(phases(&resource, &order, None, true).expect("phases"), vec![Vec::new()]);
}

#[test]
fn a_position_of_another_order_is_refused() {
    let resource = resource("t", &[("id", "int"), ("a", "int")]);
    let order = Order::parse(&resource, "a").expect("an order");
    let short = Position(vec![Value::Int(1)]);
    let refused = phases(&resource, &order, Some(&short), false).expect_err("refused");
    assert_eq!(refused.kind(), crate::ErrorKind::Invalid);
    assert!(refused.to_string().contains("1 values"), "{refused}");
}

#[test]
fn the_brute_force_notices_a_range_that_is_too_wide() {
    let row = [Value::Int(1), Value::Null];
    assert!(holds(&Condition::Same(1, Value::Null), &row));
    assert!(!holds(&Condition::Above(1, Value::Int(0)), &row));
    assert!(!holds(&Condition::Below(1, Value::Int(0)), &row));
    assert!(!holds(&Condition::NotNull(1), &row));
}
