//! Sales of many periods from one pass, beside a model that sums the same orders up one by one.
//!
//! Promises: what is expected is worked out from the rows that were written; what is random
//! prints its seed.
//! Never: a sum of the code under test as its own proof.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::record::{ColumnType, Money, Timestamp, Value};
use plimsoll::typed::Engine;
use plimsoll_store::catalogue::{
    ItemMapping, JsonLines, JsonPath, Lines, OrderMapping, Resource, SalesMapping, SubjectMapping,
};
use plimsoll_store::sales::{
    Computed, Document, Period, SalesRead, SalesRequest, Subject, compute, memory_bytes,
};
use plimsoll_store::{ErrorKind, Result};

use crate::fixture::{Fixture, text};
use crate::rollup::Choices;

const DAY: i64 = 86_400_000_000;
/// 2026-01-31T12:00:00Z.
const NOW: i64 = 1_769_860_800_000_000;
const CHANNELS: [&str; 3] = ["amazon", "ebay", "shop"];

const JSON: &str = "create table o (id integer primary key, at TIME not null, channel text, \
                    lines text) strict; create index o_by_at on o (at, id);";
const TABLES: &str = "create table p (id integer primary key, name text not null) strict;
    create table o (id integer primary key, at TIME not null, channel text) strict;
    create index o_by_at on o (at, id);
    create table l (id integer primary key, o integer not null, p integer not null,
                    n integer not null, total MONEY not null) strict;
    create index l_by_o on l (o, id);";

/// An order as the model has it: time, channel, and lines of subject, quantity and units.
struct Order {
    at: i64,
    channel: Option<&'static str>,
    lines: Vec<(i64, i64, i64)>,
}

fn orders(seed: u64, count: i64, days: i64, subjects: u64) -> Vec<Order> {
    let mut choices = Choices(seed);
    let order = |id: i64| Order {
        // Some at the same instant; the last one lies behind every period.
        at: NOW - days * DAY + id / 2 * 2 * (days * DAY / count),
        channel: (choices.below(20) > 0).then(|| choices.of(&CHANNELS)),
        lines: (0..1 + choices.below(4))
            .map(|_| (choices.int(subjects), choices.int(5) - 1, choices.int(200_000) - 9_999))
            .collect(),
    };
    (0..count).map(order).collect()
}

fn time(micros: i64) -> Value {
    Value::Time(Timestamp::from_micros(micros))
}

fn channel(order: &Order) -> Value {
    order.channel.map_or(Value::Null, text)
}

fn order_mapping(resource: Arc<Resource>) -> OrderMapping {
    OrderMapping { resource, key: 0, time: 1, channel: 2, customer: None }
}

/// Orders whose lines are JSON in them.
fn as_json(orders: &[Order]) -> (Fixture, Arc<SalesMapping>) {
    let fixture = Fixture::new(JSON);
    for (first, some) in (0..).step_by(1_000).zip(orders.chunks(1_000)) {
        let values = (first..).zip(some).flat_map(|(id, order)| {
            let line = |(subject, n, units): &(i64, i64, i64)| {
                let total = Money::from_units(*units);
                format!(
                    "{{\"p\":{{\"sku\":\"S{subject}\"}},\"n\":{n},\"x\":[1],\"total\":{total}}}"
                )
            };
            let lines: Vec<String> = order.lines.iter().map(line).collect();
            let lines = format!("{{\"items\":[{}]}}", lines.join(","));
            [Value::Int(id), time(order.at), channel(order), text(&lines)]
        });
        let columns = ["id", "at", "channel", "lines"];
        fixture.write(vec![fixture.insert("o", &columns, values.collect())]).expect("written");
    }
    let path = |path| JsonPath::parse(path).expect("a path");
    let lines = JsonLines {
        column: 3,
        lines: path("items"),
        subject: path("p.sku"),
        quantity: path("n"),
        amount: path("total"),
    };
    let orders = order_mapping(fixture.table("o"));
    (fixture, Arc::new(SalesMapping { orders, lines: Lines::Json(lines), subject: None }))
}

