//! An export holds the rows asked for, whole or not at all, and comes back as it was.

use std::path::Path;

use crate::corpus::{HEADER, file, folder, products};
use crate::tool::{Tool, rows};

const FORMULAS: [&str; 8] = ["=1+1", "+1", "-1", "@SUM(A1)", "'quoted", "'=1", "\tTab", "＝wide"];

/// A shop of three products.
fn shop() -> tempfile::TempDir {
    let folder = folder();
    let text = format!("{HEADER}\na,Tea,Drinks,2.5,3\nb,\"Say \"\"hi\"\", ü\",,3,4\nc,C,X,9,5\n");
    let path = file(folder.path(), "shop.csv", text);
    Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    folder
}

fn export(folder: &Path, flags: &[&str]) -> String {
    let ended = Tool::new(folder, &[&["export", "products"], flags].concat()).run();
    ended.expect(0, &[]);
    assert_eq!(ended.err, "");
    ended.text().to_owned()
}

#[test]
fn each_format_goes_to_standard_output_and_to_a_file_alike() {
    let shop = shop();
    let fields = ["--fields", "sku,name,category,price"];
    let csv = "sku,name,category,price\r\na,Tea,Drinks,2.5\r\n\
        b,\"Say \"\"hi\"\", ü\",,3\r\nc,C,X,9\r\n";
    let ndjson = "{\"sku\":\"a\",\"name\":\"Tea\",\"category\":\"Drinks\",\"price\":2.5}\n\
        {\"sku\":\"b\",\"name\":\"Say \\\"hi\\\", ü\",\"category\":null,\"price\":3}\n\
        {\"sku\":\"c\",\"name\":\"C\",\"category\":\"X\",\"price\":9}\n";
    let json = format!("[{}]", ndjson.trim_end().replace("}\n", "},\n"));
    for (format, expected) in [("csv", csv), ("ndjson", ndjson), ("json", &json)] {
        let flags = [&fields[..], &["--format", format]].concat();
        assert_eq!(export(shop.path(), &flags), expected);
        let to_file = [&flags[..], &["--output", "out"]].concat();
        assert_eq!(export(shop.path(), &to_file), "");
        let written = std::fs::read_to_string(shop.path().join("out")).unwrap();
        assert_eq!(written, expected);
    }
    let summary = Tool::new(shop.path(), &["export", "products", "--json"]).run();
    let summary: serde_json::Value = serde_json::from_str(&summary.err).unwrap();
    assert_eq!(summary["rows"], 3);
}

#[test]
fn a_filter_and_a_sort_choose_rows_and_their_order() {
    let shop = shop();
    let flags = ["--fields", "sku", "--filter", "price >= 2.6", "--sort", "-price"];
    assert_eq!(export(shop.path(), &flags), "sku\r\nc\r\nb\r\n");
    let flags = ["--fields", "sku", "--filter", "category = 'none'", "--format", "json"];
    assert_eq!(export(shop.path(), &flags), "[]");
    let refused = |flags: &[&str], texts: &[&str]| {
        Tool::new(shop.path(), &[&["export", "products"], flags].concat()).run().expect(1, texts);
    };
    refused(&["--fields", "sku,nam"], &["'nam' is not a column", "allowed: id, sku, name"]);
    refused(&["--filter", "price >"], &["character 8", "\n  price >\n         ^"]);
    refused(&["--filter", "sku > 3"], &["column 'sku' is text"]);
    refused(&["--sort", "colour"], &["'colour'", "sku"]);
}

#[test]
fn a_sort_no_index_serves_is_made_by_the_export_itself() {
    let folder = folder();
    let path = products(folder.path(), 10_001);
    Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    let sorted = |format: &str| {
        let flags =
            ["export", "products", "--sort", "-name", "--fields", "name,sku", "--format", format];
        let ended = Tool::new(folder.path(), &flags).run();
        ended.expect(0, &[]);
        ended.text().to_owned()
    };
    let formats = ["csv", "ndjson", "json"];
    let made = formats.map(sorted);
    assert_eq!(made[0].lines().count(), 10_002);
    assert!(made[0].lines().skip(1).collect::<Vec<_>>().is_sorted_by(|a, b| a > b));
    let connection = rusqlite::Connection::open(folder.path().join("data/plimsoll.db")).unwrap();
    connection.execute_batch("create index by_name on products (name)").unwrap();
    for (made, format) in made.iter().zip(formats) {
        assert!(*made == sorted(format), "{format}: an index gives the same");
    }
}

