//! Where `unsafe` may stand, and what stands beside it.
//!
//! Promises: two files in the whole tree; each use has its reason on the lines above it.
//! Never: a judgement of the reason; that is for a reader.

use super::lexer::{TokenKind, tokens};
use super::{Tree, Violation};

/// The files, each with why safe Rust cannot do it.
const ALLOWED: [(&str, &str); 2] = [
    (
        "crates/plimsoll-cli/src/allocator.rs",
        "the allocator reads its start-up options from a symbol",
    ),
    (
        "crates/plimsoll-store/src/sqlite/memory.rs",
        "the database's own memory counters are C functions",
    ),
];

/// `unsafe` stands in the allowed files alone, each with a SAFETY note right above.
pub(super) fn unsafety(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let lines: Vec<&str> = file.text.lines().collect();
        for token in tokens(&file.text) {
            if token.kind != TokenKind::Ident || token.text != "unsafe" {
                continue;
            }
            if !ALLOWED.iter().any(|(path, _)| *path == file.path) {
                let allowed = ALLOWED.map(|(path, why)| format!("{path} ({why})")).join(", ");
                let text = format!("unsafe outside of {allowed}: find a safe way");
                found.push(Violation::new(&file.path, token.line, text));
            } else if !has_note(&lines, token.line) {
                let text = "unsafe without a `// SAFETY:` note on the lines above it";
                found.push(Violation::new(&file.path, token.line, text));
            }
        }
    }
    found
}

/// A comment directly above the line, attributes between allowed, holds the note.
fn has_note(lines: &[&str], line: usize) -> bool {
    let above = lines[..line - 1].iter().rev().map(|l| l.trim());
    above.take_while(|l| l.starts_with("//") || l.starts_with("#[")).any(|l| l.contains("SAFETY:"))
}
