//! A file's rows are in the table once the import says so, whatever the file looks like.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::corpus::{HEADER, file, folder};
use crate::tool::{Tool, rows};

const CSV: &str = "sku,name,category,price,stock\na,Tea,Drinks,2.5,3\nb,\"Cof\nfee\",,3.1234,4\n";
const NDJSON: &str = "{\"sku\":\"a\",\"name\":\"Tea\",\"category\":\"Drinks\",\"price\":2.5,\
     \"stock\":3}\n\
     {\"name\":\"Cof\\nfee\",\"sku\":\"b\",\"category\":null,\"price\":\"3.1234\",\"stock\":4}\n";
const FIELDS: &str = "sku,category,price,stock";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn every_format_and_compression_gives_the_same_rows() {
    let json = format!("[{}]", NDJSON.trim_end().replace("}\n", "},\n"));
    let zstd = zstd::encode_all(CSV.as_bytes(), 1).unwrap();
    for (name, bytes) in [
        ("a.csv", CSV.into()),
        ("a.ndjson", NDJSON.into()),
        ("a.json", json.into_bytes()),
        ("a.csv.gz", gzip(CSV.as_bytes())),
        // Compression is told by content, not by the name.
        ("b.csv", gzip(CSV.as_bytes())),
        ("a.csv.zst", zstd.clone()),
        ("a.ndjson.gz", gzip(NDJSON.as_bytes())),
    ] {
        let folder = folder();
        let path = file(folder.path(), name, bytes);
        let ended = Tool::new(folder.path(), &["import", "products", &path]).run();
        ended.expect(0, &[]);
        assert!(ended.text().starts_with("2 rows imported, 0 skipped, 0 rejected"), "{ended:?}");
        assert_eq!(rows(folder.path(), "products", FIELDS), ["a,Drinks,2.5,3", "b,,3.1234,4"]);
        let names = Tool::new(folder.path(), &["export", "products", "--fields", "name"]).run();
        assert_eq!(names.text(), "name\r\nTea\r\n\"Cof\nfee\"\r\n", "{name}");
    }
}

#[test]
fn standard_input_is_a_file_too() {
    let folder = folder();
    Tool::new(folder.path(), &["import", "products", "-", "--format", "ndjson"])
        .input(NDJSON)
        .run()
        .expect(0, &[]);
    Tool::new(folder.path(), &["import", "products", "-", "--on-conflict", "skip"])
        .input(zstd::encode_all(CSV.as_bytes(), 1).unwrap())
        .run()
        .expect(0, &[]);
    assert_eq!(rows(folder.path(), "products", "sku"), ["a", "b"]);
}

#[test]
fn columns_are_mapped_by_flag_and_by_their_letters_and_unknown_ones_left_out_when_asked() {
    let folder = folder();
    let text = "Article,NAME,Unit Price,colour\nx,Tea,1.5,red\n";
    let path = file(folder.path(), "a.csv", text);
    let maps = ["--map", "Article=sku", "--map", "Unit Price=price"];
    let import = ["import", "products", &path];
    Tool::new(folder.path(), &[&import, &maps[..]].concat()).run().expect(1, &["'colour'"]);
    let ignoring = [&import, &maps[..], &["--ignore-unknown"]].concat();
    Tool::new(folder.path(), &ignoring).run().expect(0, &[]);
    assert_eq!(rows(folder.path(), "products", "sku,name,price"), ["x,Tea,1.5"]);
}

#[test]
fn a_dry_run_finds_what_is_wrong_and_changes_nothing() {
    let folder = folder();
    let good = file(folder.path(), "good.csv", CSV);
    let run = ["import", "products", &good, "--dry-run"];
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(0, &[]);
    assert!(ended.text().starts_with("2 rows would be imported"), "{ended:?}");
    let bad = file(folder.path(), "bad.csv", format!("{HEADER}\na,A,,1,1\na,B,,1,1\n"));
    let run = ["import", "products", &bad, "--dry-run"];
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(1, &["line 3", "the same sku", "nothing was changed"]);
    assert_eq!(rows(folder.path(), "products", "sku"), [""; 0]);
    // Nor is the file taken for one that was imported.
    let ended = Tool::new(folder.path(), &["import", "products", &good, "--json"]).run();
    assert_eq!((ended.json()["rows"].clone(), ended.code), (2.into(), Some(0)));
}

