//! docs/COVERAGE.md has one row for each thing the product owes.
//!
//! ```text
//!   | E01 | list of products | route `GET /api/v2/products`, test `pages_follow_a_cursor` |
//!   | E05 | import by upload | open |
//! ```
//!
//! Promises: each id once; a row that is not open names a test that exists, a route or a command.
//! Never: an id that is dropped because nothing named it.

use std::collections::BTreeMap;

use super::{Tree, Violation};

const PATH: &str = "docs/COVERAGE.md";

/// Letter and highest number of each family of ids.
const FAMILIES: [(char, usize); 13] = [
    ('E', 37),
    ('C', 28),
    ('K', 32),
    ('M', 16),
    ('S', 5),
    ('J', 15),
    ('V', 6),
    ('A', 13),
    ('L', 16),
    ('H', 7),
    ('D', 15),
    ('T', 9),
    ('G', 14),
];
/// Ids outside of the count.
const SINGLE: [&str; 1] = ["M05b"];

fn ids() -> impl Iterator<Item = String> {
    FAMILIES
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n:02}")))
        .chain(SINGLE.map(str::to_owned))
}

/// (line, id, shown by) of each row.
fn rows(tree: &Tree) -> Vec<(usize, &str, &str)> {
    let text = tree.get(PATH).map_or("", |file| &file.text);
    let rows = text.lines().enumerate().filter_map(|(at, line)| {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
        let (id, rest) = inner.split_once('|')?;
        let (_, shown) = rest.rsplit_once(" | ")?;
        let id = id.trim();
        let is_id = id.len() >= 3 && id[1..].starts_with(|c: char| c.is_ascii_digit());
        is_id.then(|| (at + 1, id, shown.trim()))
    });
    rows.collect()
}

/// Rows that are wholly open.
pub(super) fn open(tree: &Tree) -> usize {
    rows(tree).iter().filter(|row| row.2 == "open").count()
}

/// Each id stands exactly once, and what a row names exists.
pub(super) fn coverage(tree: &Tree) -> Vec<Violation> {
    let rows = rows(tree);
    let tests = tree.test_names();
    let mut found = Vec::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, id, _) in &rows {
        *seen.entry(id).or_default() += 1;
    }
    let (mut lost, mut doubled) = (Vec::new(), Vec::new());
    for id in ids() {
        match seen.remove(id.as_str()) {
            Some(1) => {}
            None => lost.push(id),
            Some(_) => doubled.push(id),
        }
    }
    for (ids, what) in [(lost, "have no row"), (doubled, "have more than one row")] {
        if !ids.is_empty() {
            let text = format!("{} {what}; each has exactly one", ids.join(", "));
            found.push(Violation::new(PATH, 1, text));
        }
    }
    for (line, id, shown) in rows {
        if seen.contains_key(id) {
            found.push(Violation::new(PATH, line, format!("{id} is no known id")));
        }
        if shown == "open" {
            continue;
        }
        let kinds = ["test `", "route `", "command `"];
        if !kinds.iter().any(|kind| shown.contains(kind)) {
            let text = format!("{id}: name a test, route or command as in: test `name`, or open");
            found.push(Violation::new(PATH, line, text));
        }
        for name in shown.split("test `").skip(1) {
            let name = name.split('`').next().unwrap_or_default();
            if !tests.contains(name) {
                let text = format!("{id}: no test is named '{name}'");
                found.push(Violation::new(PATH, line, text));
            }
        }
    }
    found
}
