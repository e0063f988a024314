use plimsoll::record::{Column, ColumnType};

use super::resources;
use crate::catalogue::{
    FoundColumn, FoundIndex, FoundTable, IndexColumn, Nulls, Reference, Searching, TableKind,
    resources_text,
};

fn column(name: &str, kind: ColumnType) -> FoundColumn {
    FoundColumn {
        column: Column { name: name.into(), kind, nullable: name != "id" },
        declared: "declared".into(),
        comment: Some("a comment\n] # \"\\\u{7}".into()),
        is_readable: name != "wage",
        is_collated: false,
        other_kinds: if kind == ColumnType::Int { &[ColumnType::Text] } else { &[] },
    }
}

fn table(name: &str) -> FoundTable {
    use ColumnType::{Int, Text, Time};
    let columns = [("id", Int), ("name", Text), ("at", Time), ("api_token", Text), ("wage", Int)];
    FoundTable {
        name: name.into(),
        qualified: format!("public.{name}").into(),
        schema: "public".into(),
        kind: TableKind::Table,
        comment: Some("first\nsecond".into()),
        columns: columns.map(|(name, kind)| column(name, kind)).into(),
        key: Ok(vec![0]),
        indexes: vec![FoundIndex {
            name: "by_id".into(),
            unique: true,
            width: 1,
            columns: vec![IndexColumn { column: 0, descending: false, nulls: Nulls::Smallest }],
        }],
        references: vec![Reference {
            columns: vec!["name".into()],
            table: "public.b \"x\"\n".into(),
            their_columns: vec!["id".into()],
        }],
        notes: None,
        searching: Searching::none(),
    }
}

fn found() -> Vec<FoundTable> {
    let mut seen = table("seen");
    (seen.kind, seen.key) = (TableKind::View, Err("a view has no key"));
    vec![table("a"), table("b \"x\"\n"), seen]
}

fn refused(text: &str) -> String {
    resources(text, &found()).expect_err("refused").to_string()
}

#[test]
fn the_file_that_is_made_reads_back_as_what_would_be_served_without_it() {
    let found = found();
    let text = resources_text(&found);
    let read = resources(&text, &found).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let whole: Vec<_> = found.iter().filter_map(|t| t.whole().ok()).collect();
    assert_eq!(read.len(), 2, "{text}");
    for (read, whole) in read.iter().zip(&whole) {
        assert_eq!((&read.name, &read.schema), (&whole.name, &whole.schema));
        assert_eq!((&read.key, &read.indexes), (&whole.key, &whole.indexes));
        assert_eq!(read.column_names(), ["id", "name", "at"], "neither the secret nor the unread");
    }
    assert!(text.contains("# NOT SERVED: seen: a view has no key"), "{text}");
    assert!(text.contains("# refers to: name -> b \"x\"  (id)"), "{text}");
    assert!(text.contains("# referred to by: a (name) -> id"), "{text}");
}

#[test]
fn a_hidden_column_and_a_view_are_served_once_their_marks_are_taken_away() {
    let found = found();
    let mut text = resources_text(&found[..1]);
    text = text.replace("# { name = \"api_token\"", "{ name = \"api_token\"");
    let read = resources(&text, &found).expect("a file");
    assert_eq!(read[0].column_names(), ["id", "name", "at", "api_token"]);
    let marked = resources_text(&found[2..]).replace("key = []  #", "key = [\"name\", \"id\"]  #");
    let open: Vec<&str> = marked
        .lines()
        .skip_while(|line| !line.starts_with("# NOT SERVED"))
        .skip(1)
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .collect();
    let read = resources(&open.join("\n"), &found).expect("a file");
    assert_eq!((&*read[0].name, read[0].is_view, &*read[0].key), ("seen", true, &[1, 0][..]));
}

#[test]
fn what_the_file_says_beyond_the_table_is_taken() {
    let text = "[[resource]]\ntable = \"public.a\"\npath = \"as\"\ntitle = \"All\"\ntime = \"at\"\n\
                filters = [\"name\"]\nexport_csv.columns = [{ column = \"name\", title = \"N\" }]\n\
                column = [{ name = \"name\" }, { name = \"at\" },\n\
                { name = \"id\", type = \"text\" }]";
    let read = resources(text, &found()).expect("a file").remove(0);
    assert_eq!((&*read.name, read.path.as_deref(), &*read.title), ("public.a", Some("as"), "All"));
    assert_eq!((read.time, &*read.filters, &*read.key), (Some(1), &[0][..], &[2][..]));
    assert_eq!(read.schema.columns[2].kind, ColumnType::Text);
    assert_eq!(read.collated, [2], "the order of numbers is not that of their texts");
    assert_eq!((read.export_csv.len(), read.indexes[0].columns[0].column), (1, 2));
}

#[test]
fn what_is_wrong_is_refused_by_name_with_what_there_is() {
    let with = |lines: &str| format!("[[resource]]\ntable = \"a\"\n{lines}");
    let id = "column = [{ name = \"id\" }]";
    for (text, parts) in [
        ("[[resourse]]".to_owned(), &["did you mean `resource`?"][..]),
        (with("colum = []"), &["line 3", "did you mean `column`?"]),
        (with("column = [{ nam = \"id\" }]"), &["did you mean `name`?"]),
        ("[[resource]]\ntable = \"c\"\ncolumn = []".into(), &["no table 'c'", "there are: a, b"]),
        ("[[resource]]\ntable = \"sen\"\ncolumn = []".into(), &["did you mean 'seen'?"]),
        (with("column = [{ name = \"names\" }]"), &["'a'", "'names', did you mean 'name'?", "at"]),
        (with("column = [{ name = \"wage\" }]"), &["may not read", "wage", "SELECT"]),
        (with("column = [{ name = \"at\" }]"), &["its key 'id' is not among its columns"]),
        (with("column = [{ name = \"id\" }, { name = \"id\" }]"), &["'id' is named twice"]),
        (with("column = [{ name = \"id\", type = \"time\" }]"), &["allowed: int, text"]),
        (with("column = [{ name = \"name\", type = \"time\" }]"), &["'time'", "allowed: text"]),
        (with(&format!("key = []\n{id}")), &["names no column"]),
        (with(&format!("key = [\"it\"]\n{id}")), &["no column 'it'", "there are: id"]),
        (with(&format!("time = \"id\"\n{id}")), &["'id' is int, not a time"]),
        (with(&format!("filters = [\"name\"]\n{id}")), &["'name' is not a column", "allowed: id"]),
        (format!("{0}\n{0}", with(id)), &["a is named twice"]),
        (with("key = [\"id\"]"), &["missing field `column`"]),
        ("[[resource]]\ntable = \"seen\"\ncolumn = []".into(), &["a view has no key", "name its"]),
    ] {
        let message = refused(&text);
        for part in parts {
            assert!(message.contains(part), "'{part}' is not in {message}");
        }
    }
}

#[test]
fn a_heading_within_a_text_and_a_mistake_far_below_are_read_as_in_the_whole_file() {
    let one = "[[resource]]\ntable = \"a\"\ncolumn = [{ name = \"id\" }]\n";
    let titled = format!("\n\n{one}title = \"\"\"x\n[[resource]]\n\"\"\"\n");
    let read = resources(&titled, &found()).expect("a file");
    assert_eq!((read.len(), &*read[0].title), (1, "x\n[[resource]]\n"));
    let message = refused(&format!("{one}\n{one}tilte = \"x\"\n"));
    assert!(message.contains("line 8") && message.contains("did you mean `title`?"), "{message}");
    assert_eq!(resources("", &found()).expect("a file").len(), 0);
}
