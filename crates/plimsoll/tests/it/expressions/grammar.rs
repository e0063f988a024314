//! What is accepted, and the one text for it.

use super::{canonical, parse};

#[test]
fn every_form_of_the_language_has_one_canonical_text() {
    for (written, expected) in [
        ("id=1", "id = 1"),
        ("id<>1", "id != 1"),
        ("10 <= id", "id >= 10"),
        ("10 > id", "id < 10"),
        ("1 = 1.0", "1 = 1"),
        ("\"id\" = 1", "id = 1"),
        ("\"or\"", "\"or\""),
        ("\"Größe \"\"L\"\"\" = 1", "\"Größe \"\"L\"\"\" = 1"),
        ("name = 'O''Neill'", "name = 'O''Neill'"),
        ("name = '日本'", "name = '日本'"),
        ("price=2.50", "price = 2.5"),
        ("price = 3.00000", "price = 3"),
        ("price = .5", "price = 0.5"),
        ("weight = 3", "weight = 3.0"),
        ("weight = 1E3", "weight = 1000.0"),
        ("weight = 9007199254740993", "weight = 9007199254740993"),
        ("weight = 99999999999999999999", "weight = 1e20"),
        ("id = 2.0", "id = 2"),
        ("id = -9223372036854775808", "id = -9223372036854775808"),
        ("id > 2.5", "id > 2.5"),
        ("made > '2010-12-01'", "made > '2010-12-01T00:00:00Z'"),
        ("'2010-12-01 09:26:00+01:00' < made", "made > '2010-12-01T08:26:00Z'"),
        ("blob = X'00Ff'", "blob = x'00ff'"),
        ("misc > 1.0 Or misc < 'a'", "misc > 1.0 or misc < 'a'"),
        ("ACTIVE Is NULL".replace("ACTIVE", "active").as_str(), "active is null"),
        ("NOT active AND TRUE", "not active and true"),
        ("id is not null", "id is not null"),
        ("id in (3, 1, 2, 1.0)", "id in (1, 2, 3)"),
        ("id not in (-1, 2)", "id not in (-1, 2)"),
        ("id in (7)", "id = 7"),
        ("id not in (7, 7)", "id != 7"),
        ("price in (1, 0.5)", "price in (0.5, 1)"),
        ("id between 1 and 2", "id >= 1 and id <= 2"),
        ("id not between 1 and 2", "id < 1 or id > 2"),
        ("1 between id and 3", "id <= 1 and 1 <= 3"),
        ("-id < 1", "0 - id < 1"),
        ("- 5 < id", "id > -5"),
        ("-price < 1", "0 - price < 1"),
        ("-weight < 1", "0.0 - weight < 1.0"),
        ("price * id > 1.5", "price * id > 1.5"),
        ("price + 0.5 > 2 * price", "price + 0.5 > 2 * price"),
        ("CONTAINS(name, 'x')", "contains(name, 'x')"),
        ("length(lower(name)) = 2", "length(lower(name)) = 2"),
        ("coalesce(price, 0) >= 1", "coalesce(price, 0) >= 1"),
        ("coalesce(active, false)", "coalesce(active, false)"),
        ("null", "null"),
        ("(active) = (id = 1)", "active = (id = 1)"),
        ("(id = 1) is not null", "(id = 1) is not null"),
    ] {
        assert_eq!(canonical(written), expected, "{written}");
        assert_eq!(canonical(expected), expected, "{expected}");
        assert_eq!(parse(expected), parse(written), "{written}");
    }
}

#[test]
fn precedence_is_that_of_sql() {
    for (written, parenthesised) in [
        ("active or active and id = 1", "active or (active and (id = 1))"),
        ("not active and active", "(not active) and active"),
        ("not id = 1", "not (id = 1)"),
        ("id + 2 * 3 = 7", "(id + (2 * 3)) = 7"),
        ("id - 2 - 3 = 7", "((id - 2) - 3) = 7"),
        ("id - -2 = 7", "id - (-2) = 7"),
        ("-id * 2 = 7", "(-id) * 2 = 7"),
        ("id + 1 is null", "(id + 1) is null"),
        ("id between 1 and 2 and active", "(id between 1 and 2) and active"),
        ("id in (1, 2) or active", "(id in (1, 2)) or active"),
        ("active and (active and active)", "(active and active) and active"),
    ] {
        assert_eq!(parse(written), parse(parenthesised), "{written}");
    }
    assert_ne!(parse("(id + 2) * 3 = 7"), parse("id + 2 * 3 = 7"));
    assert_ne!(parse("id - (2 - 3) = 7"), parse("id - 2 - 3 = 7"));
    assert_ne!(parse("not (active and active)"), parse("not active and active"));
    assert_eq!(canonical("id - (2 - 3) = 7"), "id - (2 - 3) = 7");
    assert_eq!(canonical("(id - 2) - 3 = 7"), "id - 2 - 3 = 7");
    assert_eq!(canonical("(active or active) and active"), "(active or active) and active");
}
