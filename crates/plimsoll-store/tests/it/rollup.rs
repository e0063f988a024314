//! Sums by day and channel beside a fresh sum of the orders, after any writes and any kill.
//!
//! Promises: what is random prints its seed; the model is one SQL statement over the orders.
//! Never: a look at the code's own sums for what is expected.

use std::ops::ControlFlow;
use std::sync::Arc;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::record::{Money, Timestamp, Value};
use plimsoll::typed::Engine;
use plimsoll_store::catalogue::Analytics;
use plimsoll_store::rollup::{Refresh, RefreshStep, Refreshed, refresh, summary};
use plimsoll_store::sales::{Document, Period, SalesRead, Source, Wanted};
use plimsoll_store::steps::{self, StepRun};
use plimsoll_store::{OnConflict, Priority, Store, Write, WriteUnit};
use tempfile::TempDir;

use crate::fixture::{NOW, Served, either, int, on_postgres, text};
use crate::recipe::{open, shop};

const DAY: i64 = 86_400_000_000;

/// Two channels are the same but for their case.
const CHANNELS: [&str; 3] = ["online", "Online", "store"];

struct Shop {
    store: Store,
    directory: TempDir,
    served: Option<Served>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.store.close());
    }
}

/// xorshift64*: the same choices for the same seed.
pub(crate) struct Choices(pub(crate) u64);

impl Choices {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound.max(1)
    }

    pub(crate) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("small")]
    }

    pub(crate) fn int(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).expect("small")
    }
}

