//! What is wrong with a file is said with its line, its column and what is allowed.

use std::io::Write as _;

use crate::corpus::{HEADER, file, folder, products};
use crate::tool::{Ended, Tool, rows};

/// Imports `text` as products and gives the end.
fn import(text: impl AsRef<[u8]>, flags: &[&str]) -> Ended {
    let folder = folder();
    let path = file(folder.path(), "a.csv", text);
    Tool::new(folder.path(), &[&["import", "products", &path], flags].concat()).run()
}

/// The file of rejected rows after importing `text`, which must end with exit status 3.
fn rejected(resource: &str, text: impl AsRef<[u8]>) -> String {
    let folder = folder();
    let path = file(folder.path(), "a.csv", text);
    let run = ["import", resource, &path, "--on-error", "continue"];
    Tool::new(folder.path(), &run).run().expect(3, &[]);
    let bytes = std::fs::read(folder.path().join("a.csv.rejected.csv")).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_truncated_compressed_file_is_refused_and_whole_batches_stand() {
    let folder = folder();
    let text = std::fs::read(products(folder.path(), 20_000)).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&*text, 1).unwrap();
    for (name, whole) in [("a.csv.gz", gzip), ("a.csv.zst", zstd)] {
        let data = folder.path().join(format!("{name}.data"));
        let data = data.to_str().unwrap();
        let cut = file(folder.path(), name, &whole[..whole.len() / 2]);
        let run = ["import", "products", &cut, "--data", data];
        Tool::new(folder.path(), &run).run().expect(1, &["ends early", "cut off"]);
        let export = ["export", "products", "--fields", "sku", "--data", data];
        let there = Tool::new(folder.path(), &export).run().text().lines().count() - 1;
        assert!((1..20_000).contains(&there), "{name}: {there}");
        let path = file(folder.path(), name, whole);
        let run = ["import", "products", &path, "--data", data, "--on-conflict", "skip", "--json"];
        let ended = Tool::new(folder.path(), &run).run();
        assert_eq!(ended.json()["skipped"], there, "{name}");
        assert_eq!(ended.json()["rows"], 20_000 - there, "{name}");
    }
}

#[test]
fn a_gzip_bomb_ends_at_its_bound() {
    let folder = folder();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(HEADER.as_bytes()).unwrap();
    let zeros = vec![b'\n'; 1 << 20];
    for _ in 0..64 {
        bomb.write_all(&zeros).unwrap();
    }
    let path = file(folder.path(), "a.csv.gz", bomb.finish().unwrap());
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 18);
    let run = ["import", "products", &path, "--unpacked-max", "1M", "--memory", "48M"];
    Tool::new(folder.path(), &run).run().expect(1, &["more than the 1048576 bytes allowed"]);
    assert_eq!(rows(folder.path(), "products", "sku").len(), 0);
}

