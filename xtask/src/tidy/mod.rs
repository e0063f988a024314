//! The rules of the house, as code.
//!
//! ```text
//!   files on disk ──> Tree ──> rule(&Tree) -> Vec<Violation> ──> one line each, exit code 1
//!   strings in a test ──┘
//! ```
//!
//! Promises: a rule is a pure function over a [`Tree`], so each has a test in which it fails.
//! Never: a rule that rewrites what it looks at.

mod coverage;
mod dead;
mod header;
mod lexer;
mod nouns;
mod packages;
mod size;
mod testing;
mod tree;
mod unsafety;
mod words;

use std::fmt;

pub use packages::{PACKAGES, PackageRule, cargo_tree, packages};
pub use tree::{File, Tree};

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path from the root of the tree.
    pub path: String,
    /// Line, counted from 1.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub text: String,
}

impl Violation {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A rule's name and the rule.
pub type Rule = (&'static str, fn(&Tree) -> Vec<Violation>);

/// Every rule over the tree.
pub const RULES: [Rule; 13] = [
    ("file length", size::file_length),
    ("function length", size::function_length),
    ("width", size::width),
    ("header", header::header),
    ("dead sources", dead::sources),
    ("dead documents", dead::documents),
    ("dead pack files", dead::pack_files),
    ("banned words", words::banned),
    ("commented-out code", words::commented_out),
    ("pack nouns", nouns::nouns),
    ("unsafe", unsafety::unsafety),
    ("bad inputs", testing::bad_inputs),
    ("coverage", coverage::coverage),
];

/// Runs every rule.
#[must_use]
pub fn check(tree: &Tree) -> Vec<Violation> {
    RULES.iter().flat_map(|(_, rule)| rule(tree)).collect()
}

/// Runs the rule of this name.
///
/// # Panics
/// When no rule has this name: the names are fixed.
#[must_use]
pub fn check_one(name: &str, tree: &Tree) -> Vec<Violation> {
    let rule = RULES.iter().find(|(n, _)| *n == name);
    let (_, rule) = rule.unwrap_or_else(|| panic!("no rule is named '{name}'"));
    rule(tree)
}

/// How many bad inputs have no test yet, and how many rows of the coverage are open.
#[must_use]
pub fn open(tree: &Tree) -> (usize, usize) {
    (testing::open(tree), coverage::open(tree))
}