/// Orders whose lines have a table.
fn as_tables(orders: &[Order]) -> (Fixture, Arc<SalesMapping>) {
    let fixture = Fixture::new(TABLES);
    let subjects = orders.iter().flat_map(|order| &order.lines).map(|line| line.0).max();
    let names = (0..=subjects.unwrap_or_default())
        .flat_map(|id| [Value::Int(id), text(&format!("name {id}"))]);
    fixture.write(vec![fixture.insert("p", &["id", "name"], names.collect())]).expect("written");
    for (first, some) in (0..).step_by(1_000).zip(orders.chunks(1_000)) {
        let heads = (first..).zip(some);
        let heads = heads.flat_map(|(id, o)| [Value::Int(id), time(o.at), channel(o)]).collect();
        let lines = (first..).zip(some).flat_map(|(id, order)| {
            order.lines.iter().flat_map(move |&(subject, n, units)| {
                let [id, subject, n] = [id, subject, n].map(Value::Int);
                [id, subject, n, Value::Money(Money::from_units(units))]
            })
        });
        let heads = fixture.insert("o", &["id", "at", "channel"], heads);
        let lines = fixture.insert("l", &["o", "p", "n", "total"], lines.collect());
        fixture.write(vec![heads, lines]).expect("written");
    }
    let (items, subjects) = (fixture.table("l"), fixture.table("p"));
    assert_eq!(items.schema.columns[4].kind, ColumnType::Money);
    let lines = ItemMapping { resource: items, order: 1, subject: 2, quantity: 3, amount: 4 };
    let subject = SubjectMapping { resource: subjects, key: 0, label: vec![1] };
    let orders = order_mapping(fixture.table("o"));
    let mapping = SalesMapping { orders, lines: Lines::Table(lines), subject: Some(subject) };
    (fixture, Arc::new(mapping))
}

struct Space {
    budget: Budget,
    engine: Engine,
    _spill: tempfile::TempDir,
}

fn space(memory_bytes: u64) -> Space {
    let budget = Budget::new(64 << 20, 8 << 20, Arc::new(Unmeasured)).expect("a budget");
    let spill = tempfile::tempdir().expect("a folder");
    let consumer = budget.consumer("sales").expect("a consumer");
    let engine = Engine::new(consumer, memory_bytes, spill.path()).expect("an engine");
    Space { budget, engine, _spill: spill }
}

/// The five periods in all channels and in one.
fn request(mapping: &Arc<SalesMapping>) -> SalesRequest {
    let now = Timestamp::from_micros(NOW);
    let periods = Period::NAMES.map(|name| Period::named(name, now).expect("a period"));
    SalesRequest::of(mapping, &periods, &[None, Some("ebay".into())], now)
}

/// Works out and sees that no more was held than was said.
fn run(fixture: &Fixture, request: &SalesRequest, space: &Space) -> Result<Computed> {
    let mut most = 0;
    let computed = compute(&fixture.store, request, &space.engine, &mut |_: &SalesRead| {
        most = most.max(space.budget.reserved_bytes());
        ControlFlow::Continue(())
    });
    let bound = memory_bytes(request, &space.engine);
    assert!(most <= bound, "{most} bytes of {bound} were held");
    assert_eq!(space.budget.reserved_bytes(), 0, "nothing is held afterwards");
    computed
}

/// Revenue, orders, lines and quantity.
fn total<'o>(orders: impl Iterator<Item = &'o Order>) -> [i64; 4] {
    orders.fold([0; 4], |[revenue, count, lines, quantity], order| {
        let units: i64 = order.lines.iter().map(|line| line.2).sum();
        let pieces: i64 = order.lines.iter().map(|line| line.1).sum();
        let more = i64::try_from(order.lines.len()).expect("few");
        [revenue + units, count + 1, lines + more, quantity + pieces]
    })
}

/// Subjects with revenue, quantity and orders, the best first.
fn best<'o>(orders: impl Iterator<Item = &'o Order>) -> Vec<(i64, [i64; 3])> {
    let mut all: BTreeMap<i64, [i64; 3]> = BTreeMap::new();
    for order in orders {
        let mut seen = Vec::new();
        for (subject, quantity, units) in &order.lines {
            let sums = all.entry(*subject).or_default();
            (sums[0], sums[1]) = (sums[0] + units, sums[1] + quantity);
            if !seen.contains(subject) {
                sums[2] += 1;
                seen.push(*subject);
            }
        }
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, sums)| std::cmp::Reverse(sums[0]));
    all
}