impl Shop {
    fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a folder");
        let (store, served) = open(directory.path(), &shop());
        Self { store, directory, served }
    }

    fn new() -> Self {
        let shop = Self::empty();
        let values = (1..=5).flat_map(|n| {
            let time = Value::Time(Timestamp::from_micros(NOW));
            let sku = text(&format!("P{n}"));
            [
                Value::Int(n),
                sku.clone(),
                sku,
                Value::Money(Money::from_units(100)),
                time.clone(),
                time,
            ]
        });
        let columns = ["id", "sku", "name", "price", "created_at", "updated_at"];
        shop.write(vec![shop.insert("products", &columns, values.collect(), OnConflict::Error)]);
        shop
    }

    fn analytics(&self) -> Arc<Analytics> {
        Arc::clone(self.store.catalogue().analytics().expect("a mapping"))
    }

    fn insert(
        &self,
        table: &str,
        names: &[&str],
        values: Vec<Value>,
        on_conflict: OnConflict,
    ) -> Write {
        let resource = Arc::clone(self.store.catalogue().table(table).expect("a table"));
        let columns = names.iter().map(|name| resource.column(name).expect("a column")).collect();
        Write::Insert { resource, columns, values, on_conflict }
    }

    fn write(&self, writes: Vec<Write>) {
        let unit = WriteUnit { writes, now_micros: NOW, ..WriteUnit::default() };
        self.store.write(unit, Priority::Normal).wait().expect("written");
    }

    /// What another program writes.
    fn execute(&self, sql: &str) {
        match &self.served {
            Some(served) => served.execute(sql),
            None => rusqlite::Connection::open(self.directory.path().join("shop.db"))
                .and_then(|other| {
                    other.busy_timeout(std::time::Duration::from_secs(10))?;
                    other.execute_batch(sql)
                })
                .unwrap_or_else(|e| panic!("{e}: {sql}")),
        }
    }

    fn count(&self, sql: &str) -> i64 {
        int(&self.store.query(sql, 1).wait().expect("an answer")[0][0])
    }

    /// Days without a mark whose sums are not those of their orders.
    fn wrong_days(&self) -> i64 {
        let day = either(
            "o.ordered_at - (o.ordered_at % 86400000000 + 86400000000) % 86400000000",
            "date_trunc('day', o.ordered_at, 'UTC')",
        );
        self.count(&format!(
            "with fresh as (
               select {day} as date, o.channel, count(distinct o.id) as orders,
                      coalesce(sum(i.line_amount), 0) as revenue, count(i.id) as items,
                      coalesce(sum(i.quantity), 0) as quantity
               from orders as o left join order_items as i on i.order_id = o.id group by 1, 2
             ), wrong as (
               select f.date, f.channel from fresh as f where not exists (
                 select 1 from daily_metrics as m
                 where m.date = f.date and m.channel = f.channel and m.revenue = f.revenue
                   and m.orders = f.orders and m.items = f.items and m.quantity = f.quantity)
               union
               select m.date, m.channel from daily_metrics as m
               where (m.orders, m.items, m.quantity) <> (0, 0, 0) and not exists (
                 select 1 from fresh as f where m.date = f.date and m.channel = f.channel)
             )
             select count(*) from wrong as w where not exists (
               select 1 from dirty_days as d where d.date = w.date and d.channel = w.channel)"
        ))
    }

    fn refresh(
        &self,
        progress: &mut dyn FnMut(RefreshStep, &Refreshed) -> ControlFlow<()>,
    ) -> Refreshed {
        let what = Refresh { analytics: self.analytics(), now_micros: NOW };
        refresh(&self.store, &what, progress).expect("refreshed")
    }

    fn refresh_all(&self) -> Refreshed {
        self.refresh(&mut |_, _| ControlFlow::Continue(()))
    }

    fn marks(&self) -> i64 {
        self.count("select count(*) from dirty_days")
    }

    /// An order with its lines; days are counted from 1970 on.
    fn order(&self, id: i64, day: i64, channel: &str, lines: &[(i64, i64)]) -> Vec<Write> {
        let time = Value::Time(Timestamp::from_micros(day * DAY + id * 1_000_003 % DAY));
        let number = text(&format!("N{id}"));
        let columns = ["id", "number", "channel", "status", "ordered_at"];
        let head = vec![Value::Int(id), number, text(channel), text("completed"), time];
        let mut writes = vec![self.insert("orders", &columns, head, OnConflict::Error)];
        for (at, &(quantity, price)) in (0..).zip(lines) {
            let columns = ["id", "order_id", "product_id", "quantity", "unit_price", "line_amount"];
            let money = |units| Value::Money(Money::from_units(units));
            let ints = [id * 10 + at, id, 1 + (id + at) % 5, quantity].map(Value::Int);
            let values = ints.into_iter().chain([money(price), money(quantity * price)]);
            let on_conflict = OnConflict::Error;
            writes.push(self.insert("order_items", &columns, values.collect(), on_conflict));
        }
        writes
    }

    /// One write of some kind.
    fn anything(&self, choices: &mut Choices, id: &mut i64) {
        let any = 1 + choices.int(u64::try_from(*id).unwrap_or(1));
        let (day, channel) = (choices.int(6) - 2, choices.of(&CHANNELS));
        let at = day * DAY + choices.int(80_000) * 1_000_000;
        let instant = either("?", "to_timestamp(? / 1000000.0)").replace('?', &at.to_string());
        let price = choices.int(100_000);
        let price_text = either("?", "? / 10000.0").replace('?', &price.to_string());
        match choices.below(13) {
            0..=2 => {
                *id += 1;
                let lines: Vec<(i64, i64)> = (0..choices.below(4))
                    .map(|_| (choices.int(9) - 3, choices.int(90_000)))
                    .collect();
                self.write(self.order(*id, day, channel, &lines));
            }
            3 => {
                self.execute(&format!("update orders set ordered_at = {instant} where id = {any}"))
            }
            4 => self.execute(&format!("update orders set channel = '{channel}' where id = {any}")),
            5 => self.execute(&format!(
                "update order_items set quantity = 2, unit_price = {price_text}, \
                 line_amount = 2 * {price_text} where order_id = {any}"
            )),
            6 => self.execute(&format!(
                "begin; delete from order_items where order_id = {any}; \
                 delete from orders where id = {any}; commit;"
            )),
            7 => self.execute(&format!("delete from order_items where id = {any} * 10 + 1")),
            8 => self.execute(&format!(
                "update order_items set order_id = (select max(id) from orders) \
                 where id = {any} * 10 and exists (select 1 from orders)"
            )),
            10 | 11 => {
                // Of 20 ids, so that on SQLite an item is replaced now and then.
                let (begin, item) = (either("insert or replace", "insert"), choices.int(20));
                let rest =
                    either("", "on conflict (id) do update set order_id = excluded.order_id");
                self.execute(&format!(
                    "{begin} into order_items
                       (id, order_id, product_id, quantity, unit_price, line_amount)
                     select 1000000 + {item}, id, 1, 1, 5, 5 from orders where id = {any} {rest}"
                ));
            }
            9 => {
                let columns = ["id", "number", "channel", "status", "ordered_at"];
                let time = Value::Time(Timestamp::from_micros(at));
                let number = text(&format!("N{any}"));
                let values = vec![Value::Int(any), number, text(channel), text("cancelled"), time];
                self.write(vec![self.insert("orders", &columns, values, OnConflict::Update)]);
            }
            _ => self.overwrite(choices, *id, any, (channel, &instant)),
        }
    }

    /// One write that takes the place of a row.
    fn overwrite(
        &self,
        choices: &mut Choices,
        id: i64,
        any: i64,
        (channel, instant): (&str, &str),
    ) {
        match choices.below(2) {
            _ if on_postgres() => self.execute(&format!(
                "insert into orders (id, number, channel, status, ordered_at)
                 values ({any}, 'N{any}', '{channel}', 'completed', {instant})
                 on conflict (number) do update set channel = excluded.channel"
            )),
            0 => {
                let other = 1 + choices.int(u64::try_from(id).unwrap_or(1));
                self.execute(&format!(
                    "pragma foreign_keys = off;
                     update or replace orders set id = {other}, number = 'N{other}'
                     where id = {any};
                     update or replace order_items set id = 1000000 + {any} % 20
                     where id = {other} * 10;"
                ));
            }
            _ => self.execute(&format!(
                "insert or replace into orders (id, number, channel, status, ordered_at)
                 values ({any}, 'N{any}', '{channel}', 'completed', {instant});
                 update or fail orders set ordered_at = ordered_at + 1 where id = {any};"
            )),
        }
    }
}

