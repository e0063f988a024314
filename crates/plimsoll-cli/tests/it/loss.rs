//! After kill -9 and a full disk everything acknowledged is there, once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::corpus::{Draw, folder, moment, online_retail, products};
use crate::http::Client;
use crate::server::Server;
use crate::tool::{Tool, rows};

const ROWS: u32 = 200_000;
const FIELDS: &str = "id,sku,name,category,price,stock,version";

/// Starts `args` again and again, killing each run at a drawn moment, and then lets it end.
/// Returns how many were killed before they were done.
fn killed(folder: &Path, args: &[&str], kills: u32, longest: Duration, draw: &mut Draw) -> u32 {
    let mut cut = 0;
    for _ in 0..kills {
        let moment = moment(draw, longest);
        let mut running = Tool::fastest(folder, args).start();
        match running.ends_within(moment) {
            Some(ended) => drop(ended.expect(0, &[])),
            None => cut += u32::from(running.kill().signal == Some(9)),
        }
    }
    Tool::fastest(folder, args).run().expect(0, &[]);
    cut
}

#[test]
fn an_import_killed_at_any_moment_goes_on_and_ends_with_the_same_rows() {
    let mut draw = Draw::printed();
    let (once, often) = (folder(), folder());
    let path = products(once.path(), ROWS);
    let import = ["import", "products", &path];
    let began = Instant::now();
    Tool::fastest(once.path(), &import).run().expect(0, &[]);
    // Together the killed runs last about as long as a whole one.
    let cut = killed(often.path(), &import, 20, began.elapsed() / 10, &mut draw);
    assert!(cut >= 10, "only {cut} runs were killed before they were done");
    let (expected, found) =
        (rows(once.path(), "products", FIELDS), rows(often.path(), "products", FIELDS));
    assert_eq!(expected.len(), ROWS as usize);
    assert!(expected == found, "{} rows, and not the same", found.len());
}

#[test]
fn a_killed_import_keeps_the_file_of_rejected_rows_exact() {
    let mut draw = Draw::printed();
    let (once, often) = (folder(), folder());
    let path = products(once.path(), ROWS / 4);
    let wrong = std::fs::read_to_string(&path).unwrap().replace(".13,", ".13x,");
    std::fs::write(&path, wrong).unwrap();
    let rejects = |folder: &Path| folder.join("rejects.csv").to_str().unwrap().to_owned();
    let run = |folder: &Path, kills: u32, longest: Duration, draw: &mut Draw| {
        let rejects = rejects(folder);
        let args = ["import", "products", &path, "--on-error", "continue", "--rejects", &rejects];
        for _ in 0..kills {
            let moment = moment(draw, longest);
            let mut running = Tool::fastest(folder, &args).start();
            if running.ends_within(moment).is_none() {
                running.kill();
            }
        }
        Tool::fastest(folder, &args).run().expect(3, &[]);
    };
    let began = Instant::now();
    run(once.path(), 0, Duration::ZERO, &mut draw);
    run(often.path(), 8, began.elapsed() / 4, &mut draw);
    let read = |folder: &Path| std::fs::read_to_string(rejects(folder)).unwrap();
    assert_eq!(read(once.path()).lines().count(), 1 + ROWS as usize / 400);
    assert!(read(once.path()) == read(often.path()));
    assert!(rows(once.path(), "products", FIELDS) == rows(often.path(), "products", FIELDS));
}

#[test]
fn a_killed_recipe_goes_on_and_ends_with_the_exact_figures() {
    let Some(path) = online_retail() else { return };
    let mut draw = Draw::printed();
    let folder = folder();
    let import = ["import", "online-retail", path.to_str().unwrap(), "--memory", "64M"];
    // A run of the whole takes a few seconds.
    let cut = killed(folder.path(), &import, 5, Duration::from_millis(1500), &mut draw);
    assert!(cut >= 2, "only {cut} runs were killed before they were done");
    let again = Tool::fastest(folder.path(), &[&import[..], &["--json"]].concat()).run();
    let json = again.json();
    assert_eq!(json["done_before"], true);
    for (figure, value) in [
        ("lines", "541909"),
        ("invoices", "25900"),
        ("stock codes", "4070"),
        ("customers", "4372"),
        ("countries", "38"),
        ("revenue", "9747747.934"),
        ("lines on cancelled invoices", "9288"),
        ("lines with a negative quantity", "10624"),
        ("lines priced zero or below", "2517"),
        ("revenue of 2010-12", "748957.02"),
        ("revenue of 2011-11", "1461756.25"),
        ("dearest stock code DOT", "206245.48"),
        ("dearest stock code 85099B", "92356.03"),
    ] {
        assert_eq!(json["figures"][figure], value, "{figure}");
    }
}