fn check(document: &Document, orders: &[Order]) {
    let period = &document.wanted.period;
    let (from, until) = (period.from().micros(), period.until().micros());
    let within = |from: i64, until: i64| {
        let wanted = document.wanted.channel.as_deref();
        orders.iter().filter(move |order| {
            (from..until).contains(&order.at)
                && wanted.is_none_or(|channel| order.channel == Some(channel))
        })
    };
    let shown = |sums: &plimsoll_store::sales::Summed| {
        [sums.revenue.units(), sums.orders, sums.items, sums.quantity]
    };
    let told = format!("{} {:?}", period.name(), document.wanted.channel);
    assert_eq!(shown(&document.sums), total(within(from, until)), "{told}");
    assert_eq!(shown(&document.previous), total(within(2 * from - until, from)), "{told}");
    let first = from.div_euclid(DAY);
    assert_eq!(document.per_day.len() as i64, (until + DAY - 1).div_euclid(DAY) - first, "{told}");
    for (day, (date, sums)) in (first..).zip(&document.per_day) {
        assert_eq!(date.micros(), day * DAY, "{told}");
        let part = within(from.max(day * DAY), until.min((day + 1) * DAY));
        assert_eq!(shown(sums), total(part), "{told} {date}");
    }
    for (name, sums) in &document.per_channel {
        let part = within(from, until).filter(|order| order.channel == name.as_deref());
        assert_eq!(shown(sums), total(part), "{told} {name:?}");
    }
    let channels = document.per_channel.iter().map(|(_, sums)| sums.orders).sum::<i64>();
    assert_eq!(channels, document.sums.orders, "{told}");
    let expected = best(within(from, until));
    let top = document.top.as_ref().expect("a top list");
    assert_eq!(top.len(), expected.len().min(10), "{told}");
    for (ranked, (_, sums)) in top.iter().zip(&expected) {
        let subject = match &ranked.subject {
            Subject::Int(subject) => *subject,
            Subject::Text(text) => text[1..].parse().expect("a number"),
        };
        let of = expected.iter().find(|(key, _)| *key == subject).expect("a subject").1;
        assert_eq!(ranked.revenue.units(), sums[0], "{told}");
        assert_eq!([ranked.revenue.units(), ranked.quantity, ranked.orders], of, "{told}");
        if let Some((_, label)) = ranked.label.first() {
            assert_eq!(*label, text(&format!("name {subject}")));
        }
    }
}

fn same_as_the_model(make: fn(&[Order]) -> (Fixture, Arc<SalesMapping>)) {
    let seed = u64::from(std::process::id()) * 7_919 + 1;
    let orders = orders(seed, 3_000, 200, 400);
    let (fixture, mapping) = make(&orders);
    let computed = run(&fixture, &request(&mapping), &space(1 << 20)).expect("computed");
    assert_eq!(computed.documents.len(), 10, "seed {seed}");
    let begin = NOW - 180 * DAY;
    let longest = orders.iter().filter(|order| (begin..NOW).contains(&order.at)).count() as u64;
    assert_eq!(computed.read.orders, longest, "each order of the longest range once, seed {seed}");
    // Pages of orders, and of lines where they have a table; never one an order.
    assert!(computed.read.pages < longest / 50, "{:?}", computed.read);
    computed.documents.iter().for_each(|document| check(document, &orders));
}

#[test]
fn five_periods_in_two_channels_cost_one_pass_over_orders_with_json_lines() {
    same_as_the_model(as_json);
}

#[test]
fn five_periods_in_two_channels_cost_one_pass_over_orders_and_a_table_of_lines() {
    same_as_the_model(as_tables);
}

#[test]
fn a_top_list_of_many_subjects_is_exact_within_a_small_memory() {
    let orders = orders(7, 8_000, 60, 60_000);
    let (fixture, mapping) = as_json(&orders);
    let space = space(256 << 10);
    let computed = run(&fixture, &request(&mapping), &space).expect("computed");
    computed.documents.iter().for_each(|document| check(document, &orders));
    assert!(space.engine.spill_stats().written_bytes > 0, "{:?}", space.engine.spill_stats());
}

#[test]
fn a_pass_is_stopped_after_a_page_and_holds_nothing() {
    let (fixture, mapping) = as_tables(&orders(3, 1_500, 20, 50));
    let space = space(1 << 20);
    let mut pages = 0;
    let stopped = compute(&fixture.store, &request(&mapping), &space.engine, &mut |read| {
        pages += 1;
        assert!(read.orders > 0 && read.orders <= 500);
        ControlFlow::Break(())
    });
    assert_eq!((stopped.expect_err("stopped").kind(), pages), (ErrorKind::Stopped, 1));
    assert_eq!(space.budget.reserved_bytes(), 0);
}

