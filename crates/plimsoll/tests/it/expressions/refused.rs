//! What is refused, with which words, and where the caret stands.

use plimsoll::ErrorKind;
use plimsoll::expr;
use plimsoll::limits::{
    FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_LIST_ITEMS_MAX, FILTER_NODES_MAX,
};
use plimsoll::record::{Column, ColumnType, Schema};

use super::{parse, schema};

fn refusal(text: &str) -> String {
    match expr::parse(text, &schema()) {
        Ok(accepted) => panic!("{text} was read as {accepted:?}"),
        Err(refused) => refused.to_string(),
    }
}

/// What is refused, the message up to its caret line, and what the caret stands under.
const REFUSALS: &[(&str, &str, &str)] = &[
    (
        "prise > 10",
        "character 1: there is no column 'prise'; the columns are id, price, name, \
      active, weight, made, blob, misc, Größe \"L\", or, quantity",
        "prise",
    ),
    ("", "character 1: the filter ends here, expected a column, a literal, a function or '('", ""),
    (
        "id =",
        "character 5: the filter ends here, expected a column, a literal, a function or '('",
        "",
    ),
    ("id = 1 1", "character 8: '1' stands here, expected and, or, or the end", "1"),
    (
        "name like 'x%'",
        "character 6: 'like' stands here, expected and, or, or the end; for parts \
      of a text write contains(..), starts_with(..) or ends_with(..)",
        "like",
    ),
    ("(id = 1", "character 8: the filter ends here, expected ')'", ""),
    ("id == 1", "character 4: write = for equality", "=="),
    ("active && active", "character 8: write and", "&&"),
    ("!active", "character 1: write not, or != for inequality", "!"),
    (
        "id = 1; drop",
        "character 7: ';' means nothing here; a column with such a name is written \
      \"in quotes\", text 'in single ones'",
        ";",
    ),
    (
        "Größe = 1",
        "character 3: 'ö' means nothing here; a column with such a name is written \
      \"in quotes\", text 'in single ones'",
        "ö",
    ),
    ("name = 'é' and name = 'open", "character 23: this text has no closing '", "'open"),
    ("\"id", "character 1: this name has no closing \"", "\"id"),
    ("name = 'a\0'", "character 8: a text cannot hold the character NUL", "'a\u{fffd}'"),
    (
        "id = 12abc",
        "character 6: this is not a number; numbers are written 10, 2.55 or 1e3",
        "12abc",
    ),
    ("id = 1.", "character 6: this is not a number; numbers are written 10, 2.55 or 1e3", "1."),
    ("blob = x'0'", "character 8: bytes are pairs of hexadecimal digits, as x'00ff'", "x'0'"),
    (
        "id < 1 < 2",
        "character 8: comparisons do not chain: write a < b and b < c, or put one in \
      parentheses",
        "<",
    ),
    ("active = not active", "character 10: 'not' binds weaker here: write (not ..)", "not"),
    ("id not 1", "character 8: '1' stands here, expected in or between after not", "1"),
    ("id is 1", "character 7: '1' stands here, expected null or not null", "1"),
    (
        "id in ()",
        "character 8: ')' stands here, expected a literal; a list holds one or more \
      literals",
        ")",
    ),
    (
        "id in (price)",
        "character 8: 'price' stands here, expected a literal; a list holds one or \
      more literals",
        "price",
    ),
    (
        "id in (1, null)",
        "character 11: column 'id' is int: nothing compares with null: write is \
      null or is not null",
        "null",
    ),
    (
        "id = null",
        "character 6: column 'id' is int: nothing compares with null: write is null or \
      is not null",
        "null",
    ),
    (
        "null = null",
        "character 1: 'null' is bool: nothing compares with null: write is null or is \
      not null",
        "null",
    ),
    (
        "id",
        "character 1: column 'id' is int, and a condition is needed here: compare it with \
      something",
        "id",
    ),
    (
        "active and id + 1",
        "character 12: 'id + 1' is int, and a condition is needed here: compare \
      it with something",
        "id + 1",
    ),
    (
        "id = '5'",
        "character 6: column 'id' is int: write a whole number without quotes, as 10",
        "'5'",
    ),
    ("name = 5", "character 8: column 'name' is text: write text in single quotes, as 'toys'", "5"),
    (
        "price = '5'",
        "character 9: column 'price' is money: write an amount without quotes, as \
      2.55",
        "'5'",
    ),
    (
        "price = 2.55555",
        "character 9: column 'price' is money: '2.55555' is not an amount with at \
      most 4 decimals in the range of ±922337203685477.5807",
        "2.55555",
    ),
    (
        "made > 'noon'",
        "character 8: column 'made' is time: 'noon' is not a time: write \
      2010-12-01T08:26:00Z, 2010-12-01 08:26:00 or 2010-12-01",
        "'noon'",
    ),
    (
        "made > 5",
        "character 8: column 'made' is time: write a time in single quotes, as \
      '2010-12-01 08:26:00'",
        "5",
    ),
    ("active = 1", "character 10: column 'active' is bool: write true or false", "1"),
    (
        "blob = 'a'",
        "character 8: column 'blob' is bytes: write bytes in hexadecimal, as x'00ff'",
        "'a'",
    ),
    (
        "misc = true",
        "character 8: column 'misc' is any: write a number, text in single quotes or \
      x'00ff'",
        "true",
    ),
    (
        "id = 9223372036854775808",
        "character 6: column 'id' is int: the number is out of range: an \
      int lies between -2^63 and 2^63-1",
        "9223372036854775808",
    ),
    (
        "weight = 1e999",
        "character 10: column 'weight' is float: the number is out of range: a \
      float lies within ±1.7976931348623157e308",
        "1e999",
    ),
    (
        "id = name",
        "character 1: column 'id' is int, but column 'name' is text: they do not \
      compare",
        "id = name",
    ),
    (
        "misc = made",
        "character 1: column 'misc' is any, but column 'made' is time: they do not \
      compare",
        "misc = made",
    ),
    (
        "price / 2 > 1",
        "character 7: there is no division: its result is exact neither for int nor \
      for money; multiply the other side instead",
        "/",
    ),
    (
        "price * price > 1",
        "character 1: column 'price' is money, column 'price' is money: money \
      times money is no amount; multiply money with an int",
        "price * price",
    ),
    (
        "price * 1.5 > 1",
        "character 1: column 'price' is money, '1.5' is float: money is exact and \
      float is not; multiply money with an int",
        "price * 1.5",
    ),
    (
        "price + weight > 1",
        "character 1: column 'price' is money, column 'weight' is float: money \
      is exact and float is not; multiply money with an int",
        "price + weight",
    ),
    (
        "price + id > 1",
        "character 1: column 'price' is money, column 'id' is int: + takes money on \
      both sides; write an amount without quotes, as 2.55",
        "price + id",
    ),
    (
        "name + 'x' = 'y'",
        "character 1: column 'name' is text, ''x'' is text: + takes numbers, and \
      text is none",
        "name + 'x'",
    ),
    ("-name = 'x'", "character 2: column 'name' is text: there is no minus of it", "name"),
    (
        "size(name) = 1",
        "character 1: there is no function 'size'; the functions are abs(number), \
      coalesce(a, b), contains(text, part), ends_with(text, part), length(text), lower(text), \
      starts_with(text, part), upper(text)",
        "size",
    ),
    (
        "contains(name)",
        "character 1: contains(text, part) takes two arguments, 1 given",
        "contains(name)",
    ),
    ("abs() = 1", "character 1: abs(number) takes one argument, 0 given", "abs()"),
    ("contains(name, 5)", "character 16: '5' is int, but it stands in contains(text, part)", "5"),
    ("abs(misc) = 1", "character 5: column 'misc' is any, but it stands in abs(number)", "misc"),
    (
        "(id between 1 and 2) between false and true",
        "character 1: '(id between 1 and 2)' is bool, and between takes what has an order",
        "(id between 1 and 2)",
    ),
    (
        "coalesce(id, weight) = 1",
        "character 10: column 'id' is int, but column 'weight' is float: \
      both arguments of coalesce have one type",
        "id, weight",
    ),
];

