//! The tree keeps the rules of the house, and each rule can fail.
//!
//! Promises: one test over the real tree, and for each rule a tree of strings it refuses.
//! Never: a rule without such a tree.

#![allow(clippy::unwrap_used)] // a failed helper is a failed test

mod fails_documents;
mod fails_sources;
mod lexing;

use std::path::PathBuf;

use xtask::tidy::{self, Tree};

/// The number of violations of one rule in a tree of strings.
fn violations(rule: &str, files: &[(&str, &str)]) -> Vec<String> {
    let found = tidy::check_one(rule, &Tree::of(files));
    found.iter().map(ToString::to_string).collect()
}

/// As cargo says now: the build may be another clone's, where they share a target folder.
fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR");
    own.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from).join("..")
}

#[test]
fn the_tree_is_tidy() {
    let tree = Tree::read(&root()).unwrap();
    assert!(tree.files.len() > 20, "the walk found {} files", tree.files.len());
    let found: Vec<String> = tidy::check(&tree).iter().map(ToString::to_string).collect();
    let (inputs, rows) = tidy::open(&tree);
    println!("open: {inputs} bad inputs without a test, {rows} rows of the coverage");
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn the_dependency_trees_are_small() {
    for rule in &tidy::PACKAGES {
        let text = tidy::cargo_tree(&root(), rule.package).unwrap();
        assert_eq!(tidy::packages(rule, &text), []);
    }
}

#[test]
fn a_dependency_tree_that_is_too_large_or_knows_http_is_refused() {
    let rule = &tidy::PACKAGES[0];
    let many: String = (0..40).map(|n| format!("crate{n} v1.0.0\n")).collect();
    assert_eq!(tidy::packages(rule, &many).len(), 1);
    assert_eq!(tidy::packages(rule, "plimsoll v0.1.0\ntokio v1.54.0\n").len(), 1);
    assert_eq!(tidy::packages(rule, "plimsoll v0.1.0\nplimsoll v0.1.0 (*)\n"), []);
    assert_eq!(tidy::packages(rule, "").len(), 1);
    let store = &tidy::PACKAGES[1];
    assert_eq!(tidy::packages(store, "plimsoll-store v0.1.0\naxum v0.8.9\n").len(), 1);
}
