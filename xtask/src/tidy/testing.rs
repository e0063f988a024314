//! Every bad input of docs/TESTING.md has its test.
//!
//! ```text
//!   | input | where | exit code or status | message | test |
//!   | a limit of 0 | list | 422 | "limit is 1 to 500" | `a_limit_of_zero_is_refused` |
//! ```
//!
//! Promises: the test exists, and its file or a file beside it names the code.
//! Never: a row without a code; `open` is counted and may only become fewer. What has neither exit
//! code nor status has an outcome, by its name in the code: `Broken::Garbage`.

use super::{Tree, Violation};

/// Where the table stands.
const PATH: &str = "docs/TESTING.md";
/// The heading above the table.
const HEADING: &str = "## Bad inputs";
/// Rows that still say `open`. Lower it with each test; it never goes up again.
const OPEN_MAX: usize = 0;
/// Fewer rows than this means that the table was lost, not that the world became kinder.
const ROWS_MIN: usize = 20;

struct Row<'a> {
    line: usize,
    code: &'a str,
    message: &'a str,
    test: &'a str,
}

fn rows(tree: &Tree) -> Vec<Row<'_>> {
    let text = tree.get(PATH).map_or("", |file| &file.text);
    let mut inside = false;
    let mut rows = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            inside = line.trim() == HEADING;
        }
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").collect();
        let data = line.starts_with('|') && !line.contains("---") && cells.len() == 5;
        if inside && data && cells[0].trim() != "input" {
            rows.push(Row {
                line: at + 1,
                code: cells[2].trim(),
                message: cells[3].trim(),
                test: cells[4].trim(),
            });
        } else if inside && line.starts_with('|') && cells.len() != 5 && !line.contains("---") {
            // A row that cannot be read is reported by its missing code.
            rows.push(Row { line: at + 1, code: "", message: "", test: "" });
        }
    }
    rows
}

/// Rows without a test.
pub(super) fn open(tree: &Tree) -> usize {
    rows(tree).iter().filter(|row| row.test == "open").count()
}

/// Each row has a code, a message and a test that exists.
pub(super) fn bad_inputs(tree: &Tree) -> Vec<Violation> {
    let rows = rows(tree);
    let tests = tree.tests();
    let mut found = Vec::new();
    if rows.len() < ROWS_MIN {
        let text = format!("{} bad inputs; at least {ROWS_MIN} are known", rows.len());
        found.push(Violation::new(PATH, 1, text));
    }
    for row in &rows {
        let codes = codes(row.code);
        if codes.is_empty() || row.message.is_empty() {
            let text = "a bad input has five cells: input, where, code, message, test; \
                        the code is an exit code, a status, or the name of an outcome";
            found.push(Violation::new(PATH, row.line, text));
        }
        if row.test == "open" {
            continue;
        }
        for name in row.test.split(',').map(|name| name.trim().trim_matches('`')) {
            let files: Vec<_> = tests.iter().filter(|(test, _)| test == name).collect();
            if files.is_empty() {
                let text = format!("no test is named '{name}': write it, or say open");
                found.push(Violation::new(PATH, row.line, text));
            } else if !files.iter().any(|(_, file)| names_code(&file.text, &codes)) {
                let text = format!("the file of '{name}' names none of the codes {codes:?}");
                found.push(Violation::new(PATH, row.line, text));
            }
        }
    }
    let open = open(tree);
    if open > OPEN_MAX {
        let text = format!("{open} bad inputs are open; at most {OPEN_MAX}: write their tests");
        found.push(Violation::new(PATH, 1, text));
    }
    found
}

/// The words of a cell that are an exit code, an HTTP status, or the name of an outcome.
fn codes(cell: &str) -> Vec<&str> {
    let exits = |n: u16| n <= 5 || (123..=137).contains(&n);
    let is_code = |word: &&str| match word.parse::<u16>() {
        Ok(number) => exits(number) || (200..600).contains(&number),
        Err(_) => word.starts_with(|c: char| c.is_ascii_uppercase()),
    };
    cell.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_code).collect()
}

fn names_code(text: &str, codes: &[&str]) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| codes.contains(&word))
}
