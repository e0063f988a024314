//! For each rule about sources a tree it refuses and one it accepts.
//!
//! Promises: the accepted tree differs in the one thing the rule is about.
//! Never: a real file.

use super::violations;

fn count(rule: &str, path: &str, text: &str) -> usize {
    violations(rule, &[(path, text)]).len()
}

#[test]
fn a_file_that_is_too_long_is_refused() {
    let lines = |n: usize| "const A: u8 = 1;\n".repeat(n);
    assert_eq!(count("file length", "crates/a/src/b.rs", &lines(451)), 1);
    assert_eq!(count("file length", "crates/a/src/b.rs", &lines(450)), 0);
    assert_eq!(count("file length", "crates/a/src/b/tests.rs", &lines(451)), 0);
    let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(400), lines(100));
    assert_eq!(count("file length", "crates/a/src/b.rs", &tests), 0);
}

#[test]
fn a_function_that_is_too_long_is_refused() {
    let function = |n: usize| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(n));
    assert_eq!(count("function length", "crates/a/src/b.rs", &function(69)), 1);
    assert_eq!(count("function length", "crates/a/src/b.rs", &function(68)), 0);
}

#[test]
fn a_line_that_is_too_wide_is_refused() {
    let line = format!("// {}\n", "a".repeat(98));
    assert_eq!(count("width", "crates/a/src/b.rs", &line), 1);
    let url = format!("// https://example.org/{}\n", "a".repeat(98));
    assert_eq!(count("width", "crates/a/src/b.rs", &url), 0);
    let table = format!("| {} |\n", "a".repeat(98));
    assert_eq!(count("width", "docs/A.md", &table), 0);
    assert_eq!(count("width", "packs/a/b.sql", &table), 1);
}

#[test]
fn a_file_that_does_not_say_what_it_promises_is_refused() {
    let path = "crates/a/src/b.rs";
    assert_eq!(count("header", path, "//! A.\n//! Promises: b.\n//! Never: c.\n"), 0);
    assert_eq!(count("header", path, "//! A.\n//! Promises: b.\n"), 1);
    assert_eq!(count("header", path, "//! A.\n"), 2);
    assert_eq!(count("header", path, "use b;\n//! Promises, Never.\n"), 1);
    let late = format!("{}//! Promises: b. Never: c.\n", "//! A.\n".repeat(15));
    assert_eq!(count("header", path, &late), 2);
    assert_eq!(count("header", "crates/a/src/b/tests.rs", "use b;\n"), 0);
}

#[test]
fn a_source_that_no_module_declares_is_refused() {
    let manifest = ("crates/a/Cargo.toml", "");
    let lost = ("crates/a/src/lost.rs", "");
    let root = |text| ("crates/a/src/lib.rs", text);
    assert_eq!(violations("dead sources", &[manifest, root(""), lost]).len(), 1);
    assert_eq!(violations("dead sources", &[manifest, root("// mod lost;"), lost]).len(), 1);
    assert_eq!(violations("dead sources", &[manifest, root("mod lost;"), lost]).len(), 0);
    let variable = root("fn f() { let path = \"x\"; } mod lost;");
    assert_eq!(violations("dead sources", &[manifest, variable, lost]).len(), 0);
    let files = [
        manifest,
        root("mod b; mod inline { mod d; } #[path = \"e/f.rs\"] mod e;"),
        ("crates/a/src/b/mod.rs", "pub mod c;"),
        ("crates/a/src/b/c.rs", "#[cfg(test)] mod tests;"),
        ("crates/a/src/b/c/tests.rs", ""),
        ("crates/a/src/inline/d.rs", ""),
        ("crates/a/src/e/f.rs", ""),
        ("crates/a/tests/outside.rs", ""),
        ("crates/a/tests/promise/main.rs", "mod part;"),
        ("crates/a/tests/promise/part.rs", ""),
    ];
    assert_eq!(violations("dead sources", &files), Vec::<String>::new());
}

#[test]
fn banned_words_are_refused() {
    let path = "crates/a/src/b.rs";
    for text in [
        "fn a() { todo!() }",
        "fn a() { unimplemented!(\"b\") }",
        "fn a() { dbg!(1); }",
        "mod utils { }",
        "mod common;",
        "#[ignore = \"slow\"] fn a() {}",
        "// FIXME: later\n",
        "/* XXX */",
    ] {
        assert_eq!(count("banned words", path, text), 1, "{text}");
    }
    assert_eq!(count("banned words", "crates/a/src/utils.rs", ""), 1);
    assert_eq!(count("banned words", "crates/a/src/common/mod.rs", ""), 1);
    let fine = "const A: [&str; 2] = [\"todo!()\", \"FIXME\"]; // common words in utils\n";
    assert_eq!(count("banned words", path, fine), 0);
}

#[test]
fn code_in_a_comment_is_refused() {
    let path = "crates/a/src/b.rs";
    for text in ["// let a = 1;\n", "//     foo();\n", "// a.b(c);\n", "// if a {\n", "// }\n"] {
        assert_eq!(count("commented-out code", path, text), 1, "{text}");
    }
    for text in [
        "// A sentence about foo();\n",
        "// let it be;see\n",
        "/// let a = 1;\n",
        "// for a reader: nothing\n",
    ] {
        assert_eq!(count("commented-out code", path, text), 0, "{text}");
    }
}

#[test]
fn a_noun_of_a_pack_in_a_crate_is_refused() {
    let pack = "name = \"bakery\"\ntable = \"oven_trays\"\npath = \"loaves\"\n\
                [[resource.column]]\nname = \"crust\"\n[[resource.column]]\nname = \"id\"\n";
    let found = |text| {
        let files = [("packs/bakery/pack.toml", pack), ("crates/a/src/b.rs", text)];
        violations("pack nouns", &files).len()
    };
    for text in [
        "struct OvenTray;",
        "fn oven_trays() {}",
        "const A: &str = \"select crust from b\";",
        "const A: &str = \"/loaves\";",
        "mod bakery;",
    ] {
        assert_eq!(found(text), 1, "{text}");
    }
    for text in [
        "// A crust of loaves.\n",
        "fn id(oven: u8, tray_id: u8) {}",
        "#[cfg(test)]\nmod tests { const A: &str = \"crust\"; }",
    ] {
        assert_eq!(found(text), 0, "{text}");
    }
}

#[test]
fn the_product_of_numbers_is_no_noun() {
    let pack = ("packs/shop/pack.toml", "table = \"products\"\n");
    let source = |text| violations("pack nouns", &[pack, ("crates/a/src/b.rs", text)]).len();
    assert_eq!(source("fn a(n: &[u64]) -> u64 { n.iter().product() }"), 0);
    assert_eq!(source("const A: &str = \"/analytics/top-products\";"), 1);
    assert_eq!(source("fn a(product: u64) {}"), 1);
}

#[test]
fn unsafe_outside_of_its_two_files_or_without_a_note_is_refused() {
    let noted = "// SAFETY: the pointer outlives the call.\nunsafe { a() }\n";
    assert_eq!(count("unsafe", "crates/plimsoll/src/a.rs", noted), 1);
    let allowed = "crates/plimsoll-cli/src/allocator.rs";
    assert_eq!(count("unsafe", allowed, noted), 0);
    assert_eq!(count("unsafe", allowed, "\nunsafe { a() }\n"), 1);
    assert_eq!(count("unsafe", "crates/plimsoll/src/a.rs", "#![deny(unsafe_code)] // unsafe"), 0);
}
