//! The sales of five periods from one pass over orders with JSON lines, with time and peak.
//!
//! ```text
//!   cargo run --release -p plimsoll-store --example warm -- 20425
//! ```
//!
//! Promises: the same orders for the same count, over 90 days.
//! Never: a figure of the filling among those of the pass.

use std::error::Error;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use plimsoll::budget::{Budget, Unmeasured};
use plimsoll::record::{ColumnType, Timestamp};
use plimsoll::typed::Engine;
use plimsoll_store::Store;
use plimsoll_store::catalogue::{
    Catalogue, JsonLines, JsonPath, Lines, OrderMapping, SalesMapping,
};
use plimsoll_store::sales::{Period, SalesRequest, compute, memory_bytes};
use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase, introspect};
use rusqlite::Connection;

/// Lines as an app keeps them: one to four of 2,000 articles, with more than is asked for.
const FILL: &str = "
create table orders (id integer primary key, received_at integer not null, channel text not null,
                     items text not null) strict;
create index orders_by_time on orders (received_at);
with recursive n (i) as (select 0 union all select i + 1 from n where i + 1 < ?1),
h (i, x) as (select i, (i * 48271 + 11) % 2147483647 from n)
insert into orders (received_at, channel, items)
select 1767225600000000 - 1
           - cast(7776000 * (1 - 1.0 * i / ?1 * (1.3 - 0.3 * i / ?1)) * 1000000 as integer),
       case x % 3 when 0 then 'amazon' when 1 then 'ebay' else 'shop' end,
       (with recursive k (j) as (select 0 union all select j + 1 from k where j < x % 4)
        select json_group_array(json_object(
                 'sku', 'SKU-' || ((x + j * 7919) % 2000), 'title', 'An article with a long name',
                 'quantity', 1 + j, 'price', 9.99, 'line_total', (100 + (x + j) % 9000) / 100.0,
                 'attributes', json_object('colour', 'blue', 'size', 'L')))
        from k)
from h";

fn main() -> Result<(), Box<dyn Error>> {
    let count: i64 = std::env::args().nth(1).as_deref().unwrap_or("20425").parse()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("orders.db");
    let connection = Connection::open(&file)?;
    let (tables, fill) = FILL.split_at(FILL.find("with").unwrap_or_default());
    connection.execute_batch(tables)?;
    connection.execute(fill, [count])?;
    drop(connection);
    let before = peak_kib();
    let (store, mapping) = open(&file)?;
    let budget = Budget::new(64 << 20, 8 << 20, Arc::new(Unmeasured))?;
    let engine = Engine::new(budget.consumer("warm")?, 8 << 20, folder.path())?;
    let now: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let periods: Vec<Period> =
        Period::NAMES.iter().map(|name| Period::named(name, now)).collect::<Result<_, _>>()?;
    let request = SalesRequest::of(&mapping, &periods, &[None], now);
    let (began, mut held) = (Instant::now(), 0);
    let computed = compute(&store, &request, &engine, &mut |_| {
        held = held.max(budget.reserved_bytes());
        ControlFlow::Continue(())
    })?;
    let mut bytes = 0;
    let mut out = std::io::stdout();
    for document in &computed.documents {
        let json = document.to_json()?;
        bytes += json.len();
        let (name, orders) = (document.wanted.period.name(), document.sums.orders);
        writeln!(
            out,
            "{name:<10} {orders:>9} orders {:>12} {:>7} bytes",
            document.sums.revenue,
            json.len()
        )?;
    }
    let (took, read) = (began.elapsed(), computed.read);
    writeln!(
        out,
        "{} orders and {} lines once, {} pages, {took:.2?}, {bytes} bytes of documents; {} KiB of \
         {} KiB at most reserved; peak RSS {} KiB, {before} KiB of it before",
        read.orders,
        read.lines,
        read.pages,
        held >> 10,
        memory_bytes(&request, &engine) >> 10,
        peak_kib()
    )?;
    store.close()?;
    Ok(())
}

fn open(file: &std::path::Path) -> Result<(Store, Arc<SalesMapping>), Box<dyn Error>> {
    let (mut resources, _refused) = introspect(file)?;
    for resource in &mut resources {
        let at = resource.column("received_at")?;
        resource.schema.columns[at].kind = ColumnType::Time;
    }
    let config = SqliteConfig {
        file: file.to_owned(),
        readers: 1,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 1 << 20,
        value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
        writable: false,
    };
    let database = SqliteDatabase::open(&config, &mut resources)?;
    let store = Store::new(Arc::new(database), Arc::new(Catalogue::new(resources, None)?));
    let table = Arc::clone(store.catalogue().table("orders")?);
    let lines = JsonLines {
        column: table.column("items")?,
        lines: JsonPath::default(),
        subject: JsonPath::parse("sku")?,
        quantity: JsonPath::parse("quantity")?,
        amount: JsonPath::parse("line_total")?,
    };
    let orders = OrderMapping {
        key: table.column("id")?,
        time: table.column("received_at")?,
        channel: table.column("channel")?,
        customer: None,
        resource: table,
    };
    let lines = Lines::Json(lines);
    Ok((store, Arc::new(SalesMapping { orders, lines, subject: None })))
}

/// The most memory this process has had, as Linux counts it; 0 elsewhere.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}
