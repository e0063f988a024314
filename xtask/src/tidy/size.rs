//! How long a file, a function and a line may be.
//!
//! Promises: tests do not count towards a file's length; comments and docs do.
//! Never: a limit per file; who needs more splits the file by nouns.

use super::lexer::{Token, TokenKind};
use super::{Tree, Violation};

/// 80 to 250 lines is normal; beyond this a file has two nouns.
const FILE_LINES_MAX: usize = 450;
/// What fits on a screen and in a head.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of a line.
const WIDTH_MAX: usize = 100;

/// No Rust file outside tests has more than [`FILE_LINES_MAX`] lines.
pub(super) fn file_length(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let lines = file.text.lines().count();
        let mut occupied: Vec<usize> = Vec::new();
        for token in file.code() {
            occupied.extend(token.line..=token.line_end());
        }
        occupied.dedup();
        // Blank lines between code count, those of a test module do not.
        let last = occupied.last().copied().unwrap_or(0).min(lines);
        let blank = file.text.lines().take(last).filter(|l| l.trim().is_empty());
        let lines = lines.min(occupied.len() + blank.count());
        if lines > FILE_LINES_MAX {
            let text = format!("{lines} lines; at most {FILE_LINES_MAX}: split the file by nouns");
            found.push(Violation::new(&file.path, 1, text));
        }
    }
    found
}

/// No function has more than [`FUNCTION_LINES_MAX`] lines from `fn` to its closing brace.
pub(super) fn function_length(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let code: Vec<Token<'_>> =
            super::lexer::tokens(&file.text).into_iter().filter(|t| !t.is_comment()).collect();
        for at in 0..code.len().saturating_sub(1) {
            if code[at].text != "fn" || code[at + 1].kind != TokenKind::Ident {
                continue;
            }
            let Some(end) = body_end(&code[at..]) else {
                continue;
            };
            let lines = end - code[at].line + 1;
            if lines > FUNCTION_LINES_MAX {
                let name = code[at + 1].text;
                let text = format!(
                    "fn {name} has {lines} lines; at most {FUNCTION_LINES_MAX}: name its parts"
                );
                found.push(Violation::new(&file.path, code[at].line, text));
            }
        }
    }
    found
}

/// Line of the brace that closes the function these tokens begin with; `None` without a body.
fn body_end(code: &[Token<'_>]) -> Option<usize> {
    let (mut braces, mut round) = (0_usize, 0_usize);
    for token in code.iter().filter(|t| t.kind == TokenKind::Punct) {
        match token.text {
            "(" | "[" => round += 1,
            ")" | "]" => round = round.saturating_sub(1),
            ";" if braces == 0 && round == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}

/// No line is wider than [`WIDTH_MAX`], except what has no place to break: a URL, a row of a table
/// in Markdown, an inline table in TOML.
pub(super) fn width(tree: &Tree) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in &tree.files {
        let extension = file.extension();
        if !matches!(extension, "rs" | "md" | "toml" | "sql" | "py" | "sh") {
            continue;
        }
        for (at, line) in file.text.lines().enumerate() {
            let unbreakable = line.contains("://")
                || (extension == "md" && line.trim_start().starts_with('|'))
                || (extension == "toml" && line.contains('{'));
            let columns = line.chars().count();
            if columns > WIDTH_MAX && !unbreakable {
                let text = format!("{columns} columns; at most {WIDTH_MAX}: break the line");
                found.push(Violation::new(&file.path, at + 1, text));
            }
        }
    }
    found
}
