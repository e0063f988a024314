//! What a sort refuses: before the first byte where it can be known, and always without output.

use plimsoll::files::{Input, Output};
use plimsoll::{Error, ErrorKind};

use super::{Desk, numbered};

/// The refusal of a sort that leaves nothing.
fn refusal(desk: &Desk) -> Error {
    let error = desk.sort().expect_err("refused");
    desk.assert_nothing_left();
    error
}

#[test]
fn an_empty_file_has_no_header() {
    for input in [&b""[..], b"\n", b"\r\n\n"] {
        let error = refusal(&Desk::new(input, "k"));
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
}

#[test]
fn an_unknown_column_lists_the_columns() {
    let (input, _) = numbered(10, 31);
    let error = refusal(&Desk::new(&input, "fillin"));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("did you mean 'filling'"), "{error}");
}

#[test]
fn a_ragged_row_gives_no_output() {
    for (bad, line) in [("1,2\n", 1502), ("1,2,3,4\n", 1502), ("1,\"2\"x,3\n", 1502)] {
        for (rows, threads) in [(100, 1), (100, 2), (10_000, 1)] {
            let (input, _) = numbered(1500, 32);
            let input = [&input, bad.as_bytes(), b"5,6,7\n"].concat();
            let error = refusal(&Desk::new(&input, "k:num").fixed_runs(rows).threads(threads));
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(&line.to_string()), "{bad}: {error}");
        }
    }
    let (input, _) = numbered(1500, 33);
    let error = refusal(&Desk::new(&[&input, &b"1,\"open,3\n"[..]].concat(), "k:num"));
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn of_bad_rows_far_apart_the_first_is_told_whatever_the_threads() {
    // Several segments for each of two generators.
    let (input, _) = numbered(60_000, 39);
    let lines: Vec<&[u8]> = input.split_inclusive(|&byte| byte == b'\n').collect();
    let mut told = 0;
    for first in (22_000..42_000).step_by(1000) {
        for second in [first + 2, first + 15_000] {
            let (good, bad) = (lines[..first - 1].concat(), &b"1,2\n"[..]);
            // Behind the second every row is bad: the segment after its own fails at once, while
            // another generator still looks for the first.
            let input = [
                &good,
                bad,
                &lines[first..second - 1].concat(),
                &b"1,2,3,4\n".repeat(lines.len() - second),
            ];
            let desk = Desk::new(&input.concat(), "k:num").threads(2);
            let desk = Desk { workspace_bytes: 6 << 20, ..desk };
            let error = refusal(&desk);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(&format!("line {first}")), "{second}: {error}");
            told += 1;
        }
    }
    assert_eq!(told, 40);
}

#[test]
fn a_row_beyond_the_longest_or_the_workspace_is_too_large() {
    let (input, _) = numbered(600, 34);
    for length in [5 << 10, 600 << 10, 3 << 20] {
        let input = [&input, format!("1,2,{}\n", "x".repeat(length)).as_bytes()].concat();
        for record_bytes_max in [4 << 10, 4 << 20] {
            let mut desk = Desk::new(&input, "k:num");
            desk.job.record_bytes_max = record_bytes_max;
            // Above what the scan of such records holds there is a sort's least.
            desk.workspace_bytes += if record_bytes_max > 1 << 20 { 13 << 20 } else { 0 };
            if length < record_bytes_max && length < 1 << 20 {
                desk.sort().unwrap();
                desk.assert_given_back();
                continue;
            }
            match desk.sort() {
                Ok(_) => assert!(length < record_bytes_max, "{length} of {record_bytes_max}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TooLarge, "{error}");
                    assert!(error.to_string().contains("602"), "{length}: {error}");
                    desk.assert_nothing_left();
                }
            }
        }
    }
}

#[test]
fn a_long_key_that_does_not_fit_beside_its_row_is_too_large() {
    // A NUL of the text takes two bytes of the key: row and key together are larger than the arena.
    let long = "\0".repeat(240 << 10);
    let input = format!("k,n\na,1\n{long},2\nb,3\n");
    let mut desk = Desk::new(input.as_bytes(), "k:text");
    desk.job.record_bytes_max = 300 << 10;
    desk.workspace_bytes = 3 << 19;
    for more in 0..40 {
        desk.workspace_bytes = (3 << 19) + more * (64 << 10);
        match desk.sort() {
            Ok(_) => {
                let sorted = format!("k,n\n{long},2\na,1\nb,3\n");
                assert!(desk.sorted() == sorted.as_bytes());
                assert!(more > 0, "the least workspace is too small for it");
                return desk.assert_given_back();
            }
            Err(error) => {
                let small = matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge);
                assert!(small, "{error}");
                desk.assert_nothing_left();
            }
        }
    }
    panic!("some workspace is enough");
}