/// Posts new products until the server is gone; gives the codes that were acknowledged.
fn write_until_gone(
    address: SocketAddr,
    writer: u64,
    cycle: u64,
    count: &AtomicU64,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(mut client) = Client::connect(address) else { return acknowledged };
    for number in 0_u32.. {
        let sku = format!("{cycle}-{writer}-{number}");
        let body = format!("{{\"sku\":\"{sku}\",\"name\":\"n\",\"price\":\"1.5\"}}");
        match client.post("/products", &body) {
            Ok(answer) if answer.status == 201 => {
                acknowledged.push(sku);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(_gone) => break,
        }
    }
    acknowledged
}

#[test]
fn no_write_acknowledged_to_64_writers_is_lost_by_kill_9() {
    const CYCLES: u64 = 20;
    const WRITERS: u64 = 64;
    let mut draw = Draw::printed();
    let folder = folder();
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    for cycle in 0..CYCLES {
        let mut server = Server::fastest(folder.path(), &[]);
        let address = server.address;
        let moment = Duration::from_millis(20 + draw.below(300));
        let count = AtomicU64::new(0);
        let all = std::thread::scope(|scope| {
            let count = &count;
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| scope.spawn(move || write_until_gone(address, writer, cycle, count)))
                .collect();
            server.kill_after(moment);
            writers.into_iter().flat_map(|w| w.join().unwrap()).collect::<Vec<_>>()
        });
        drop(server);
        acknowledged.extend(all);
        let there: BTreeSet<String> = rows(folder.path(), "products", "sku").into_iter().collect();
        let lost: Vec<_> = acknowledged.difference(&there).take(5).collect();
        assert!(lost.is_empty(), "cycle {cycle}, after {moment:?}: lost {lost:?}");
    }
    assert!(acknowledged.len() > 1_000, "only {} writes", acknowledged.len());
}

#[test]
fn a_file_that_may_not_grow_fails_the_import_and_what_was_committed_stands() {
    let folder = folder();
    products(folder.path(), 20_000);
    let line = "trap '' XFSZ; ulimit -f 900; exec \"$0\" import products products.csv --data data";
    let ended = Tool::shell(folder.path(), line).run();
    ended.expect(1, &["committing"]);
    let there = rows(folder.path(), "products", FIELDS);
    assert!((1..20_000).contains(&there.len()), "{}", there.len());
    let run = ["import", "products", "products.csv", "--json"];
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(0, &[]);
    let json = ended.json();
    assert_eq!([&json["rows"], &json["resumed_rows"]], [20_000, there.len()]);
    let all = rows(folder.path(), "products", FIELDS);
    assert_eq!(all.len(), 20_000);
    assert!(all[..there.len()] == there);
}

/// Whether this user may mount a small disk in a name space of its own.
fn may_mount(folder: &Path) -> bool {
    let mut command = Command::new("unshare");
    command.args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder);
    let may = command.output().is_ok_and(|output| output.status.success());
    if !may {
        println!("SKIPPED: unshare may not mount a small disk here");
    }
    may
}

#[test]
fn a_full_disk_fails_the_import_and_what_was_committed_stands() {
    let folder = folder();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    if !may_mount(&small) {
        return;
    }
    products(folder.path(), 20_000);
    // One line per step: exit status and rows; the disk grows before the last run.
    let script = "mount -t tmpfs -o size=1m tmpfs small
        export PLIMSOLL_SPILL_DIR=$PWD/spill
        run() { \"$0\" import products products.csv --data small >&2; echo \"status $?\"; }
        listed() { \"$0\" export products --fields sku --data small | tail -n +2; }
        count() { echo \"rows $(listed | wc -l)\"; }
        run; mount -o remount,size=64m small; count; run; count";
    std::fs::write(folder.path().join("steps"), script).unwrap();
    let ended =
        Tool::shell(folder.path(), "exec unshare -rm bash -c \"$(cat steps)\" \"$0\"").run();
    ended.expect(0, &["full", "free space"]);
    let lines: Vec<&str> = ended.text().lines().collect();
    let [first, some, second, all] = lines[..] else { panic!("{ended:?}") };
    assert_eq!([first, second, all], ["status 1", "status 0", "rows 20000"], "{ended:?}");
    let some: u32 = some.trim_start_matches("rows ").parse().unwrap();
    assert!((1..20_000).contains(&some), "{ended:?}");
}

#[test]
fn a_full_disk_refuses_a_write_and_keeps_what_was_acknowledged() {
    const WRITES_MAX: usize = 1_000;
    let folder = folder();
    let small = folder.path().join("small");
    std::fs::create_dir(&small).unwrap();
    if !may_mount(&small) {
        return;
    }
    let script = "mount -t tmpfs -o size=2m tmpfs small
        PLIMSOLL_SPILL_DIR=$PWD/spill exec \"$0\" serve --port 0 --data small";
    std::fs::write(folder.path().join("steps"), script).unwrap();
    let line = "exec unshare -rm bash -c \"$(cat steps)\" \"$0\"";
    let server = Server::wait(Tool::shell(folder.path(), line));
    let mut client = server.client();
    let name = "n".repeat(50_000);
    let mut acknowledged = BTreeSet::new();
    let refused = (0..WRITES_MAX).find_map(|n| {
        let body = format!("{{\"sku\":\"{n}\",\"name\":\"{name}\",\"price\":1}}");
        let answer = client.post("/products", &body).unwrap();
        if answer.status == 201 {
            acknowledged.insert(n.to_string());
        }
        (answer.status != 201).then_some(answer)
    });
    let refused = refused.unwrap();
    assert_eq!(refused.status, 507, "{refused:?}");
    assert!(refused.json()["type"].as_str().unwrap().ends_with("disk-full"), "{refused:?}");
    let there = server.get("/products/stream?format=csv&fields=sku").body;
    let there = String::from_utf8(there).unwrap();
    let there: BTreeSet<String> = there.lines().skip(1).map(str::to_owned).collect();
    assert!(acknowledged.len() > 10 && acknowledged == there, "{acknowledged:?} {there:?}");
    server.stop().expect(0, &["stopped"]);
}
