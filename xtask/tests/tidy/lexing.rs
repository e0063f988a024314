//! The lexer tells code from what only looks like it.
//!
//! Promises: seen through a rule, as a user of the lexer sees it.
//! Never: a test of single tokens.

use super::violations;

/// A function of 60 lines whose strings, characters and comments hold stray braces.
fn long_function(line: &str) -> String {
    let body = format!("    {line}\n").repeat(60);
    format!("fn first() {{\n{body}}}\nfn second() {{\n{body}}}\n")
}

#[test]
fn braces_in_strings_characters_and_comments_close_nothing() {
    let lines = [
        r#"let a = "{ \" {";"#,
        r##"let a = r#"{ " {"#;"##,
        r#"let a = b"{";"#,
        r#"let a = c"{";"#,
        "let a = '{';",
        r"let a = '\''; let b = '{';",
        "// { a brace",
        "/* { /* { */ { */",
        "let a: &'static str = x;",
    ];
    for line in lines {
        let text = long_function(line);
        let found = violations("function length", &[("xtask/src/a.rs", &text)]);
        assert_eq!(found, Vec::<String>::new(), "{line}");
    }
    // The same length with one more open brace a line does not end where it should.
    let text = long_function("if x {");
    let found = violations("function length", &[("xtask/src/a.rs", &text)]);
    assert_eq!(found, Vec::<String>::new(), "a function that never ends has no length");
}

#[test]
fn a_lifetime_is_no_open_character() {
    let text = "fn a<'a>(x: &'a str) {\n} // dbg!(x)\nfn b() { dbg!('a'); }\n";
    assert_eq!(violations("banned words", &[("xtask/src/a.rs", text)]).len(), 1);
}