#[test]
fn a_workspace_below_the_least_names_the_least() {
    let (input, _) = numbered(100, 35);
    let mut desk = Desk::new(&input, "k");
    for bytes in [0, 1, 4096, 300 << 10] {
        desk.workspace_bytes = bytes;
        let error = refusal(&desk);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("at least"), "{error}");
    }
}

#[test]
fn an_output_that_is_the_input_is_refused_by_any_name() {
    let (input, _) = numbered(100, 36);
    let mut desk = Desk::new(&input, "k");
    let Input::File(path) = desk.job.input.clone() else { panic!("it reads a file") };
    let (soft, hard) = (desk.root.join("soft.csv"), desk.root.join("hard.csv"));
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    std::fs::hard_link(&path, &hard).unwrap();
    let roundabout = desk.root.join("spill/../in.csv");
    for name in [path.clone(), soft, hard, roundabout] {
        desk.job.output = Output::File { path: name, fsync: false };
        let error = desk.sort().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("is the input"), "{error}");
        assert!(std::fs::read(&path).unwrap() == input);
        desk.assert_given_back();
    }
    assert_eq!(desk.disk.calls(None), 0);
}

#[test]
fn an_output_that_cannot_be_made_is_refused() {
    let (input, _) = numbered(100, 37);
    for rows in [20, 10_000] {
        let mut desk = Desk::new(&input, "k").fixed_runs(rows);
        let directory = desk.root.join("spill");
        desk.job.output = Output::File { path: directory.clone(), fsync: false };
        let error = desk.sort().expect_err("a directory");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        desk.assert_given_back();

        desk.job.output = Output::File { path: directory.join("none/out.csv"), fsync: false };
        let error = desk.sort().expect_err("no such directory");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        desk.assert_given_back();
    }
}

#[test]
fn an_older_output_stays_until_the_new_one_is_whole() {
    let (input, sorted) = numbered(900, 38);
    let desk = Desk::new(&input, "k:num").fixed_runs(300);
    std::fs::write(desk.output(), "older").unwrap();
    desk.watch.stop();
    desk.sort().expect_err("stopped");
    assert_eq!(desk.sorted(), b"older");
    let desk = Desk { watch: Default::default(), ..desk };
    desk.sort().unwrap();
    assert!(desk.sorted() == sorted);
    desk.assert_given_back();
}

#[test]
fn an_input_that_is_no_file_is_refused() {
    let mut desk = Desk::new(b"", "k");
    desk.job.input = Input::File(desk.root.join("spill"));
    assert_eq!(refusal(&desk).kind(), ErrorKind::Invalid);
    desk.job.input = Input::File(desk.root.join("missing.csv"));
    let error = refusal(&desk);
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("missing.csv"), "{error}");
}

#[test]
fn an_input_that_is_cut_while_it_is_read_is_an_error_and_one_that_grows_is_read_to_its_end() {
    use std::fs::OpenOptions;
    use std::io::Write as _;
    let (input, sorted) = numbered(40_000, 12);
    for runs in [1_000_000, 900] {
        let desk = Desk::new(&input, "k:num").fixed_runs(runs);
        let file = OpenOptions::new().append(true).open(desk.root.join("in.csv")).unwrap();
        // It cuts the file once its beginning was read.
        let cut = || file.set_len(input.len() as u64 / 2).unwrap();
        let error = desk.sort_after(&cut).expect_err("half of it is gone");
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains("in.csv"), "{error}");
        assert!(error.to_string().contains("shorter than when it was opened"), "{error}");
        desk.assert_nothing_left();

        let desk = Desk::new(&input, "k:num").fixed_runs(runs);
        let file = OpenOptions::new().append(true).open(desk.root.join("in.csv")).unwrap();
        let append = || (&file).write_all(b"9999,0,late\n").unwrap();
        let (_, summary) = desk.sort_after(&append).unwrap();
        assert_eq!(summary.rows_out, 40_001);
        let mut grown = sorted.clone();
        grown.extend(b"9999,0,late\n");
        assert!(desk.sorted() == grown);
    }
}