#[test]
fn a_formula_is_guarded_in_csv_and_comes_back_unguarded() {
    let (from, to) = (folder(), folder());
    let line = |(n, name): (usize, &&str)| {
        format!("{{\"sku\":\"{n}\",\"name\":{},\"price\":1}}\n", serde_json::json!(name))
    };
    let text: String = FORMULAS.iter().enumerate().map(line).collect();
    let path = file(from.path(), "a.ndjson", text);
    Tool::new(from.path(), &["import", "products", &path]).run().expect(0, &[]);
    let csv = export(from.path(), &["--fields", "sku,name,price"]);
    let guarded = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'quoted", "''=1", "'\tTab", "'＝wide"];
    for (n, name) in guarded.iter().enumerate() {
        assert!(csv.contains(&format!("\n{n},{name},1\r\n")), "{name:?} is not in {csv}");
    }
    let path = file(to.path(), "a.csv", &csv);
    Tool::new(to.path(), &["import", "products", &path, "--strip-guard"]).run().expect(0, &[]);
    assert_eq!(export(to.path(), &["--fields", "sku,name,price"]), csv);
    let plain = ["--fields", "name", "--no-formula-guard", "--format", "ndjson"];
    let names: Vec<serde_json::Value> = export(to.path(), &plain)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].clone())
        .collect();
    assert_eq!(names, FORMULAS);
    let bare = export(to.path(), &["--fields", "name", "--no-formula-guard"]);
    assert!(bare.contains("\n=1+1\r\n"), "{bare}");
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let folder = folder();
    let path = products(folder.path(), 100_000);
    Tool::fastest(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    // The file may not grow beyond 512 KiB: the export fails on the way and leaves nothing.
    let line = "trap '' XFSZ; ulimit -f 512; exec \"$0\" export products --data data -o out.csv";
    Tool::shell(folder.path(), line).run().expect(1, &["writing", "out.csv"]);
    let left = || {
        let all = std::fs::read_dir(folder.path()).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("out.csv")).collect::<Vec<_>>()
    };
    assert_eq!(left(), [""; 0]);
    // Killed, it leaves at most a file that says that it is a part.
    let running = Tool::new(folder.path(), &["export", "products", "-o", "out.csv"]).start();
    running.kill();
    assert!(left().iter().all(|name| name.ends_with(".partial")), "{:?}", left());
    Tool::new(folder.path(), &["export", "products", "-o", "out.csv"]).run().expect(0, &[]);
    let text = std::fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(text.lines().count(), 100_001);
}

#[test]
fn a_closed_pipe_ends_an_export_quietly() {
    let folder = folder();
    let path = products(folder.path(), 50_000);
    Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
    let line = "\"$0\" export products --data data | head -n 1; echo ${PIPESTATUS[0]}";
    let ended = Tool::shell(folder.path(), line).run();
    assert_eq!(ended.text().lines().last(), Some("0"), "{ended:?}");
    assert_eq!((ended.text().lines().count(), &*ended.err), (2, ""));
}

#[test]
fn an_export_of_everything_comes_back_whole() {
    let (from, to) = (shop(), folder());
    for format in ["csv", "ndjson", "json"] {
        let name = format!("all.{format}");
        let path = to.path().join(&name);
        let path = path.to_str().unwrap();
        export(from.path(), &["--format", format, "--output", path]);
        let data = to.path().join(format!("{format}.data"));
        let import = ["import", "products", path, "--data", data.to_str().unwrap()];
        Tool::new(to.path(), &import).run().expect(0, &[]);
        let back = ["export", "products", "--data", data.to_str().unwrap(), "--fields"];
        let fields = "id,sku,name,category,price,stock,version";
        let ended = Tool::new(to.path(), &[&back[..], &[fields]].concat()).run();
        let lines: Vec<&str> = ended.text().lines().skip(1).collect();
        assert_eq!(lines, rows(from.path(), "products", fields), "{format}");
    }
}
