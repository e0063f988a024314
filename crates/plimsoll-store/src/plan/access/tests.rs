//! Which index serves which order: tables of cases.
//!
//! Promises: each case says index, order and filter in words, and the whole answer.
//! Never: a database; what SQLite makes of it is asked in `sqlite/dialect/tests.rs`.

use plimsoll::expr;
use plimsoll::record::Value;

use super::access;
use crate::catalogue::testing::resource;
use crate::catalogue::{Index, IndexColumn, Nulls, Order, Resource};

/// `a`, `b` and `c` are nullable integers, `t` a text, `x` a column of a foreign database.
fn table(indexes: &[&str]) -> Resource {
    let columns =
        [("id", "int"), ("a", "int"), ("b", "int"), ("c", "int"), ("t", "text"), ("x", "any")];
    let mut resource = resource("rows", &columns);
    for column in &mut resource.schema.columns[1..] {
        column.nullable = true;
    }
    resource.indexes.clear();
    for text in indexes {
        let columns = text.split(' ').map(|word| {
            let (descending, name) = match word.strip_prefix('-') {
                Some(name) => (true, name),
                None => (false, word),
            };
            let column = resource.column(name).expect("a column");
            IndexColumn { column, descending, nulls: Nulls::Smallest }
        });
        let columns = columns.collect();
        resource.indexes.push(Index { name: (*text).into(), columns });
    }
    resource
}

/// `served`, the columns of the equal prefix, the bounds as text.
fn answer(resource: &Resource, order: &str, filter: &str) -> (bool, Vec<String>, Vec<String>) {
    let order = Order::parse(resource, order).expect("an order");
    let filter =
        (!filter.is_empty()).then(|| expr::parse(filter, &resource.schema).expect("a filter"));
    let access = access(resource, &order, filter.as_ref());
    let name = |c: usize| resource.schema.columns[c].name.to_string();
    let equal = access.equal.iter().map(|(c, value)| match value {
        Value::Int(v) => format!("{}={v}", name(*c)),
        other => format!("{}={other:?}", name(*c)),
    });
    let bounds = access.bounds.iter().map(|b| b.canonical(&resource.schema).to_string());
    (access.served, equal.collect(), bounds.collect())
}

fn check(cases: &[(&[&str], &str, &str, bool, &str)]) {
    for (indexes, order, filter, served, equal) in cases {
        let (got, prefix, _) = answer(&table(indexes), order, filter);
        let case = format!("index {indexes:?} order '{order}' filter '{filter}'");
        assert_eq!((got, &*prefix.join(" ")), (*served, *equal), "{case}");
    }
}

#[test]
fn an_order_is_served_by_an_index_that_runs_in_it_either_way() {
    check(&[
        (&["id"], "", "", true, ""),
        (&["id"], "-id", "", true, ""),
        (&["id"], "a", "", false, ""),
        (&["a id"], "a", "", true, ""),
        (&["a id"], "-a", "", true, ""),
        (&["a id"], "a,-id", "", false, ""),
        (&["a -id"], "a,-id", "", true, ""),
        (&["a -id"], "-a,id", "", true, ""),
        (&["-a id"], "-a,id", "", true, ""),
        (&["-a id"], "-a", "", false, ""),
        (&["a b id"], "a", "", false, ""),
        (&["a b id"], "b", "", false, ""),
        (&["a b id"], "a,b", "", true, ""),
        (&["a b id"], "a,-b", "", false, ""),
        (&["a b"], "a,b", "", false, ""),
        (&[], "", "", false, ""),
    ]);
}

#[test]
fn columns_behind_a_unique_set_decide_nothing() {
    check(&[
        (&["id"], "id,a", "", true, ""),
        (&["id"], "-id,a,b", "", true, ""),
        (&["a id"], "a,id,-b", "", true, ""),
    ]);
}

#[test]
fn equalities_in_front_of_an_index_are_its_prefix() {
    check(&[
        (&["a id"], "", "a = 1", true, "a=1"),
        (&["a id"], "-id", "a = 1 and b > 2", true, "a=1"),
        (&["a b id"], "b", "a = 1", true, "a=1"),
        (&["a b id"], "-b", "a = 1", true, "a=1"),
        (&["a b id"], "b,a", "a = 1", true, "a=1"),
        (&["a b c id"], "c", "b = 2 and a = 1", true, "a=1 b=2"),
        (&["a b c id"], "c", "a = 1", false, ""),
        (&["a b c id"], "c", "a = 1 and b > 2", false, ""),
        (&["a b id"], "b", "a = 1 or a = 2", false, ""),
        (&["a b id"], "b", "a != 1", false, ""),
        (&["a b id"], "b", "not a = 1", false, ""),
        (&["x id"], "", "x = 1", false, ""),
    ]);
}

#[test]
fn the_index_with_the_longest_prefix_is_taken() {
    check(&[
        (&["id", "a id", "a b id"], "", "a = 1 and b = 2", true, "a=1 b=2"),
        (&["id", "a id", "a b id"], "", "a = 1", true, "a=1"),
        (&["id", "a id"], "", "b = 2", true, ""),
    ]);
}

#[test]
fn comparisons_of_the_orders_first_free_column_cut_its_range() {
    let cases: [(&[&str], &str, &str, &[&str]); 7] = [
        (&["a id"], "a", "a >= 10 and a < 20 and b = 1", &["a >= 10", "a < 20"]),
        (&["a id"], "a", "20 > a", &["a < 20"]),
        (&["a id"], "a", "a != 10", &[]),
        (&["a b id"], "b", "a = 1 and b > 2", &["b > 2"]),
        (&["a b id"], "a,b", "b > 2", &[]),
        (&["x id"], "x", "x > 2", &[]),
        (&["a id"], "-a", "a > 2 or b = 1", &[]),
    ];
    for (indexes, order, filter, wanted) in cases {
        let (served, _, bounds) = answer(&table(indexes), order, filter);
        assert!(served, "{order} {filter}");
        let plain: Vec<String> = bounds.iter().map(|b| b.replace('"', "")).collect();
        assert_eq!(plain, wanted, "index {indexes:?} order '{order}' filter '{filter}'");
    }
}

#[test]
fn an_unserved_order_takes_no_prefix_and_no_bounds() {
    let (served, equal, bounds) = answer(&table(&["a id"]), "b", "a = 1 and b > 2");
    assert_eq!((served, equal.len(), bounds.len()), (false, 0, 0));
}