#[test]
fn a_line_of_a_gigabyte_is_refused_at_its_bound() {
    for (format, start) in [
        ("csv", "sku,name,price\n"),
        ("csv", "sku,name,price\n\""),
        ("ndjson", "{\"sku\":\""),
        ("json", "[{\"sku\":\""),
    ] {
        let folder = folder();
        // The run ends long before the gigabyte is through: the pipe breaks.
        let (report, fed) = std::sync::mpsc::sync_channel(1);
        let feed = move |out: &mut dyn std::io::Write| {
            let piece = vec![b'x'; 1 << 16];
            let mut bytes = 0_u64;
            let mut written = out.write_all(start.as_bytes());
            while written.is_ok() && bytes < 1 << 30 {
                written = out.write_all(&piece);
                bytes += piece.len() as u64;
            }
            report.send(bytes).unwrap();
            written
        };
        let run = ["import", "products", "-", "--format", format, "--memory", "48M"];
        let ended = Tool::new(folder.path(), &run).fed(feed).run();
        ended.expect(1, &["line ", " record is longer than the ", " bytes allowed"]);
        let bytes = fed.recv().unwrap();
        assert!(bytes < 8 << 20, "{format}: {bytes} bytes were read");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_with_its_place() {
    let text = [HEADER.as_bytes(), b"\na,A,,1,1\nb,caf\xe9,,1,1\n"].concat();
    let ended = import(&text, &["--on-error", "stop"]);
    ended.expect(1, &["line 3", "column 'name'", "not UTF-8", "0xe9", "the 1 rows committed"]);
}

#[test]
fn ragged_rows_are_rejected_with_the_fields_found_and_expected() {
    let text = "sku,name,price\na,A\nb,B,1\nc,C,1,2\n";
    let file = rejected("products", text);
    let expected = "line,reason,record\n\
        2,\"line 2: 2 fields where the header has 3\",\"a,A\"\n\
        4,\"line 4: 4 fields where the header has 3\",\"c,C,1,2\"\n";
    assert_eq!(file, expected);
}

#[test]
fn every_wrong_row_stands_in_the_file_of_rejected_rows_and_every_right_one_in_the_table() {
    let folder = folder();
    let text = "sku,name,price\na,A,1\nb,\"B, \"\"b\"\"\",x\n,C,1\nd,D,-1\na,E,1\nf,F,2\n";
    let path = file(folder.path(), "a.csv", text);
    let run = ["import", "products", &path, "--on-error", "continue", "--json"];
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(3, &[]);
    assert_eq!([&ended.json()["rows"], &ended.json()["rejected"]], [2, 4]);
    assert_eq!(rows(folder.path(), "products", "sku"), ["a", "f"]);
    let rejected = std::fs::read_to_string(folder.path().join("a.csv.rejected.csv")).unwrap();
    let amount = "'x' is not an amount with at most 4 decimals in the range of \
                  ±922337203685477.5807";
    let expected = format!(
        "line,reason,record\n\
         3,\"line 3, column 'price': {amount}\",\"b,\"\"B, \"\"\"\"b\"\"\"\"\"\",x\"\n\
         4,\"line 4, column 'sku': a value of type text is needed and there is none\",\",C,1\"\n\
         5,\"line 5: writing products: the rule does not hold: price >= 0\",\"d,D,-1\"\n\
         6,\"line 6: writing products: a row with the same sku is already there\",\"a,E,1\"\n"
    );
    assert_eq!(rejected, expected);
    // Done is done, with the same status: the rows are still missing.
    let second = Tool::new(folder.path(), &run).run();
    assert_eq!((second.code, &second.json()["done_before"]), (Some(3), &true.into()));
}

#[test]
fn rows_rejected_from_standard_input_go_to_a_file_of_its_name() {
    let folder = folder();
    let run = ["import", "products", "-", "--on-error", "continue"];
    Tool::new(folder.path(), &run).input("sku,name,price\na,A\n").run().expect(3, &[]);
    assert!(folder.path().join("stdin.rejected.csv").exists());
    let named = folder.path().join("mine.csv");
    let run = [&run[..], &["--rejects", named.to_str().unwrap()]].concat();
    Tool::new(folder.path(), &run).input("sku,name,price\na,A\n").run().expect(3, &[]);
    assert!(named.exists());
}

#[test]
fn a_quote_that_is_never_closed_is_refused_with_the_line_it_opened_on() {
    let ended = import("sku,name,price\na,A,1\nb,\"B,1\nc,C,1\nd,D,1\n", &[]);
    ended.expect(1, &["line 3", "quote", "not closed"]);
}

#[test]
fn numbers_and_amounts_out_of_range_are_rejected_with_line_and_column() {
    let long = "99999999999999999999";
    let text = format!("{HEADER}\na,A,,1,{long}\nb,B,,{long},1\nc,C,,1.00001,1\nd,D,,1,1.5\n");
    let file = rejected("products", text);
    let lines: Vec<&str> = file.lines().skip(1).collect();
    for (line, text) in [
        "2,\"line 2, column 'stock': '99999999999999999999' is not a whole number between",
        "3,\"line 3, column 'price': '99999999999999999999' is not an amount",
        "4,\"line 4, column 'price': '1.00001' is not an amount with at most 4 decimals in",
        "5,\"line 5, column 'stock': '1.5' is not a whole number",
    ]
    .iter()
    .enumerate()
    {
        assert!(lines[line].starts_with(text), "{}", lines[line]);
    }
}

#[test]
fn a_time_that_is_none_is_rejected_with_line_and_column() {
    let header = "number,channel,status,ordered_at";
    let text = format!(
        "{header}\na,online,completed,yesterday\nb,online,completed,2024-02-30\n\
         c,online,completed,2024-02-29 10:00:00\n"
    );
    let file = rejected("orders", text);
    assert!(
        file.contains("\n2,\"line 2, column 'ordered_at': 'yesterday' is not a time"),
        "{file}"
    );
    assert!(
        file.contains("\n3,\"line 3, column 'ordered_at': '2024-02-30' is not a time"),
        "{file}"
    );
    assert_eq!(file.lines().count(), 3, "{file}");
}

#[test]
fn an_unknown_doubled_or_missing_column_is_refused_with_the_list_of_columns() {
    let ended = import("sku,name,price,colour\na,A,1,red\n", &[]);
    ended.expect(1, &["'colour'", "allowed are", "'sku'", "'stock'"]);
    let ended = import("sku,name,price,Name\na,A,1,B\n", &[]);
    ended.expect(1, &["'name', 'Name'", "column 'name'"]);
    import("sku,name,price,name\na,A,1,B\n", &[]).expect(1, &["line 1", "'name' stands twice"]);
    import("sku,name\na,A\n", &[]).expect(1, &["column 'price'", "'sku', 'name'"]);
    let ended = import("sku,name,price\na,A,1\n", &["--map", "code=sku"]);
    ended.expect(1, &["'code'", "'sku', 'name', 'price'"]);
}

#[test]
fn an_empty_file_is_refused() {
    import("", &[]).expect(1, &["empty", "header"]);
    import("\u{feff}", &[]).expect(1, &["empty", "header"]);
}

#[test]
fn what_is_no_file_is_refused_by_name() {
    let folder = folder();
    let import = |file: &str| Tool::new(folder.path(), &["import", "products", file]).run();
    import("nowhere.csv").expect(1, &["nowhere.csv", "No such file"]);
    import(".").expect(2, &["is a directory"]);
}

#[test]
fn everything_before_a_wrong_row_stands_and_a_corrected_file_goes_on() {
    let folder = folder();
    let wrong = "sku,name,price\na,A,1\nb,B,1\nc,C,x\nd,D,1\n";
    let path = file(folder.path(), "a.csv", wrong);
    let run = ["import", "products", &path];
    for _ in 0..2 {
        // The same file stops at the same row, however often it is tried.
        let ended = Tool::new(folder.path(), &run).run();
        ended.expect(1, &["line 4", "column 'price'", "the 2 rows committed", "skip"]);
        assert_eq!(rows(folder.path(), "products", "sku"), ["a", "b"]);
    }
    let path = file(folder.path(), "a.csv", wrong.replace(",x\n", ",1\n"));
    // Without a word about rows that are there, a changed file is another file.
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(1, &["line 2", "the same sku", "--on-conflict skip"]);
    let run = ["import", "products", &path, "--on-conflict", "skip", "--json"];
    let ended = Tool::new(folder.path(), &run).run();
    assert_eq!([&ended.json()["rows"], &ended.json()["skipped"]], [2, 2]);
    assert_eq!(rows(folder.path(), "products", "sku"), ["a", "b", "c", "d"]);
}

#[test]
fn a_stopped_file_goes_on_when_wrong_rows_are_let_go() {
    let folder = folder();
    let path = file(folder.path(), "a.csv", "sku,name,price\na,A,1\nc,C,x\nd,D,1\n");
    Tool::new(folder.path(), &["import", "products", &path]).run().expect(1, &["line 3"]);
    let run = ["import", "products", &path, "--on-error", "continue", "--json"];
    let ended = Tool::new(folder.path(), &run).run();
    ended.expect(3, &[]);
    let json = ended.json();
    assert_eq!([&json["rows"], &json["resumed_rows"], &json["rejected"]], [2, 1, 1]);
    assert_eq!(rows(folder.path(), "products", "sku"), ["a", "d"]);
}
