//! Words that must not stand in the tree, each with what to write instead.
//!
//! Promises: code, comments and strings are told apart; a banned word in a string is fine.
//! Never: taste; each word here once hid unfinished work or a file without a noun.

use super::lexer::{Token, TokenKind, tokens};
use super::{Tree, Violation};

/// Modules without a noun.
const MODULES: [&str; 5] = ["utils", "util", "common", "helpers", "misc"];
/// Macros that stand for code that is not there, or for a look into running code.
const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
/// Marks of unfinished work in comments.
const MARKS: [&str; 4] = ["FIXME", "XXX", "TODO", "HACK"];
/// A comment that begins so and ends like a statement is code.
const STATEMENTS: [&str; 11] =
    ["let ", "use ", "fn ", "pub ", "if ", "for ", "while ", "match ", "return ", "impl ", "}"];

/// No module without a noun, no macro for missing code, no mark of unfinished work, no test that
/// is left out.
pub(super) fn banned(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let stem = file.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        let stem = stem.rsplit('/').next().unwrap_or_default();
        if MODULES.contains(&stem) {
            let text = format!("'{stem}' is no noun: name the file after what it holds");
            found.push(Violation::new(&file.path, 1, text));
        }
        let all = tokens(&file.text);
        let code: Vec<&Token<'_>> = all.iter().filter(|t| !t.is_comment()).collect();
        for three in code.windows(3) {
            let [a, b, c] = [three[0].text, three[1].text, three[2].text];
            let text = if three[0].kind == TokenKind::Ident && MACROS.contains(&a) && b == "!" {
                format!("{a}! stands for missing code: write it, or return an error")
            } else if a == "mod" && MODULES.contains(&b) {
                format!("'{b}' is no noun: name the module after what it holds")
            } else if [a, b, c] == ["#", "[", "ignore"] {
                "a test that is left out proves nothing: repair it or delete it".to_owned()
            } else {
                continue;
            };
            found.push(Violation::new(&file.path, three[0].line, text));
        }
        for comment in all.iter().filter(|t| t.is_comment()) {
            let mut words = comment.text.split(|c: char| !c.is_alphanumeric());
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                let text = format!("'{mark}': do it now, or write down in docs/ that it is open");
                found.push(Violation::new(&file.path, comment.line, text));
            }
        }
    }
    found
}

/// No comment that is a statement.
pub(super) fn commented_out(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        for token in tokens(&file.text) {
            if token.kind == TokenKind::Comment && token.text.lines().any(is_statement) {
                let text = "this comment is code: delete it, history keeps it";
                found.push(Violation::new(&file.path, token.line, text));
            }
        }
    }
    found
}

fn is_statement(line: &str) -> bool {
    let line = line.trim().trim_start_matches(['/', '*']).trim();
    let ends = line.ends_with([';', '{', '}']);
    let begins = STATEMENTS.iter().any(|word| line.starts_with(word));
    // A call: one path without a space before the bracket, closed by `);`.
    let call = line.find('(').is_some_and(|at| {
        at > 0
            && line.ends_with(");")
            && line[..at].chars().all(|c| c.is_alphanumeric() || "_.:!&".contains(c))
    });
    (begins && ends) || call
}