#[test]
fn a_refusal_names_what_is_allowed_and_shows_the_place() {
    for (written, what, place) in REFUSALS {
        let message = refusal(written);
        let lines: Vec<_> = message.split('\n').collect();
        assert_eq!(lines.len(), 3, "{message}");
        assert_eq!(lines[0], format!("filter, {what}"), "{written}");
        let caret = lines[2].chars().position(|c| c == '^').expect("a caret");
        let shown: String = lines[1].chars().skip(caret).collect();
        assert!(shown.starts_with(place), "{written}: caret under {shown}");
        let carets = lines[2].chars().filter(|c| *c == '^').count();
        assert_eq!(carets, place.chars().count().max(1), "{message}");
    }
}

#[test]
fn the_caret_of_a_long_filter_stands_in_its_surroundings() {
    let many = "id = 1 and ".repeat(20);
    assert_eq!(
        refusal(&format!("{many}prise\t> 10 {}", "and id = 1 ".repeat(9))),
        "filter, character 221: there is no column 'prise'; the columns are id, price, name, \
         active, weight, made, blob, misc, Größe \"L\", or, quantity\n  \
         …= 1 and id = 1 and id = 1 and prise > 10 and id = 1 and id = 1 an…\n  \
         \u{20}                              ^^^^^"
    );
}

