//! Files nobody can reach.
//!
//! ```text
//!   Cargo.toml ─> src/{lib,main,bin/*}.rs, tests, benches, examples ─ `mod x;` ─> x.rs | x/mod.rs
//!   pack.toml, demo.toml, recipes/*.toml ─ "sqlite/0001.sql" ─> files of a pack
//!   any text   ─ file name ─> docs/**/*.md
//! ```
//!
//! Promises: `#[path]` and modules inside modules are followed.
//! Never: a file excused by hand.

use std::collections::BTreeSet;

use super::lexer::{Token, TokenKind, tokens};
use super::{File, Tree, Violation};

/// Every `.rs` file is reachable from a root of its package.
pub(super) fn sources(tree: &Tree) -> Vec<Violation> {
    let mut reached: BTreeSet<String> = BTreeSet::new();
    let mut waiting: Vec<String> = tree
        .rust()
        .filter(|file| is_root(tree, &file.path))
        .map(|file| file.path.clone())
        .collect();
    while let Some(path) = waiting.pop() {
        if let Some(file) = tree.get(&path)
            && reached.insert(path.clone())
        {
            waiting.extend(declared(tree, file));
        }
    }
    tree.rust()
        .filter(|file| !reached.contains(&file.path))
        .map(|file| {
            let text = "no `mod` declaration reaches this file: declare it or delete it";
            Violation::new(&file.path, 1, text)
        })
        .collect()
}

/// A file Cargo finds by itself.
fn is_root(tree: &Tree, path: &str) -> bool {
    let at = |mark: &str| {
        let (package, rest) = path.split_once(mark)?;
        tree.get(&format!("{package}/Cargo.toml"))?;
        Some(rest)
    };
    if let Some(rest) = at("/src/") {
        let bin = rest.strip_prefix("bin/").is_some_and(|bin| {
            !bin.contains('/') || (bin.ends_with("/main.rs") && bin.matches('/').count() == 1)
        });
        return rest == "lib.rs" || rest == "main.rs" || bin;
    }
    for mark in ["/tests/", "/benches/", "/examples/"] {
        if let Some(rest) = at(mark) {
            let folder = rest.ends_with("/main.rs") && rest.matches('/').count() == 1;
            return !rest.contains('/') || folder;
        }
    }
    path.ends_with("/build.rs") && at("/build.rs").is_some()
}

/// Files the `mod` declarations of this file name.
fn declared(tree: &Tree, file: &File) -> Vec<String> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let own = name == "mod.rs" || is_root(tree, &file.path);
    let children =
        if own { folder.to_owned() } else { format!("{folder}/{}", name.trim_end_matches(".rs")) };
    let all = tokens(&file.text);
    let code: Vec<&Token<'_>> = all.iter().filter(|t| !t.is_comment()).collect();
    let (mut found, mut inside, mut depth) = (Vec::new(), Vec::<(&str, usize)>::new(), 0_usize);
    let mut path_attribute: Option<&str> = None;
    for at in 0..code.len() {
        let next = |n: usize| code.get(at + n).map_or("", |t| t.text);
        match code[at].text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inside.retain(|(_, opened)| *opened < depth);
            }
            "path" if next(1) == "=" && at > 0 && code[at - 1].text == "[" => {
                path_attribute = Some(next(2).trim_matches('"'));
            }
            "mod" if code.get(at + 1).is_some_and(|t| t.kind == TokenKind::Ident) => {
                let module = next(1);
                if next(2) == "{" {
                    inside.push((module, depth));
                } else if let Some(path) = path_attribute.take() {
                    found.push(format!("{folder}/{path}"));
                } else {
                    let outer: String = inside.iter().map(|(m, _)| format!("{m}/")).collect();
                    found.push(format!("{children}/{outer}{module}.rs"));
                    found.push(format!("{children}/{outer}{module}/mod.rs"));
                }
            }
            _ => {}
        }
    }
    found
}

/// Every document below `docs/` is named by another text.
pub(super) fn documents(tree: &Tree) -> Vec<Violation> {
    let document = |file: &&File| file.path.starts_with("docs/") && file.extension() == "md";
    let mut found = Vec::new();
    for file in tree.files.iter().filter(document) {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let named =
            tree.files.iter().any(|other| other.path != file.path && other.text.contains(name));
        if !named {
            let text = "no other text links to this document: link it or delete it";
            found.push(Violation::new(&file.path, 1, text));
        }
    }
    found
}

/// Every file of a pack is named by a `.toml` of that pack, or is one that is found by its place.
pub(super) fn pack_files(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| f.path.starts_with("packs/")) {
        let mut parts = file.path.splitn(3, '/').skip(1);
        let (Some(pack), Some(inner)) = (parts.next(), parts.next()) else {
            continue;
        };
        let recipe = inner.strip_prefix("recipes/").is_some_and(|r| !r.contains('/'));
        let root =
            matches!(inner, "pack.toml" | "demo.toml") || (recipe && file.extension() == "toml");
        if root || file.extension() == "md" {
            continue;
        }
        let folder = format!("packs/{pack}/");
        let named = tree.files.iter().any(|toml| {
            let from = toml.path.strip_prefix(&folder).map(|p| p.rsplit_once('/'));
            let beside = from.flatten().and_then(|(dir, _)| {
                let rest = inner.strip_prefix(dir)?;
                rest.strip_prefix('/')
            });
            toml.extension() == "toml"
                && toml.path != file.path
                && from.is_some()
                && (toml.text.contains(&format!("\"{inner}\""))
                    || beside.is_some_and(|b| toml.text.contains(&format!("\"{b}\""))))
        });
        if !named {
            let text = format!("no .toml of the pack names \"{inner}\": name it or delete it");
            found.push(Violation::new(&file.path, 1, text));
        }
    }
    found
}