#[test]
fn an_order_with_more_lines_than_a_page_is_read_whole_or_refused() {
    let mut all = orders(5, 300, 20, 50);
    all[150].lines = (0..4_000).map(|n| (n % 97, 1, 5)).collect();
    all[151].lines.clear();
    let (fixture, mapping) = as_tables(&all);
    let computed = run(&fixture, &request(&mapping), &space(1 << 20)).expect("computed");
    computed.documents.iter().for_each(|document| check(document, &all));
    let more = (0..7_000).flat_map(|_| {
        [150, 1, 1].map(Value::Int).into_iter().chain([Value::Money(Money::from_units(1))])
    });
    fixture
        .write(vec![fixture.insert("l", &["o", "p", "n", "total"], more.collect())])
        .expect("written");
    let refused = run(&fixture, &request(&mapping), &space(1 << 20)).expect_err("too many");
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    assert!(refused.to_string().contains("more than 10000 lines"), "{refused}");
}

#[test]
fn a_large_table_without_an_index_by_time_is_refused_with_the_index() {
    let (fixture, mapping) = as_json(&orders(9, 12_000, 30, 5));
    fixture.execute("drop index o_by_at");
    let again = fixture.open(false);
    let mut orders = mapping.orders.clone();
    let mut bare = (**again.catalogue().table("o").expect("a table")).clone();
    bare.schema = orders.resource.schema.clone();
    orders.resource = Arc::new(bare);
    let mapping = Arc::new(SalesMapping { orders, ..(*mapping).clone() });
    let space = space(1 << 20);
    let go_on = &mut |_: &SalesRead| ControlFlow::Continue(());
    let refused = compute(&again, &request(&mapping), &space.engine, go_on).expect_err("no index");
    assert_eq!(refused.kind(), ErrorKind::Unindexed, "{refused}");
    let remedy = refused.remedy().expect("an index to create").to_lowercase();
    assert!(remedy.contains("create index") && remedy.contains("at"), "{remedy}");
    again.close().expect("closed");
}

#[test]
fn lines_that_cannot_be_read_are_counted_and_the_document_is_json() {
    let mut all = orders(11, 40, 2, 5);
    all.truncate(39);
    let (fixture, mapping) = as_json(&all);
    fixture
        .execute(&format!("update o set lines = '{}' where id = 30", "{\"items\":[{\"n\":1},{}]}"));
    all[30].lines.clear();
    let computed = run(&fixture, &request(&mapping), &space(1 << 20)).expect("computed");
    computed.documents.iter().for_each(|document| check(document, &all));
    let week = &computed.documents[4];
    assert_eq!((week.wanted.period.name(), week.unreadable_lines), ("7d", 2));
    let json = String::from_utf8(week.to_json().expect("JSON")).expect("UTF-8");
    let read: serde_json::Value =
        serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!(read["source"], "live");
    assert_eq!(read["unreadable_lines"], 2);
    assert_eq!(read["orders"], week.sums.orders);
    assert_eq!(read["per_day"].as_array().map(Vec::len), Some(8));
    assert_eq!(read["previous"]["until"], read["from"]);
    assert!(read["change_percent"]["revenue"].is_null(), "{json}");
    assert!(json.contains(&format!("\"revenue\":{}", week.sums.revenue)), "{json}");
}

/// The case of the shop that this began with: 20,425 orders of 90 days, five periods. Its figures
/// stand in `cargo run --release --example warm`.
#[test]
fn the_five_periods_of_twenty_thousand_orders_take_a_bounded_memory() {
    let orders = orders(2, 20_425, 90, 2_000);
    let (fixture, mapping) = as_json(&orders);
    let space = space(4 << 20);
    let mut request = request(&mapping);
    request.wanted.retain(|wanted| wanted.channel.is_none());
    let began = Instant::now();
    let computed = run(&fixture, &request, &space).expect("computed");
    let took = began.elapsed();
    assert_eq!(computed.documents.len(), 5);
    assert_eq!(computed.read.orders, 20_425);
    assert!(memory_bytes(&request, &space.engine) < 24 << 20);
    assert!(took.as_secs() < 60, "{took:?}");
    computed.documents.iter().for_each(|document| check(document, &orders));
}