#[test]
fn a_long_list_of_columns_is_cut_short() {
    let columns = (0..500).map(|i| Column::nullable(&format!("c{i}"), ColumnType::Int));
    let schema = Schema { columns: columns.collect() };
    let refused = expr::parse("d = 1", &schema).unwrap_err().to_string();
    assert!(refused.contains("c18, c19 and 480 more\n"), "{refused}");
}

fn assert_too_large(text: &str, what: &str) {
    let refused = expr::parse(text, &schema()).expect_err("beyond a bound");
    assert_eq!(refused.kind(), ErrorKind::TooLarge, "{refused}");
    assert!(refused.to_string().contains(what), "{refused}");
}

#[test]
fn each_bound_admits_its_last_and_refuses_the_next() {
    let padded = |bytes: usize| format!("id = 1{}", " ".repeat(bytes - 6));
    parse(&padded(FILTER_BYTES_MAX));
    assert_too_large(&padded(FILTER_BYTES_MAX + 1), "4097 bytes long; at most 4096 are read");

    let nested = |levels: usize| format!("{}active", "not ".repeat(levels - 1));
    parse(&nested(FILTER_DEPTH_MAX));
    assert_too_large(&nested(FILTER_DEPTH_MAX + 1), "deeper than 32 levels");
    for opening in ["(", "-(", "not (", "abs(", "(active and not (", "1+(1*("] {
        assert_too_large(&opening.repeat(200), "deeper than 32 levels");
    }
    let sum = |terms: usize| format!("id{} = 0", "+1".repeat(terms - 1));
    parse(&sum(FILTER_DEPTH_MAX - 1));
    assert_too_large(&sum(FILTER_DEPTH_MAX), "deeper than 32 levels");

    let chain = |parts: usize| vec!["active"; parts].join(" and ");
    parse(&chain(FILTER_NODES_MAX - 1));
    assert_too_large(&chain(FILTER_NODES_MAX), "more than 256 parts");
    let arguments = format!("abs({})", vec!["1"; 1000].join(","));
    assert_too_large(&arguments, "more than 256 parts");

    let list = |items: usize| format!("id in ({})", vec!["1"; items].join(","));
    parse(&list(FILTER_LIST_ITEMS_MAX));
    assert_too_large(&list(FILTER_LIST_ITEMS_MAX + 1), "more than 256 literals");
    let two = format!("{} or {}", list(FILTER_LIST_ITEMS_MAX), list(1));
    assert_too_large(&two, "more than 256 literals");
}
