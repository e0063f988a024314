//! Pipes that nobody reads: standard output's ends a tool quietly, any other one is a fault.

use std::path::Path;

use crate::corpus::folder;
use crate::tool::{Ended, Tool};

/// `"$0" line` in a shell whose descriptor 4 is a pipe that nobody reads.
fn with_a_broken_pipe(folder: &Path, line: &str) -> Ended {
    let rows: String = (0..50_000).map(|n| format!("{n},{}\n", n * 7919 % 1000)).collect();
    std::fs::write(folder.join("in.csv"), format!("id,price\n{rows}")).unwrap();
    let line = format!("mkfifo p && exec 3<>p 4>p 3<&- && \"$0\" {line} --data data");
    Tool::shell(folder, &line).run()
}

#[test]
fn a_reader_of_standard_output_that_went_away_is_no_fault() {
    for tool in [
        "sort in.csv --by id",
        "sort in.csv --by id --explain",
        "top 30000 in.csv --by price",
        "head -n 40000 in.csv",
        "count in.csv",
        "convert in.csv --to ndjson",
        "quantile in.csv --column price",
        "join in.csv in.csv --on id",
        "join in.csv in.csv --on id --sorted",
        "group in.csv --key price --agg 'count(*)'",
        "distinct in.csv",
        "distinct in.csv --count",
        "config show",
    ] {
        let folder = folder();
        let ended = with_a_broken_pipe(folder.path(), &format!("{tool} >&4"));
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{tool}");
    }
}

#[test]
fn any_other_pipe_that_broke_is_a_fault() {
    let folder = folder();
    // Standard output is read, and the summary is lost.
    let sort = "sort in.csv --by id -o out.csv --json 2>&4";
    assert_eq!(with_a_broken_pipe(folder.path(), sort).code, Some(1));
    assert!(folder.path().join("out.csv").exists());
}

#[test]
fn an_output_that_is_no_file_is_refused_and_stays_what_it_is() {
    for tool in ["sort in.csv --by id", "count in.csv", "join in.csv in.csv --on id"] {
        let folder = folder();
        let ended = with_a_broken_pipe(folder.path(), &format!("{tool} -o p"));
        ended.expect(1, &["the output p is a pipe or a device", "write to standard output"]);
        let kind = std::fs::metadata(folder.path().join("p")).unwrap().file_type();
        assert!(std::os::unix::fs::FileTypeExt::is_fifo(&kind));
    }
}
