//! A wrong call ends with 2 and says how to call; what the machine refuses ends with 1.

use std::net::TcpListener;

use crate::corpus::{file, folder};
use crate::server::Server;
use crate::tool::{Ended, Tool};

fn run(args: &[&str]) -> Ended {
    let folder = folder();
    file(folder.path(), "a.csv", "sku,name,price\na,A,1\n");
    Tool::new(folder.path(), args).run()
}

#[test]
fn an_unknown_resource_or_recipe_is_a_wrong_call_with_a_suggestion() {
    let all = "activity, activity_totals, customers, daily_metrics, dirty_days, order_items, \
               order_results, orders, products, online-retail";
    let ended = run(&["import", "product", "a.csv"]);
    ended.expect(2, &["'product'", "did you mean products?", all]);
    let ended = run(&["import", "online-retial", "a.csv"]);
    ended.expect(2, &["did you mean online-retail?", all]);
    run(&["import", "colours", "a.csv"]).expect(2, &["'colours'. There are: ", all]);
    let ended = run(&["export", "order-items"]);
    ended.expect(2, &["'order-items'", "did you mean order_items?", "customers, daily_metrics"]);
}

#[test]
fn an_unknown_flag_or_a_missing_value_is_a_wrong_call() {
    run(&["import", "products", "a.csv", "--dryrun"]).expect(2, &["--dry-run"]);
    run(&["import", "products"]).expect(2, &["<FILE>", "Usage"]);
    run(&["exprot", "products"]).expect(2, &["export"]);
    run(&["import", "products", "a.csv", "--on-error", "panic"]).expect(2, &["stop, continue"]);
    run(&["import", "products", "a.csv", "--format", "xml"]).expect(2, &["csv, ndjson, json"]);
    run(&["import", "products", "a.csv", "--map", "sku"]).expect(2, &["FROM=TO"]);
    run(&["export", "products", "--format", "xml"]).expect(2, &["csv, ndjson, json"]);
    run(&["serve", "--port", "65536"]).expect(2, &["http.port", "65535"]);
    run(&["serve", "--port", "0", "--products", "5"]).expect(2, &["--demo"]);
    run(&["serve", "--demo", "--database", "a.db"]).expect(2, &["--demo", "--database"]);
}

#[test]
fn a_size_that_is_none_is_a_wrong_call() {
    for size in ["64X", "-1", "1e9", "", "64MM", "99999999999G"] {
        let flag = format!("--memory={size}");
        run(&["migrate", &flag]).expect(2, &["memory.limit", "--memory", "256M", "0.5G"]);
    }
    let ended = run(&["import", "products", "a.csv", "--unpacked-max", "1e9"]);
    ended.expect(2, &["--unpacked-max", "256M"]);
    for size in ["256M", "512MB", "0.5G"] {
        run(&["migrate", "--memory", size]).expect(0, &[]);
    }
}

#[test]
fn a_limit_below_the_minimum_is_a_wrong_call_that_names_the_minimum() {
    run(&["migrate", "--memory", "1M"]).expect(2, &["16 MiB"]);
    let ended = run(&["serve", "--port", "0", "--memory", "31M"]);
    ended.expect(2, &["--memory", "31 MiB", "the minimum is 32 MiB"]);
}

#[test]
fn a_port_that_is_taken_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(&["serve", "--port", &port]);
    ended.expect(1, &["listening on 127.0.0.1", &port, "in use"]);
}

#[test]
fn an_address_beyond_loopback_needs_a_word_about_it() {
    let ended = run(&["serve", "--port", "0", "--host", "0.0.0.0"]);
    ended.expect(2, &["0.0.0.0", "not authenticated", "--insecure", "127.0.0.1"]);
    run(&["serve", "--port", "0", "--host", "::"]).expect(2, &["--insecure"]);
}

#[test]
fn two_servers_and_a_file_tool_share_a_data_directory() {
    let folder = folder();
    let first = Server::start(folder.path(), &[]);
    let second = Server::start(folder.path(), &[]);
    file(folder.path(), "a.csv", "sku,name,price\na,A,1\n");
    Tool::new(folder.path(), &["import", "products", "a.csv"]).run().expect(0, &[]);
    assert_eq!(first.get("/products/1").status, 200);
    first.kill();
    assert_eq!(second.get("/products/1").json()["sku"], "a");
    second.stop().expect(0, &[]);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    // Below a file, and in a system that takes no directories: also root is refused there.
    for data in ["a.csv/data", "/proc/plimsoll"] {
        for args in [&["import", "products", "a.csv"][..], &["serve", "--port", "0"]] {
            let ended = run(&[args, &["--data", data]].concat());
            ended.expect(1, &[data, "must be writable", "--data"]);
        }
    }
}
