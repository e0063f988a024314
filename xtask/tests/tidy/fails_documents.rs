//! For each rule about documents and packs a tree it refuses and one it accepts.
//!
//! Promises: the accepted tree differs in the one thing the rule is about.
//! Never: a real file.

use super::violations;

#[test]
fn a_document_nobody_links_to_is_refused() {
    let document = ("docs/LOST.md", "Alone.");
    assert_eq!(violations("dead documents", &[document]).len(), 1);
    let linked = [document, ("README.md", "See docs/LOST.md.")];
    assert_eq!(violations("dead documents", &linked).len(), 0);
}

#[test]
fn a_pack_file_that_no_toml_names_is_refused() {
    let pack = |text| ("packs/a/pack.toml", text);
    let sql = ("packs/a/sqlite/1.sql", "");
    assert_eq!(violations("dead pack files", &[pack(""), sql]).len(), 1);
    assert_eq!(violations("dead pack files", &[pack("sql = \"sqlite/1.sql\""), sql]).len(), 0);
    let recipe = ("packs/a/recipes/r.toml", "sql = \"r/1.sql\"");
    let step = ("packs/a/recipes/r/1.sql", "");
    assert_eq!(violations("dead pack files", &[pack(""), recipe, step]).len(), 0);
    let lost = ("packs/a/lost.toml", "");
    assert_eq!(violations("dead pack files", &[pack(""), lost]).len(), 1);
}

/// A table of twenty good rows and one of the test's own.
fn testing(row: &str) -> Vec<String> {
    let good = "| a limit of 0 | list | 422 | limit is 1 to 500 | `zero_is_refused` |\n";
    let table = format!("## Bad inputs\n| input | where | code | message | test |\n{good}");
    let table = format!("{table}{}{row}\n", good.repeat(19));
    let test = "#[test]\nfn zero_is_refused() { get(422); }\nfn helper() {}\n";
    let files = [("docs/TESTING.md", table.as_str()), ("crates/a/tests/b.rs", test)];
    violations("bad inputs", &files)
}

#[test]
fn a_bad_input_without_a_test_or_code_is_refused() {
    assert_eq!(testing(""), Vec::<String>::new());
    for row in [
        "| a | b | 422 | c | open |",
        "| a | b | 422 | c | `no_such_test` |",
        "| a | b | 422 | c | `helper` |",
        "| a | b | 400 | c | `zero_is_refused` |",
        "| a | b | never | c | `zero_is_refused` |",
        "| a | b | 77 | c | `zero_is_refused` |",
        "| a | b | Garbage | c | `zero_is_refused` |",
        "| a | b | 422 |  | `zero_is_refused` |",
        "| a | b | 422 | `zero_is_refused` |",
    ] {
        assert!(!testing(row).is_empty(), "{row}");
    }
    assert_eq!(violations("bad inputs", &[("docs/TESTING.md", "## Bad inputs\n")]).len(), 1);
}

#[test]
fn too_many_open_bad_inputs_are_refused() {
    let rows = "| a | b | 422 | c | open |\n".repeat(200);
    let last = testing(&rows).pop();
    assert!(last.is_some_and(|text| text.contains("are open; at most")));
}

/// A coverage of all ids, one row given by the test.
fn coverage(id: &str, row: &str) -> Vec<String> {
    let families = [
        ('E', 37),
        ('C', 28),
        ('K', 32),
        ('M', 16),
        ('S', 5),
        ('J', 15),
        ('V', 6),
        ('A', 13),
        ('L', 16),
        ('H', 7),
        ('D', 15),
        ('T', 9),
        ('G', 14),
    ];
    let ids = families
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |n| format!("{letter}{n:02}")))
        .chain(["M05b".to_owned()])
        .filter(|other| other != id);
    let rows: String = ids.map(|id| format!("| {id} | something | open |\n")).collect();
    let text = format!("| id | what | shown by |\n|---|---|---|\n{rows}{row}\n");
    let test = ("crates/a/tests/b.rs", "#[test]\nfn it_is_so() {}\n");
    violations("coverage", &[("docs/COVERAGE.md", &text), test])
}

#[test]
fn a_coverage_with_a_lost_doubled_or_untrue_row_is_refused() {
    assert_eq!(coverage("E01", "| E01 | a | test `it_is_so` |"), Vec::<String>::new());
    assert_eq!(coverage("E01", "| E01 | a | route `GET /a`; open: b |"), Vec::<String>::new());
    assert_eq!(coverage("M05b", "").len(), 1);
    assert_eq!(coverage("", "| G14 | a | open |").len(), 1);
    assert_eq!(coverage("", "| Z01 | a | open |").len(), 1);
    assert_eq!(coverage("E01", "| E01 | a | done |").len(), 1);
    assert_eq!(coverage("E01", "| E01 | a | test `it_is_not` |").len(), 1);
}
