//! The files a rule looks at.
//!
//! Promises: paths are relative, with `/`, sorted; a test builds a tree from strings.
//! Never: what is generated: targets, results of measurements, version control.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::lexer::{Token, TokenKind, tokens};

/// Folders that hold nothing a person wrote.
const SKIPPED: [&str; 5] = ["target", ".git", "results", "node_modules", "__pycache__"];
/// What is read as text. Everything else only counts as a name.
const TEXTS: [&str; 9] = ["rs", "md", "toml", "sql", "py", "sh", "lock", "txt", "yml"];

/// A file: its path from the root and its text.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// Its text; empty where it is not text.
    pub text: String,
}

impl File {
    pub(super) fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(super) fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// A file that holds tests only: `tests.rs`, or anything below a `tests` folder.
    pub(super) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| part == "tests" || part == "tests.rs" || part == "benches")
    }

    /// Tokens outside `#[cfg(test)]` modules.
    pub(super) fn code(&self) -> Vec<Token<'_>> {
        without_tests(tokens(&self.text))
    }
}

/// All files of the project, or those of a fixture.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Sorted by path.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the tree below `root`.
    ///
    /// # Errors
    /// What the file system said.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        walk(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A tree of (path, text).
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<File> = files
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        let at = self.files.binary_search_by(|f| f.path.as_str().cmp(path));
        at.ok().map(|at| &self.files[at])
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// Sources of the product: `crates/*/src`, tests left out.
    pub(super) fn sources(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| {
            file.path.starts_with("crates/") && file.path.contains("/src/") && !file.is_test()
        })
    }

    /// Names of all functions marked as a test, with the file each stands in.
    pub(super) fn tests(&self) -> Vec<(String, &File)> {
        let mut names = Vec::new();
        for file in self.rust() {
            let tokens = tokens(&file.text);
            let code: Vec<&Token<'_>> = tokens.iter().filter(|t| !t.is_comment()).collect();
            let mut marked = false;
            for pair in code.windows(2) {
                // `#[test]`, `#[tokio::test]` and a `proptest!` body all end in the word `test`.
                marked |= pair[0].text == "test" && pair[1].text.starts_with([']', '(']);
                let named = pair[0].text == "fn" && pair[1].kind == TokenKind::Ident;
                if named && std::mem::take(&mut marked) {
                    names.push((pair[1].text.to_owned(), file));
                }
            }
        }
        names
    }

    pub(super) fn test_names(&self) -> BTreeSet<String> {
        self.tests().into_iter().map(|(name, _)| name).collect()
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let mut file = File { path, text: String::new() };
            if TEXTS.contains(&file.extension()) || !name.contains('.') {
                file.text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
            }
            files.push(file);
        }
    }
    Ok(())
}

/// Cuts `#[cfg(test)] mod name { .. }` out of a file's tokens.
fn without_tests(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].len() > MARK.len()
            && MARK.iter().zip(&tokens[at..]).all(|(m, t)| t.text == *m)
            && tokens[at + MARK.len()].text == "mod";
        if !marked {
            kept.push(tokens[at]);
            at += 1;
            continue;
        }
        let mut depth = 0_usize;
        for token in &tokens[at..] {
            at += 1;
            match (token.text, depth) {
                ("{", _) => depth += 1,
                ("}", 1) | (";", 0) => break,
                ("}", _) => depth -= 1,
                _ => {}
            }
        }
    }
    kept
}
