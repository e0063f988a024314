//! What every file tool does alike: formats, pipes, compression, limit, plan, summary, filter.
//!
//! ```text
//!             file  pipe  gzip  zstd  ndjson  --memory  --explain  --json  --filter  output
//!   sort        x     x     x     x      x       x          x         x        x        x
//!   ..          and so on for each of TOOLS; exact quantiles refuse a pipe
//! ```

use std::path::Path;

use crate::corpus::folder;
use crate::tool::{Ended, Tool};

/// A tool, what it is told, and whether it reads a pipe.
struct Every {
    args: &'static [&'static str],
    /// Behind the left input.
    more: &'static [&'static str],
    pipe: bool,
    /// A filter makes another answer; `None` where there is no such flag.
    filter: Option<&'static str>,
}

const fn every(args: &'static [&'static str]) -> Every {
    Every { args, more: &[], pipe: true, filter: Some("qty > 1") }
}

const TOOLS: [Every; 10] = [
    every(&["sort", "--by", "price:desc,id"]),
    every(&["top", "2", "--by", "price"]),
    every(&["head", "-n", "2"]),
    every(&["count"]),
    every(&["convert", "--columns", "id,price"]),
    Every { pipe: false, ..every(&["quantile", "--column", "price", "--q", "0,0.5"]) },
    every(&["quantile", "--column", "price", "--approximate"]),
    every(&["group", "--key", "city", "--agg", "sum(qty*price) as revenue, count(*)"]),
    every(&["distinct", "--columns", "city"]),
    Every { more: &["towns.csv"], filter: None, ..every(&["join", "--on", "city"]) },
];

const CSV: &str = "id,city,qty,price\n1,Bern,2,1.50\n2,Basel,1,7\n3,Bern,1,2.25\n4,Chur,3,7\n";
const NDJSON: &str = "{\"id\":1,\"city\":\"Bern\",\"qty\":2,\"price\":1.50}\n\
                      {\"id\":2,\"city\":\"Basel\",\"qty\":1,\"price\":7}\n\
                      {\"id\":3,\"city\":\"Bern\",\"qty\":1,\"price\":2.25}\n\
                      {\"id\":4,\"city\":\"Chur\",\"qty\":3,\"price\":7}\n";

fn inputs(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("in.csv", CSV);
    write("in.ndjson", NDJSON);
    write("towns.csv", "city,lake\nBern,\nChur,no\n");
    for name in ["in.csv.gz", "in.csv.zst", "in.ndjson.gz", "in.ndjson.zst"] {
        let from = if name.starts_with("in.csv") { "in.csv" } else { "in.ndjson" };
        run(folder, &["convert", from, "-o", name]).expect(0, &[]);
        let packed = std::fs::read(folder.join(name)).unwrap();
        let magic: &[u8] = if name.ends_with("gz") { &[0x1f, 0x8b] } else { &[0x28, 0xb5] };
        assert!(packed.starts_with(magic), "{name}");
    }
}

fn run(folder: &Path, args: &[&str]) -> Ended {
    Tool::fastest(folder, args).run()
}

impl Every {
    /// The whole command over `input`.
    fn args<'a>(&self, input: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
        let to: &[&str] = if self.args[0] == "convert" { &["--to", "csv"] } else { &[] };
        // `top` has its number before the file.
        let at = if self.args[0] == "top" { 2 } else { 1 };
        [&self.args[..at], &[input], self.more, &self.args[at..], to, extra].concat()
    }

    #[track_caller]
    fn answer(&self, folder: &Path, args: &[&str], input: Option<&str>) -> Vec<String> {
        let mut tool = Tool::fastest(folder, args);
        if let Some(name) = input {
            tool = tool.input(std::fs::read(folder.join(name)).unwrap());
        }
        let ended = tool.run();
        ended.expect(0, &[]);
        lines(ended.text())
    }
}

