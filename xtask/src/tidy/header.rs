//! What the first lines of a source file say.
//!
//! Promises: the header is the leading block of `//!` lines; a figure may stand in it.
//! Never: a look at what the words promise; that is for a reader.

use super::{Tree, Violation};

/// Lines of the header within which both words stand.
const HEADER_LINES_MAX: usize = 15;
/// A header that holds a figure may be this much longer.
const FIGURE_LINES_MAX: usize = 20;

/// Each file below `crates/*/src` begins with `//!` and says what it promises and never does.
pub(super) fn header(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.sources() {
        let block: Vec<&str> =
            file.text.lines().take_while(|line| line.starts_with("//!")).collect();
        if block.is_empty() {
            let text = "the first line is not a `//!` line that says what the file is";
            found.push(Violation::new(&file.path, 1, text));
            continue;
        }
        let figure = block.iter().any(|line| line.contains("```"));
        let lines = HEADER_LINES_MAX + if figure { FIGURE_LINES_MAX } else { 0 };
        for word in ["Promises", "Never"] {
            if !block.iter().take(lines).any(|line| line.contains(word)) {
                let text = format!("the header has no '{word}' within its first {lines} lines");
                found.push(Violation::new(&file.path, 1, text));
            }
        }
    }
    found
}
