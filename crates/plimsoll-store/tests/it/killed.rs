//! SIGKILL at random moments of an import: no row lost, none twice.
//!
//! ```text
//!   parent: run this program again with PLIMSOLL_TEST_KILLED=folder ─> child: import in a loop
//!           wait for the child to come some way, kill -9, ten times; then import to the end
//! ```
//!
//! Promises: the table equals the file, whatever the moments were.
//! Never: a sleep; the moment is a size of the child's log, which grows with its commits.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use plimsoll::expr::testing::Random;
use plimsoll_store::catalogue::Migration;
use plimsoll_store::import::{self, Import};
use plimsoll_store::sqlite::migrate;

use crate::fixture::{NOW, generated, int, open};

const CHILD: &str = "PLIMSOLL_TEST_KILLED";
const HERE: &str = "killed::a_killed_import_is_finished_with_every_row_once";
const ROWS: i64 = 60_000;
const CYCLES: usize = 10;

fn import(folder: &Path, progress: &mut dyn FnMut()) -> import::ImportSummary {
    let store = open(&folder.join("store.db"), true, &|t| generated(t, "id"));
    let file = std::fs::File::open(folder.join("rows.csv")).expect("the rows");
    let import = Import {
        resource: store.catalogue().table("t").expect("the table").clone(),
        input: Box::new(file),
        options: crate::imports::options(),
        identity: Some("rows".into()),
        now_micros: NOW,
    };
    let summary = import::run(&store, import, &mut |_| {
        progress();
        ControlFlow::Continue(())
    });
    let summary = summary.expect("an import");
    store.close().expect("closed");
    summary
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", HERE, "--nocapture"])
        .env(CHILD, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

/// Spins until the child has come `commits` further, or is done.
fn wait_for(child: &mut Child, marks: &Path, commits: u64) {
    let began = Instant::now();
    let size = || std::fs::metadata(marks).map_or(0, |m| m.len());
    let goal = size() + commits;
    while size() < goal && child.try_wait().expect("a child").is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "the child does not get on");
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_import_is_finished_with_every_row_once() {
    if let Some(folder) = std::env::var_os(CHILD) {
        let folder = PathBuf::from(folder);
        let mut marks = std::fs::File::options();
        let mut marks =
            marks.append(true).create(true).open(folder.join("marks")).expect("the marks");
        import(&folder, &mut || marks.write_all(b".").expect("a mark"));
        return;
    }
    let seed = u64::from(std::process::id());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let directory = tempfile::tempdir().expect("a folder");
    let folder = directory.path();
    let ddl =
        "create table t (id integer primary key, n integer not null, s text not null) strict;";
    let schema = Migration { id: "schema".into(), sql: ddl.into() };
    migrate(&folder.join("store.db"), &[schema], NOW).expect("the schema");
    let mut csv = b"n,s\n".to_vec();
    for row in 0..ROWS {
        writeln!(csv, "{row},text of row {row}").expect("memory");
    }
    std::fs::write(folder.join("rows.csv"), csv).expect("the rows");
    let mut killed = 0;
    for _ in 0..CYCLES {
        let mut child = start(folder);
        wait_for(&mut child, &folder.join("marks"), random.below(3) as u64);
        for _ in 0..random.below(200_000) {
            std::hint::spin_loop();
        }
        killed += usize::from(child.try_wait().expect("a child").is_none());
        child.kill().expect("SIGKILL");
        child.wait().expect("gone");
    }
    let summary = import(folder, &mut || {});
    println!("killed {killed} of {CYCLES}; {} rows were there", summary.resumed_rows);
    assert_eq!(summary.total.rows, ROWS as u64);
    assert!(killed >= 3, "only {killed} children lived long enough to be killed");
    let store = open(&folder.join("store.db"), false, &|_| {});
    let sql = "select count(*), count(distinct n), min(n), max(n), sum(s = 'text of row ' || n),
               sum(id = n + 1) from t";
    let sums = store.query(sql, 1).wait().expect("sums");
    let found: Vec<i64> = sums[0].iter().map(int).collect();
    assert_eq!(found, [ROWS, ROWS, 0, ROWS - 1, ROWS, ROWS]);
    store.close().expect("closed");
}
