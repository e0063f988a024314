//! The shop pack's recipe over the real file: the figures of its README, exactly.
//!
//! Promises: skipped with a message where the file is not there.
//! Never: a figure computed by the code under test alone.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll::record::Value;
use plimsoll_store::Store;
use plimsoll_store::catalogue::{Pack, Resource, Words};
use plimsoll_store::postgres::{self, PostgresDatabase};
use plimsoll_store::recipe::{self, RecipeProgress, RecipeRun, RecipeSummary};
use plimsoll_store::sqlite::{SqliteConfig, SqliteDatabase, migrate};

use crate::fixture::{NOW, Served, on_postgres, postgres_config};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The pack's files as the binary embeds them: leaked, for they live as long as the test does.
fn files(folder: &Path, below: &str, out: &mut Vec<(&'static str, &'static str)>) {
    for entry in std::fs::read_dir(folder).expect("the pack's folder") {
        let entry = entry.expect("an entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(&entry.path(), &format!("{name}/"), out);
        } else {
            let text = std::fs::read_to_string(entry.path()).expect("a text");
            out.push((name.leak(), text.leak()));
        }
    }
}

pub(crate) fn shop() -> Pack {
    let mut out = Vec::new();
    files(&root().join("packs/shop"), "", &mut out);
    let words = if on_postgres() { Words::Postgres } else { Words::Sqlite };
    Pack::parse_for(&out, words).expect("a pack that reads")
}

/// The pack's tables in a file, or in a database that goes with what is beside the store.
pub(crate) fn open(folder: &Path, pack: &Pack) -> (Store, Option<Served>) {
    if !on_postgres() {
        return (open_file(folder, pack), None);
    }
    let served = Served::new();
    let config = postgres_config(&served, folder, true);
    let mut resources: Vec<Resource> = pack.resources.clone();
    let tables = postgres::migrate(&config, &pack.migrations, &mut resources, NOW);
    let database = PostgresDatabase::open(&config, tables.expect("the schema")).expect("opened");
    let catalogue = pack.catalogue(resources).expect("a catalogue");
    (Store::new(Arc::new(database), Arc::new(catalogue)), Some(served))
}

fn open_file(folder: &Path, pack: &Pack) -> Store {
    let file = folder.join("shop.db");
    migrate(&file, &pack.migrations, NOW).expect("the schema");
    let config = SqliteConfig {
        file,
        readers: 1,
        reader_cache_bytes: 1 << 20,
        writer_cache_bytes: 8 << 20,
        value_bytes_max: plimsoll::limits::ROW_BYTES_MAX as u64,
        writable: true,
    };
    let mut resources: Vec<Resource> = pack.resources.clone();
    let database = SqliteDatabase::open(&config, &mut resources).expect("opened");
    let catalogue = pack.catalogue(resources).expect("a catalogue");
    Store::new(Arc::new(database), Arc::new(catalogue))
}

fn run(
    store: &Store,
    pack: &Pack,
    file: &Path,
    progress: &mut dyn FnMut(RecipeProgress<'_>) -> ControlFlow<()>,
) -> RecipeSummary {
    let recipe = pack.recipe("online-retail").expect("the recipe");
    let input = Box::new(File::open(file).expect("the file"));
    let run = RecipeRun {
        recipe,
        input,
        identity: "file".into(),
        reader: plimsoll::format::ReaderOptions::default(),
        batch_bytes_max: plimsoll::limits::IMPORT_BATCH_BYTES,
        now_micros: NOW,
    };
    recipe::run(store, run, progress).expect("a run")
}

fn figure<'a>(summary: &'a RecipeSummary, title: &str) -> &'a Value {
    let found = summary.figures.iter().find(|(t, _)| t == title);
    &found.unwrap_or_else(|| panic!("no figure '{title}' in {:?}", summary.figures)).1
}

fn check(summary: &RecipeSummary) {
    let counts = [
        ("lines", 541_909),
        ("invoices", 25_900),
        ("stock codes", 4_070),
        ("customers", 4_372),
        ("countries", 38),
        ("lines on cancelled invoices", 9_288),
        ("lines with a negative quantity", 10_624),
        ("lines priced zero or below", 2_517),
    ];
    for (title, wanted) in counts {
        assert_eq!(*figure(summary, title), Value::Int(wanted), "{title}");
    }
    let amounts = [
        ("revenue", "9747747.934"),
        ("revenue of 2010-12", "748957.020"),
        ("revenue of 2011-11", "1461756.250"),
        ("revenue of 2011-12", "433668.010"),
        ("dearest stock code DOT", "206245.48"),
        ("dearest stock code 22423", "164762.19"),
        ("dearest stock code 47566", "98302.98"),
        ("dearest stock code 85123A", "97894.50"),
        ("dearest stock code 85099B", "92356.03"),
    ];
    for (title, wanted) in amounts {
        let wanted = Value::Money(wanted.parse().expect("money"));
        assert_eq!(*figure(summary, title), wanted, "{title}");
    }
}

#[test]
fn the_real_file_gives_its_readmes_figures_also_when_it_is_stopped_on_the_way() {
    let file = root().join("../shared/data/online-retail.csv.gz");
    if !file.exists() {
        println!("SKIPPED: {} is not there", file.display());
        return;
    }
    let pack = shop();
    let directory = tempfile::tempdir().expect("a folder");
    let (store, _served) = open(directory.path(), &pack);
    // Stops in the middle of loading, then in the middle of the steps.
    let mut shown = 0;
    let part = run(&store, &pack, &file, &mut |_| {
        shown += 1;
        if shown == 40 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(part.figures, [], "a run that was stopped has no figures");
    let part = run(&store, &pack, &file, &mut |progress| match progress {
        RecipeProgress::Step(step) if step.step == 5 && step.done > 100_000 => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(part.figures, [], "a run that was stopped has no figures");
    check(&run(&store, &pack, &file, &mut |_| ControlFlow::Continue(())));
    let again = run(&store, &pack, &file, &mut |_| panic!("nothing is left to do"));
    assert_eq!(again.import, None, "a file that was taken in is not taken in again");
    check(&again);
    store.close().expect("closed");
}

#[test]
fn the_packs_own_orders_are_served_by_its_indexes() {
    let pack = shop();
    let directory = tempfile::tempdir().expect("a folder");
    let (store, _served) = open(directory.path(), &pack);
    for (table, index) in [
        ("products", "products_by_price"),
        ("orders", "orders_by_time"),
        ("orders", "orders_by_channel"),
        ("order_items", "order_items_by_order"),
    ] {
        let resource = store.catalogue().table(table).expect("the table");
        let of_key = if on_postgres() { format!("{table}_pkey") } else { "row id".to_owned() };
        assert_eq!(*resource.indexes[0].name, *of_key, "{table}");
        let found = resource.indexes.iter().find(|i| &*i.name == index);
        let found = found.unwrap_or_else(|| panic!("{table} has no {index}"));
        assert_eq!(found.columns.last().map(|c| c.column), Some(resource.key[0]), "{index}");
    }
    store.close().expect("closed");
}