#[test]
fn a_row_that_is_there_already_is_refused_skipped_or_updated_as_asked() {
    let folder = folder();
    let first = file(folder.path(), "1.csv", format!("{HEADER}\na,Old,,1,1\n"));
    Tool::new(folder.path(), &["import", "products", &first]).run().expect(0, &[]);
    let second = file(folder.path(), "2.csv", "sku,name,price\nb,New,2\na,Newer,3\n");
    let import = |how: &str| {
        Tool::new(folder.path(), &["import", "products", &second, "--on-conflict", how, "--json"])
            .run()
    };
    import("error").expect(1, &["line 3", "the same sku"]);
    let skipped = import("skip");
    skipped.expect(0, &[]);
    assert_eq!([&skipped.json()["rows"], &skipped.json()["skipped"]], [1, 1]);
    assert_eq!(rows(folder.path(), "products", "sku,name,stock"), ["a,Old,1", "b,New,0"]);
    let updated = import("update");
    assert_eq!([&updated.json()["rows"], &updated.json()["skipped"]], [2, 0]);
    // A column the file does not have keeps its value.
    assert_eq!(rows(folder.path(), "products", "sku,name,stock"), ["a,Newer,1", "b,New,0"]);
}

#[test]
fn a_file_is_taken_in_once_unless_asked_again() {
    let folder = folder();
    let path = file(folder.path(), "a.csv", CSV);
    let import = ["import", "products", &path];
    Tool::new(folder.path(), &import).run().expect(0, &[]);
    let second = Tool::new(folder.path(), &import).run();
    second.expect(0, &[]);
    assert!(second.text().starts_with("this file was imported before"), "{second:?}");
    let json = Tool::new(folder.path(), &[&import[..], &["--json"]].concat()).run().json();
    assert_eq!(json["done_before"], true);
    Tool::new(folder.path(), &[&import[..], &["--again"]].concat())
        .run()
        .expect(1, &["line 2", "the same sku"]);
    let again = [&import[..], &["--again", "--on-conflict", "update"]].concat();
    Tool::new(folder.path(), &again).run().expect(0, &[]);
    assert_eq!(rows(folder.path(), "products", "sku").len(), 2);
}

#[test]
fn the_summary_has_these_keys() {
    let folder = folder();
    let path = file(folder.path(), "a.csv", CSV);
    let ended = Tool::new(folder.path(), &["import", "products", &path, "--json"]).run();
    let json = ended.json();
    let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "bytes",
        "done_before",
        "dry_run",
        "figures",
        "rejected",
        "resumed_rows",
        "rows",
        "rss_peak_bytes",
        "seconds",
        "skipped",
    ];
    assert_eq!(keys, BTreeSet::from(expected));
    assert_eq!(json["bytes"], CSV.len());
    assert!(json["rss_peak_bytes"].as_u64().unwrap() > 1 << 20, "{json}");
}

#[test]
fn a_bom_is_not_part_of_the_first_name() {
    for (name, text) in [("a.csv", CSV), ("a.ndjson", NDJSON)] {
        let folder = folder();
        let path = file(folder.path(), name, format!("\u{feff}{text}"));
        Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
        assert_eq!(rows(folder.path(), "products", "sku"), ["a", "b"]);
    }
}

#[test]
fn crlf_is_not_part_of_the_last_field() {
    let lines = "sku,price,name\r\na,1,Tea\r\nb,2,Milk\r\n";
    let ndjson = "{\"sku\":\"a\",\"price\":1,\"name\":\"Tea\"}\r\n\
                  {\"sku\":\"b\",\"price\":2,\"name\":\"Milk\"}\r\n";
    for (name, text) in [("a.csv", lines), ("a.ndjson", ndjson)] {
        let folder = folder();
        let path = file(folder.path(), name, text);
        Tool::new(folder.path(), &["import", "products", &path]).run().expect(0, &[]);
        assert_eq!(rows(folder.path(), "products", "name"), ["Tea", "Milk"]);
    }
}

#[test]
fn lines_behind_a_quoted_newline_are_counted_as_in_an_editor() {
    let folder = folder();
    let text = "sku,name,price\na,\"one\ntwo\nthree\",1\nb,four,x\n";
    let path = file(folder.path(), "a.csv", text);
    let import = ["import", "products", &path, "--on-error", "continue"];
    Tool::new(folder.path(), &import).run().expect(3, &[]);
    let rejected = std::fs::read_to_string(folder.path().join("a.csv.rejected.csv")).unwrap();
    assert!(rejected.contains("\n5,\"line 5, column 'price'"), "{rejected}");
    let fine = file(folder.path(), "b.csv", text.replace(",x\n", ",2\n"));
    let import = ["import", "products", &fine, "--on-conflict", "skip"];
    Tool::new(folder.path(), &import).run().expect(0, &[]);
    assert_eq!(rows(folder.path(), "products", "sku,price").last().unwrap(), "b,2");
}