#[test]
fn kept_sums_are_those_of_the_orders_after_any_writes_and_killed_refreshes() {
    let seed = std::env::var("ROLLUP_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) * 7_919 + 1);
    let told = format!("ROLLUP_SEED={seed}");
    let shop = Shop::new();
    let (mut choices, mut id) = (Choices(seed), 1);
    shop.write(shop.order(id, 0, CHANNELS[0], &[(1, 10_000)]));
    let mut steps = [0_u32; 4];
    for round in 0..120 {
        shop.anything(&mut choices, &mut id);
        assert_eq!(shop.wrong_days(), 0, "{told}, round {round}");
        if choices.below(4) > 0 {
            continue;
        }
        // A kill leaves what was committed; between any two steps others write and refresh.
        let killed = choices.below(6);
        let mut step = 0;
        let done = shop.refresh(&mut |at, _| {
            if choices.below(2) == 0 {
                shop.anything(&mut choices, &mut id);
                steps[at as usize] += 1;
            }
            if choices.below(5) == 0 && at != RefreshStep::Written {
                steps[3] += u32::from(shop.refresh_all().days > 0);
            }
            assert_eq!(shop.wrong_days(), 0, "{told}, round {round}, {at:?}");
            step += 1;
            if step == killed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(done.stopped, killed > 0 && step == killed, "{told}, round {round}");
        assert_eq!(shop.wrong_days(), 0, "{told}, round {round}");
    }
    assert!(steps.iter().all(|&times| times > 0), "{told}: {steps:?} writes at each step");
    shop.refresh_all();
    assert_eq!((shop.marks(), shop.wrong_days()), (0, 0), "{told}");
    assert_eq!(shop.refresh_all(), Refreshed::default(), "{told}: nothing is left to do");
}

#[test]
fn the_orders_that_were_there_before_the_rollup_are_marked_by_its_migration() {
    let mut pack = shop();
    let at = pack.migrations.iter().position(|migration| migration.id.contains("rollup"));
    let behind = pack.migrations.split_off(at.expect("the rollup's"));
    let file = tempfile::tempdir().expect("a folder");
    if on_postgres() {
        return;
    }
    let path = file.path().join("shop.db");
    plimsoll_store::sqlite::migrate(&path, &pack.migrations, NOW).expect("the schema before");
    let other = rusqlite::Connection::open(&path).expect("a connection");
    let order = "insert into orders (number, channel, status, ordered_at) values
                 ('1', 'a', 'completed', -1), ('2', 'a', 'completed', -86400000000),
                 ('3', 'b', 'completed', 0)";
    other.execute_batch(order).expect("orders");
    pack.migrations.extend(behind);
    plimsoll_store::sqlite::migrate(&path, &pack.migrations, NOW).expect("the rollup");
    let marks: Vec<(i64, String)> = other
        .prepare("select date, channel from dirty_days order by 1, 2")
        .and_then(|mut found| found.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
        .expect("marks");
    assert_eq!(marks, [(-DAY, "a".to_owned()), (0, "b".to_owned())]);
}

#[test]
fn the_demo_marks_its_days_batch_by_batch_and_leaves_every_trigger() {
    if on_postgres() {
        return;
    }
    let (pack, filled) = (shop(), Shop::empty());
    let seed = pack.seed.as_ref().expect("a demo");
    let counts = [("products", 60), ("customers", 20), ("orders", 25_000), ("seed", 42)];
    let run = StepRun {
        steps: &seed.steps,
        params: &counts.map(|(name, count)| (name.into(), Value::Int(count))),
        identity: "demo".into(),
        now_micros: NOW,
    };
    let triggers = "select count(*) from sqlite_schema where type = 'trigger'";
    let (before, mut batches) = (filled.count(triggers), 0);
    steps::run(&filled.store, &run, &mut |_| {
        batches += 1;
        assert_eq!(filled.wrong_days(), 0);
        ControlFlow::Continue(())
    })
    .expect("filled");
    assert!(batches > 8 && filled.marks() > 1_000, "{batches} batches, {} marks", filled.marks());
    assert_eq!(filled.count(triggers), before);
    filled.refresh_all();
    assert_eq!((filled.marks(), filled.wrong_days()), (0, 0));
    filled.execute("insert into order_items select max(id) + 1, 1, 1, 1, 1, 1 from order_items");
    assert_eq!((filled.marks(), filled.wrong_days()), (1, 0));
}

#[test]
fn a_truncated_table_leaves_every_day_marked() {
    if !on_postgres() {
        return;
    }
    let shop = Shop::new();
    shop.write(shop.order(1, 3, "store", &[(1, 10_000)]));
    shop.refresh_all();
    shop.write(shop.order(2, 4, "store", &[(1, 10_000)]));
    shop.execute("truncate orders, order_items");
    assert_eq!(
        (shop.count("select count(distinct date) from dirty_days"), shop.wrong_days()),
        (2, 0)
    );
    shop.refresh_all();
    assert_eq!((shop.marks(), shop.wrong_days()), (0, 0));
}

#[test]
fn an_order_stays_at_its_day_until_an_item_beside_it_is_seen() {
    let Some(shop) = on_postgres().then(Shop::new) else { return };
    shop.write(shop.order(1, 3, "store", &[(1, 10_000)]));
    let served = shop.served.as_ref().expect("a server");
    let held = served.execute_and_hold(
        "begin; insert into order_items (order_id, product_id, quantity, unit_price, line_amount)
         values (1, 1, 1, 2, 2)",
    );
    // Whoever moves the order meanwhile waits; a client that would not wait is told so.
    served.execute(
        "do $$ begin
           perform set_config('lock_timeout', '200ms', true);
           update orders set channel = 'online' where id = 1;
           raise 'the order was moved beside an item that nobody sees';
         exception when lock_not_available then null;
         end $$",
    );
    held.give_back();
}

fn documents(shop: &Shop, wanted: &[Wanted], now: Timestamp) -> (Vec<Document>, SalesRead) {
    let budget = Budget::new(32 << 20, 8 << 20, Arc::new(Unmeasured)).expect("a budget");
    let spill = tempfile::tempdir().expect("a folder");
    let consumer = budget.consumer("summary").expect("a consumer");
    let engine = Engine::new(consumer, 1 << 20, spill.path()).expect("an engine");
    let go_on = &mut |_: &SalesRead| ControlFlow::Continue(());
    let made = summary(&shop.store, &shop.analytics(), wanted, now, &engine, go_on);
    let made = made.expect("documents");
    assert_eq!(budget.reserved_bytes(), 0);
    (made.documents, made.read)
}

#[test]
fn a_summary_comes_from_kept_sums_unless_a_day_of_it_is_marked() {
    let shop = Shop::new();
    let now = Timestamp::from_micros(40 * DAY + DAY / 3);
    for id in 1..=200 {
        let channel = CHANNELS[(id / 21 % 3) as usize];
        shop.write(shop.order(id, 20 + id % 21, channel, &[(1 + id % 4, 25_000 + id), (1, 7)]));
    }
    let wanted: Vec<Wanted> = ["yesterday", "7d", "1d"]
        .iter()
        .flat_map(|name| [None, Some("store")].map(|channel| (*name, channel)))
        .map(|(name, channel)| Wanted {
            period: Period::named(name, now).expect("a period"),
            channel: channel.map(Into::into),
        })
        .collect();
    let (live, read) = documents(&shop, &wanted, now);
    assert!(live.iter().all(|document| document.source == Source::Live));
    assert!(read.orders > 100, "{read:?}");
    shop.refresh_all();
    let (kept, read) = documents(&shop, &wanted, now);
    // A day of 24 hours before now has no whole day in it.
    let sources: Vec<Source> = kept.iter().map(|document| document.source).collect();
    assert_eq!(sources[..4], [Source::Rollup; 4]);
    let same = |(kept, live): (&Document, &Document)| {
        assert_eq!(Document { source: live.source, ..kept.clone() }, *live);
    };
    kept.iter().zip(&live).for_each(same);
    assert!(read.orders < 100, "parts of days alone are read: {read:?}");
    // An order of one channel, late: the other channel's documents still come from kept sums.
    shop.write(shop.order(500, 36, "online", &[(1, 10_000)]));
    let (after, _) = documents(&shop, &wanted, now);
    let sources: Vec<Source> = after.iter().map(|document| document.source).collect();
    assert_eq!(sources[..4], [Source::Rollup, Source::Rollup, Source::Live, Source::Rollup]);
    assert_eq!(after[2].sums.orders, kept[2].sums.orders + 1);
    shop.refresh_all();
    let (again, _) = documents(&shop, &wanted, now);
    assert_eq!(again[2].source, Source::Rollup);
    assert_eq!(again[2].sums, after[2].sums);
}
