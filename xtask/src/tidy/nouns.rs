//! The engine knows no table of a pack.
//!
//! ```text
//!   packs/*/**.toml ─ table, path, name, count ─> nouns ─ minus the allowed ─┐
//!   crates/*/src    ─ identifiers and strings, split into words ─────────────┴─> violations
//! ```
//!
//! Promises: the nouns are read from the packs, so that a new pack brings its own.
//! Never: a look into comments or tests; an example may speak of what it likes.

use std::collections::BTreeSet;

use super::lexer::{Token, TokenKind};
use super::{Tree, Violation};

/// Words of packs that the engine uses in a sense of its own, each with that sense.
/// Singular; the plural is allowed with it.
const ALLOWED: [(&str, &str); 36] = [
    ("id", "any key"),
    ("name", "any name"),
    ("number", "any number"),
    ("version", "the column behind an ETag"),
    ("created at", "the column set by a create"),
    ("updated at", "the column set by a write"),
    ("status", "an HTTP or job status"),
    ("description", "a text for a person"),
    ("title", "a text for a person"),
    ("order", "of sorting; and the mapping's orders"),
    ("item", "the mapping's lines of an order"),
    ("quantity", "the mapping's number of units"),
    ("amount", "the mapping's money of a line"),
    ("revenue", "the mapping's sum of amounts"),
    ("generation", "of a mark: which writes it stands for"),
    ("channel", "the mapping's channel; a queue between threads"),
    ("customer", "the mapping's who"),
    ("line", "a line of a file"),
    ("time", "any time"),
    ("key", "any key"),
    ("label", "the mapping's text of a subject"),
    ("count", "any count"),
    ("value", "any value"),
    ("state", "any state machine"),
    ("date", "any date"),
    ("day", "any day"),
    ("kind", "any kind"),
    ("body", "of a request"),
    ("header", "of a request or a file"),
    ("text", "the type"),
    ("position", "a place in an order"),
    ("demo", "the flag --demo"),
    ("check", "a step that only looks"),
    ("step", "a step of a recipe"),
    ("n", "any number"),
    ("digest", "of a file"),
];

/// No identifier or string of a crate holds a noun of a pack.
pub(super) fn nouns(tree: &Tree) -> Vec<Violation> {
    let nouns = pack_nouns(tree);
    let mut found = Vec::new();
    for file in tree.sources() {
        let code: Vec<Token<'_>> = file.code();
        let code: Vec<&Token<'_>> = code.iter().filter(|t| !t.is_comment()).collect();
        for (at, token) in code.iter().enumerate() {
            let looked_at = matches!(token.kind, TokenKind::Ident | TokenKind::Str);
            // `Iterator::product` multiplies.
            let multiplies = token.text == "product" && at > 0 && code[at - 1].text == ".";
            if !looked_at || multiplies {
                continue;
            }
            let words = words(token.text);
            let hit = nouns.iter().find(|noun| {
                let parts: Vec<&str> = noun.split(' ').collect();
                words.windows(parts.len()).any(|window| window == parts)
            });
            if let Some(noun) = hit {
                let text = format!("'{noun}' is a noun of a pack: take it from the catalogue");
                found.push(Violation::new(&file.path, token.line, text));
            }
        }
    }
    found
}

/// Tables, paths, columns and counts of all packs, as words in the singular.
fn pack_nouns(tree: &Tree) -> BTreeSet<String> {
    let mut nouns = BTreeSet::new();
    let toml = |path: &str| path.starts_with("packs/") && path.ends_with(".toml");
    for file in tree.files.iter().filter(|file| toml(&file.path)) {
        for line in file.text.lines() {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let mut quoted = value.split('"').skip(1);
            if let ("table" | "path" | "name" | "count", Some(value)) = (key.trim(), quoted.next())
            {
                nouns.insert(words(value).join(" "));
            }
        }
    }
    nouns.remove("");
    nouns.retain(|noun| !ALLOWED.iter().any(|(word, _)| noun == word));
    nouns
}

/// `OrderItems`, `order_items` and `"order-items"` are all `order item`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for c in text.chars().chain([' ']) {
        let breaks = !c.is_alphanumeric() || (lower && c.is_uppercase());
        if breaks && !word.is_empty() {
            words.push(singular(&std::mem::take(&mut word)));
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 2) {
        return format!("{stem}y");
    }
    let plural = word.len() > 3 && word.ends_with('s') && !word.ends_with("ss");
    let word = if plural && word != "status" { &word[..word.len() - 1] } else { word };
    word.to_owned()
}