/// Lines in an order of their own: that of groups and distinct rows is nobody's promise.
fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn every_tool_gives_one_answer_from_files_and_pipes_plain_and_packed() {
    let folder = folder();
    let folder = folder.path();
    inputs(folder);
    for tool in TOOLS {
        for (format, plain) in [("csv", "in.csv"), ("ndjson", "in.ndjson")] {
            let expected = tool.answer(folder, &tool.args(plain, &[]), None);
            assert!(!expected.is_empty(), "{:?}", tool.args);
            for suffix in ["", ".gz", ".zst"] {
                let name = format!("{plain}{suffix}");
                let args = tool.args(&name, &["--memory", "48M"]);
                assert_eq!(tool.answer(folder, &args, None), expected, "{args:?}");
                let pipe = tool.args("-", &["--format", format]);
                if tool.pipe {
                    assert_eq!(tool.answer(folder, &pipe, Some(&name)), expected, "{pipe:?}");
                } else {
                    run(folder, &pipe).expect(1, &["write it to a file first"]);
                }
                let out = format!("out.{format}{suffix}");
                let to_file = tool.args(&name, &["-o", &out]);
                run(folder, &to_file).expect(0, &[]);
                // `convert` and `quantile` write CSV here whatever the name says.
                let back = ["convert", &out, "--format", "csv", "--to", "csv"];
                let rows = match suffix {
                    "" => lines(&std::fs::read_to_string(folder.join(&out)).unwrap()),
                    _ if expected[0].starts_with('{') => {
                        let back = ["head", &out, "--format", "ndjson"];
                        tool.answer(folder, &back, None)
                    }
                    _ => tool.answer(folder, &back, None),
                };
                assert_eq!(rows, expected, "{to_file:?}");
            }
        }
    }
}

#[test]
fn every_tool_prints_its_plan_and_its_summary() {
    let folder = folder();
    let folder = folder.path();
    inputs(folder);
    for tool in TOOLS {
        let explained = run(folder, &tool.args("in.csv", &["--explain", "-o", "planned"]));
        explained.expect(0, &[]);
        assert!(explained.text().starts_with("memory limit      "), "{}", explained.text());
        assert!(!folder.join("planned").exists(), "{:?}", tool.args);
        let ended = run(folder, &tool.args("in.csv", &["--json", "-o", "done"]));
        ended.expect(0, &[]);
        let summary: serde_json::Value =
            serde_json::from_str(ended.err.lines().last().unwrap()).unwrap();
        let wanted = ["rows", "rows_out", "bytes", "bytes_out", "spill_bytes", "passes"];
        for name in wanted.into_iter().chain(["peak_bytes"]) {
            assert!(summary[name].is_u64(), "{:?}: {name} in {summary}", tool.args);
        }
        assert!(summary["seconds"].as_f64().unwrap() > 0.0);
        let rows = summary["rows"].as_u64().unwrap();
        assert!(if tool.args[0] == "head" { rows >= 2 } else { rows >= 4 }, "{summary}");
        let written = std::fs::metadata(folder.join("done")).unwrap().len();
        assert_eq!(summary["bytes_out"], written, "{:?}", tool.args);
    }
}

#[test]
fn every_tool_of_one_input_takes_a_filter_and_shows_the_place_of_a_fault_in_it() {
    let folder = folder();
    let folder = folder.path();
    inputs(folder);
    for tool in TOOLS {
        let Some(filter) = tool.filter else { continue };
        for input in ["in.csv", "in.ndjson"] {
            let all = tool.answer(folder, &tool.args(input, &[]), None);
            let some = tool.answer(folder, &tool.args(input, &["--filter", filter]), None);
            assert_ne!(all, some, "{:?} {input}", tool.args);
            let args = tool.args(input, &["--filter", "qty > > 1", "-o", "none"]);
            run(folder, &args).expect(1, &["filter, character 7", "  qty > > 1\n        ^"]);
            assert!(!folder.join("none").exists());
        }
    }
}
